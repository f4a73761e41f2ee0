import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { NodeRecord, RouterId, VnetId } from './model.js';
import { addHash, compareRecords, hashRecord } from './record.js';
import { Subscribers } from './subscribers.js';
import { VnetMap } from './vnet-map.js';

/** How long a tombstone keeps its sequence number (tables.md). */
export const TOMBSTONE_MS = 24 * 3_600_000;

export interface DirectoryChange {
  readonly before: NodeRecord | undefined;
  readonly after: NodeRecord;
}

/** What one router knows of another's records; two routers that agree on it hold the same ones. */
export interface RecordDigest {
  /** The highest stamp ever seen on a record naming the router, 0 if none. Records that lost count too. */
  readonly highestStamp: number;
  /** Over the records that name the router now, tombstones included. */
  readonly count: number;
  readonly hash: number;
}

/** A record, and where its node was before. */
export type SavedRecord = NodeRecord & { readonly previous?: RouterId };

interface Entry {
  readonly record: NodeRecord;
  readonly hash: number;
  /** The VR where the node was before `record.router`. */
  readonly previous: RouterId | undefined;
  /** Unix time from which a tombstone counts its 24 h; unused while the node is here. */
  readonly withdrawnMs: number;
}

/** The records that name one router, and their digest, kept up to date record by record. */
interface Shelf {
  readonly records: Set<NodeRecord>;
  highestStamp: number;
  hash: number;
}

/**
 * The replicated map node address → record. `apply` is idempotent and commutative: any two directories that have seen
 * the same records, in whatever order and however often, hold the same ones. All calls but `all`, `of`, `missing`,
 * `load` and `expire` take constant time.
 */
export class Directory {
  readonly #self: RouterId;
  readonly #clock: Clock;
  readonly #entries = new VnetMap<string, Entry>();
  readonly #shelves = new Map<RouterId, Shelf>();
  /** Records in state `here`. */
  readonly #byMac = new VnetMap<Mac, readonly NodeRecord[]>();
  readonly #tombstones = new Set<Entry>();
  readonly #subscribers = new Subscribers<[DirectoryChange]>();

