/**
 * What is to be done with a disk, as a stream: records, in the order in which they were taken. They are numbered from 1 by both
 * ends; the number is not in them. Big-endian:
 *
 *     u8 kind, u8 flags (1: no hole), be16 0, be32 length, be64 offset; a write: length bytes
 *
 * Pure.
 */
import { ByteQueue } from './nbd/byte-queue.js';

export const BLOCK_BYTES = 64 * 1024;
/** Zeroes and trims are cut into pieces of this: a destination need not do without end what it cannot be asked about. */
export const MOST_RANGE_BYTES = 32 * 1024 * 1024;
export const MOST_READ_BYTES = 256 * 1024;
export const RECORD_HEAD_BYTES = 16;

const KINDS = ['write', 'zeroes', 'trim', 'flush', 'read'] as const;
export type RecordKind = (typeof KINDS)[number];
const NO_HOLE = 1;

const MOST: Readonly<Record<RecordKind, number>> = {
  write: BLOCK_BYTES,
  zeroes: MOST_RANGE_BYTES,
  trim: MOST_RANGE_BYTES,
  flush: 0,
  read: MOST_READ_BYTES,
};

export interface DiskRecord {
  readonly kind: RecordKind;
  readonly offset: number;
  readonly length: number;
  readonly noHole: boolean;
  /** Of a write. */
  readonly data?: Buffer;
}

export const FLUSH: DiskRecord = { kind: 'flush', offset: 0, length: 0, noHole: false };

export function recordHead({ kind, offset, length, noHole }: DiskRecord): Buffer {
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head[0] = KINDS.indexOf(kind) + 1;
  head[1] = noHole ? NO_HOLE : 0;
  head.writeUInt32BE(length, 4);
  head.writeBigUInt64BE(BigInt(offset), 8);
  return head;
}

/** In pieces that a record may have. */
export function* rangeRecords(
  kind: 'zeroes' | 'trim' | 'read',
  offset: number,
  length: number,
  noHole: boolean,
): Generator<DiskRecord> {
  for (let done = 0; done < length; ) {
    const piece = Math.min(MOST[kind], length - done);
    yield { kind, offset: offset + done, length: piece, noHole };
    done += piece;
  }
}

/** A block of zeroes becomes a record of zeroes. */
export function writeRecord(offset: number, data: Buffer): DiskRecord {
  return isZero(data)
    ? { kind: 'zeroes', offset, length: data.length, noHole: false }
    : { kind: 'write', offset, length: data.length, noHole: false, data };
}

const ZEROES = Buffer.alloc(BLOCK_BYTES);

function isZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes, ZEROES.subarray(0, bytes.length)) === 0;
}

/** Puts records together again, whatever pieces they come in. What is not within the disk is refused, for good. */
export class RecordReader {
  readonly #queue = new ByteQueue();
  #refused: string | undefined;

  constructor(private readonly sizeBytes: number) {}

  /** Those that are whole now, or why there will be none. */
  push(bytes: Buffer): readonly DiskRecord[] | string {
    this.#queue.push(bytes);
    const records: DiskRecord[] = [];
    for (;;) {
      const record = this.#refused ?? this.#next();
      if (record === undefined) return records;
      if (typeof record !== 'string') records.push(record);
      else {
        this.#refused = record;
        return record;
      }
    }
  }

  #next(): DiskRecord | string | undefined {
    const head = this.#queue.peek(RECORD_HEAD_BYTES);
    if (head === undefined) return undefined;
    const record = readHead(head, this.sizeBytes);
    if (typeof record === 'string' || record.kind !== 'write') {
      this.#queue.drop(RECORD_HEAD_BYTES);
      return record;
    }
    if (this.#queue.length < RECORD_HEAD_BYTES + record.length) return undefined;
    this.#queue.drop(RECORD_HEAD_BYTES);
    return { ...record, data: this.#queue.take(record.length) ?? Buffer.alloc(0) };
  }
}

function readHead(head: Buffer, sizeBytes: number): DiskRecord | string {
  const kind = KINDS[(head[0] ?? 0) - 1];
  if (kind === undefined || (head[1] ?? 0) > NO_HOLE || head.readUInt16BE(2) !== 0)
    return `record ${head.toString('hex', 0, 4)}`;
  const length = head.readUInt32BE(4);
  const offset = head.readBigUInt64BE(8);
  if (length > MOST[kind] || (length === 0) !== (kind === 'flush')) return `${kind} of ${length} bytes`;
  if (offset + BigInt(length) > BigInt(sizeBytes)) return `${kind} beyond the disk’s end`;
  return { kind, offset: Number(offset), length, noHole: head[1] === NO_HOLE };
}
