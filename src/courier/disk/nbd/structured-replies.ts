/** Structured replies, in one chunk each: be32 magic, be16 flags, be16 type, 8 bytes cookie, be32 length, what the type has. */
import * as spec from './spec.js';

export interface StatusExtent {
  readonly length: number;
  /** Of `spec.STATE`. */
  readonly state: number;
}

function head(cookie: Uint8Array, type: number, length: number, more = 0): Buffer {
  const bytes = Buffer.alloc(spec.STRUCTURED_REPLY_BYTES + more);
  bytes.writeUInt32BE(spec.STRUCTURED_REPLY_MAGIC);
  bytes.writeUInt16BE(spec.REPLY_DONE, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.set(cookie, 8);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}

/** What goes before a read's data. */
export function dataHead(cookie: Uint8Array, offset: number, length: number): Buffer {
  const bytes = head(cookie, spec.REPLY.offsetData, 8 + length, 8);
  bytes.writeBigUInt64BE(BigInt(offset), spec.STRUCTURED_REPLY_BYTES);
  return bytes;
}

export function doneReply(cookie: Uint8Array): Buffer {
  return head(cookie, spec.REPLY.none, 0);
}

/** be32 error, be16 bytes of a text: none. */
export function errorReply(cookie: Uint8Array, error: number): Buffer {
  const bytes = head(cookie, spec.REPLY.error, 6, 6);
  bytes.writeUInt32BE(error, spec.STRUCTURED_REPLY_BYTES);
  return bytes;
}

/** Of `base:allocation`: be32 context, then be32 length and be32 state of each extent. */
export function statusReply(cookie: Uint8Array, extents: readonly StatusExtent[]): Buffer {
  const length = 4 + 8 * extents.length;
  const bytes = head(cookie, spec.REPLY.blockStatus, length, length);
  bytes.writeUInt32BE(spec.ALLOCATION_ID, spec.STRUCTURED_REPLY_BYTES);
  for (const [index, extent] of extents.entries()) {
    const at = spec.STRUCTURED_REPLY_BYTES + 4 + 8 * index;
    bytes.writeUInt32BE(extent.length, at);
    bytes.writeUInt32BE(extent.state, at + 4);
  }
  return bytes;
}
