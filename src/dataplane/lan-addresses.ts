/**
 * The gateway machine's own address of each family on each LAN, which ICMP errors come from, in shared memory: the kernel
 * changes them while the workers run. One writer.
 *
 *   word 0          version: odd while it is written
 *   per LAN, v4, v6 5 words: 1 when there is one, and the address's four
 */
import type { Family } from '../net/ip.js';
import type { AddressWords } from './punt/punt.js';

const ENTRY_WORDS = 5;
const FAMILIES = 2;

export class LanAddressTable {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  static create(lans: number): LanAddressTable {
    const words = 1 + lans * FAMILIES * ENTRY_WORDS;
    return new LanAddressTable(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  }

  static attach(memory: SharedArrayBuffer): LanAddressTable {
    return new LanAddressTable(memory);
  }

  set(lan: number, family: Family, address: AddressWords | undefined): void {
    const at = offsetOf(lan, family);
    Atomics.add(this.#words, 0, 1);
    this.#words[at] = address === undefined ? 0 : 1;
    for (const [i, word] of (address?.words ?? []).entries()) this.#words[at + 1 + i] = word;
    Atomics.add(this.#words, 0, 1);
  }

  /** Undefined when there is none, and when it is being written: an ICMP error may be missing. */
  get(lan: number, family: Family): AddressWords | undefined {
    const words = this.#words;
    const at = offsetOf(lan, family);
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0 || words[at] !== 1) return undefined;
    const found = [words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0, words[at + 4] ?? 0] as const;
    return Atomics.load(words, 0) === version ? { family, words: found } : undefined;
  }
}

function offsetOf(lan: number, family: Family): number {
  return 1 + (lan * FAMILIES + (family === 4 ? 0 : 1)) * ENTRY_WORDS;
}
