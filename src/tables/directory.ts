import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { MacRecords } from './mac-records.js';
import type { NodeRecord, RouterId, VnetId } from './model.js';
import { OwnStamps } from './own-stamps.js';
import { RankedSubscribers } from './ranked-subscribers.js';
import { addHash, compareRecords, hashRecord, isDisowned, MAX_SEQUENCE } from './record.js';
import { StampOrder } from './stamp-order.js';
import { VnetMap } from './vnet-map.js';

/** How long a tombstone keeps its sequence number (tables.md). */
export const TOMBSTONE_MS = 24 * 3_600_000;
/**
 * Of one router, those with the highest stamps; the others are dropped before their time. A LAN whose nodes come and go all
 * day would make millions otherwise. All routers have to do the same, or their digests do not agree.
 */
export const TOMBSTONES_PER_ROUTER = 4_096;

export interface DirectoryChange {
  readonly before: NodeRecord | undefined;
  /** What `get` gives. Of a record that was dropped (disowned, by `keepMembers`, by `drop`): as withdrawn, and `get` gives nothing. */
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

/** A record, and where its node was before; and with which MAC, if with another one (that is not kept on disk). */
export type SavedRecord = NodeRecord & { readonly previous?: RouterId; readonly previousMac?: Mac };

/** A set; of this router's own records it is a `StampOrder`, which wants to know their hashes. */
interface ShelfRecords extends Iterable<NodeRecord> {
  readonly size: number;
  add(record: NodeRecord, hash: number): unknown;
  delete(record: NodeRecord, hash: number): unknown;
}

/** The records that name one router, and their digest, kept up to date record by record. */
interface Shelf {
  readonly records: ShelfRecords;
  highestStamp: number;
  hash: number;
  /** Of the records; made with the first. */
  tombstones: StampOrder | undefined;
}

/**
 * The replicated map node address → record. `apply` is idempotent and commutative: any two directories that have seen
 * the same records, in whatever order and however often, hold the same ones; but for those that their router disowns
 * (`isDisowned`), which it says to those only that gave them back to it. All calls but `all`, `of`, `lackedBy`,
 * `load`, `keepMembers` and `expire` take constant time. It refuses nothing for want of room: whoever lets records in asks
 * `size` and `count` first.
 *
 * There may be 100,000 records in it that never change, so what only some of them have (a VR before, a time of
 * withdrawal) is kept beside them, and what can be computed again (the hash) is not kept.
 */
export class Directory {
  readonly #self: RouterId;
  readonly #clock: Clock;
  readonly #records = new VnetMap<string, NodeRecord>();
  /** The VR where the node was before its record's `router`, for those that have moved. */
  readonly #previous = new VnetMap<string, RouterId>();
  /** The MAC that it had there, where that is not its record's. */
  readonly #previousMac = new VnetMap<string, Mac>();
  readonly #shelves = new Map<RouterId, Shelf>();
  /** Those on the shelf of this router. */
  readonly #own = new StampOrder();
  /** Records in state `here`. */
  readonly #byMac: MacRecords;
  /** Tombstones, and the Unix time from which each counts its 24 h. */
  readonly #tombstones = new Map<NodeRecord, number>();
  readonly #stamps: OwnStamps;
  readonly #subscribers = new RankedSubscribers<DirectoryChange>();

  constructor(self: RouterId, clock: Clock) {
    this.#self = self;
    this.#clock = clock;
    this.#stamps = new OwnStamps(clock);
    this.#byMac = new MacRecords(self);
  }

  get size(): number {
    return this.#records.size;
  }

  /** The winning record, tombstones included. */
  get(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    return this.#records.get(vnet, ip.key);
  }

  /** The winning record unless it is a tombstone. */
  here(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const record = this.get(vnet, ip);
    return record?.state === 'here' ? record : undefined;
  }

  /** All addresses of a MAC, wherever they are; no tombstones. */
  byMac(vnet: VnetId, mac: Mac): readonly NodeRecord[] {
    return this.#byMac.of(vnet, mac);
  }

  /** The MAC has addresses, and none of them is at this router. */
  isElsewhere(vnet: VnetId, mac: Mac): boolean {
    return this.#byMac.isElsewhere(vnet, mac);
  }

