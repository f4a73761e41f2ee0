/** xorshift32: the same numbers for the same seed, on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** Any 32 bits. */
  word(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state;
  }

  /** 0 … limit − 1 */
  below(limit: number): number {
    return (this.word() >>> 0) % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('nothing to pick from');
    return from[this.below(from.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word());
  }

  /** Small, around the limits, or anything. */
  oddWord(): number {
    const odd = [0, 1, 3, 5, 20, 40, 64, 65535, 65536, -1, 0x7fffffff, -0x80000000, 576, 1420, 1480, 66560];
    return this.chance(60) ? this.pick(odd) : this.word() >> this.below(32);
  }
}
