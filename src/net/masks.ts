/** Netmasks by 32-bit word, without allocating: what the look-up structures need that `Prefix` does not give. */
import type { Family } from './ip.js';

/** MASKS[n] has the upper n bits set, as a signed 32-bit integer. */
const MASKS = Int32Array.from({ length: 33 }, (_, bits) => (bits === 0 ? 0 : 0xffffffff << (32 - bits)));

/**
 * The mask for word `word` (0 … 3) of an address under a prefix of `length` bits. IPv4 lives in word 3 alone, so its
 * lengths count from bit 96 (see `ip.ts`).
 */
export function wordMask(family: Family, length: number, word: number): number {
  const bits = (family === 4 ? length + 96 : length) - 32 * word;
  return bits <= 0 ? 0 : bits >= 32 ? -1 : (MASKS[bits] ?? 0);
}
