/**
 * A byte stream that is known at every offset: byte i is a hash of i, so that a byte that is lost, doubled, swapped or
 * changed shows at its place.
 */

/** Period of 2^24 words: no shift that a broken connection could cause lands on the same bytes. */
function wordAt(index: number): number {
  return Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(index >>> 11, 0x85ebca77);
}

export function byteAt(offset: number): number {
  return (wordAt(Math.floor(offset / 4)) >>> ((offset % 4) * 8)) & 0xff;
}

export function patternBytes(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = byteAt(offset + i);
  return bytes;
}

/** Offset in the stream of the first byte that is not as it should be; undefined when all are. */
export function firstDifference(offset: number, bytes: Uint8Array): number | undefined {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== byteAt(offset + i)) return offset + i;
  return undefined;
}
