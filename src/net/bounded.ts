/** Memory that cannot be made to grow from outside. */
import type { Clock } from './clock.js';

/** A map of at most `limit` entries; the one set longest ago goes first. */
export class BoundedMap<K, V> {
  readonly #limit: number;
  readonly #entries = new Map<K, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }
}

/** At most one per key and interval. A key that was evicted (more than `limit` others since) may go again. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #last: BoundedMap<string, number>;

  constructor(clock: Clock, intervalMs: number, limit = 4096) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#last = new BoundedMap(limit);
  }

  /** True when it may happen now; then the interval begins. */
  allow(key: string): boolean {
    if (this.remainingMs(key) > 0) return false;
    this.begin(key);
    return true;
  }

  begin(key: string): void {
    this.#last.set(key, this.#clock.nowMs());
  }

  /** Milliseconds until `allow` says yes; 0 = now. */
  remainingMs(key: string): number {
    const last = this.#last.get(key);
    return last === undefined ? 0 : Math.max(0, last + this.#intervalMs - this.#clock.nowMs());
  }
}
