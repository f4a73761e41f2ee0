/** What a volume that goes has to read and send, in its order. */
import { messageOf } from '../../../net/system-error.js';
import type { ChunkVersion } from '../chunk/says.js';
import type { Source } from '../chunk/source.js';
import type { VolumeStorage } from '../storage.js';
import type { VolumeRead } from './message.js';
import type { Errand } from './piece-sender.js';
import type { Piece } from './pieces.js';
import type { Rate } from './rate.js';
import type { MoveWorld } from './world.js';

/** Pushed and not acknowledged: the other side flushes, and then says so. */
const MOST_PUSHES = 32;
/** Of what cannot be read so much is told. */
const MOST_TOLD = 100;

export interface ErrandsOptions {
  readonly storage: VolumeStorage;
  readonly source: Source;
  readonly rate: Rate;
  readonly world: MoveWorld;
  log(text: string): void;
}

export class Errands {
  /** Chunks that were asked for; true: a read waits for it. */
  readonly pulls = new Map<number, boolean>();
  readonly reads: VolumeRead[] = [];
  readonly #told = new Set<number>();

  constructor(private readonly options: ErrandsOptions) {}

  /** The connection is gone: what was asked for is asked for again. */
  clear(): void {
    this.pulls.clear();
    this.reads.length = 0;
  }

  /** What a reader waits for first, then what was asked for, then what is pushed. @param isUrgent only the first */
  next(isUrgent: boolean): Errand | undefined {
    const { source } = this.options;
    const read = this.reads.shift();
    if (read !== undefined) return { isUrgent: true, read: () => this.#answer(read) };
    for (const [chunk, urgent] of this.pulls) if (urgent) return this.#pull(chunk, true);
    if (isUrgent) return undefined;
    for (const chunk of this.pulls.keys()) return this.#pull(chunk, false);
    const push = source.inFlight < MOST_PUSHES ? source.next() : undefined;
    return push && { isUrgent: false, read: () => this.#push(push) };
  }

  #pull(chunk: number, isUrgent: boolean): Errand {
    this.pulls.delete(chunk);
    return { isUrgent, read: () => this.#chunk('pull', chunk, undefined) };
  }

  async #push(push: ChunkVersion): Promise<Piece | undefined> {
    const { source, world } = this.options;
    const piece = await this.#chunk('push', push.chunk, push.version);
    if (!piece.hasFailed) {
      world.counters.count('volume_chunks_pushed');
      return piece;
    }
    source.notRead(push);
    return undefined;
  }

  /** @param version undefined: the one that it has, nothing is written any more */
  async #chunk(kind: 'push' | 'pull', chunk: number, version: number | undefined): Promise<Piece> {
    const { storage, rate } = this.options;
    const state = storage.modified.get(chunk);
    const length = Math.min(storage.chunkBytes, storage.size - chunk * storage.chunkBytes);
    const data = await this.#read(chunk * storage.chunkBytes, length);
    if (kind === 'pull') rate.count(length);
    return {
      ...{ kind, number: chunk, version: version ?? state?.version ?? 0, writes: state?.writes ?? 0 },
      ...{ length, data, hasFailed: data === undefined },
    };
  }

  async #answer({ number, offset, length }: VolumeRead): Promise<Piece> {
    const data = await this.#read(offset, length);
    return { kind: 'read', number, version: 0, writes: 0, length, data, hasFailed: data === undefined };
  }

  async #read(offset: number, length: number): Promise<Buffer | undefined> {
    try {
      return await this.options.storage.read(offset, length);
    } catch (error) {
      if (this.#told.size < MOST_TOLD && !this.#told.has(offset))
        this.options.log(`${length} bytes at ${offset} cannot be read: ${messageOf(error)}`);
      if (this.#told.size < MOST_TOLD) this.#told.add(offset);
      return undefined;
    }
  }
}
