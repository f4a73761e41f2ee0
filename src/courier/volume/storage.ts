/**
 * What a volume's storage does for the one that serves it and the one that moves it: a base image that is never written to, and the chunks
 * that differ from it. Offsets and lengths are bytes; chunks are counted from 0, and the last one may be shorter.
 */

/**
 * How often a chunk was written to, and its version, which rises with each write, also one that fails, and never falls, also not by a
 * crash.
 */
export interface ChunkState {
  readonly version: number;
  readonly writes: number;
  /** Its content is still at the other site: only the sectors that were written here since are valid. */
  readonly isAwaited: boolean;
  /** Some of its content is not known any more. */
  readonly hasLost: boolean;
}

/** A small value of JSON that outlives a crash: a role, a session, what has been handed over. */
export type VolumeRecord =
  | string
  | number
  | boolean
  | null
  | readonly VolumeRecord[]
  | { readonly [key: string]: VolumeRecord };

/** The record of a volume's move. */
export const MOVE_KEY = 'move';
const UNTOUCHED: readonly unknown[] = ['given', 'released', 'receiving', 'forgetting'];

/** While that is the record of its move no client writes to the volume: it has left, or has not come. */
export function isUntouched(move: VolumeRecord | undefined): boolean {
  return typeof move === 'object' && move !== null && 'phase' in move && UNTOUCHED.includes(move.phase);
}

/** Errors of its promises are I/O errors (`Error`); after one of a write nothing is known of the range written. */
export interface VolumeStorage {
  /** In bytes, a multiple of 512. */
  readonly size: number;
  /** In bytes: 256 KiB. */
  readonly chunkBytes: number;
  /** SHA-256 of the base image, hexadecimal; undefined where there is none (then what was never written is zero). */
  readonly baseDigest: string | undefined;
  /** The chunks that differ from the base, or may. */
  readonly modified: ReadonlyMap<number, ChunkState>;
  /** Rejects for a sector that is awaited. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Whether `read` would know every byte of the range. */
  isHere(offset: number, length: number): boolean;
  /** Done in the order of the calls where ranges overlap; durable after the next `flush`. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** As a write of zeroes; leaves a hole where it can. Any length. */
  zero(offset: number, length: number): Promise<void>;
  /** What was answered before it was called is durable, versions and records with it. */
  flush(): Promise<void>;
  /**
   * From now on the chunk is awaited: what is here of it is forgotten, and no sector of it is valid. Durable when the promise resolves.
   * @param states by chunk; a crash before may leave some of them awaited, and the others as they were
   */
  await(states: ReadonlyMap<number, { readonly version: number; readonly writes: number }>): Promise<void>;
  /**
   * A whole chunk from the other site. Of an awaited one the sectors that were written here stay. `undefined`: zeroes. Durable after the next
   * `flush`. The version is the other site's, unless the chunk has a higher one here. In its order among writes to the chunk; nothing
   * happens to a chunk that is not awaited (any more) and whose version is as high: it is newer here. Where a crash undoes it, in whole or in
   * part, the version is the one of before, and the chunk is awaited or cannot be read; it may come again.
   */
  put(
    chunk: number,
    data: Uint8Array | undefined,
    state: { readonly version: number; readonly writes: number },
  ): Promise<void>;
  /** All that differs from the base is forgotten, versions too; records stay. Durable when the promise resolves; it may be called again. */
  forget(): Promise<void>;
  /** Keeps a record, or forgets it (`undefined`). Durable when the promise resolves. */
  keep(key: string, value: VolumeRecord | undefined): Promise<void>;
  readonly records: ReadonlyMap<string, VolumeRecord>;
  /** Flushes and lets go. Nothing may be called after it. */
  close(): Promise<void>;
}
