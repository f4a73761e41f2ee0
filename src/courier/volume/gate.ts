/**
 * What stands between a volume's NBD clients and its storage. A move stands here: it lets a read wait until its chunk has come, and refuses
 * what comes after the hand-over.
 */
import type { VolumeStorage } from './storage.js';

/** A part of a volume that has one kind of content. */
export interface Extent {
  readonly length: number;
  /** It reads as zeroes, and takes no place. */
  readonly isHole: boolean;
}

/**
 * Ranges are whole sectors of the volume. What is rejected the client is told as an error: by its `code` where NBD has one of that name
 * (ENOSPC, ESHUTDOWN, EPERM), else as EIO.
 */
export interface VolumeGate {
  read(offset: number, length: number): Promise<Buffer>;
  /** The data is the caller's again when it resolves. */
  write(offset: number, data: Uint8Array): Promise<void>;
  zero(offset: number, length: number): Promise<void>;
  flush(): Promise<void>;
  /** Parts of a range in their order from its beginning on, `most` of them at most: they may end before it does. */
  status(offset: number, length: number, most: number): Promise<readonly Extent[]>;
  /** So many NBD clients have the volume open from now on. */
  clients(count: number): void;
}

/** Storage that knows where its holes are. */
export interface SparseStorage extends VolumeStorage {
  /** As a gate's `status`. */
  extents(offset: number, length: number, most: number): readonly Extent[];
}

/** Straight to the storage. */
export function openGate(storage: SparseStorage): VolumeGate {
  return {
    read: (offset, length) => storage.read(offset, length),
    write: (offset, data) => storage.write(offset, data),
    zero: (offset, length) => storage.zero(offset, length),
    flush: () => storage.flush(),
    status: async (offset, length, most) => storage.extents(offset, length, most),
    clients: () => undefined,
  };
}
