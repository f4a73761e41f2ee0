/**
 * A volume's storage that forgets as a real one may: what is called is done later, in the order of the calls to a chunk; a killed process
 * loses what was not done yet, and a power cut anything that was not flushed, sector by sector.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChunkVersion, Remaining } from '../../src/courier/volume/chunk/says.js';

export const CHUNKS = 6;
export const SECTORS = 4;

export interface SimChunk {
  sectors: number[];
  /** Of an awaited chunk: which sectors were written here. */
  valid: boolean[];
  version: number;
  writes: number;
  isAwaited: boolean;
  /** Its version came with it. */
  isPut: boolean;
  /** Rises when all that was here is forgotten. */
  life: number;
}

interface Operation {
  readonly name: string;
  /** Undefined: it has no order with others but those like it. */
  readonly chunk: number | undefined;
  do(): void;
  done(): void;
}

function fresh(): SimChunk[] {
  return Array.from({ length: CHUNKS }, () => ({
    sectors: Array<number>(SECTORS).fill(0),
    valid: Array<boolean>(SECTORS).fill(true),
    ...{ version: 0, writes: 0, isAwaited: false, isPut: false, life: 0 },
  }));
}

export class SimStorage {
  #cached = fresh();
  #durable = fresh();
  #queue: Operation[] = [];
  readonly records = new Map<string, unknown>();
  /** A fault of it, for those that test the tests: a chunk that comes overwrites one that is newer here. */
  isCareless = false;

  constructor(private readonly random: () => number) {}

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  get chunks(): (Remaining & { isAwaited: boolean })[] {
    return this.#cached.flatMap(({ version, writes, isAwaited }, chunk) =>
      version > 0 || isAwaited ? [{ chunk, version, writes, isAwaited }] : [],
    );
  }

  chunk(chunk: number): SimChunk {
    const found = this.#cached[chunk];
    if (found === undefined) throw new RangeError(`chunk ${chunk}`);
    return found;
  }

  version(chunk: number): number | undefined {
    const { version } = this.chunk(chunk);
    return version > 0 ? version : undefined;
  }

  isHere(chunk: number, sector: number): boolean {
    const { isAwaited, valid } = this.chunk(chunk);
    return !isAwaited || valid[sector] === true;
  }

  /** One of what waits is done. */
  step(): void {
    const may = this.#queue.filter(
      (one, at) =>
        !this.#queue
          .slice(0, at)
          .some(({ chunk, name }) =>
            one.chunk === undefined
              ? name === one.name || one.name === 'all'
              : chunk === one.chunk || name === 'all',
          ),
    );
    const next = may[Math.floor(this.random() * may.length)];
    if (next === undefined) return;
    this.#queue.splice(this.#queue.indexOf(next), 1);
    next.do();
    next.done();
  }

  read(chunk: number, sector: number, done: (value: number) => void): void {
    let value = -1;
    const read = (): void => {
      if (!this.isHere(chunk, sector)) throw new Error(`sector ${chunk}.${sector} is read and is not here`);
      value = this.chunk(chunk).sectors[sector] ?? -1;
    };
    this.#call('read', chunk, read, () => done(value));
  }

  readChunk(chunk: number, done: (sectors: readonly number[]) => void): void {
    let sectors: readonly number[] = [];
    const read = (): void => {
      if (this.chunk(chunk).isAwaited) throw new Error(`chunk ${chunk} is read and is not here`);
      sectors = [...this.chunk(chunk).sectors];
    };
    this.#call('read', chunk, read, () => done(sectors));
  }

  /** @param values by sector */
  write(chunk: number, values: ReadonlyMap<number, number>, done: () => void): void {
    const write = (): void => {
      const one = this.chunk(chunk);
      one.version++;
      one.isPut = false;
      one.writes++;
      for (const [sector, value] of values) {
        one.sectors[sector] = value;
        one.valid[sector] = true;
      }
      if (one.valid.every((isValid) => isValid)) one.isAwaited = false;
    };
    this.#call('write', chunk, write, done);
  }

  put({ chunk, version }: ChunkVersion, sectors: readonly number[], done: () => void): void {
    const put = (): void => {
      const one = this.chunk(chunk);
      if (!one.isAwaited && one.version >= version && !this.isCareless) return;
      for (const [sector, value] of sectors.entries())
        if (!one.isAwaited || one.valid[sector] !== true) one.sectors[sector] = value;
      one.valid.fill(true);
      one.isAwaited = false;
      one.isPut ||= one.version < version;
      one.version = Math.max(one.version, version);
    };
    this.#call('put', chunk, put, done);
  }

  flush(done: () => void): void {
    const before = structuredClone(this.#cached);
    const flush = (): void => {
      this.#durable = this.#durable.map((durable, at) => {
        const flushed = before[at] ?? durable;
        return flushed.life === durable.life ? flushed : durable;
      });
    };
    this.#call('flush', undefined, flush, done);
  }

  await(states: readonly Remaining[], done: () => void): void {
    const awaits = (): void => {
      for (const all of [this.#cached, this.#durable])
        for (const { chunk, version, writes } of states) {
          const one = all[chunk];
          if (one === undefined) continue;
          Object.assign(one, { version, writes, isAwaited: true, life: one.life + 1 });
          one.valid.fill(false);
        }
    };
    this.#call('all', undefined, awaits, done);
  }

  forget(done: () => void): void {
    const forget = (): void => {
      const life = this.chunk(0).life + 1;
      this.#cached = fresh().map((one) => ({ ...one, life }));
      this.#durable = structuredClone(this.#cached);
    };
    this.#call('all', undefined, forget, done);
  }

  keep(key: string, value: unknown, done: () => void): void {
    const keep = (): void => {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, structuredClone(value));
    };
    this.#call('keep', undefined, keep, done);
  }

  /** The process is gone. What was called may have been done, in its order; nobody hears of it. */
  kill(): void {
    while (this.#queue.length > 0 && this.random() < 0.5) {
      const [next] = this.#queue.splice(0, 1);
      next?.do();
    }
    this.#queue = [];
  }

  /** The host is gone, too. */
  cutPower(): void {
    this.kill();
    this.#cached = this.#cached.map((cached, chunk) =>
      this.#survives(cached, this.#durable[chunk] ?? cached),
    );
    this.#durable = structuredClone(this.#cached);
  }

  #survives(cached: SimChunk, durable: SimChunk): SimChunk {
    if (isDeepStrictEqual(cached, durable)) return cached;
    // What happened last may have reached the disk, or may not.
    const version = cached.isPut ? durable.version : Math.max(cached.version, durable.version);
    if (this.random() < 0.3) return cached;
    if (this.random() < 0.5 || cached.isAwaited !== durable.isAwaited)
      return { ...structuredClone(durable), version };
    const sectors = [...durable.sectors];
    const valid = [...durable.valid];
    for (let sector = 0; sector < SECTORS; sector++)
      if (this.random() < 0.5) {
        sectors[sector] = cached.sectors[sector] ?? 0;
        valid[sector] = cached.valid[sector] ?? true;
      }
    return { ...structuredClone(durable), sectors, valid, version };
  }

  #call(name: string, chunk: number | undefined, does: () => void, done: () => void): void {
    this.#queue.push({ name, chunk, do: does, done });
  }
}
