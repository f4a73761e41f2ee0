/**
 * Rates that several packet workers keep to together: the generic cell rate algorithm as in src/net/rate-limit.ts, its one
 * number a subject in shared memory. The number is a time in ticks that wraps at 32 bits: a burst is `BURST_TICKS` of
 * them, so that it means something for a thousand bursts, and nothing that is further ahead than one burst can be true.
 */
import type { Clock } from '../../net/clock.js';
import type { Rate } from '../../net/rate-limit.js';

const BURST_TICKS = 2 ** 22;

export class SharedRate {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #words: Int32Array;
  readonly #ticksPerMs: number;
  readonly #ticksPerUnit: number;

  /** @param words one for each subject; in shared memory, 0 at first */
  constructor(clock: Pick<Clock, 'nowMs'>, { perSecond, burst }: Rate, words: Int32Array) {
    this.#clock = clock;
    this.#words = words;
    this.#ticksPerMs = (BURST_TICKS * perSecond) / (1_000 * burst);
    this.#ticksPerUnit = BURST_TICKS / burst;
  }

  /** Takes `cost` units of the subject's, or nothing. */
  allow(subject: number, cost = 1): boolean {
    const now = Math.floor(this.#clock.nowMs() * this.#ticksPerMs) % 2 ** 32;
    const ticks = Math.max(1, Math.floor(cost * this.#ticksPerUnit));
    for (;;) {
      const paid = Atomics.load(this.#words, subject);
      const ahead = (paid - now) | 0;
      const after = (ahead > 0 && ahead <= BURST_TICKS ? ahead : 0) + ticks;
      if (after > BURST_TICKS) return false;
      if (Atomics.compareExchange(this.#words, subject, paid, (now + after) | 0) === paid) return true;
    }
  }

  /** Nothing that the subject has taken is still to be paid for. */
  isPaid(subject: number): boolean {
    const now = Math.floor(this.#clock.nowMs() * this.#ticksPerMs) % 2 ** 32;
    const ahead = (Atomics.load(this.#words, subject) - now) | 0;
    return ahead <= 0 || ahead > BURST_TICKS;
  }
}

/**
 * The same for subjects that anybody can make up: a table of places, of which a subject may have any of `WAYS`, found by its
 * hash. When all of those still have something to pay a new subject is refused. Two subjects with the same hash have one
 * share; the seed keeps others from choosing such.
 */
export class SharedKeyedRate {
  readonly #rate: SharedRate;
  readonly #keys: Int32Array;
  readonly #seed: number;

  /** @param words two for each place, of which there are a power of two, `WAYS` at least; in shared memory */
  constructor(clock: Pick<Clock, 'nowMs'>, rate: Rate, words: Int32Array, seed: number) {
    const places = words.length / 2;
    this.#keys = words.subarray(0, places);
    this.#rate = new SharedRate(clock, rate, words.subarray(places));
    this.#seed = seed;
  }

  allow(key: string, cost = 1): boolean {
    const hash = hashOf(key, this.#seed);
    const place = this.#find(hash) ?? this.#claim(hash);
    return place !== undefined && this.#rate.allow(place, cost);
  }

  #find(hash: number): number | undefined {
    for (let way = 0; way < WAYS; way++) {
      const place = this.#place(hash, way);
      if (Atomics.load(this.#keys, place) === hash) return place;
    }
    return undefined;
  }

  /** Another worker may claim one for the same subject in this moment: then it has two shares, once. */
  #claim(hash: number): number | undefined {
    for (let way = 0; way < WAYS; way++) {
      const place = this.#place(hash, way);
      const before = Atomics.load(this.#keys, place);
      if (before !== 0 && !this.#rate.isPaid(place)) continue;
      if (Atomics.compareExchange(this.#keys, place, before, hash) === before) return place;
    }
    return undefined;
  }

  #place(hash: number, way: number): number {
    return (hash + way) & (this.#keys.length - 1);
  }
}

const WAYS = 8;

/** Never 0, which is a place that nobody has. */
export function hashOf(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash | 0 || 1;
}