  /** All records that name the router, tombstones included. */
  of(router: RouterId): readonly NodeRecord[] {
    return [...(this.#shelves.get(router)?.records ?? [])];
  }

  /** How many records name the router, tombstones included. */
  count(router: RouterId): number {
    return this.#shelves.get(router)?.records.size ?? 0;
  }

  /** How many of them are in state `here`. */
  countHere(router: RouterId): number {
    const shelf = this.#shelves.get(router);
    return shelf === undefined ? 0 : shelf.records.size - (shelf.tombstones?.size ?? 0);
  }

  all(): IterableIterator<NodeRecord> {
    return this.#records.values();
  }

  /**
   * Makes an own record with a fresh stamp, applies and returns it. `seq` is the caller's: the known one for a node
   * that stays, one more for a move. A seq that is beaten already leaves the directory as it is, but for one case: where
   * an own record stands whose stamp is above all fresh ones (see `OwnStamps`), it is one more than that record's.
   * What is made can be encoded whatever `seq` is: outside the range, 1 … `MAX_SEQUENCE`, it is that end of it.
   * @param frozen as it was, if the node was here already; else not
   */
  originate(vnet: VnetId, ip: Ip, mac: Mac, seq: number, frozen = this.#isFrozenHere(vnet, ip)): NodeRecord {
    return this.#originate(this.draft(vnet, ip, mac, seq, frozen));
  }

  /** The record that `originate` would make, not applied. */
  draft(vnet: VnetId, ip: Ip, mac: Mac, seq: number, frozen = false): NodeRecord {
    const record = this.#numbered({ vnet, ip, mac, router: this.#self, seq, state: 'here', stamp: 0 });
    return frozen ? { ...record, frozen } : record;
  }

  /**
   * Makes an own record a tombstone: same seq (as in `originate`), fresh stamp. Undefined (and nothing done) if there is
   * none in state `here`.
   */
  withdraw(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const record = this.here(vnet, ip);
    if (record?.router !== this.#self) return undefined;
    const { frozen: _, ...rest } = record;
    return this.#originate(this.#numbered({ ...rest, state: 'withdrawn' }));
  }

  /**
   * `known`: it is the winner already. `stale`: it is beaten by the one that `get` gives; or it says of this router what
   * nothing could ever beat, and is no word of its own.
   */
  apply(record: NodeRecord): 'applied' | 'known' | 'stale' {
    if (isDisowned(record)) return this.#disown(record);
    if (record.router === this.#self) {
      if (record.seq >= MAX_SEQUENCE && !this.#stamps.isCredible(record.stamp)) return 'stale';
      this.#stamps.heard(record.stamp);
    }
    const shelf = this.#shelf(record.router);
    shelf.highestStamp = Math.max(shelf.highestStamp, record.stamp);
    const displaced = this.#records.get(record.vnet, record.ip.key);
    if (displaced !== undefined) {
      const order = compareRecords(record, displaced);
      if (order <= 0) return order === 0 ? 'known' : 'stale';
      this.#remove(displaced);
    }
    this.#insert(record, displaced);
    this.#subscribers.notify({ before: displaced, after: record });
    this.#trimTombstones(shelf);
    return 'applied';
  }

  /** An own record has come from outside with this stamp: fresh ones are above it, as far as it is credible. */
  heardOwn(stamp: number): void {
    this.#stamps.heard(stamp);
  }

  /** Applies records from disk. Own stamps go on above theirs. */
  load(records: Iterable<SavedRecord>): void {
    for (const { previous, ...record } of records) {
      if (this.apply(record) !== 'applied' || previous === undefined || record.state !== 'here') continue;
      this.#previous.set(record.vnet, record.ip.key, previous);
    }
  }

  /** A record as it is to be kept on disk. */
  saved(record: NodeRecord): SavedRecord {
    const { vnet, ip } = record;
    const previous = this.previous(vnet, ip);
    const previousMac = this.#previousMac.get(vnet, ip.key);
    if (previous === undefined) return record;
    return { ...record, previous, ...(previousMac !== undefined && { previousMac }) };
  }

  /** The VR where the winning record's node was before it came to where it is; undefined if it has not moved. */
  previous(vnet: VnetId, ip: Ip): RouterId | undefined {
    return this.#previous.get(vnet, ip.key);
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
  lackedBy(peer: RecordDigest): readonly NodeRecord[] {
    const own = this.digest(this.#self);
    if (own.hash === peer.hash && own.count === peer.count) return [];
    return this.#own.after(this.explains(peer) ? peer.highestStamp : -1);
  }

  /**
   * Does the peer hold own records as they are here, though perhaps not all? If not, it may have some that are not here.
   * Whatever digest is sent, this costs no walk through all records.
   */
  explains(peer: RecordDigest): boolean {
    const { count, hash } = this.#own.upTo(peer.highestStamp);
    return count === peer.count && hash === peer.hash;
  }

  /**
   * Calls `listener` synchronously after each applied change, with the directory complete. A listener may change the
   * directory itself; all then hear of the inner change before the outer one has gone round: `get` counts. Returns how to stop.
   */
  subscribe(listener: (change: DirectoryChange) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /** The same, for those on whom nothing depends that is said or forwarded now; see `RankedSubscribers`. */
  subscribeLater(listener: (change: DirectoryChange) => void): () => void {
    return this.#subscribers.subscribeLater(listener);
  }

  hold(work: () => void): void {
    this.#subscribers.hold(work);
  }

  catchUp(): void {
    this.#subscribers.catchUp();
  }

  /** Forgets tombstones that are older than 24 h. Nobody is notified: a tombstone has no effect but its seq. */
  expire(): void {
    const limitMs = this.#clock.wallMs() - TOMBSTONE_MS;
    for (const [record, withdrawnMs] of this.#tombstones) {
      if (withdrawnMs < limitMs) this.#forget(record);
    }
  }

  /**
   * Forgets all that routers which are no members have said, tombstones included, and that a node was at one of them
   * before. Returns what was dropped. Of what such a record had beaten nothing is known any more: who has the node says so
   * again, when it is heard or when tables are compared.
   * @param members all routers of gndt.json, this one included
   */
  keepMembers(members: ReadonlySet<RouterId>): readonly SavedRecord[] {
    const strangers = [...this.#shelves.keys()].filter((router) => !members.has(router));
    const gone = strangers.flatMap((router) => this.of(router));
    const dropped = gone.map((record) => this.saved(record));
    for (const record of gone) this.#forget(record);
    for (const router of strangers) this.#shelves.delete(router);
    for (const { vnet, ip } of this.#records.values()) {
      const previous = this.previous(vnet, ip);
      if (previous === undefined || members.has(previous)) continue;
      this.#previous.delete(vnet, ip.key);
      this.#previousMac.delete(vnet, ip.key);
    }
    for (const before of gone) this.#notifyDropped(before);
    return dropped;
  }

  /** Forgets a record, if it is the one that `get` gives: nobody has said it. */
  drop(record: NodeRecord): void {
    if (this.get(record.vnet, record.ip) !== record) return;
    this.#forget(record);
    this.#notifyDropped(record);
  }

  #notifyDropped(before: NodeRecord): void {
    const { frozen: _, ...after } = before;
    this.#subscribers.notify({ before, after: { ...after, state: 'withdrawn' } });
  }

  #isFrozenHere(vnet: VnetId, ip: Ip): boolean {
    const record = this.here(vnet, ip);
    return record?.router === this.#self && record.frozen === true;
  }

  #originate(record: NodeRecord): NodeRecord {
    this.apply(record);
    return record;
  }

  /** An own record with the numbers that it gets now. */
  #numbered(record: NodeRecord): NodeRecord {
    const stamp = this.#stamps.next();
    const known = this.get(record.vnet, record.ip);
    const isUnbeatable = known?.router === this.#self && known.seq === record.seq && known.stamp >= stamp;
    const seq = Math.min(Math.max(1, record.seq + (isUnbeatable ? 1 : 0)), MAX_SEQUENCE);
    return { ...record, seq, stamp };
  }

  #shelf(router: RouterId): Shelf {
    let shelf = this.#shelves.get(router);
    if (shelf === undefined) {
      const records = router === this.#self ? this.#own : new Set<NodeRecord>();
      shelf = { records, highestStamp: 0, hash: 0, tombstones: undefined };
      this.#shelves.set(router, shelf);
    }
    return shelf;
  }

  #insert(record: NodeRecord, displaced: NodeRecord | undefined): void {
    const { vnet, ip } = record;
    this.#records.set(vnet, ip.key, record);
    if (displaced !== undefined) this.#notePrevious(displaced, record);
    const shelf = this.#shelf(record.router);
    const hash = hashRecord(record);
    shelf.records.add(record, hash);
    shelf.hash = addHash(shelf.hash, hash, 1);
    if (record.state === 'withdrawn') {
      shelf.tombstones ??= new StampOrder();
      shelf.tombstones.add(record, hash);
      this.#tombstones.set(record, this.#withdrawnMs(record));
    } else this.#byMac.add(record);
  }

  #notePrevious({ router, mac }: NodeRecord, after: NodeRecord): void {
    const { vnet, ip } = after;
    const isMove = router !== after.router;
    if (isMove) this.#previous.set(vnet, ip.key, router);
    const before = isMove ? mac : (this.#previousMac.get(vnet, ip.key) ?? mac);
    if (before === after.mac || this.previous(vnet, ip) === undefined) this.#previousMac.delete(vnet, ip.key);
    else this.#previousMac.set(vnet, ip.key, before);
  }

  /** What another router has now is not that router's to end. */
  #disown(record: NodeRecord): 'applied' | 'known' | 'stale' {
    const before = this.#records.get(record.vnet, record.ip.key);
    if (before === undefined) return 'known';
    if (before.router !== record.router || before.seq > record.seq) return 'stale';
    this.#forget(before);
    this.#subscribers.notify({ before, after: record });
    return 'applied';
  }

  #forget(record: NodeRecord): void {
    this.#remove(record);
    this.#records.delete(record.vnet, record.ip.key);
    this.#previous.delete(record.vnet, record.ip.key);
    this.#previousMac.delete(record.vnet, record.ip.key);
  }

  /** The oldest goes, which may be the one that has just come. */
  #trimTombstones({ tombstones }: Shelf): void {
    if (tombstones === undefined || tombstones.size <= TOMBSTONES_PER_ROUTER) return;
    const oldest = tombstones.oldest;
    if (oldest !== undefined) this.#forget(oldest);
  }

  /** Takes it out of all indexes; its places in `#records` and `#previous` are the caller's. */
  #remove(record: NodeRecord): void {
    const shelf = this.#shelf(record.router);
    const hash = hashRecord(record);
    shelf.records.delete(record, hash);
    shelf.hash = addHash(shelf.hash, hash, -1);
    if (record.state === 'withdrawn') {
      shelf.tombstones?.delete(record, hash);
      this.#tombstones.delete(record);
    } else this.#byMac.delete(record);
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
