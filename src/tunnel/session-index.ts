/** The local indexes of handshakes and sessions: random, so that an outsider cannot guess one, and unique. */
import { readU32 } from '../net/ip.js';

export class SessionIndexes<Owner> {
  readonly #random: (length: number) => Uint8Array;
  readonly #owners = new Map<number, Owner>();

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random;
  }

  allocate(owner: Owner): number {
    for (;;) {
      const index = readU32(this.#random(4), 0);
      if (this.#owners.has(index)) continue;
      this.#owners.set(index, owner);
      return index;
    }
  }

  ownerOf(index: number): Owner | undefined {
    return this.#owners.get(index);
  }

  free(index: number): void {
    this.#owners.delete(index);
  }

  get size(): number {
    return this.#owners.size;
  }
}
