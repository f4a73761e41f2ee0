/** A volume in a directory: the base, the data's file, and the journal that says which is valid. */
import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../../../net/clock.js';
import type { DirectoryLock } from '../../store/lock.js';
import type { Extent, SparseStorage } from '../gate.js';
import { type ChunkState, isUntouched, MOVE_KEY, type VolumeRecord } from '../storage.js';
import type { VolumeBase } from './base.js';
import type { Chunk, ChunkFacts } from './chunk.js';
import { Contents } from './contents.js';
import type { Journal } from './journal.js';
import { CHUNK_BYTES, named, SECTOR_BYTES } from './layout.js';
import { syncData } from './positioned.js';
import { Ranges } from './ranges.js';
import { CLOSED, encodeFlushed, encodeKeep, encodeState } from './records.js';
import { Sealing } from './sealing.js';
import { type Revision, Writer } from './writer.js';

const MOST_NAMED = 5;
/** Runs of bytes that one call looks at, since nothing else is done meanwhile: 8 GiB of chunks that have one each. */
const MOST_RUNS = 32_768;

/** What has been opened. */
export interface VolumeParts {
  readonly lock: DirectoryLock;
  readonly data: FileHandle;
  readonly journal: Journal;
  readonly base: VolumeBase | undefined;
  readonly sizeBytes: number;
  readonly chunks: Map<number, Chunk>;
  readonly records: Map<string, VolumeRecord>;
  readonly epoch: number;
  readonly hasCleanSlots: boolean;
  readonly boot: string;
  readonly clock: Clock;
}

export class FileVolume implements SparseStorage {
  readonly chunkBytes = CHUNK_BYTES;
  readonly #contents: Contents;
  readonly #ranges = new Ranges();
  readonly #writer: Writer;
  readonly #sealing: Sealing;
  readonly #damaged = new Set<number>();
  /** The last frame of the journal that says that all data before it is durable. */
  #flushedFrame = 0;
  #flushing: Promise<void> = Promise.resolve();
  #nextFlush: Promise<void> | undefined;
  #isClosed = false;
  readonly #running = new Set<Promise<unknown>>();

