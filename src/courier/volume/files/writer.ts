/**
 * What changes a volume's content. Before anything is answered the journal's file has what a reader will need, so that the death of the
 * process loses nothing; what the death of the machine may lose waits for `flush`.
 */
import type { Clock } from '../../../net/clock.js';
import { Chunk, type ChunkFacts, type Under } from './chunk.js';
import type { Contents } from './contents.js';
import { digestOfSlot } from './contents.js';
import type { Journal } from './journal.js';
import { CHUNK_BYTES, SECTOR_BYTES, SECTORS } from './layout.js';
import { writeAt } from './positioned.js';
import type { Ranges } from './ranges.js';
import { encodeOpen, encodeSectors, encodeState } from './records.js';
import { EPOCH_VERSIONS } from './replay.js';
import { SectorMap } from './sector-map.js';

/** Who overwrites what was quiet from its beginning on waits once for so many chunks. */
const OPENED_AT_ONCE = 64;
/** Chunks that one request of zeroes works on at once. */
const ZEROED_AT_ONCE = 256;
const ZEROES = Buffer.alloc(CHUNK_BYTES);
const NEVER = -1;

interface WriterOptions {
  readonly fd: number;
  readonly chunks: Map<number, Chunk>;
  readonly contents: Contents;
  readonly journal: Journal;
  readonly ranges: Ranges;
  readonly clock: Clock;
  readonly epoch: number;
  /** Of what is in no chunk. */
  readonly under: Under;
  /** What is in no chunk is a hole in the data, too. */
  readonly hasCleanSlots: boolean;
}

export interface Revision {
  readonly version: number;
  readonly writes: number;
}

export class Writer {
  /** Something was written since it was set to false. */
  isDirty = false;
  readonly #opening = new Map<number, Promise<void>>();

  constructor(private readonly options: WriterOptions) {}

