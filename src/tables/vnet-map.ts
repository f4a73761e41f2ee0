import type { VnetId } from './model.js';

/**
 * A map keyed by vnet and something that compares by value: the `key` of an Ip or a Prefix, a Mac. Nested, because a
 * key joined from both would have to be built and hashed at every call. Iterates in the order of insertion in a vnet.
 */
export class VnetMap<K extends string | number, T> {
  readonly #vnets = new Map<VnetId, Map<K, T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(vnet: VnetId, key: K): T | undefined {
    return this.#vnets.get(vnet)?.get(key);
  }

  set(vnet: VnetId, key: K, value: T): void {
    let inner = this.#vnets.get(vnet);
    if (inner === undefined) {
      inner = new Map();
      this.#vnets.set(vnet, inner);
    }
    const before = inner.size;
    inner.set(key, value);
    this.#size += inner.size - before;
  }

  delete(vnet: VnetId, key: K): boolean {
    const inner = this.#vnets.get(vnet);
    if (inner === undefined || !inner.delete(key)) return false;
    if (inner.size === 0) this.#vnets.delete(vnet);
    this.#size--;
    return true;
  }

  *values(): IterableIterator<T> {
    for (const inner of this.#vnets.values()) yield* inner.values();
  }
}