  constructor(private readonly parts: VolumeParts) {
    const { data, base, chunks, journal, clock, sizeBytes, epoch, hasCleanSlots } = parts;
    const damaged = (index: number): void => void this.#damaged.add(index);
    this.#contents = new Contents({ sizeBytes, fd: data.fd, base, chunks, damaged });
    for (const [index, chunk] of chunks) if (chunk.hasLost) damaged(index);
    this.#flushedFrame = journal.frames;
    const shared = { contents: this.#contents, journal, ranges: this.#ranges, clock };
    const under = base === undefined ? 'zero' : 'base';
    this.#writer = new Writer({ ...shared, fd: data.fd, chunks, epoch, hasCleanSlots, under });
    this.#sealing = new Sealing({
      ...shared,
      chunks,
      flush: () => this.flush(),
      shorten: () => this.#shorten(),
    });
    this.#sealing.start();
  }

  get size(): number {
    return this.parts.sizeBytes;
  }

  get baseDigest(): string | undefined {
    return this.parts.base?.digest;
  }

  get modified(): ReadonlyMap<number, ChunkState> {
    return this.parts.chunks;
  }

  get records(): ReadonlyMap<string, VolumeRecord> {
    return this.parts.records;
  }

  /** Why nothing can be written any more, or which chunks are damaged. */
  get problem(): string | null {
    const { failure } = this.parts.journal;
    if (failure !== undefined) return failure.message;
    for (const index of this.#damaged)
      if (this.parts.chunks.get(index)?.hasLost !== true) this.#damaged.delete(index);
    if (this.#damaged.size === 0) return null;
    const first = [...this.#damaged].slice(0, MOST_NAMED).join(', ');
    return `damaged chunks (${CHUNK_BYTES / 1024} KiB each): ${first}${this.#damaged.size > MOST_NAMED ? `, and ${this.#damaged.size - MOST_NAMED} more` : ''}`;
  }

  /** What of the volume is in the data's file. */
  get storedBytes(): number {
    let stored = 0;
    for (const [index, { map }] of this.parts.chunks)
      stored += map === undefined ? this.#contents.lengthOf(index) : map.valid * SECTOR_BYTES;
    return stored;
  }

  read(offset: number, length: number): Promise<Buffer> {
    this.#check(offset, length);
    return this.#during(() => this.#contents.read(offset, length));
  }

  isHere(offset: number, length: number): boolean {
    this.#check(offset, length);
    return this.#contents.runs(offset, length).every(({ source }) => source !== 'awaited');
  }

  extents(offset: number, length: number, most = Number.MAX_SAFE_INTEGER): readonly Extent[] {
    this.#check(offset, length);
    const extents: Extent[] = [];
    const end = offset + length;
    for (let [at, seen] = [offset, 0]; at < end && seen < MOST_RUNS; ) {
      // Chunk by chunk: whoever asks for few has few made.
      const bytes = Math.min(end - at, CHUNK_BYTES - (at % CHUNK_BYTES));
      const runs = this.#contents.runs(at, bytes);
      for (const run of runs) {
        const isHole = run.source === 'zero';
        const last = extents.at(-1);
        if (last?.isHole === isHole)
          extents[extents.length - 1] = { isHole, length: last.length + run.length };
        else if (extents.length === most) return extents;
        else extents.push({ isHole, length: run.length });
      }
      at += bytes;
      seen += runs.length;
    }
    return extents;
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    this.#check(offset, data.length);
    this.#checkFailure();
    if (data.length > 0) await this.#during(() => this.#writer.write(offset, data));
  }

  async zero(offset: number, length: number): Promise<void> {
    this.#check(offset, length);
    this.#checkFailure();
    await this.#during(() => this.#writer.zero(offset, length));
  }

  /** Those that come while one is under way share the next one. */
  flush(): Promise<void> {
    if (this.#nextFlush !== undefined) return this.#nextFlush;
    const flushing = this.#inTurn(() => {
      this.#nextFlush = undefined;
      return this.#flush();
    });
    this.#nextFlush = flushing;
    return flushing;
  }

  async await(states: ReadonlyMap<number, Revision>): Promise<void> {
    for (const index of states.keys()) this.#checkChunk(index);
    this.#checkFailure();
    await this.#during(() => this.#writer.await(states));
  }

  async put(chunk: number, data: Uint8Array | undefined, state: Revision): Promise<void> {
    this.#checkChunk(chunk);
    if (data !== undefined && data.length !== this.#contents.lengthOf(chunk))
      throw new RangeError(`chunk ${chunk} has ${this.#contents.lengthOf(chunk)} bytes, not ${data.length}`);
    if (!Number.isSafeInteger(state.version)) throw new RangeError(`version ${state.version}`);
    this.#checkFailure();
    await this.#during(() => this.#writer.put(chunk, data, state));
  }

  async forget(): Promise<void> {
    await this.#during(() => this.#inTurn(() => this.#forget()));
  }

  async keep(key: string, value: VolumeRecord | undefined): Promise<void> {
    const { journal, records } = this.parts;
    await this.#during(async () => {
      const versions = key === MOVE_KEY && isUntouched(value) ? this.#openStates() : [];
      await journal.append(Buffer.concat([...versions, encodeKeep(key, value)]));
      if (value === undefined) records.delete(key);
      else records.set(key, value);
      await journal.sync();
    });
  }

  /** Compares all chunks that have a digest with it. Answers how many. Those that differ are in `problem`. */
  async verify(): Promise<number> {
    let verified = 0;
    for (const [index, { digest }] of this.parts.chunks)
      if (digest !== undefined) {
        await this.#contents.verify(index);
        verified++;
      }
    return verified;
  }

  /** Digests for what is quiet, now; otherwise that happens every two seconds. */
  seal(): Promise<void> {
    return this.#sealing.round();
  }

  async close(): Promise<void> {
    const { journal, data, base, lock } = this.parts;
    this.#isClosed = true;
    await this.#sealing.stop();
    // Who is under way knows the files by numbers, which are others' as soon as they are closed.
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    try {
      await this.flush();
      await this.#inTurn(() => this.#compact(true));
    } finally {
      await journal.close();
      await data.close();
      await base?.close();
      await lock.release();
    }
  }

  /** Closing waits for it. */
  async #during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error('the volume is closed');
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #forget(): Promise<void> {
    const { data, chunks, sizeBytes } = this.parts;
    this.#checkFailure();
    chunks.clear();
    this.#damaged.clear();
    // Whoever dies in between has nothing in any chunk, and does not take what is in the data for holes.
    await this.#compact(false, false);
    await data.truncate(0);
    await data.truncate(sizeBytes);
    await this.#lastingly(syncData(data.fd));
    await this.#compact(false);
  }

  async #flush(): Promise<void> {
    const { journal } = this.parts;
    const frames = journal.frames;
    this.#checkFailure();
    await this.#syncData();
    if (frames > this.#flushedFrame) {
      await journal.append(encodeFlushed(frames));
      const after = journal.frames;
      await journal.sync();
      this.#flushedFrame = after === frames + 1 ? after : frames;
    }
    // Whoever has asked for the flush does not wait for it; the next one does.
    if (journal.isLong) void this.#shorten().catch(() => undefined);
  }

  /** Also where nobody flushes. */
  async #shorten(): Promise<void> {
    const { journal } = this.parts;
    if (!journal.isLong) return;
    await this.#inTurn(async () => {
      if (journal.isLong) await this.#compact(false);
    });
  }

  async #syncData(): Promise<void> {
    if (!this.#writer.isDirty) return;
    this.#writer.isDirty = false;
    await this.#lastingly(syncData(this.parts.data.fd));
  }

  /** What could not be made durable the system forgets: nothing that comes after may be believed. */
  async #lastingly(sync: Promise<void>): Promise<void> {
    try {
      await sync;
    } catch (error) {
      throw await this.parts.journal.fail(error);
    }
  }

  /** @param isLast versions are what they are, nothing is written any more */
  async #compact(isLast: boolean, hasCleanSlots = this.parts.hasCleanSlots): Promise<void> {
    const { journal, chunks, sizeBytes, epoch, boot } = this.parts;
    const head = named({ sizeBytes, epoch, baseDigest: this.baseDigest, hasCleanSlots, boot });
    await journal.replace(() => {
      const records = [...chunks].map(([index, chunk]) =>
        encodeState(index, isLast ? closed(chunk) : this.#writer.factsOf(index, chunk), false),
      );
      for (const [key, value] of this.parts.records) records.push(encodeKeep(key, value));
      if (isLast) records.push(CLOSED);
      return { head, records, ready: this.#syncData() };
    });
    this.#flushedFrame = journal.firstFrames;
  }

  /** Nobody writes from now on: what may have been written to has the version that is said here, also after a crash. */
  #openStates(): readonly Buffer[] {
    const open = [...this.parts.chunks].filter(([, { isOpen }]) => isOpen);
    return open.map(([index, chunk]) => encodeState(index, chunk, false));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#flushing.then(work, work);
    this.#flushing = done;
    return done;
  }

  #checkFailure(): void {
    const { failure } = this.parts.journal;
    if (failure !== undefined) throw failure;
  }

  #check(offset: number, length: number): void {
    const isAligned = offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0;
    if (!isAligned || offset < 0 || length < 0 || offset + length > this.size)
      throw new RangeError(`${length} bytes at ${offset}: not of the volume, or no whole sectors`);
  }

  #checkChunk(chunk: number): void {
    if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk * CHUNK_BYTES >= this.size)
      throw new RangeError(`chunk ${chunk}: not of the volume`);
  }
}

/** What was allowed to be written to and was not has its digest. */
function closed(chunk: Chunk): ChunkFacts {
  if (chunk.digest === undefined || !chunk.isOpen) return chunk;
  const { under, map, digest, version, writes } = chunk;
  return { under, map, isOpen: false, digest, version, writes };
}
