/**
 * How much of something may happen in a time: the generic cell rate algorithm (ITU-T I.371, Annex A; "virtual scheduling"),
 * which needs one number a subject: the time at which all that was taken will have been paid for.
 */
import type { Clock } from './clock.js';

export interface Rate {
  /** Units a second, on average. */
  readonly perSecond: number;
  /** Units that may be taken at once by who has taken nothing for a while. At least 1. */
  readonly burst: number;
}

/** `too-large`: it would never be allowed, since it costs more than the burst. */
export type Taken = 'taken' | 'too-soon' | 'too-large';

type Monotonic = Pick<Clock, 'nowMs'>;

/** The rate at which one thing may happen in an interval. */
export function onceIn(intervalMs: number): Rate {
  return { perSecond: 1_000 / intervalMs, burst: 1 };
}

/** One subject's. Starts full. */
export class RateLimit {
  readonly #clock: Monotonic;
  readonly #perUnitMs: number;
  readonly #burstMs: number;
  /** When what was taken is paid for. */
  #paidMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Monotonic, { perSecond, burst }: Rate) {
    this.#clock = clock;
    this.#perUnitMs = 1_000 / perSecond;
    this.#burstMs = burst * this.#perUnitMs;
  }

  /** Takes `cost` units, or nothing. */
  take(cost = 1): Taken {
    const nowMs = this.#clock.nowMs();
    const paidMs = paidAfter(this.#paidMs, nowMs, cost * this.#perUnitMs);
    const taken = judge(paidMs - nowMs, cost * this.#perUnitMs, this.#burstMs);
    if (taken === 'taken') this.#paidMs = paidMs;
    return taken;
  }

  allow(cost = 1): boolean {
    return this.take(cost) === 'taken';
  }
}

/**
 * The same for many subjects, of which at most `limit` are remembered. When all of those still have something to pay, a new
 * one is refused: no number of made-up subjects gets more than `limit` times a subject's share.
 */
export class KeyedRateLimit<Key = string> {
  readonly #clock: Monotonic;
  readonly #perUnitMs: number;
  readonly #burstMs: number;
  readonly #limit: number;
  /** When what each has taken is paid for; the one that took something longest ago first. */
  readonly #paidMs = new Map<Key, number>();

  constructor(clock: Monotonic, { perSecond, burst }: Rate, limit = 4_096) {
    this.#clock = clock;
    this.#perUnitMs = 1_000 / perSecond;
    this.#burstMs = burst * this.#perUnitMs;
    this.#limit = limit;
  }

  take(key: Key, cost = 1): Taken {
    const nowMs = this.#clock.nowMs();
    const known = this.#paidMs.get(key);
    const paidMs = paidAfter(known ?? Number.NEGATIVE_INFINITY, nowMs, cost * this.#perUnitMs);
    const taken = judge(paidMs - nowMs, cost * this.#perUnitMs, this.#burstMs);
    if (taken !== 'taken') return taken;
    if (known === undefined && !this.#makeRoom(nowMs)) return 'too-soon';
    this.#set(key, paidMs);
    return 'taken';
  }

  allow(key: Key, cost = 1): boolean {
    return this.take(key, cost) === 'taken';
  }

  /** Takes all that there is, now and whatever was taken before; another subject is forgotten for it if need be. */
  exhaust(key: Key): void {
    if (!this.#paidMs.has(key) && this.#paidMs.size >= this.#limit) this.#forgetOldest();
    this.#set(key, this.#clock.nowMs() + this.#burstMs);
  }

  /** Milliseconds until one unit can be taken; 0: now. */
  remainingMs(key: Key): number {
    const paidMs = this.#paidMs.get(key);
    if (paidMs === undefined) return 0;
    return Math.max(0, paidMs + this.#perUnitMs - this.#burstMs - this.#clock.nowMs());
  }

  forget(key: Key): void {
    this.#paidMs.delete(key);
  }

  get size(): number {
    return this.#paidMs.size;
  }

  /** Re-inserting keeps the map in the order of time. */
  #set(key: Key, paidMs: number): void {
    this.#paidMs.delete(key);
    this.#paidMs.set(key, paidMs);
  }

  #makeRoom(nowMs: number): boolean {
    if (this.#paidMs.size < this.#limit) return true;
    for (const [oldest, paidMs] of this.#paidMs) {
      if (paidMs > nowMs) return false;
      this.#paidMs.delete(oldest);
      return true;
    }
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#paidMs.keys()) {
      this.#paidMs.delete(oldest);
      return;
    }
  }
}

function paidAfter(paidMs: number, nowMs: number, costMs: number): number {
  return Math.max(paidMs, nowMs) + costMs;
}

function judge(aheadMs: number, costMs: number, burstMs: number): Taken {
  if (costMs > burstMs + SLACK_MS) return 'too-large';
  return aheadMs > burstMs + SLACK_MS ? 'too-soon' : 'taken';
}

/** A sum of fractions of a millisecond is not exact. */
const SLACK_MS = 1e-6;
