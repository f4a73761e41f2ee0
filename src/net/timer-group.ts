import type { Clock, Timer } from './clock.js';

/** Timers that end together: after `stop` none fires and none can be set. */
export class TimerGroup {
  readonly #clock: Clock;
  readonly #afterEach: () => void;
  readonly #pending = new Set<Timer>();
  #stopped = false;

  /** @param afterEach called when a timer's action is done */
  constructor(clock: Clock, afterEach: () => void = () => {}) {
    this.#clock = clock;
    this.#afterEach = afterEach;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  after(name: string, delayMs: number, action: () => void): Timer {
    if (this.#stopped) return { cancel: () => {} };
    const inner = this.#clock.after(name, delayMs, () => {
      this.#pending.delete(timer);
      action();
      this.#afterEach();
    });
    const timer: Timer = {
      cancel: () => {
        this.#pending.delete(timer);
        inner.cancel();
      },
    };
    this.#pending.add(timer);
    return timer;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of [...this.#pending]) timer.cancel();
  }
}
