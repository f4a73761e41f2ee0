/** Things said over LANs more than once, because one frame may be lost or meet a neighbour entry that is just being probed. */
import type { Timer } from '../net/clock.js';
import type { TimerGroup } from '../net/timer-group.js';

/** When announcements are made, milliseconds after the first. For 3 s: a host that probes its old entry ends within that. */
export const ANNOUNCEMENT_TIMES_MS = [0, 100, 300, 700, 1500, 3000] as const;

/** Repeats an action at the announcement times; a new series under a key ends the old one. */
export class Rounds {
  readonly #timers: TimerGroup;
  readonly #next = new Map<string, Timer>();

  constructor(timers: TimerGroup) {
    this.#timers = timers;
  }

  /** Calls `action` now and at each later time, until it returns false. */
  repeat(key: string, action: (round: number) => boolean): void {
    this.cancel(key);
    this.#run(key, 0, action);
  }

  cancel(key: string): void {
    this.#next.get(key)?.cancel();
    this.#next.delete(key);
  }

  #run(key: string, round: number, action: (round: number) => boolean): void {
    this.#next.delete(key);
    if (!action(round)) return;
    const now = ANNOUNCEMENT_TIMES_MS[round];
    const next = ANNOUNCEMENT_TIMES_MS[round + 1];
    if (now === undefined || next === undefined) return;
    const timer = this.#timers.after('announce', next - now, () => this.#run(key, round + 1, action));
    this.#next.set(key, timer);
  }
}
