/**
 * Two couriers prove to each other that they know the same token, without saying it: each a number of its own, then
 * HMAC-SHA256 over both hellos. The one that was called proves last, so that a stranger gets nothing to try tokens on.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { frameOf } from './frame.js';
import { PROTOCOL_VERSION } from './limits.js';
import { CODECS, type Codec } from './message.js';

const MAGIC = 'VINECOUR';
export const NONCE_BYTES = 32;

export type Side = 'caller' | 'listener';

export interface Hello {
  readonly codecs: readonly Codec[];
  readonly bytes: Buffer;
}

/** "VINECOUR", be16 version, u8 codecs (a bit each, as in CODECS), 32 random bytes. */
export function helloOf(codecs: readonly Codec[], nonce: Uint8Array): Buffer {
  const head = Buffer.alloc(11);
  head.write(MAGIC, 'latin1');
  head.writeUInt16BE(PROTOCOL_VERSION, 8);
  head[10] = codecs.reduce((bits, codec) => bits | (1 << CODECS.indexOf(codec)), 0);
  return Buffer.concat([head, nonce]);
}

export function readHello(payload: Buffer): Hello | string {
  if (payload.toString('latin1', 0, 8) !== MAGIC) return 'not a courier';
  const version = payload.readUInt16BE(8);
  if (version !== PROTOCOL_VERSION)
    return `the other courier speaks version ${version}, this one ${PROTOCOL_VERSION}`;
  const bits = payload[10] ?? 0;
  return { codecs: CODECS.filter((_, number) => (bits & (1 << number)) !== 0), bytes: payload };
}

export function proofOf(token: string, side: Side, callers: Uint8Array, listeners: Uint8Array): Buffer {
  return createHmac('sha256', token).update(side).update(callers).update(listeners).digest();
}

export function isProof(payload: Uint8Array, expected: Uint8Array): boolean {
  return payload.length === expected.length && timingSafeEqual(payload, expected);
}

/** The best that both can do. */
export function commonCodec(ours: readonly Codec[], theirs: readonly Codec[]): Codec {
  return [...CODECS].reverse().find((codec) => ours.includes(codec) && theirs.includes(codec)) ?? 'none';
}

export function helloFrame(hello: Uint8Array): Buffer {
  return frameOf('hello', hello);
}
