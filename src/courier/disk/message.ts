/** What couriers say of disks to each other, besides the stream; decoders answer a value or why it is none. */
import { z } from 'zod';
import { NAME } from '../../net/name.js';
import { printable } from '../stream/item.js';
import { MOST_DISK_READ_BYTES } from '../wire/disk-frames.js';
import { frameOf } from '../wire/frame.js';
import { decodeJson } from '../wire/json.js';
import { CODECS, type Codec } from '../wire/message.js';

const NAMED = z.string().regex(NAME);
const STORE = z.string().regex(/^[0-9a-f]{32}$/);
const COUNT = z.int().min(0);

const OPEN = z.strictObject({
  /** Random; whoever does not know it is another session, and has another disk. */
  session: z.string().regex(/^[0-9a-f]{32}$/),
  /** A name that the listener's configuration has. */
  destination: NAMED,
  owner: z.union([z.literal(''), NAMED]),
  store: STORE,
  /** The session was open before: it is not begun if it is not known. */
  isOld: z.boolean(),
  /** So long the caller keeps the session while there is no connection. */
  stallSeconds: z.int().min(1).max(86_400),
});

const OPENED = z.union([
  z.strictObject({
    store: STORE,
    sizeBytes: COUNT,
    minimumBytes: z.int().min(1).max(65_536),
    /** Records that the listener has, and that are done. */
    taken: COUNT,
    done: COUNT,
  }),
  z.strictObject({ refused: z.string().max(512) }),
]);

export type DiskOpen = z.infer<typeof OPEN>;
export type DiskOpened = z.infer<typeof OPENED>;

export function encodeDiskOpen(open: DiskOpen): Buffer {
  return frameOf('disk-open', Buffer.from(JSON.stringify(open)));
}

export function encodeDiskOpened(opened: DiskOpened): Buffer {
  return frameOf('disk-opened', Buffer.from(JSON.stringify(opened)));
}

export function decodeDiskOpen(payload: Buffer): DiskOpen | string {
  return decodeJson(OPEN, payload, 'disk');
}

export function decodeDiskOpened(payload: Buffer): DiskOpened | string {
  return decodeJson(OPENED, payload, 'disk');
}

export function encodeDone(number: number): Buffer {
  return frameOf('disk-done', be64(number));
}

export function decodeDone(payload: Buffer): number | string {
  return numberAt(payload);
}

export interface DiskAnswer {
  readonly number: number;
  /** NBD's; 0: it went well. */
  readonly error: number;
  readonly codec: Codec;
  /** Before compression. */
  readonly bytes: number;
  readonly content: Buffer;
}

const ANSWER_HEAD = 17;

export function encodeAnswer({ number, error, codec, bytes, content }: DiskAnswer): Buffer {
  const rest = Buffer.alloc(ANSWER_HEAD - 8);
  rest.writeUInt32BE(error);
  rest[4] = CODECS.indexOf(codec);
  rest.writeUInt32BE(bytes, 5);
  return frameOf('disk-answer', be64(number), rest, content);
}

export function decodeAnswer(payload: Buffer): DiskAnswer | string {
  const number = numberAt(payload);
  if (typeof number === 'string') return number;
  const codec = CODECS[payload[12] ?? CODECS.length];
  if (codec === undefined) return `codec ${payload[12]}`;
  const bytes = payload.readUInt32BE(13);
  if (bytes > MOST_DISK_READ_BYTES) return `answer of ${bytes} bytes`;
  const content = payload.subarray(ANSWER_HEAD);
  if (codec === 'none' && content.length !== bytes) return 'answer of another length than it says';
  return { number, error: payload.readUInt32BE(8), codec, bytes, content };
}

export interface DiskFailure {
  /** NBD's. */
  readonly error: number;
  readonly reason: string;
}

export function encodeFailure({ error, reason }: DiskFailure): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(error);
  return frameOf('disk-fail', head, Buffer.from(reason).subarray(0, 512));
}

/** The wire's text goes to people. */
export function decodeFailure(payload: Buffer): DiskFailure {
  const reason = printable(payload.toString('latin1', 4));
  return { error: payload.readUInt32BE(0), reason };
}

function be64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

function numberAt(payload: Buffer): number | string {
  const number = payload.readBigUInt64BE(0);
  return number > BigInt(Number.MAX_SAFE_INTEGER) ? 'a record beyond 2^53' : Number(number);
}
