import type { Clock, Timer } from '../../src/net/clock.js';

interface Pending {
  readonly name: string;
  readonly dueMs: number;
  /** Timers of one instant fire in this order. */
  readonly order: number;
  readonly action: () => void;
  cancelled: boolean;
}

/**
 * A clock that moves only when it is told to. Timers fire inside `advance`, in the order of their due times, those
 * of one instant in the order they were set; while one fires, `nowMs` is exactly its due time.
 */
export class SimClock implements Clock {
  #nowMs: number;
  /** Wall minus monotonic time; `stepWall` changes it, as NTP would. */
  #wallOffsetMs: number;
  /** A binary heap, the next one first: a simulation of a thousand routers has 100,000 timers waiting. */
  readonly #heap: Pending[] = [];
  #order = 0;

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
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const timer = { name, dueMs, order: this.#order++, action, cancelled: false };
    this.#push(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** Lets `ms` pass: fires what falls due up to and at the end of it, timers set meanwhile included. */
  advance(ms: number): void {
    this.#advanceTo(this.#nowMs + ms);
  }

  /** Lets `ms` pass in which no timer can run, because the program is busy: they fire late, at the next `advance`. */
  skip(ms: number): void {
    this.#nowMs += ms;
  }

  #advanceTo(endMs: number): void {
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
    }
    this.#nowMs = endMs;
  }

  /** Advances to the next timer and fires it (and all others of that instant). False when there is none. */
  advanceToNext(): boolean {
    const next = this.#next();
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
    return this.#heap
      .filter((timer) => !timer.cancelled)
      .sort((a, b) => (isBefore(a, b) ? -1 : 1))
      .map((timer) => timer.name);
  }

  /** The next that has not been cancelled. */
  #next(): Pending | undefined {
    for (let first = this.#heap[0]; first?.cancelled === true; first = this.#heap[0]) this.#pop();
    return this.#heap[0];
  }

  #push(timer: Pending): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const lower = heap[child];
      if (lower === undefined || isBefore(last, lower)) break;
      heap[at] = lower;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
