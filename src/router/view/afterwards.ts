/** What may wait until a burst of moves is over: each move is handled before anybody is told of the one before it. */
import type { Clock, Timer } from '../../net/clock.js';

/** Nothing new has come for so long: the burst is over. */
const QUIET_MS = 5;
/** Nothing waits longer than this. */
const LONGEST_MS = 50;

export class Afterwards {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #sinceMs = 0;
  #latestMs = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Actions are run in the order in which they were handed in. */
  run(action: () => void): void {
    this.#latestMs = this.#clock.nowMs();
    if (this.#waiting.length === 0) this.#sinceMs = this.#latestMs;
    this.#waiting.push(action);
    this.#timer ??= this.#lookIn(QUIET_MS);
  }

  /** Runs what waits; nothing is lost when the router stops. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const actions = this.#waiting;
    this.#waiting = [];
    for (const action of actions) action();
  }

  /** One timer for a whole burst: it is not set anew for each action, but looks when the last one came. */
  #lookIn(delayMs: number): Timer {
    return this.#clock.after('afterwards', delayMs, () => {
      const dueMs = Math.min(this.#latestMs + QUIET_MS, this.#sinceMs + LONGEST_MS);
      const leftMs = dueMs - this.#clock.nowMs();
      if (leftMs > 0) this.#timer = this.#lookIn(leftMs);
      else this.flush();
    });
  }
}
