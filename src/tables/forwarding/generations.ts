/**
 * How often something has changed that a decision over a packet depends on: one number for everything, and 1,024 for the
 * addresses and MACs that hash to each. A decision stands as long as the sum of those that it depends on does: the first, those
 * of its packet's source and destination, and of a frame those of its two MACs. So a change of one node's route outdates
 * what was decided for one flow in some five hundred, and not for all. Every number only rises, so a sum never comes back.
 *
 * In shared memory, one writer; a number rises before whoever changed something goes on, after the change. So what was
 * decided by the old state has an old sum, if the sum was read before the decision. Mirrored in native/engine/generations.h.
 */

/** Numbers rise by two: no sum is odd. This one stands for a packet that nothing may be kept of. */
export const NO_GENERATION = 1;
const STEP = 2;

const BUCKET_BITS = 10;
/** The one for everything, then the buckets. */
export const GENERATION_WORDS = 1 + (1 << BUCKET_BITS);

/** Which number an address is counted by: four words, an IPv4 address in the last; of a MAC its first 16 and its last 32 bits. */
export function bucketOf(w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w3, 0x9e3779b1) + Math.imul(w2, 0xc2b2ae3d);
  h = (h + Math.imul(w1, 0x27d4eb2f) + Math.imul(w0, 0x165667b1)) | 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return 1 + ((h ^ (h >>> 13)) >>> (32 - BUCKET_BITS));
}

/** The writing half. */
export class Generations {
  readonly #words: Int32Array;

  /** @param words `GENERATION_WORDS` of shared memory */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  everything(): void {
    Atomics.add(this.#words, 0, STEP);
  }

  /** What was decided for packets from or to it. */
  of(w0: number, w1: number, w2: number, w3: number): void {
    Atomics.add(this.#words, bucketOf(w0, w1, w2, w3), STEP);
  }
}