  async write(offset: number, data: Uint8Array): Promise<void> {
    const index = Math.floor(offset / CHUNK_BYTES);
    const from = offset - index * CHUNK_BYTES;
    if (from + data.length <= CHUNK_BYTES) return this.#change(index, from, data.length, data);
    await this.#pieces(offset, data.length, (chunk, at, length, done) =>
      this.#change(chunk, at, length, data.subarray(done, done + length)),
    );
  }

  async zero(offset: number, length: number): Promise<void> {
    const { contents } = this.options;
    await this.#pieces(offset, length, (index, from, bytes) =>
      bytes === contents.lengthOf(index) ? this.#zeroChunk(index) : this.#zeroPart(index, from, bytes),
    );
  }

  /** What a new journal says of the chunk: that it is being opened may stand in the old one alone. */
  factsOf(index: number, chunk: Chunk): ChunkFacts {
    if (!this.#opening.has(index)) return chunk;
    const { under, map, version, writes } = chunk;
    return { under, map, isOpen: true, digest: undefined, version, writes };
  }

  /** What is there of the chunks is forgotten. Durable when it resolves. */
  async await(states: ReadonlyMap<number, Revision>): Promise<void> {
    const { chunks, ranges, journal, contents } = this.options;
    const turns = [...states.keys()].map((index) => ranges.enter(index, 0, contents.sectorsOf(index)));
    try {
      for (const turn of turns) await turn.before;
      const records = [...states].map(([index, { version, writes }]) => {
        const chunk = chunks.get(index) ?? this.#fresh(index, SectorMap.empty());
        chunk.empty('awaited');
        chunk.version = Math.max(chunk.version, version);
        chunk.writes = writes;
        chunk.generation = journal.generation;
        return encodeState(index, chunk, false);
      });
      await journal.appendAll(records);
      await journal.sync();
    } finally {
      for (const turn of turns) turn.leave();
    }
  }

  async put(index: number, data: Uint8Array | undefined, { version, writes }: Revision): Promise<void> {
    await this.#alone(index, async () => {
      const { chunks, journal } = this.options;
      await this.#opening.get(index);
      const known = chunks.get(index);
      const isNewer = known !== undefined && !known.isAwaited && known.version >= version;
      if (isNewer && !known.hasLost) return;
      const chunk = known ?? this.#fresh(index, SectorMap.empty());
      if (!chunk.isAwaited && chunk.hasSlot) await this.#giveUp(index, chunk);
      else if (chunk.generation !== journal.generation) await this.#note(index, chunk);
      const isPart = chunk.isAwaited && chunk.hasSlot;
      if (data === undefined) {
        if (isPart) chunk.under = 'zero';
        else chunk.empty('zero');
      } else if (isPart) await this.#merge(index, chunk, data);
      else await this.#replace(index, chunk, data);
      chunk.version = Math.max(chunk.version, version);
      chunk.writes = Math.max(chunk.writes, writes);
      this.isDirty = true;
      await this.#note(index, chunk);
    });
  }

  /** What is there of it will be written over: whoever dies in between has the version of before, and knows that he has not its content. */
  async #giveUp(index: number, chunk: Chunk): Promise<void> {
    const { journal } = this.options;
    chunk.empty('awaited');
    chunk.generation = journal.generation;
    await journal.append(encodeState(index, chunk, false));
    await journal.sync();
  }

  /** @param data undefined: so many zeroes */
  async #change(index: number, from: number, length: number, data: Uint8Array | undefined): Promise<void> {
    const { fd, chunks, journal, ranges, contents } = this.options;
    const [first, end] = [from / SECTOR_BYTES, (from + length) / SECTOR_BYTES];
    const turn = ranges.enter(index, first, end);
    try {
      if (turn.before !== undefined) await turn.before;
      const known = chunks.get(index);
      const isReady = known !== undefined && this.#isReady(known);
      const chunk = isReady ? known : await this.#open(index, length === contents.lengthOf(index));
      const sectors = contents.sectorsOf(index);
      if (data === undefined && (chunk.map === undefined || chunk.under === 'zero')) {
        chunk.clear(first, end, sectors);
        this.#wrote(chunk);
        await journal.append(encodeSectors('clear', index, first, end));
        return;
      }
      try {
        await writeAt(fd, data ?? ZEROES.subarray(0, length), index * CHUNK_BYTES + from);
      } finally {
        this.#wrote(chunk);
      }
      // The data first: a sector that the journal has is there.
      if (chunk.fill(first, end, sectors)) await journal.append(encodeSectors('fill', index, first, end));
    } finally {
      turn.leave();
    }
  }

  async #zeroChunk(index: number): Promise<void> {
    await this.#alone(index, async () => {
      const known = this.options.chunks.get(index);
      if (known === undefined && this.options.under === 'zero') return;
      const chunk = known ?? this.#fresh(index, SectorMap.empty());
      if (chunk.isDamaged) await this.#lose(index, chunk);
      else await this.#unseal(index, chunk);
      chunk.empty('zero');
      this.#wrote(chunk);
      await this.#note(index, chunk);
    });
  }

  async #zeroPart(index: number, from: number, length: number): Promise<void> {
    const { chunks, under } = this.options;
    // A hole that is one already. What is being written has its chunk.
    if (under === 'zero' && !chunks.has(index)) return;
    await this.#change(index, from, length, undefined);
  }

  #isReady(chunk: Chunk): boolean {
    const { isOpen, digest, isDamaged, noting, generation } = chunk;
    const isSaid = noting === undefined && generation === this.options.journal.generation;
    return isOpen && digest === undefined && !isDamaged && isSaid;
  }

  /** The chunk may be written to. @param isWhole nothing of it will be left */
  async #open(index: number, isWhole: boolean): Promise<Chunk> {
    const { chunks, contents, under, hasCleanSlots } = this.options;
    const isHole = under === 'zero' && hasCleanSlots;
    const chunk = chunks.get(index) ?? this.#fresh(index, isHole ? undefined : SectorMap.empty());
    while (!this.#isReady(chunk)) {
      if (chunk.noting !== undefined) await chunk.noting;
      else if (chunk.digest !== undefined && !chunk.isVerified && !isWhole) await contents.verify(index);
      else if (chunk.isDamaged) await this.#lose(index, chunk);
      else if (chunk.digest !== undefined && !chunk.isOpen) await this.#unseal(index, chunk);
      else {
        const wasOpen = chunk.isOpen && chunk.generation === this.options.journal.generation;
        chunk.digest = undefined;
        chunk.isOpen = true;
        if (!wasOpen) await this.#note(index, chunk);
      }
    }
    return chunk;
  }

  /** Durable before anything of it is written: whoever dies in between would have what is damaged without the digest that says so. */
  async #lose(index: number, chunk: Chunk): Promise<void> {
    chunk.empty('lost');
    chunk.isOpen = true;
    await this.#note(index, chunk, true);
  }

  /** After that its content may be another than its digest says, also after a crash. */
  async #unseal(index: number, chunk: Chunk): Promise<void> {
    while (chunk.noting !== undefined) await chunk.noting;
    if (chunk.digest === undefined || chunk.isOpen) return;
    await (this.#opening.get(index) ?? this.#openFrom(index));
  }

  /** The chunk, and those behind it when whoever writes has come from the one before. */
  async #openFrom(first: number): Promise<void> {
    const { chunks, journal, clock, ranges } = this.options;
    const isSealed = (index: number): boolean => {
      const chunk = chunks.get(index);
      const isSealed = chunk?.digest !== undefined && !chunk.isOpen;
      // Of the others the digest alone says that they are damaged.
      const isGood = chunk?.isVerified === true && !chunk.isDamaged;
      return isSealed && isGood && !this.#opening.has(index) && !ranges.isBusy(index);
    };
    const most = chunks.get(first - 1)?.isOpen === true ? OPENED_AT_ONCE : 1;
    let end = first + 1;
    while (end < first + most && isSealed(end)) end++;
    const opened = journal.append(encodeOpen(first, end - first)).then(() => journal.sync());
    for (let index = first; index < end; index++) this.#opening.set(index, opened);
    try {
      await opened;
      for (let index = first; index < end; index++) {
        const chunk = chunks.get(index);
        if (chunk === undefined) continue;
        chunk.isOpen = true;
        // Those ahead are to be left open for a while, too.
        chunk.lastWriteMs = clock.nowMs();
      }
    } finally {
      for (let index = first; index < end; index++) this.#opening.delete(index);
    }
  }

  /** Resolves when the journal's file has the chunk's state as it is now. @param isDurable not only if the data is */
  async #note(index: number, chunk: Chunk, isDurable = false): Promise<void> {
    const { journal } = this.options;
    chunk.generation = journal.generation;
    const appended = journal.append(encodeState(index, chunk, !isDurable));
    const noting = isDurable ? appended.then(() => journal.sync()) : appended;
    chunk.noting = noting.catch(() => undefined);
    try {
      await noting;
    } finally {
      chunk.noting = undefined;
    }
  }

  async #replace(index: number, chunk: Chunk, data: Uint8Array): Promise<void> {
    await writeAt(this.options.fd, data, index * CHUNK_BYTES);
    chunk.fillAll();
    chunk.isOpen = false;
    chunk.isDamaged = false;
    chunk.isVerified = true;
    chunk.digest = digestOfSlot(Buffer.from(data.buffer, data.byteOffset, data.length), undefined);
  }

  /** The sectors that were written here stay. */
  async #merge(index: number, chunk: Chunk, data: Uint8Array): Promise<void> {
    const { fd, contents } = this.options;
    const runs = [...(chunk.map?.runs(0, contents.sectorsOf(index)) ?? [])];
    for (const { from, to, isValid } of runs)
      if (!isValid)
        await writeAt(
          fd,
          data.subarray(from * SECTOR_BYTES, to * SECTOR_BYTES),
          index * CHUNK_BYTES + from * SECTOR_BYTES,
        );
    chunk.fillAll();
  }

  #wrote(chunk: Chunk): void {
    const { epoch, clock } = this.options;
    chunk.version = Math.max(chunk.version + 1, epoch * EPOCH_VERSIONS);
    chunk.writes++;
    chunk.lastWriteMs = clock.nowMs();
    this.isDirty = true;
  }

  #fresh(index: number, map: SectorMap | undefined): Chunk {
    const { under, chunks } = this.options;
    const chunk = new Chunk({ under, map, isOpen: false, digest: undefined, version: 0, writes: 0 });
    chunk.generation = NEVER;
    chunks.set(index, chunk);
    return chunk;
  }

  async #alone(index: number, work: () => Promise<void>): Promise<void> {
    const turn = this.options.ranges.enter(index, 0, SECTORS);
    try {
      await turn.before;
      await work();
    } finally {
      turn.leave();
    }
  }

  async #pieces(
    offset: number,
    length: number,
    work: (index: number, from: number, length: number, done: number) => Promise<void>,
  ): Promise<void> {
    let running: Promise<void>[] = [];
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / CHUNK_BYTES);
      const from = offset + done - index * CHUNK_BYTES;
      const bytes = Math.min(length - done, CHUNK_BYTES - from);
      running.push(work(index, from, bytes, done));
      done += bytes;
      if (running.length < ZEROED_AT_ONCE) continue;
      await all(running);
      running = [];
    }
    await all(running);
  }
}

/** Nothing is under way any more when it rejects. */
async function all(running: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(running))
    if (outcome.status === 'rejected') throw outcome.reason;
}
