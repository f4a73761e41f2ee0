/**
 * A whole cluster's nodes move at once: then the tables of all come first, everywhere, and what has to be said about each
 * of them on the LANs when the burst pauses. What comes alone, or with a few others, is dealt with at once.
 */
import type { Clock } from '../net/clock.js';
import { Debouncer } from '../net/debouncer.js';
import type { TimerGroup } from '../net/timer-group.js';

/** So many nodes are no burst yet. */
const AT_ONCE = 4;
/** Claims are gathered for 5 ms, so after `quietMs` the next message of a burst would be here. */
const TIMES = { quietMs: 8, longestMs: 60, perTurn: 4 };

export class Burst {
  readonly #debouncer: Debouncer;
  /** How many have come since the last pause. */
  #count = 0;

  constructor(clock: Clock, timers: TimerGroup) {
    const after: Clock['after'] = (name, ms, action) => timers.after(name, ms, action);
    this.#debouncer = new Debouncer({ nowMs: () => clock.nowMs(), after }, 'burst', TIMES);
  }

  /** One more node has moved. True: it is one of a burst, and what is to be said about it had better wait. */
  joined(): boolean {
    if (!this.#debouncer.isRecent && this.#debouncer.isEmpty) this.#count = 0;
    this.#debouncer.touch();
    this.#count++;
    return this.#count > AT_ONCE;
  }

  /** Are nodes of one still coming, or still to be dealt with? */
  get isOn(): boolean {
    return !this.#debouncer.isEmpty || (this.#count > AT_ONCE && this.#debouncer.isRecent);
  }

  /** Runs the action when the burst pauses; in the order in which they were handed in. */
  later(action: () => void): void {
    this.#debouncer.later(action);
  }
}