  constructor(self: RouterId, clock: Clock) {
    this.#self = self;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The winning record, tombstones included. */
  get(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    return this.#entries.get(vnet, ip.key)?.record;
  }

  /** The winning record unless it is a tombstone. */
  here(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const record = this.get(vnet, ip);
    return record?.state === 'here' ? record : undefined;
  }

  /** All addresses of a MAC, wherever they are; no tombstones. */
  byMac(vnet: VnetId, mac: Mac): readonly NodeRecord[] {
    return this.#byMac.get(vnet, mac) ?? [];
  }

  /** All records that name the router, tombstones included. */
  of(router: RouterId): readonly NodeRecord[] {
    return [...(this.#shelves.get(router)?.records ?? [])];
  }

  *all(): IterableIterator<NodeRecord> {
    for (const entry of this.#entries.values()) yield entry.record;
  }

  /**
   * Makes an own record with a fresh stamp, applies and returns it. `seq` is the caller's: the known one for a node
   * that stays, one more for a move. A seq that is beaten already leaves the directory as it is.
   * @param frozen as it was, if the node was here already; else not
   */
  originate(vnet: VnetId, ip: Ip, mac: Mac, seq: number, frozen = this.#isFrozenHere(vnet, ip)): NodeRecord {
    return this.#originate(this.draft(vnet, ip, mac, seq, frozen));
  }

  /** The record that `originate` would make, not applied. */
  draft(vnet: VnetId, ip: Ip, mac: Mac, seq: number, frozen = false): NodeRecord {
    const stamp = this.#freshStamp();
    const record: NodeRecord = { vnet, ip, mac, router: this.#self, seq, state: 'here', stamp };
    return frozen ? { ...record, frozen } : record;
  }

  /** Makes an own record a tombstone: same seq, fresh stamp. Undefined (and nothing done) if there is none in state `here`. */
  withdraw(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const record = this.here(vnet, ip);
    if (record?.router !== this.#self) return undefined;
    const { frozen: _, ...rest } = record;
    return this.#originate({ ...rest, state: 'withdrawn', stamp: this.#freshStamp() });
  }

  /** `known`: it is the winner already. `stale`: it is beaten by the one that `get` gives. */
  apply(record: NodeRecord): 'applied' | 'known' | 'stale' {
    const shelf = this.#shelf(record.router);
    shelf.highestStamp = Math.max(shelf.highestStamp, record.stamp);
    const displaced = this.#entries.get(record.vnet, record.ip.key);
    if (displaced !== undefined) {
      const order = compareRecords(record, displaced.record);
      if (order <= 0) return order === 0 ? 'known' : 'stale';
      this.#remove(displaced);
    }
    this.#insert(record, displaced);
    this.#subscribers.notify({ before: displaced?.record, after: record });
    return 'applied';
  }

  /** Applies records from disk. Own stamps go on above theirs. */
  load(records: Iterable<SavedRecord>): void {
    for (const { previous, ...record } of records) {
      if (this.apply(record) !== 'applied' || previous === undefined || record.state !== 'here') continue;
      const entry = this.#entries.get(record.vnet, record.ip.key);
      if (entry !== undefined) this.#entries.set(record.vnet, record.ip.key, { ...entry, previous });
    }
  }

  /** A record as it is to be kept on disk. */
  saved(record: NodeRecord): SavedRecord {
    const previous = this.previous(record.vnet, record.ip);
    return previous === undefined ? record : { ...record, previous };
  }

  /** The VR where the winning record's node was before it came to where it is; undefined if it has not moved. */
  previous(vnet: VnetId, ip: Ip): RouterId | undefined {
    return this.#entries.get(vnet, ip.key)?.previous;
  }

  /** What this directory knows of the router's records. */
  digest(router: RouterId): RecordDigest {
    const shelf = this.#shelves.get(router);
    if (shelf === undefined) return { highestStamp: 0, count: 0, hash: 0 };
    return { highestStamp: shelf.highestStamp, count: shelf.records.size, hash: shelf.hash };
  }

  /**
   * Own records that a peer with that digest of this router's lacks, oldest first: none if the digests agree; the
   * newer ones if the peer holds exactly what is not newer than its highest stamp; else all of them.
   */
  missing(peer: RecordDigest): readonly NodeRecord[] {
    const own = this.digest(this.#self);
    if (own.hash === peer.hash && own.count === peer.count) return [];
    const records = this.of(this.#self);
    const lacking = this.explains(peer)
      ? records.filter((record) => record.stamp > peer.highestStamp)
      : [...records];
    return lacking.sort((a, b) => a.stamp - b.stamp);
  }

  /** Does the peer hold own records as they are here, though perhaps not all? If not, it may have some that are not here. */
  explains(peer: RecordDigest): boolean {
    let count = 0;
    let hash = 0;
    for (const record of this.#shelves.get(this.#self)?.records ?? []) {
      if (record.stamp > peer.highestStamp) continue;
      count++;
      hash = addHash(hash, hashRecord(record), 1);
    }
    return count === peer.count && hash === peer.hash;
  }

  /**
   * Calls `listener` synchronously after each applied change, with the directory complete. A listener may change the
   * directory itself; all listeners then hear of the inner change before the outer one has gone round, so what counts
   * is what `get` says. Returns how to stop.
   */
  subscribe(listener: (change: DirectoryChange) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /** Forgets tombstones that are older than 24 h. Nobody is notified: a tombstone has no effect but its seq. */
  expire(): void {
    const limitMs = this.#clock.wallMs() - TOMBSTONE_MS;
    for (const entry of this.#tombstones) {
      if (entry.withdrawnMs >= limitMs) continue;
      this.#remove(entry);
      this.#entries.delete(entry.record.vnet, entry.record.ip.key);
    }
  }

  #isFrozenHere(vnet: VnetId, ip: Ip): boolean {
    const record = this.here(vnet, ip);
    return record?.router === this.#self && record.frozen === true;
  }

  #originate(record: NodeRecord): NodeRecord {
    this.apply(record);
    return record;
  }

  /** Rises even when the wall clock stands still, is set back, or was ahead when the state was saved. */
  #freshStamp(): number {
    const last = this.#shelves.get(this.#self)?.highestStamp ?? 0;
    return Math.max(last + 1, Math.floor(this.#clock.wallMs() * 1000));
  }

  #shelf(router: RouterId): Shelf {
    let shelf = this.#shelves.get(router);
    if (shelf === undefined) {
      shelf = { records: new Set(), highestStamp: 0, hash: 0 };
      this.#shelves.set(router, shelf);
    }
    return shelf;
  }

  #insert(record: NodeRecord, displaced: Entry | undefined): void {
    const cameFrom = displaced?.record.router;
    const entry: Entry = {
      record,
      hash: hashRecord(record),
      previous: cameFrom === record.router ? displaced?.previous : cameFrom,
      withdrawnMs: this.#withdrawnMs(record),
    };
    this.#entries.set(record.vnet, record.ip.key, entry);
    const shelf = this.#shelf(record.router);
    shelf.records.add(record);
    shelf.hash = addHash(shelf.hash, entry.hash, 1);
    if (record.state === 'withdrawn') this.#tombstones.add(entry);
    else this.#indexMac(record);
  }

  /** Takes it out of all indexes; its place in `#entries` is the caller's. */
  #remove(entry: Entry): void {
    const shelf = this.#shelf(entry.record.router);
    shelf.records.delete(entry.record);
    shelf.hash = addHash(shelf.hash, entry.hash, -1);
    if (entry.record.state === 'withdrawn') this.#tombstones.delete(entry);
    else this.#unindexMac(entry.record);
  }

  /** The lists are replaced, not changed: callers of `byMac` may hold them. */
  #indexMac(record: NodeRecord): void {
    const { vnet, mac } = record;
    this.#byMac.set(vnet, mac, [...(this.#byMac.get(vnet, mac) ?? []), record]);
  }

  #unindexMac(record: NodeRecord): void {
    const { vnet, mac } = record;
    const rest = (this.#byMac.get(vnet, mac) ?? []).filter((other) => other !== record);
    if (rest.length === 0) this.#byMac.delete(vnet, mac);
    else this.#byMac.set(vnet, mac, rest);
  }

  /**
   * Its stamp, so that all routers drop a tombstone at about the same time and their digests go on agreeing. A stamp
   * that cannot be right (ahead of this clock, or old enough to be dropped on arrival) counts from now instead.
   */
  #withdrawnMs(record: NodeRecord): number {
    const nowMs = this.#clock.wallMs();
    const stampMs = record.stamp / 1000;
    return stampMs > nowMs || stampMs < nowMs - TOMBSTONE_MS ? nowMs : stampMs;
  }
}
