/** What a volume's bytes are: in its slots (the data's file, each chunk at its own place), in the base, or nowhere. */
import { createHash } from 'node:crypto';
import type { VolumeBase } from './base.js';
import type { Chunk } from './chunk.js';
import { CHUNK_BYTES, SECTOR_BYTES, SECTORS } from './layout.js';
import { readAt } from './positioned.js';
import { DIGEST_BYTES } from './records.js';

export type Source = 'slot' | 'base' | 'zero' | 'awaited' | 'lost';

/** Bytes of the volume that have one source. */
export interface Run {
  readonly source: Source;
  readonly offset: number;
  readonly length: number;
}

interface ContentsOptions {
  readonly sizeBytes: number;
  /** The data's file. */
  readonly fd: number;
  readonly base: VolumeBase | undefined;
  readonly chunks: ReadonlyMap<number, Chunk>;
  /** A chunk's content is not what its digest says. */
  damaged(index: number): void;
}

export class Contents {
  readonly #verifying = new Map<number, Promise<void>>();

  constructor(private readonly options: ContentsOptions) {}

  /** Bytes that the chunk has: the last one may have fewer. */
  lengthOf(index: number): number {
    return Math.min(CHUNK_BYTES, this.options.sizeBytes - index * CHUNK_BYTES);
  }

  sectorsOf(index: number): number {
    return Math.ceil(this.lengthOf(index) / SECTOR_BYTES);
  }

  /** Neighbours of one source are one run. */
  runs(offset: number, length: number): readonly Run[] {
    const runs: Run[] = [];
    for (const run of this.#pieces(offset, offset + length)) {
      const last = runs.at(-1);
      if (last?.source === run.source) runs[runs.length - 1] = { ...last, length: last.length + run.length };
      else runs.push(run);
    }
    return runs;
  }

  /** Rejects with the system's error, and for what is not here or damaged. */
  async read(offset: number, length: number): Promise<Buffer> {
    const unknown = this.#unverified(offset, length);
    if (unknown !== undefined) await Promise.all(unknown.map((index) => this.verify(index)));
    const into = Buffer.allocUnsafe(length);
    const runs = this.runs(offset, length);
    const [only] = runs;
    if (runs.length === 1 && only !== undefined) await this.#readRun(only, into, 0);
    else await Promise.all(runs.map((run) => this.#readRun(run, into, run.offset - offset)));
    return into;
  }

  /** Compares a chunk with its digest, once. Nothing is rejected but the system's errors: who is damaged says so itself. */
  async verify(index: number): Promise<void> {
    const running = this.#verifying.get(index);
    if (running !== undefined) return running;
    const verifying = this.#verify(index).finally(() => this.#verifying.delete(index));
    this.#verifying.set(index, verifying);
    return verifying;
  }

  /** Of what is in the chunk's slot now. */
  async digest(index: number, { map }: Pick<Chunk, 'map'>): Promise<string> {
    const length = this.lengthOf(index);
    const content = Buffer.allocUnsafe(length);
    await this.#readSlot(content, 0, length, index * CHUNK_BYTES);
    return digestOfSlot(content, map);
  }

  async #verify(index: number): Promise<void> {
    const chunk = this.options.chunks.get(index);
    const wanted = chunk?.digest;
    if (chunk === undefined || wanted === undefined || chunk.isVerified) return;
    const digest = await this.digest(index, chunk);
    // Somebody has written to it meanwhile.
    if (chunk.digest !== wanted) return;
    chunk.isVerified = true;
    if (digest === wanted) return;
    chunk.isDamaged = true;
    this.options.damaged(index);
  }

  #unverified(offset: number, length: number): number[] | undefined {
    let unknown: number[] | undefined;
    const last = Math.floor((offset + length - 1) / CHUNK_BYTES);
    for (let index = Math.floor(offset / CHUNK_BYTES); index <= last; index++) {
      const chunk = this.options.chunks.get(index);
      if (chunk?.digest === undefined || chunk.isVerified) continue;
      unknown ??= [];
      unknown.push(index);
    }
    return unknown;
  }

  *#pieces(offset: number, end: number): Generator<Run> {
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / CHUNK_BYTES);
      const start = index * CHUNK_BYTES;
      const until = Math.min(end, start + CHUNK_BYTES);
      const chunk = this.options.chunks.get(index);
      const whole = sourceOfAll(chunk, this.options.base);
      if (whole !== undefined) yield { source: whole, offset: at, length: until - at };
      else if (chunk?.map !== undefined) {
        const [from, to] = [
          Math.floor((at - start) / SECTOR_BYTES),
          Math.ceil((until - start) / SECTOR_BYTES),
        ];
        for (const run of chunk.map.runs(from, to)) {
          const first = Math.max(at, start + run.from * SECTOR_BYTES);
          const length = Math.min(until, start + run.to * SECTOR_BYTES) - first;
          yield { source: run.isValid ? 'slot' : chunk.under, offset: first, length };
        }
      }
      at = until;
    }
  }

  async #readRun({ source, offset, length }: Run, into: Buffer, at: number): Promise<void> {
    switch (source) {
      case 'slot':
        return this.#readSlot(into, at, length, offset);
      case 'base':
        return this.options.base?.read(into, at, length, offset);
      case 'zero':
        into.fill(0, at, at + length);
        return;
      case 'awaited':
        throw new Error(`bytes from ${offset} on are still at the other site`);
      case 'lost':
        throw new Error(`chunk ${Math.floor(offset / CHUNK_BYTES)} (bytes from ${offset} on) is damaged`);
    }
  }

  async #readSlot(into: Buffer, at: number, length: number, offset: number): Promise<void> {
    const there = await readAt(this.options.fd, into, at, length, offset);
    // The file is as long as the volume: somebody has cut it.
    if (there < length) throw new Error(`the data ends at byte ${offset + there}`);
  }
}

function sourceOfAll(chunk: Chunk | undefined, base: VolumeBase | undefined): Source | undefined {
  if (chunk === undefined) return base === undefined ? 'zero' : 'base';
  if (chunk.isDamaged) return 'lost';
  if (chunk.map === undefined) return 'slot';
  return chunk.map.valid === 0 ? chunk.under : undefined;
}

/** @param content the whole slot */
export function digestOfSlot(content: Buffer, map: Chunk['map']): string {
  const hash = createHash('sha256');
  if (map === undefined) hash.update(content);
  else
    for (const { from, to, isValid } of map.runs(0, SECTORS))
      if (isValid) hash.update(content.subarray(from * SECTOR_BYTES, to * SECTOR_BYTES));
  return hash.digest().toString('latin1', 0, DIGEST_BYTES);
}
