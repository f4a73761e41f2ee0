/** The Internet checksum (RFC 1071), as IPv4's header, UDP and ICMPv6 have it. */

/** Sum of 16-bit words; an odd last byte is the high half of one. Far below 2^53 for a frame. */
export function sumOfWords(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (i + 1 < end ? (bytes[i + 1] ?? 0) : 0);
  }
  return sum;
}

/** In 16 bits, the carries added. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** What goes into a checksum field; 0 over something whose field is right. */
export function checksumOf(sum: number): number {
  return foldSum(sum) ^ 0xffff;
}
