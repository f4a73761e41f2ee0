/** The content of frames whose layout is fixed; decoders answer a value or why it is none. All numbers big-endian. */
import { PAGE_BYTES } from '../stream/token.js';
import { frameHead, frameOf } from './frame.js';
import { MOST_ANSWER_BYTES, MOST_BATCH_BYTES, MOST_INSTRUCTION_BYTES } from './limits.js';

export const CODECS = ['none', 'deflate', 'zstd'] as const;
export type Codec = (typeof CODECS)[number];

export const CHECKPOINT_BYTES = 16;
const BATCH_HEAD = 30;
const PAGES_HEAD = 9;

export interface Batch {
  /** 1, 2, 3 … */
  readonly serial: number;
  readonly codec: Codec;
  /** The guest stands still: the receiver waits for nothing that it need not wait for. */
  readonly urgent: boolean;
  /** Before compression; and of the stream, which the instructions stand for. */
  readonly instructionBytes: number;
  readonly streamBytes: number;
  /** The beginning of the SHA-256 of the whole stream up to the batch's end. */
  readonly checkpoint: Buffer;
  readonly content: Buffer;
}

/**
 * be32 serial, u8 codec, u8 1 if urgent, be32 instructions' length, be32 stream's length, checkpoint, content. The frame is in two
 * parts, of which the second is the content itself: it is large, and need not be copied.
 */
export function encodeBatch(batch: Batch): readonly [Buffer, Buffer] {
  const head = Buffer.alloc(BATCH_HEAD);
  head.writeUInt32BE(batch.serial);
  head[4] = CODECS.indexOf(batch.codec);
  head[5] = batch.urgent ? 1 : 0;
  head.writeUInt32BE(batch.instructionBytes, 6);
  head.writeUInt32BE(batch.streamBytes, 10);
  head.set(batch.checkpoint.subarray(0, CHECKPOINT_BYTES), 14);
  const { content } = batch;
  return [Buffer.concat([frameHead('batch', head.length + content.length), head]), content];
}

export function decodeBatch(payload: Buffer): Batch | string {
  const codec = CODECS[payload[4] ?? CODECS.length];
  if (codec === undefined) return `codec ${payload[4]}`;
  const urgent = payload[5];
  if (urgent !== 0 && urgent !== 1) return 'batch neither urgent nor not';
  const [instructionBytes, streamBytes] = [payload.readUInt32BE(6), payload.readUInt32BE(10)];
  if (instructionBytes === 0 || instructionBytes > MOST_INSTRUCTION_BYTES)
    return `batch of ${instructionBytes} bytes of instructions`;
  if (streamBytes === 0 || streamBytes > MOST_BATCH_BYTES) return `batch of ${streamBytes} bytes`;
  const content = payload.subarray(BATCH_HEAD);
  if (codec === 'none' && content.length !== instructionBytes) return 'batch of another length than it says';
  const checkpoint = payload.subarray(14, BATCH_HEAD);
  const serial = payload.readUInt32BE(0);
  return { serial, codec, urgent: urgent === 1, instructionBytes, streamBytes, checkpoint, content };
}

export function encodeSerial(name: 'ack' | 'got', serial: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(serial);
  return frameOf(name, payload);
}

export interface Want {
  readonly serial: number;
  readonly keys: readonly Buffer[];
}

export function encodeWant({ serial, keys }: Want): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(serial);
  return frameOf('want', head, ...keys);
}

export function decodeWant(payload: Buffer): Want | string {
  if ((payload.length - 4) % 16 !== 0) return 'want of a part of a key';
  const keys: Buffer[] = [];
  for (let at = 4; at < payload.length; at += 16) keys.push(payload.subarray(at, at + 16));
  return { serial: payload.readUInt32BE(0), keys };
}

export interface Pages {
  readonly serial: number;
  readonly codec: Codec;
  /** Before compression. */
  readonly bytes: number;
  readonly content: Buffer;
}

/** be32 serial of the batch, u8 codec, be32 length, pages. */
export function encodePages({ serial, codec, bytes, content }: Pages): Buffer {
  const head = Buffer.alloc(PAGES_HEAD);
  head.writeUInt32BE(serial);
  head[4] = CODECS.indexOf(codec);
  head.writeUInt32BE(bytes, 5);
  return frameOf('pages', head, content);
}

export function decodePages(payload: Buffer): Pages | string {
  const codec = CODECS[payload[4] ?? CODECS.length];
  if (codec === undefined) return `codec ${payload[4]}`;
  const bytes = payload.readUInt32BE(5);
  if (bytes === 0 || bytes > MOST_ANSWER_BYTES || bytes % PAGE_BYTES !== 0) return `${bytes} bytes of pages`;
  const content = payload.subarray(PAGES_HEAD);
  if (codec === 'none' && content.length !== bytes) return 'pages of another length than they say';
  return { serial: payload.readUInt32BE(0), codec, bytes, content };
}

/** Both ends' view of the whole stream. */
export interface Total {
  readonly sha256: Buffer;
  readonly bytes: number;
}

export function encodeTotal(name: 'finish' | 'finished', { sha256, bytes }: Total): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return frameOf(name, sha256, length);
}

export function decodeTotal(payload: Buffer): Total | string {
  const bytes = payload.readBigUInt64BE(32);
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) return 'a stream of more than 2^53 bytes';
  return { sha256: payload.subarray(0, 32), bytes: Number(bytes) };
}
