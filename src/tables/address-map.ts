import type { VnetId } from './model.js';

/** A map keyed by vnet and text (the `key` of an Ip or a Prefix). Iterates in the order of insertion within a vnet. */
export class AddressMap<T> {
  readonly #vnets = new Map<VnetId, Map<string, T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(vnet: VnetId, key: string): T | undefined {
    return this.#vnets.get(vnet)?.get(key);
  }

  set(vnet: VnetId, key: string, value: T): void {
    let inner = this.#vnets.get(vnet);
    if (inner === undefined) {
      inner = new Map();
      this.#vnets.set(vnet, inner);
    }
    const before = inner.size;
    inner.set(key, value);
    this.#size += inner.size - before;
  }

  delete(vnet: VnetId, key: string): boolean {
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
