/**
 * Frames that only disks have (src/courier/disk). The stream of what is to be done with a disk goes in batches, as a guest's memory
 * does; `ack` then says that a batch has been taken in, and its references can be forgotten.
 */
import { MOST_INSTRUCTION_BYTES } from './limits.js';

/** Of a disk, in one answer to a read. */
export const MOST_DISK_READ_BYTES = MOST_INSTRUCTION_BYTES;

export const DISK_FRAMES = {
  /** JSON. Caller to listener: which disk, and which session with it; and the answer. */
  'disk-open': { type: 32, least: 2, most: 4096 },
  'disk-opened': { type: 33, least: 2, most: 4096 },
  /** All up to this record has been done: be64 number. */
  'disk-done': { type: 34, least: 8, most: 8 },
  /** What became of a flush or a read: be64 number, be32 NBD's error, u8 codec, be32 length, that many bytes when unpacked. */
  'disk-answer': { type: 35, least: 17, most: 17 + MOST_DISK_READ_BYTES + 4096 },
  /** Caller to listener: nothing more will come, all is flushed; and the answer. */
  'disk-close': { type: 36, least: 0, most: 0 },
  'disk-closed': { type: 37, least: 0, most: 0 },
  /** Why the session has ended for good: be32 NBD's error, text for people. */
  'disk-fail': { type: 38, least: 4, most: 516 },
} as const;
