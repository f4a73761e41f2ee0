/**
 * A whole cluster's nodes move at once: then the tables of all come first, everywhere, and what has to be said about each
 * of them on the LANs when the burst pauses. What comes alone, or with a few others, is dealt with at once.
 */
import type { Clock } from '../net/clock.js';
import type { TimerGroup } from '../net/timer-group.js';

/** So many nodes are no burst yet. */
const AT_ONCE = 4;
/** Nothing more has come for so long: claims are gathered for 5 ms, so the next message of a burst would be here. */
const QUIET_MS = 8;
/** Nothing waits longer, however many come. */
const LONGEST_MS = 60;
/** Then so many at a time, so that messages are read in between. */
const PER_TURN = 4;

export class Burst {
  readonly #clock: Clock;
  readonly #timers: TimerGroup;
  #waiting: (() => void)[] = [];
  /** How many have come since the last pause, and when the latest one did; of the monotonic clock. */
  #count = 0;
  #latestMs = Number.NEGATIVE_INFINITY;
  #sinceMs = 0;

  constructor(clock: Clock, timers: TimerGroup) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** One more node has moved. True: it is one of a burst, and what is to be said about it had better wait. */
  joined(): boolean {
    const nowMs = this.#clock.nowMs();
    if (!this.#isRecent && this.#waiting.length === 0) this.#count = 0;
    this.#latestMs = nowMs;
    this.#count++;
    return this.#count > AT_ONCE;
  }

  /** Are nodes of one still coming, or still to be dealt with? */
  get isOn(): boolean {
    return this.#waiting.length > 0 || (this.#count > AT_ONCE && this.#isRecent);
  }

  get #isRecent(): boolean {
    return this.#clock.nowMs() - this.#latestMs < QUIET_MS;
  }

  /** Runs the action when the burst pauses; in the order in which they were handed in. */
  later(action: () => void): void {
    this.#waiting.push(action);
    if (this.#waiting.length > 1) return;
    this.#sinceMs = this.#clock.nowMs();
    this.#lookIn(QUIET_MS);
  }

  #lookIn(delayMs: number): void {
    this.#timers.after('burst', delayMs, () => {
      const leftMs = Math.min(this.#latestMs + QUIET_MS, this.#sinceMs + LONGEST_MS) - this.#clock.nowMs();
      if (leftMs > 0) this.#lookIn(leftMs);
      else this.#turn();
    });
  }

  #turn(): void {
    for (const action of this.#waiting.splice(0, PER_TURN)) action();
    if (this.#waiting.length > 0) this.#lookIn(1);
  }
}
