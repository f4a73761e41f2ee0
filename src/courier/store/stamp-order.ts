/**
 * Entries in the order of their stamps. Eight bytes an entry and nothing more, since a store may have millions: stamp and entry are one
 * number of 64 bits, whose order is the stamps'.
 */
import { endianness } from 'node:os';

const ENTRY_BITS = 25;
export const MOST_ENTRIES = 2 ** ENTRY_BITS;
/** One for each page that is written: at 1 Gbit/s of new pages it lasts for 500 years. */
export const MOST_STAMP = 2 ** (64 - ENTRY_BITS) - 1;
/** The stamp's bits in the lower word, above the entry. */
const SPLIT = 2 ** (32 - ENTRY_BITS);
const [LOW, HIGH] = endianness() === 'LE' ? [0, 1] : [1, 0];

export class StampOrder {
  readonly #numbers: BigUint64Array;
  readonly #words: Uint32Array;

  constructor(entries: number) {
    if (entries > MOST_ENTRIES) throw new RangeError(`${entries} entries`);
    this.#numbers = new BigUint64Array(entries);
    this.#words = new Uint32Array(this.#numbers.buffer);
  }

  /** @param stamp 0: the entry has none, and is left out */
  set(entry: number, stamp: number): void {
    this.#words[2 * entry + HIGH] = Math.floor(stamp / SPLIT);
    this.#words[2 * entry + LOW] = (stamp % SPLIT) * MOST_ENTRIES + (stamp === 0 ? 0 : entry);
  }

  stampOf(entry: number): number {
    return this.#stampAt(entry);
  }

  /** Those that have a stamp, the lowest first. To be called once, and nothing else afterwards. */
  *sorted(): Generator<{ readonly entry: number; readonly stamp: number }> {
    this.#numbers.sort();
    for (let place = 0; place < this.#numbers.length; place++) {
      const stamp = this.#stampAt(place);
      if (stamp > 0) yield { entry: (this.#words[2 * place + LOW] ?? 0) % MOST_ENTRIES, stamp };
    }
  }

  #stampAt(place: number): number {
    const [high, low] = [this.#words[2 * place + HIGH] ?? 0, this.#words[2 * place + LOW] ?? 0];
    return high * SPLIT + Math.floor(low / MOST_ENTRIES);
  }
}
