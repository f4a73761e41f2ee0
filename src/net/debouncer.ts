/**
 * What may wait until a burst is over: actions are kept until nothing new has come for a while, then run in the order in
 * which they were handed in.
 */
import type { Clock, Timer } from './clock.js';

export interface DebounceTimes {
  /** Nothing new has come for so long: the burst is over. */
  readonly quietMs: number;
  /** Nothing waits longer than this, however much comes. */
  readonly longestMs: number;
  /** So many are run at a time, with a millisecond in between for others; default all. */
  readonly perTurn?: number;
}

const BETWEEN_TURNS_MS = 1;

export class Debouncer {
  readonly #clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly #times: DebounceTimes;
  readonly #name: string;
  #waiting: (() => void)[] = [];
  /** Since when something waits, and when something came last; of the monotonic clock. */
  #sinceMs = 0;
  #latestMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  /** @param name of its timer */
  constructor(clock: Pick<Clock, 'nowMs' | 'after'>, name: string, times: DebounceTimes) {
    this.#clock = clock;
    this.#name = name;
    this.#times = times;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Actions that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Has something come within the quiet time? */
  get isRecent(): boolean {
    return this.#clock.nowMs() - this.#latestMs < this.#times.quietMs;
  }

  /** Something has come for which nothing waits: the burst goes on. */
  touch(): void {
    this.#latestMs = this.#clock.nowMs();
  }

  /** Runs the action when the burst is over; that it is handed in does not prolong the burst (see `touch`). */
  later(action: () => void): void {
    if (this.#waiting.length === 0) this.#sinceMs = this.#clock.nowMs();
    this.#waiting.push(action);
    this.#timer ??= this.#lookIn(this.#times.quietMs);
  }

  /** Runs all that waits, now. */
  flush(): void {
    this.stop();
    const actions = this.#waiting;
    this.#waiting = [];
    for (const action of actions) action();
  }

  /** No timer fires any more; what waits goes on waiting. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One timer for a whole burst: it is not set anew for each action, but looks when the last one came. */
  #lookIn(delayMs: number): Timer {
    return this.#clock.after(this.#name, delayMs, () => {
      const { quietMs, longestMs } = this.#times;
      const dueMs = Math.min(this.#latestMs + quietMs, this.#sinceMs + longestMs);
      const leftMs = dueMs - this.#clock.nowMs();
      if (leftMs > 0) this.#timer = this.#lookIn(leftMs);
      else this.#turn();
    });
  }

  #turn(): void {
    this.#timer = undefined;
    const { perTurn } = this.#times;
    if (perTurn === undefined) {
      this.flush();
      return;
    }
    for (const action of this.#waiting.splice(0, perTurn)) action();
    if (this.#waiting.length > 0) this.#timer ??= this.#lookIn(BETWEEN_TURNS_MS);
  }
}
