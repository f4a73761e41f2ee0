/**
 * Pages by what they are: in memory, then on disk, those used longest ago out first. What comes from disk is compared with its
 * digest when it is used; a page that is not what it should be is forgotten, and counts as one that was never there.
 *
 * New pages go to disk behind the caller's back, in the order of their coming. Where the disk is slower than they come, those
 * that have to leave the memory before are forgotten and counted; nobody waits for the disk. A disk that refuses
 * is asked again a minute later; until then the store is as large as its memory.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../net/clock.js';
import { DeclaredCounters } from '../../net/counters.js';
import { messageOf } from '../../net/system-error.js';
import { type Digester, KEY_BYTES } from './digest.js';
import { NAME_BYTES, StoreDisk } from './disk.js';
import { FreeEntries } from './free-entries.js';
import { KeyTable } from './key-table.js';
import { PageMemory } from './memory.js';
import { type Peer, Peers } from './peers.js';
import { Recency } from './recency.js';
import { RECORD_BYTES, Records } from './records.js';
import { StampOrder } from './stamp-order.js';

export const STORE_COUNTERS = {
  store_hits_memory: 'event',
  store_hits_disk: 'event',
  store_misses: 'event',
  store_pages_added: 'event',
  store_pages_replaced: 'event',
  /** Had to leave the memory before the disk had them. */
  store_pages_lost: 'drop',
  /** What the disk had was not what it should be. */
  store_pages_bad: 'drop',
  store_disk_errors: 'drop',
} as const;

const PAGES_AT_ONCE = 64;
const RETRY_DISK_MS = 60_000;

export interface StoreOptions {
  readonly pageBytes: number;
  readonly memoryBytes: number;
  /** What both files may take; 0: no disk. */
  readonly diskBytes: number;
  readonly directory: string | undefined;
  readonly clock: Clock;
}

/** A page that goes to disk. */
interface Leaving {
  readonly entry: number;
  readonly digest: Buffer;
  readonly page: Buffer;
}

export interface StoreView {
  readonly name: string;
  readonly pages: number;
  readonly pagesInMemory: number;
  readonly pagesOnDisk: number;
  readonly mostPages: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Why the disk is not used at the moment; null: it is, or there is none. */
  readonly diskProblem: string | null;
  readonly counters: Readonly<Record<string, number>>;
}

export class PageStore {
  readonly counters = new DeclaredCounters(STORE_COUNTERS);
  readonly #capacity: number;
  readonly #keys: KeyTable;
  readonly #recency: Recency;
  readonly #memory: PageMemory;
  readonly #free: FreeEntries;
  /** By entry: the page is on disk; which peers have it. */
  readonly #written: Uint8Array;
  readonly #peersOf: Uint32Array;
  readonly #peers: Peers;
  /** In memory only, the next to be written first. */
  readonly #unwritten = new Map<number, Buffer>();
  #onDisk = 0;
  #stamp = 1;
  #writing: Promise<void> | undefined;
  #retryAtMs = 0;
  #diskProblem: string | undefined;
  #closed = false;
  readonly name: string;

  private constructor(
    private readonly options: StoreOptions,
    private readonly disk: StoreDisk | undefined,
  ) {
    const { pageBytes, memoryBytes, diskBytes } = options;
    const inMemory = Math.max(1, Math.floor(memoryBytes / pageBytes));
    const onDisk = disk === undefined ? 0 : Math.floor(diskBytes / (pageBytes + RECORD_BYTES));
    this.#capacity = Math.max(inMemory, onDisk);
    this.#keys = new KeyTable(this.#capacity);
    this.#recency = new Recency(this.#capacity);
    this.#memory = new PageMemory(inMemory, this.#capacity, pageBytes);
    this.#free = new FreeEntries(this.#capacity);
    this.#written = new Uint8Array(this.#capacity);
    this.#peersOf = new Uint32Array(this.#capacity);
    this.#peers = new Peers(disk?.head.peers ?? []);
    this.name = disk?.head.name ?? randomBytes(NAME_BYTES).toString('hex');
  }

  /**
   * Rejects when the directory cannot be used; nothing is left open then. Files that are no store's, or are cut off, are begun anew as
   * far as that goes.
   */
  static async open(options: StoreOptions): Promise<PageStore> {
    const { directory, diskBytes, pageBytes } = options;
    const withDisk = directory !== undefined && diskBytes > 0;
    const disk = withDisk ? await StoreDisk.open(directory, pageBytes) : undefined;
    try {
      const store = new PageStore(options, disk);
      if (disk !== undefined) await store.#load(disk);
      return store;
    } catch (error) {
      await disk?.close();
      throw error;
    }
  }

