/**
 * Compresses in the threads of Node's pool. zstd is Node's own, which has it from 22.15 and 23.8 on: on an older one couriers agree on deflate,
 * level 1 (docs/decisions.md).
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { Codec } from '../wire/message.js';

type Compress = (bytes: Uint8Array, level: number) => Promise<Buffer>;
type Decompress = (bytes: Uint8Array, mostBytes: number) => Promise<Buffer>;
type Callback = (error: Error | null, result: Buffer) => void;

/** The part of Node's zstd that is used here; @types/node of the oldest Node does not know it. */
interface Zstd {
  readonly zstdCompress: (bytes: Uint8Array, options: object, done: Callback) => void;
  readonly zstdDecompress: (bytes: Uint8Array, options: object, done: Callback) => void;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

function nodesZstd(): Zstd | undefined {
  const has =
    'zstdCompress' in zlib && 'zstdDecompress' in zlib && 'ZSTD_c_compressionLevel' in zlib.constants;
  return has ? (zlib as unknown as Zstd) : undefined;
}

const deflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);
const inflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);
const zstd = nodesZstd();

/** What this Node can do, `none` always. */
export const OUR_CODECS: readonly Codec[] =
  zstd === undefined ? ['none', 'deflate'] : ['none', 'deflate', 'zstd'];

const COMPRESS: Readonly<Record<Exclude<Codec, 'none'>, Compress | undefined>> = {
  deflate: (bytes) => deflate(bytes, { level: 1 }),
  zstd:
    zstd &&
    ((bytes, level) => {
      const params = { [zstd.constants.ZSTD_c_compressionLevel]: level };
      return new Promise((resolve, reject) =>
        zstd.zstdCompress(bytes, { params }, (error, result) =>
          error === null ? resolve(result) : reject(error),
        ),
      );
    }),
};

const DECOMPRESS: Readonly<Record<Exclude<Codec, 'none'>, Decompress | undefined>> = {
  deflate: (bytes, mostBytes) => inflate(bytes, { maxOutputLength: mostBytes }),
  zstd:
    zstd &&
    ((bytes, mostBytes) =>
      new Promise((resolve, reject) =>
        zstd.zstdDecompress(bytes, { maxOutputLength: mostBytes }, (error, result) =>
          error === null ? resolve(result) : reject(error),
        ),
      )),
};

export interface Compressed {
  readonly codec: Codec;
  readonly content: Buffer;
}

/** Less than this is not worth a call. */
const LEAST_BYTES = 64;

/** As it is when it does not become shorter. */
export async function compress(codec: Codec, bytes: Buffer, level: number): Promise<Compressed> {
  const as = codec === 'none' || bytes.length < LEAST_BYTES ? undefined : COMPRESS[codec];
  const content = await as?.(bytes, level);
  return content !== undefined && content.length < bytes.length
    ? { codec, content }
    : { codec: 'none', content: bytes };
}

/** Rejects unless it is exactly so long. */
export async function decompress({ codec, content }: Compressed, bytes: number): Promise<Buffer> {
  if (codec === 'none') return content;
  const as = DECOMPRESS[codec];
  if (as === undefined) throw new Error(`${codec} was not agreed on`);
  const result = await as(content, bytes);
  if (result.length !== bytes) throw new Error(`${bytes} bytes were announced, ${result.length} came out`);
  return result;
}
