/**
 * The four WireGuard messages as bytes (paper §5.4.2 to §5.4.7). Little-endian integers.
 *
 *   type 1, initiation (148): type 1 | reserved 3 | sender 4 | ephemeral 32 | static 32+16 | timestamp 12+16 | mac1 16 | mac2 16
 *   type 2, response (92):    type 1 | reserved 3 | sender 4 | receiver 4 | ephemeral 32 | empty 16 | mac1 16 | mac2 16
 *   type 3, cookie (64):      type 1 | reserved 3 | receiver 4 | nonce 24 | cookie 16+16
 *   type 4, transport (≥ 32): type 1 | reserved 3 | receiver 4 | counter 8 | packet ≥ 16
 */
import { concat } from './bytes.js';
import { COOKIE_NONCE_BYTES, KEY_BYTES, MAC_BYTES, TAG_BYTES, TIMESTAMP_BYTES } from './constants.js';

export const MessageType = { initiation: 1, response: 2, cookie: 3, transport: 4 } as const;

export const INITIATION_BYTES = 148;
export const RESPONSE_BYTES = 92;
export const COOKIE_BYTES = 64;
export const TRANSPORT_HEADER_BYTES = 16;

/** Byte fields of decoded messages are views of the input: use them before the input's owner reuses it. */
export interface InitiationMessage {
  readonly type: typeof MessageType.initiation;
  readonly sender: number;
  readonly ephemeral: Uint8Array;
  readonly sealedStatic: Uint8Array;
  readonly sealedTimestamp: Uint8Array;
  readonly mac1: Uint8Array;
  readonly mac2: Uint8Array;
  /** All bytes before mac1: what mac1 is computed over. */
  readonly beforeMac1: Uint8Array;
}

export interface ResponseMessage {
  readonly type: typeof MessageType.response;
  readonly sender: number;
  readonly receiver: number;
  readonly ephemeral: Uint8Array;
  readonly sealedEmpty: Uint8Array;
  readonly mac1: Uint8Array;
  readonly mac2: Uint8Array;
  readonly beforeMac1: Uint8Array;
}

export interface CookieMessage {
  readonly type: typeof MessageType.cookie;
  readonly receiver: number;
  readonly nonce: Uint8Array;
  readonly sealedCookie: Uint8Array;
}

export interface TransportMessage {
  readonly type: typeof MessageType.transport;
  readonly receiver: number;
  readonly counter: bigint;
  readonly sealedPacket: Uint8Array;
}

export type WireMessage = InitiationMessage | ResponseMessage | CookieMessage | TransportMessage;

export type MessageDropReason = 'too-short' | 'unknown-type' | 'reserved-not-zero' | 'bad-length';

/** Reads fields one after the other; the caller has checked the whole length. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 4;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  index(): number {
    this.#offset += 4;
    return this.#view.getUint32(this.#offset - 4, true);
  }

  counter(): bigint {
    this.#offset += 8;
    return this.#view.getBigUint64(this.#offset - 8, true);
  }

  take(length: number): Uint8Array {
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  before(): Uint8Array {
    return this.#bytes.subarray(0, this.#offset);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#offset);
  }
}

/** Any bytes in, a message or the reason why it is none out. */
export function decodeMessage(bytes: Uint8Array): WireMessage | MessageDropReason {
  if (bytes.length < 4) return 'too-short';
  const type = bytes[0];
  if (type === undefined || type < 1 || type > 4) return 'unknown-type';
  if ((bytes[1] ?? 0) !== 0 || (bytes[2] ?? 0) !== 0 || (bytes[3] ?? 0) !== 0) return 'reserved-not-zero';
  if (type === MessageType.initiation) return decodeInitiation(bytes);
  if (type === MessageType.response) return decodeResponse(bytes);
  if (type === MessageType.cookie) return decodeCookie(bytes);
  return decodeTransport(bytes);
}

function decodeInitiation(bytes: Uint8Array): InitiationMessage | MessageDropReason {
  if (bytes.length !== INITIATION_BYTES) return 'bad-length';
  const fields = new Fields(bytes);
  const head = {
    type: MessageType.initiation,
    sender: fields.index(),
    ephemeral: fields.take(KEY_BYTES),
    sealedStatic: fields.take(KEY_BYTES + TAG_BYTES),
    sealedTimestamp: fields.take(TIMESTAMP_BYTES + TAG_BYTES),
    beforeMac1: fields.before(),
  };
  return { ...head, mac1: fields.take(MAC_BYTES), mac2: fields.take(MAC_BYTES) };
}

function decodeResponse(bytes: Uint8Array): ResponseMessage | MessageDropReason {
  if (bytes.length !== RESPONSE_BYTES) return 'bad-length';
  const fields = new Fields(bytes);
  const head = {
    type: MessageType.response,
    sender: fields.index(),
    receiver: fields.index(),
    ephemeral: fields.take(KEY_BYTES),
    sealedEmpty: fields.take(TAG_BYTES),
    beforeMac1: fields.before(),
  };
  return { ...head, mac1: fields.take(MAC_BYTES), mac2: fields.take(MAC_BYTES) };
}

function decodeCookie(bytes: Uint8Array): CookieMessage | MessageDropReason {
  if (bytes.length !== COOKIE_BYTES) return 'bad-length';
  const fields = new Fields(bytes);
  return {
    type: MessageType.cookie,
    receiver: fields.index(),
    nonce: fields.take(COOKIE_NONCE_BYTES),
    sealedCookie: fields.rest(),
  };
}

function decodeTransport(bytes: Uint8Array): TransportMessage | MessageDropReason {
  if (bytes.length < TRANSPORT_HEADER_BYTES + TAG_BYTES) return 'bad-length';
  const fields = new Fields(bytes);
  return {
    type: MessageType.transport,
    receiver: fields.index(),
    counter: fields.counter(),
    sealedPacket: fields.rest(),
  };
}

export function encodeTransportHeader(receiver: number, counter: bigint): Uint8Array {
  const bytes = new Uint8Array(TRANSPORT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = MessageType.transport;
  view.setUint32(4, receiver, true);
  view.setBigUint64(8, counter, true);
  return bytes;
}

/** A handshake message without its macs, which come last. */
export function encodeHandshakeHead(
  type: typeof MessageType.initiation | typeof MessageType.response,
  indexes: readonly number[],
  fields: readonly Uint8Array[],
): Uint8Array {
  const head = new Uint8Array(4 + 4 * indexes.length);
  head[0] = type;
  const view = new DataView(head.buffer);
  for (const [i, index] of indexes.entries()) view.setUint32(4 + 4 * i, index, true);
  return concat(head, ...fields);
}

/** A cookie reply; its fields as long as the picture above says. */
export function encodeCookie(receiver: number, nonce: Uint8Array, sealedCookie: Uint8Array): Uint8Array {
  const head = new Uint8Array(8);
  head[0] = MessageType.cookie;
  new DataView(head.buffer).setUint32(4, receiver, true);
  return concat(head, nonce, sealedCookie);
}

/** The mac1 of a complete initiation or response. */
export function mac1Of(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(bytes.length - 2 * MAC_BYTES, bytes.length - MAC_BYTES);
}
