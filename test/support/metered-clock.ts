/** A clock that counts the timers that its user has waiting: what waits for a timer takes memory until it fires. */
import type { Clock, Timer } from '../../src/net/clock.js';

export class MeteredClock implements Clock {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many of each name. */
  get waiting(): ReadonlyMap<string, number> {
    return this.#waiting;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(name: string, delayMs: number, action: () => void): Timer {
    let waits = true;
    const over = (): void => {
      if (waits) this.#add(name, -1);
      waits = false;
    };
    this.#add(name, 1);
    const timer = this.#clock.after(name, delayMs, () => {
      over();
      action();
    });
    return {
      cancel: () => {
        over();
        timer.cancel();
      },
    };
  }

  #add(name: string, more: number): void {
    this.#waiting.set(name, (this.#waiting.get(name) ?? 0) + more);
  }
}
