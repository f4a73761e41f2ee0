import type { Clock, Timer } from '../../src/net/clock.js';

interface Pending {
  readonly name: string;
  readonly dueMs: number;
  readonly action: () => void;
}

/**
 * A clock that moves only when it is told to. Timers fire inside `advance`, in the order of their due times, those
 * of one instant in the order they were set; while one fires, `nowMs` is exactly its due time.
 */
export class SimClock implements Clock {
  #nowMs: number;
  /** Wall minus monotonic time; `stepWall` changes it, as NTP would. */
  #wallOffsetMs: number;
  /** Sorted by due time; equal ones in the order they were set. */
  readonly #pending: Pending[] = [];

  /** @param wallMs Unix time at the start; the default is 2026-01-01T00:00:00Z */
  constructor(wallMs = 1_767_225_600_000, nowMs = 0) {
    this.#nowMs = nowMs;
    this.#wallOffsetMs = wallMs - nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  after(name: string, delayMs: number, action: () => void): Timer {
    const timer = { name, dueMs: this.#nowMs + Math.max(0, delayMs), action };
    this.#pending.splice(this.#slotFor(timer.dueMs), 0, timer);
    return {
      cancel: () => {
        const index = this.#pending.indexOf(timer);
        if (index >= 0) this.#pending.splice(index, 1);
      },
    };
  }

  /** Lets `ms` pass: fires what falls due up to and at the end of it, timers set meanwhile included. */
  advance(ms: number): void {
    this.#advanceTo(this.#nowMs + ms);
  }

  #advanceTo(endMs: number): void {
    for (let next = this.#pending[0]; next !== undefined && next.dueMs <= endMs; next = this.#pending[0]) {
      this.#pending.shift();
      this.#nowMs = next.dueMs;
      next.action();
    }
    this.#nowMs = endMs;
  }

  /** Advances to the next timer and fires it (and all others of that instant). False when there is none. */
  advanceToNext(): boolean {
    const next = this.#pending[0];
    if (next === undefined) return false;
    this.#advanceTo(next.dueMs);
    return true;
  }

  /** Sets the wall clock forward or back without any time passing. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Names of the timers that wait, next first. */
  get waiting(): readonly string[] {
    return this.#pending.map((timer) => timer.name);
  }

  /** First position whose timer is due later. */
  #slotFor(dueMs: number): number {
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pending[middle]?.dueMs ?? Number.POSITIVE_INFINITY) <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
