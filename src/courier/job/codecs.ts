/**
 * What compresses, at once: in a thread of its own (compression.ts). zstd is Node's own, which has it from 22.15 and 23.8 on: on an older
 * one couriers agree on deflate, level 1 (docs/decisions.md).
 */
import * as zlib from 'node:zlib';
import type { Codec } from '../wire/message.js';

type Compressing = Exclude<Codec, 'none'>;

/** The part of Node's zstd that is used here; @types/node of the oldest Node does not know it. */
interface Zstd {
  readonly zstdCompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly zstdDecompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

function nodesZstd(): Zstd | undefined {
  const has =
    'zstdCompressSync' in zlib && 'zstdDecompressSync' in zlib && 'ZSTD_c_compressionLevel' in zlib.constants;
  return has ? (zlib as unknown as Zstd) : undefined;
}

const zstd = nodesZstd();

/** What this Node can do, `none` always. */
export const OUR_CODECS: readonly Codec[] =
  zstd === undefined ? ['none', 'deflate'] : ['none', 'deflate', 'zstd'];

/**
 * Room for all of the result: with less it is put together of pieces of 16 KiB. A little more than the result, because Node asks once
 * more when the room is filled to the last byte.
 */
const ROOM_SLACK = 1024;

/** It may be longer than `bytes`. Throws for a codec that this Node has not. */
export function compressNow(codec: Compressing, bytes: Uint8Array, level: number): Buffer {
  const chunkSize = bytes.length + ROOM_SLACK;
  if (codec === 'deflate') return zlib.deflateRawSync(bytes, { level: 1, chunkSize });
  if (zstd === undefined) throw new Error('this Node has no zstd');
  const params = { [zstd.constants.ZSTD_c_compressionLevel]: level };
  // With the length zstd takes tables of its size, not of the megabytes that a stream might have.
  return zstd.zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length, chunkSize });
}

/** Throws for what is none, or is longer than `mostBytes`. */
export function decompressNow(codec: Compressing, bytes: Uint8Array, mostBytes: number): Buffer {
  const options = { maxOutputLength: mostBytes, chunkSize: mostBytes + ROOM_SLACK };
  if (codec === 'deflate') return zlib.inflateRawSync(bytes, options);
  if (zstd === undefined) throw new Error('this Node has no zstd');
  return zstd.zstdDecompressSync(bytes, options);
}
