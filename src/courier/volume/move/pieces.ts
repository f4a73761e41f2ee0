/**
 * Chunks on their way, as a stream that goes in batches: pages that the other site has become references, pages of zeroes are only a bit.
 *
 *     u8 kind, u8 1 if it could not be read, be16 0, be32 length, be64 chunk or number, be64 version, be32 writes, be64 pages that are not zero
 *
 * and those pages in their order; the last one may be shorter. Pure.
 */
import { ByteQueue } from '../../disk/nbd/byte-queue.js';
import { PAGE_BYTES, type Token } from '../../stream/token.js';
import { VERSIONS_END } from '../chunk/says.js';

/** Of one piece. */
export const MOST_PAGES = 64;
export const MOST_PIECE_BYTES = MOST_PAGES * PAGE_BYTES;
const HEAD_BYTES = 36;
const KINDS = ['push', 'pull', 'read'] as const;

export interface Piece {
  /** A chunk before control has moved, one that was asked for afterwards, and the answer to a read. */
  readonly kind: (typeof KINDS)[number];
  /** Of the chunk, or of the read. */
  readonly number: number;
  /** Of the chunk. */
  readonly version: number;
  readonly writes: number;
  readonly length: number;
  /** Undefined: zeroes, or it could not be read. */
  readonly data: Buffer | undefined;
  readonly hasFailed: boolean;
}

const ZEROES = Buffer.alloc(PAGE_BYTES);

function isZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes, ZEROES.subarray(0, bytes.length)) === 0;
}

export function tokensOf(piece: Piece): readonly Token[] {
  const { data, length } = piece;
  const pages: Token[] = [];
  let present = 0n;
  for (let at = 0; data !== undefined && at < length; at += PAGE_BYTES) {
    const bytes = data.subarray(at, at + PAGE_BYTES);
    if (isZero(bytes)) continue;
    present |= 1n << BigInt(at / PAGE_BYTES);
    pages.push({ kind: bytes.length === PAGE_BYTES ? 'page' : 'verbatim', bytes });
  }
  return [{ kind: 'verbatim', bytes: headOf(piece, present) }, ...pages];
}

function headOf({ kind, number, version, writes, length, hasFailed }: Piece, present: bigint): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = KINDS.indexOf(kind) + 1;
  head[1] = hasFailed ? 1 : 0;
  head.writeUInt32BE(length, 4);
  head.writeBigUInt64BE(BigInt(number), 8);
  head.writeBigUInt64BE(BigInt(version), 16);
  head.writeUInt32BE(Math.min(writes, 0xffff_ffff), 24);
  head.writeBigUInt64BE(present, 28);
  return head;
}

interface Head extends Omit<Piece, 'data'> {
  readonly present: bigint;
  /** Behind the head. */
  readonly bytes: number;
}

/** Puts pieces together again, however they are cut. What is none is refused, for good. */
export class PieceReader {
  readonly #queue = new ByteQueue();
  #head: Head | undefined;
  #refused: string | undefined;

  /** Those that are whole now, or why there will be none. */
  push(bytes: Buffer): readonly Piece[] | string {
    this.#queue.push(bytes);
    const pieces: Piece[] = [];
    for (;;) {
      const piece = this.#refused ?? this.#next();
      if (piece === undefined) return pieces;
      if (typeof piece === 'string') {
        this.#refused = piece;
        return piece;
      }
      pieces.push(piece);
    }
  }

  #next(): Piece | string | undefined {
    if (this.#head === undefined) {
      const head = this.#queue.take(HEAD_BYTES);
      if (head === undefined) return undefined;
      const read = readHead(head);
      if (typeof read === 'string') return read;
      this.#head = read;
    }
    const { bytes, present, ...head } = this.#head;
    const content = this.#queue.take(bytes);
    if (content === undefined) return undefined;
    this.#head = undefined;
    return { ...head, data: present === 0n ? undefined : spread(content, present, head.length) };
  }
}

function readHead(head: Buffer): Head | string {
  const kind = KINDS[(head[0] ?? 0) - 1];
  const failed = head[1] ?? 2;
  if (kind === undefined || failed > 1 || head.readUInt16BE(2) !== 0)
    return `piece ${head.toString('hex', 0, 4)}`;
  const length = head.readUInt32BE(4);
  if (length === 0 || length > MOST_PIECE_BYTES) return `piece of ${length} bytes`;
  const [number, version] = [head.readBigUInt64BE(8), head.readBigUInt64BE(16)];
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) return 'piece with a number beyond 2^53';
  if (version >= BigInt(VERSIONS_END)) return 'piece with a version beyond 2^51';
  const present = head.readBigUInt64BE(28);
  const pages = Math.ceil(length / PAGE_BYTES);
  if (present >> BigInt(pages) !== 0n) return 'piece with pages beyond its end';
  let bytes = 0;
  for (let page = 0; page < pages; page++)
    if ((present >> BigInt(page)) & 1n) bytes += Math.min(PAGE_BYTES, length - page * PAGE_BYTES);
  return {
    ...{ kind, hasFailed: failed === 1, length, number: Number(number), version: Number(version) },
    ...{ writes: head.readUInt32BE(24), present, bytes },
  };
}

function spread(content: Buffer, present: bigint, length: number): Buffer {
  if (content.length === length) return content;
  const data = Buffer.alloc(length);
  let from = 0;
  for (let at = 0; at < length; at += PAGE_BYTES)
    if ((present >> BigInt(at / PAGE_BYTES)) & 1n)
      from += content.copy(data, at, from, from + Math.min(PAGE_BYTES, length - at));
  return data;
}
