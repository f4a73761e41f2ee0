/** WireGuard transport messages (type 4) made and opened with node:crypto: the reference for the engines. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { SessionKeys } from '../../src/dataplane/engine.js';

export type CipherName = SessionKeys['cipher'];

export const HEADER_BYTES = 16;
export const TAG_BYTES = 16;
/** 2^64 − 2^13 − 1: the first counter that is refused (WireGuard §6.1). */
export const REJECT_AFTER_MESSAGES = 2n ** 64n - 2n ** 13n - 1n;

/** Noise §12.3, §12.4: four zero bytes, then the counter, whose byte order depends on the cipher. */
function nonceOf(cipher: CipherName, counter: bigint): Buffer {
  const nonce = Buffer.alloc(12);
  if (cipher === 'aes-256-gcm') nonce.writeBigUInt64BE(counter, 4);
  else nonce.writeBigUInt64LE(counter, 4);
  return nonce;
}

export function sealMessage(
  cipher: CipherName,
  key: Uint8Array,
  receiver: number,
  counter: bigint,
  payload: Uint8Array,
): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(4, 0);
  header.writeUInt32LE(receiver, 4);
  header.writeBigUInt64LE(counter, 8);
  const nonce = nonceOf(cipher, counter);
  const sealer =
    cipher === 'aes-256-gcm'
      ? createCipheriv(cipher, key, nonce)
      : createCipheriv(cipher, key, nonce, { authTagLength: TAG_BYTES });
  const sealed = Buffer.concat([sealer.update(payload), sealer.final()]);
  return new Uint8Array(Buffer.concat([header, sealed, sealer.getAuthTag()]));
}

export interface MessageHeader {
  readonly receiver: number;
  readonly counter: bigint;
}

/** Undefined when it is no transport message. */
export function readHeader(message: Uint8Array): MessageHeader | undefined {
  if (message.length < HEADER_BYTES + TAG_BYTES) return undefined;
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (bytes.readUInt32LE(0) !== 4) return undefined;
  return { receiver: bytes.readUInt32LE(4), counter: bytes.readBigUInt64LE(8) };
}

/** The payload; undefined when it is not authentic. */
export function openMessage(
  cipher: CipherName,
  key: Uint8Array,
  message: Uint8Array,
): Uint8Array | undefined {
  const header = readHeader(message);
  if (header === undefined) return undefined;
  const nonce = nonceOf(cipher, header.counter);
  const opener =
    cipher === 'aes-256-gcm'
      ? createDecipheriv(cipher, key, nonce, { authTagLength: TAG_BYTES })
      : createDecipheriv(cipher, key, nonce, { authTagLength: TAG_BYTES });
  opener.setAuthTag(message.subarray(message.length - TAG_BYTES));
  const opened = opener.update(message.subarray(HEADER_BYTES, message.length - TAG_BYTES));
  try {
    opener.final();
  } catch {
    return undefined;
  }
  return new Uint8Array(opened);
}
