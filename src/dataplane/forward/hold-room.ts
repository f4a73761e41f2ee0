/** How many packets may wait for a MAC: in all, and for one node. Workers of one direction count together. */
import { type Budgets, HELD_WORDS } from '../budget/budgets.js';
import { hashOf } from '../budget/shared-rate.js';
import type { AddressWords } from '../punt/punt.js';

/** Linux queues about as much for an unresolved neighbour (unres_qlen_bytes, some 100 packets). */
const MAX_PACKETS = 256;
const MAX_PACKETS_PER_NODE = 64;

const ALL = 0;

export class HoldRoom {
  /** Undefined: the worker is alone. Else nodes whose hashes are the same word's share it. */
  readonly #shared: { readonly words: Int32Array; readonly seed: number } | undefined;
  readonly #ofNode = new Map<string, number>();
  #all = 0;

  constructor(budgets: Pick<Budgets, 'held'>) {
    this.#shared = budgets.held;
  }

  /** False: there is none. */
  take(vnet: number, next: AddressWords): boolean {
    const node = nameOf(vnet, next);
    if (this.#shared !== undefined) return this.#takeShared(this.#shared.words, this.#wordOf(node));
    const held = this.#ofNode.get(node) ?? 0;
    if (this.#all >= MAX_PACKETS || held >= MAX_PACKETS_PER_NODE) return false;
    this.#ofNode.set(node, held + 1);
    this.#all++;
    return true;
  }

  /** One that had taken it waits no longer. */
  give(vnet: number, next: AddressWords): void {
    const node = nameOf(vnet, next);
    if (this.#shared !== undefined) {
      Atomics.sub(this.#shared.words, ALL, 1);
      Atomics.sub(this.#shared.words, this.#wordOf(node), 1);
      return;
    }
    const held = (this.#ofNode.get(node) ?? 1) - 1;
    if (held > 0) this.#ofNode.set(node, held);
    else this.#ofNode.delete(node);
    this.#all--;
  }

  #takeShared(words: Int32Array, node: number): boolean {
    if (Atomics.add(words, ALL, 1) < MAX_PACKETS) {
      if (Atomics.add(words, node, 1) < MAX_PACKETS_PER_NODE) return true;
      Atomics.sub(words, node, 1);
    }
    Atomics.sub(words, ALL, 1);
    return false;
  }

  #wordOf(node: string): number {
    return 1 + (hashOf(node, this.#shared?.seed ?? 0) & (HELD_WORDS - 2));
  }
}

function nameOf(vnet: number, { family, words }: AddressWords): string {
  return `${vnet} ${family} ${words.join()}`;
}
