/**
 * The journal's file: what it is the journal of, how far it is known to be durable, and frames of records behind each other.
 *
 *     0      head, 512 bytes: "VINEVOLJ", be32 version, be32 bytes of a chunk, be64 bytes of the volume, be64 epoch, 16 bytes that
 *            name this file, u8 flags, 32 bytes SHA-256 of the base, 16 bytes the machine's boot, digest
 *     512    mark, 512 bytes: be64 frames that are durable, digest. Written when it suits, and never waited for
 *     1024   frames, each at a multiple of 512: be32 magic, be32 bytes of its records, be64 number from 1 on, be64 frames that were
 *            durable when it was written, digest; the records; zeroes
 *
 * Digests are the first 8 bytes of a SHA-256 over the file's name and what stands before and behind: a frame of another journal, or
 * at another number, is none.
 */
import { createHash, randomBytes } from 'node:crypto';

export const SECTOR_BYTES = 512;
export const CHUNK_BYTES = 256 * 1024;
export const SECTORS = CHUNK_BYTES / SECTOR_BYTES;
export const FRAMES_AT = 2 * SECTOR_BYTES;
/** Of one frame's records: the states of three million chunks. */
export const MOST_RECORD_BYTES = 64 * 1024 * 1024;

const MAGIC = 'VINEVOLJ';
const VERSION = 1;
const FRAME_MAGIC = 0x56464d45;
const FRAME_HEAD_BYTES = 32;
const DIGEST_BYTES = 8;
const NAME_BYTES = 16;
const HEAD_DIGEST_AT = SECTOR_BYTES - DIGEST_BYTES;
const HAS_BASE = 1;
const CLEAN_SLOTS = 2;

export interface Head {
  readonly sizeBytes: number;
  /** Rises with each start: versions of chunks begin with it. */
  readonly epoch: number;
  /** SHA-256, hexadecimal. */
  readonly baseDigest: string | undefined;
  /** Chunks that were never written are holes in the data. Not so after a crash of the machine. */
  readonly hasCleanSlots: boolean;
  /** The kernel's boot_id as 32 hexadecimal digits: what a killed process wrote is there as long as it is the same. */
  readonly boot: string;
}

export interface NamedHead extends Head {
  readonly name: Buffer;
}

function digestOf(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, DIGEST_BYTES);
}

export function named(head: Head): NamedHead {
  return { ...head, name: randomBytes(NAME_BYTES) };
}