  /** Some records at a time: a store may have millions of them, and of each only what its tables have room for is kept. */
  async #load(disk: StoreDisk): Promise<void> {
    await disk.cut(this.#capacity);
    const order = new StampOrder(this.#capacity);
    for await (const records of disk.records())
      for (let number = 0; number < records.count; number++) this.#loadOne(records, number, order);
    for (const { entry, stamp } of order.sorted()) {
      this.#recency.use(entry);
      this.#stamp = stamp + 1;
    }
    this.#onDisk = this.#recency.size;
    this.#free.begin((entry) => this.#written[entry] === 1);
  }

  /** Of two with one digest the later. */
  #loadOne(records: Records, number: number, order: StampOrder): void {
    const stamp = records.stampAt(number);
    if (stamp === 0) return;
    const entry = records.first + number;
    const digest = records.digestAt(number);
    const twin = this.#keys.find(digest);
    if (twin >= 0) {
      if (order.stampOf(twin) >= stamp) return;
      this.#keys.remove(twin);
      this.#written[twin] = 0;
      order.set(twin, 0);
    }
    this.#keys.add(entry, digest);
    this.#written[entry] = 1;
    this.#peersOf[entry] = records.peersAt(number);
    order.set(entry, stamp);
  }

  /** Whether a page with that key should be there. It is proven only when it is fetched. */
  has(digest: Uint8Array, at = 0): boolean {
    return this.#keys.find(digest, at) >= 0;
  }

