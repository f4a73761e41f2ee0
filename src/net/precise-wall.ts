/** The two clocks are read until their difference is known to within this … */
const NARROW_MS = 0.005;
/** … but no longer than this: a thread that is not let run learns it later. */
const MOST_ALIGNING_MS = 3;

/**
 * Unix time with microseconds. JavaScript's own has whole milliseconds, rounded down; its monotonic clock has the fraction
 * and no date. The kernel slews both alike, so that their difference stays the same until somebody sets the wall clock:
 * every reading bounds it, and one that contradicts the others begins anew.
 */
export class PreciseWall {
  readonly #monotonicMs: () => number;
  readonly #wholeMs: () => number;
  /** Unix time less the monotonic clock's is from … to. */
  #lowMs = Number.NEGATIVE_INFINITY;
  #highMs = Number.POSITIVE_INFINITY;

  /** @param wholeMs Unix time, milliseconds, rounded down */
  constructor(monotonicMs: () => number, wholeMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#wholeMs = wholeMs;
  }

  /** Unix time, milliseconds. Takes up to 3 ms when it is first called, and when the clock has been set. */
  nowMs(): number {
    if (!this.#bound()) this.#align();
    return this.#monotonicMs() + (this.#lowMs + this.#highMs) / 2;
  }

  /** False: nothing that was known before says more than this reading. */
  #bound(): boolean {
    const beforeMs = this.#wholeMs();
    const monotonicMs = this.#monotonicMs();
    const lowMs = beforeMs - monotonicMs;
    const highMs = this.#wholeMs() + 1 - monotonicMs;
    const isKnown =
      this.#lowMs <= highMs && lowMs <= this.#highMs && this.#lowMs !== Number.NEGATIVE_INFINITY;
    this.#lowMs = isKnown ? Math.max(this.#lowMs, lowMs) : lowMs;
    this.#highMs = isKnown ? Math.min(this.#highMs, highMs) : highMs;
    return isKnown;
  }

  /** Until a millisecond ends: the last reading before and the first one after bound it from both sides. */
  #align(): void {
    const untilMs = this.#monotonicMs() + MOST_ALIGNING_MS;
    while (this.#highMs - this.#lowMs > NARROW_MS && this.#monotonicMs() < untilMs) this.#bound();
  }
}
