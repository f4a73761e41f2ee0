import { type Mac, macHigh, macLow } from '../../net/mac.js';
import type { VnetId } from '../model.js';
import { Subscribers } from '../subscribers.js';

const MAGIC = 0x56694e4d;
const H = { magic: 0, version: 1, slots: 2, size: 3, words: 4 } as const;
/** In a slot: vnet and the MAC's first 16 bits, its last 32 bits, the value: 0 when it is not in use. */
const SLOT_WORDS = 3;
/** Room for the MACs of all nodes that a directory may hold (`LIMITS.nodes`). */
const DEFAULT_SLOTS = 1 << 18;
/** Times a reader tries again before it takes a changing table to have no answer. */
const SPINS = 1_000;

/**
 * (vnet, MAC) → a number from 1, in shared memory; a set for who has no use for the number. One thread writes (the one that called `create`), any number read, without
 * locks: the writer makes the version odd while it changes something, and a reader that met a change reads again.
 */
export class MacTable {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #subscribers = new Subscribers<[Mac]>();

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    if (this.#words[H.magic] !== MAGIC) throw new Error('not a MAC table');
    this.#mask = (this.#words[H.slots] ?? 0) - 1;
  }

  /** An empty set. `slots` is a power of two; three quarters of them can be used. 12 bytes each. */
  static create(slots = DEFAULT_SLOTS): MacTable {
    if (!Number.isInteger(Math.log2(slots)) || slots < 4) throw new RangeError(`slots: ${slots}`);
    const memory = new SharedArrayBuffer(4 * (H.words + slots * SLOT_WORDS));
    const words = new Int32Array(memory);
    words[H.magic] = MAGIC;
    words[H.slots] = slots;
    return new MacTable(memory);
  }

  /** The same table in another thread: `has` and `value` only. */
  static attach(memory: SharedArrayBuffer): MacTable {
    return new MacTable(memory);
  }

  /** Calls `listener` after each change of what is said of a MAC. For the writer's thread. */
  subscribe(listener: (mac: Mac) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  get size(): number {
    return this.#words[H.size] ?? 0;
  }

  /** Adds a MAC, or gives it another value. False, and nothing changed, when there is no room. */
  add(vnet: VnetId, mac: Mac, value = 1): boolean {
    const [key, low] = [keyOf(vnet, macHigh(mac)), macLow(mac) | 0];
    const offset = this.#find(key, low);
    const known = this.#words[offset + 2] ?? 0;
    if (known === value) return true;
    if (known !== 0) {
      this.#change(mac, () => this.#words.set([value], offset + 2));
      return true;
    }
    if (4 * (this.size + 1) > 3 * (this.#mask + 1)) return false;
    this.#change(mac, () => {
      this.#words.set([key, low, value], offset);
      this.#words[H.size] = this.size + 1;
    });
    return true;
  }

  delete(vnet: VnetId, mac: Mac): void {
    const offset = this.#find(keyOf(vnet, macHigh(mac)), macLow(mac) | 0);
    if (this.#words[offset + 2] === 0) return;
    this.#change(mac, () => {
      this.#vacate((offset - H.words) / SLOT_WORDS);
      this.#words[H.size] = this.size - 1;
    });
  }

  /** Allocates nothing. The halves are as in a descriptor, signed or unsigned. */
  has(vnet: VnetId, high: number, low: number): boolean {
    return this.value(vnet, high, low) !== 0;
  }

  /** 0: it is not there. Allocates nothing. */
  value(vnet: VnetId, high: number, low: number): number {
    const words = this.#words;
    const key = keyOf(vnet, high);
    for (let tries = 0; tries < SPINS; tries++) {
      const version = Atomics.load(words, H.version);
      if ((version & 1) !== 0) continue;
      const value = words[this.#find(key, low | 0) + 2] ?? 0;
      if (Atomics.load(words, H.version) === version) return value;
    }
    return 0;
  }

  /** Offset of the key's slot, or of the empty one where it would go. Ends also when the table changes under it. */
  #find(key: number, low: number): number {
    const words = this.#words;
    let slot = hash(key, low) & this.#mask;
    let offset = H.words + slot * SLOT_WORDS;
    for (let step = 0; step < this.#mask; step++) {
      if (words[offset + 2] === 0 || (words[offset] === key && words[offset + 1] === low)) return offset;
      slot = (slot + 1) & this.#mask;
      offset = H.words + slot * SLOT_WORDS;
    }
    return offset;
  }

  #change(mac: Mac, action: () => void): void {
    Atomics.add(this.#words, H.version, 1);
    action();
    Atomics.add(this.#words, H.version, 1);
    this.#subscribers.notify(mac);
  }

  /** Empties a slot and closes the gap (Knuth, TAOCP 6.4, algorithm R), as the forwarding table does. */
  #vacate(slot: number): void {
    const words = this.#words;
    const mask = this.#mask;
    const at = (index: number): number => H.words + index * SLOT_WORDS;
    let gap = slot;
    for (let next = (gap + 1) & mask; words[at(next) + 2] !== 0; next = (next + 1) & mask) {
      const home = hash(words[at(next)] ?? 0, words[at(next) + 1] ?? 0) & mask;
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      words.copyWithin(at(gap), at(next), at(next) + SLOT_WORDS);
      gap = next;
    }
    words.fill(0, at(gap), at(gap) + SLOT_WORDS);
  }
}

function keyOf(vnet: VnetId, high: number): number {
  return (vnet << 16) | (high & 0xffff);
}

function hash(key: number, low: number): number {
  let h = (Math.imul(low, 0x9e3779b1) + Math.imul(key, 0x85ebca77)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}