export function encodeHead(head: NamedHead): Buffer {
  const bytes = Buffer.alloc(SECTOR_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32BE(VERSION, 8);
  bytes.writeUInt32BE(CHUNK_BYTES, 12);
  bytes.writeBigUInt64BE(BigInt(head.sizeBytes), 16);
  bytes.writeBigUInt64BE(BigInt(head.epoch), 24);
  bytes.set(head.name, 32);
  bytes[48] = (head.baseDigest === undefined ? 0 : HAS_BASE) | (head.hasCleanSlots ? CLEAN_SLOTS : 0);
  if (head.baseDigest !== undefined) bytes.write(head.baseDigest, 49, 'hex');
  bytes.write(head.boot, 81, 'hex');
  bytes.set(digestOf(bytes.subarray(0, HEAD_DIGEST_AT)), HEAD_DIGEST_AT);
  return bytes;
}

/** A text: what is wrong with it. */
export function decodeHead(bytes: Buffer): NamedHead | string {
  if (bytes.length < FRAMES_AT) return 'it is cut off in its head';
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return 'it is no journal of a volume';
  const version = bytes.readUInt32BE(8);
  if (version !== VERSION) return `it is of version ${version}, and only ${VERSION} is known`;
  const digest = digestOf(bytes.subarray(0, HEAD_DIGEST_AT));
  if (!digest.equals(bytes.subarray(HEAD_DIGEST_AT, SECTOR_BYTES))) return 'its head is damaged';
  const chunkBytes = bytes.readUInt32BE(12);
  if (chunkBytes !== CHUNK_BYTES) return `its chunks have ${chunkBytes} bytes, and not ${CHUNK_BYTES}`;
  const flags = bytes[48] ?? 0;
  return {
    sizeBytes: Number(bytes.readBigUInt64BE(16)),
    epoch: Number(bytes.readBigUInt64BE(24)),
    name: Buffer.from(bytes.subarray(32, 48)),
    baseDigest: (flags & HAS_BASE) === 0 ? undefined : bytes.toString('hex', 49, 81),
    hasCleanSlots: (flags & CLEAN_SLOTS) !== 0,
    boot: bytes.toString('hex', 81, 97),
  };
}

export function encodeMark(name: Buffer, durableFrames: number): Buffer {
  const bytes = Buffer.alloc(SECTOR_BYTES);
  bytes.writeBigUInt64BE(BigInt(durableFrames));
  bytes.set(digestOf(name, bytes.subarray(0, 8)), 8);
  return bytes;
}

/** 0 where it is torn: it is a hint. */
function decodeMark(name: Buffer, bytes: Buffer): number {
  const isGood = digestOf(name, bytes.subarray(0, 8)).equals(bytes.subarray(8, 16));
  return isGood ? Number(bytes.readBigUInt64BE(0)) : 0;
}

export function encodeFrame(name: Buffer, number: number, durableFrames: number, records: Buffer): Buffer {
  const bytes = Buffer.alloc(roundUp(FRAME_HEAD_BYTES + records.length));
  bytes.writeUInt32BE(FRAME_MAGIC);
  bytes.writeUInt32BE(records.length, 4);
  bytes.writeBigUInt64BE(BigInt(number), 8);
  bytes.writeBigUInt64BE(BigInt(durableFrames), 16);
  bytes.set(digestOf(name, bytes.subarray(0, 24), records), 24);
  bytes.set(records, FRAME_HEAD_BYTES);
  return bytes;
}

interface Frame {
  readonly number: number;
  readonly durableFrames: number;
  readonly records: Buffer;
  readonly end: number;
}

function frameAt(file: Buffer, at: number, name: Buffer): Frame | undefined {
  if (at + FRAME_HEAD_BYTES > file.length || file.readUInt32BE(at) !== FRAME_MAGIC) return undefined;
  const length = file.readUInt32BE(at + 4);
  const recordsAt = at + FRAME_HEAD_BYTES;
  if (length > MOST_RECORD_BYTES || recordsAt + length > file.length) return undefined;
  const records = file.subarray(recordsAt, recordsAt + length);
  const digest = digestOf(name, file.subarray(at, at + 24), records);
  if (!digest.equals(file.subarray(at + 24, recordsAt))) return undefined;
  const [number, durableFrames] = [file.readBigUInt64BE(at + 8), file.readBigUInt64BE(at + 16)];
  return {
    ...{ number: Number(number), durableFrames: Number(durableFrames), records },
    end: roundUp(recordsAt + length),
  };
}

export interface Scanned {
  /** In their order, numbered from 1 on. */
  readonly frames: readonly Buffer[];
  /** Where the next one belongs. */
  readonly end: number;
}

/**
 * All frames up to the first that is none. What a crash tore off was never durable; frames that were and are not there any more are damage,
 * and a text says which.
 */
export function scan(file: Buffer, name: Buffer): Scanned | string {
  const frames: Buffer[] = [];
  let end = FRAMES_AT;
  let durable = decodeMark(name, file.subarray(SECTOR_BYTES, FRAMES_AT));
  for (;;) {
    const frame = frameAt(file, end, name);
    if (frame?.number !== frames.length + 1) break;
    frames.push(frame.records);
    durable = Math.max(durable, frame.durableFrames);
    end = frame.end;
  }
  // Behind what is torn may be frames that were written later, and know how much was durable then.
  for (let at = end + SECTOR_BYTES; at < file.length; at += SECTOR_BYTES)
    durable = Math.max(durable, frameAt(file, at, name)?.durableFrames ?? 0);
  if (durable > frames.length)
    return `${durable} of its frames were durable, and frame ${frames.length + 1} (at byte ${end}) is damaged or cut off`;
  return { frames, end };
}

function roundUp(length: number): number {
  return Math.ceil(length / SECTOR_BYTES) * SECTOR_BYTES;
}