  /** Keeps a copy of the page. What `page` is known by the caller has computed. */
  put(digest: Uint8Array, page: Uint8Array): void {
    const known = this.#keys.find(digest);
    if (known >= 0) {
      this.#recency.use(known);
      if (!this.#memory.has(known)) this.#keep(known, page);
      return;
    }
    const entry = this.#allot();
    this.#keys.add(entry, digest);
    this.#recency.use(entry);
    this.#peersOf[entry] = 0;
    if (this.disk !== undefined) this.#unwritten.set(entry, Buffer.from(digest));
    this.#keep(entry, page);
    this.counters.count('store_pages_added');
    this.#write();
  }

  /** Copies the page whose key is at the beginning of `key` to `target`. False: it is not in memory. */
  copy(key: Uint8Array, target: Uint8Array, at: number): boolean {
    const entry = this.#keys.find(key);
    const page = entry < 0 ? undefined : this.#memory.get(entry);
    if (page === undefined) return false;
    this.#recency.use(entry);
    this.counters.count('store_hits_memory');
    target.set(page, at);
    return true;
  }

  /** A copy of the page whose key is at `at`; undefined: it is not there, or not what it should be. */
  async fetch(key: Uint8Array, at: number, digester: Digester): Promise<Buffer | undefined> {
    const entry = this.#keys.find(key, at);
    const page = entry < 0 ? undefined : this.#memory.get(entry);
    if (page !== undefined) {
      this.#recency.use(entry);
      this.counters.count('store_hits_memory');
      return Buffer.from(page);
    }
    const read = entry < 0 || this.#written[entry] === 0 ? undefined : await this.#read(entry);
    if (read === undefined) {
      this.counters.count('store_misses');
      return undefined;
    }
    const digest = digester.of(read);
    const is = key.subarray(at, at + KEY_BYTES);
    if (Buffer.compare(digest.subarray(0, KEY_BYTES), is) !== 0) {
      this.counters.count('store_pages_bad');
      // While it was read another may have got its entry.
      if (this.#keys.find(key, at) === entry) this.#drop(entry);
      return undefined;
    }
    this.counters.count('store_hits_disk');
    // Or it is new in its entry, and in memory.
    if (this.#keys.find(key, at) === entry && !this.#memory.has(entry)) this.#keep(entry, read);
    if (this.#keys.find(key, at) === entry) this.#recency.use(entry);
    return read;
  }

  /** Another store, of which is remembered what it has. */
  peer(name: string): Peer {
    const { peer, isNew } = this.#peers.ask(name);
    const mask = maskOf(peer);
    if (!isNew) return peer;
    for (let entry = 0; entry < this.#capacity; entry++)
      this.#peersOf[entry] = (this.#peersOf[entry] ?? 0) & ~mask;
    this.disk?.writePeers(this.#peers.names).catch((error: unknown) => this.#refused(error));
    return peer;
  }

  /** What this store believes; the other one may have forgotten the page since. */
  peerHas(peer: Peer, digest: Uint8Array, at = 0): boolean {
    const entry = this.#keys.find(digest, at);
    return entry >= 0 && ((this.#peersOf[entry] ?? 0) & maskOf(peer)) !== 0;
  }

  /** No effect for a page that is not here. */
  setPeerHas(peer: Peer, has: boolean, digest: Uint8Array, at = 0): void {
    const entry = this.#keys.find(digest, at);
    if (entry < 0) return;
    const bits = this.#peersOf[entry] ?? 0;
    this.#peersOf[entry] = has ? bits | maskOf(peer) : bits & ~maskOf(peer);
  }

  view(): StoreView {
    return {
      name: this.name,
      pages: this.#recency.size,
      pagesInMemory: this.#memory.size,
      pagesOnDisk: this.#onDisk,
      mostPages: this.#capacity,
      memoryBytes: this.options.memoryBytes,
      diskBytes: this.disk === undefined ? 0 : this.options.diskBytes,
      diskProblem: this.#diskProblem ?? null,
      counters: this.counters.counters(),
    };
  }

  /** What is only in memory goes to disk, and the order of use with it. Never rejects: a disk that refuses then is `diskProblem`. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.disk === undefined) return;
    await this.#writing;
    this.#retryAtMs = 0;
    await this.#writeAll(this.disk);
    await this.#writeOrder(this.disk).catch((error: unknown) => this.#refused(error));
    await this.disk.close().catch((error: unknown) => this.#refused(error));
  }

  /** An entry that nobody has. */
  #allot(): number {
    const free = this.#free.take();
    if (free >= 0) return free;
    this.#drop(this.#recency.oldest());
    this.counters.count('store_pages_replaced');
    return this.#free.take();
  }

  #keep(entry: number, page: Uint8Array): void {
    const gone = this.#memory.add(entry, page);
    if (gone < 0 || this.#written[gone] === 1) return;
    if (this.disk !== undefined) this.counters.count('store_pages_lost');
    else this.counters.count('store_pages_replaced');
    this.#drop(gone);
  }

  #drop(entry: number): void {
    this.#keys.remove(entry);
    this.#recency.drop(entry);
    this.#memory.drop(entry);
    this.#unwritten.delete(entry);
    if (this.#written[entry] === 1) this.#onDisk--;
    this.#written[entry] = 0;
    this.#free.giveBack(entry);
  }

  async #read(entry: number): Promise<Buffer | undefined> {
    try {
      const page = await this.disk?.read(entry);
      if (page !== undefined) return page;
      // The file is shorter than its index says.
      this.counters.count('store_pages_bad');
    } catch (error) {
      this.#refused(error);
    }
    if (this.#written[entry] === 1 && !this.#memory.has(entry)) this.#drop(entry);
    return undefined;
  }

  #write(): void {
    const { disk } = this;
    if (disk === undefined || this.#writing !== undefined || this.#closed) return;
    this.#writing = this.#writeAll(disk).finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(disk: StoreDisk): Promise<void> {
    while (this.#unwritten.size > 0 && this.options.clock.nowMs() >= this.#retryAtMs) {
      const next = [...take(this.#unwritten, PAGES_AT_ONCE)].sort(([a], [b]) => a - b);
      // The memory may have other pages before the disk is done.
      const leaving = next.map(([entry, digest]) => {
        return { entry, digest, page: Buffer.from(this.#memory.get(entry) ?? []) };
      });
      try {
        for (const run of runsOf(leaving)) await this.#writeRun(disk, run);
        this.#diskProblem = undefined;
      } catch (error) {
        this.#refused(error);
      }
    }
  }

  async #writeRun(disk: StoreDisk, run: readonly Leaving[]): Promise<void> {
    const first = run[0]?.entry ?? 0;
    await disk.writePages(first, Buffer.concat(run.map(({ page }) => page)));
    const records = Records.empty(first, run.length);
    for (const [number, { entry, digest }] of run.entries()) {
      records.setDigest(number, digest);
      records.set(number, this.#stamp++, this.#peersOf[entry] ?? 0);
    }
    await disk.writeRecords(records);
    for (const { entry, digest } of run) {
      // Another page may have got the entry; it is in the queue itself then.
      if (this.#unwritten.get(entry) !== digest) continue;
      this.#unwritten.delete(entry);
      this.#written[entry] = 1;
      this.#onDisk++;
    }
  }

  /** Each record gets a stamp by its entry's place in the order of use. */
  async #writeOrder(disk: StoreDisk): Promise<void> {
    const places = new Uint32Array(this.#capacity);
    let last = 0;
    for (const entry of this.#recency) if (this.#written[entry] === 1) places[entry] = ++last;
    for await (const records of disk.records()) {
      for (let number = 0; number < records.count; number++) {
        const entry = records.first + number;
        const place = places[entry] ?? 0;
        if (place === 0) records.clear(number);
        else records.set(number, this.#stamp + place, this.#peersOf[entry] ?? 0);
      }
      await disk.writeRecords(records);
    }
  }

  #refused(error: unknown): void {
    this.counters.count('store_disk_errors');
    this.#diskProblem = messageOf(error);
    this.#retryAtMs = this.options.clock.nowMs() + RETRY_DISK_MS;
  }
}

function* take<Key, Value>(from: ReadonlyMap<Key, Value>, most: number): Generator<[Key, Value]> {
  for (const one of from) {
    if (most-- === 0) return;
    yield one;
  }
}

/** Runs of entries that follow each other. */
function* runsOf(sorted: readonly Leaving[]): Generator<readonly Leaving[]> {
  let run: Leaving[] = [];
  for (const one of sorted) {
    if (run.length > 0 && one.entry !== (run.at(-1)?.entry ?? 0) + 1) {
      yield run;
      run = [];
    }
    run.push(one);
  }
  if (run.length > 0) yield run;
}

/** No bit at all where the peer has been forgotten. */
function maskOf({ bit }: Peer): number {
  return bit === undefined ? 0 : 1 << bit;
}
