/** Requests that wait for something, by what it is, for a limited time. */
import type { Clock, Timer } from '../../../net/clock.js';

interface Waiter {
  readonly what: number | 'control';
  readonly timer: Timer;
  go(problem?: string): void;
}

export class Waiting {
  readonly #waiters = new Set<Waiter>();
  #ended: string | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly limitMs: number,
  ) {}

  get count(): number {
    return this.#waiters.size;
  }

  /** Rejects after the time, and at once when it has ended. */
  wait(what: Waiter['what']): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => {
      const timer = this.clock.after('volume-waits', this.limitMs, () =>
        waiter.go(`not within ${this.limitMs / 1000} s`),
      );
      const waiter: Waiter = {
        ...{ what, timer },
        go: (problem) => {
          timer.cancel();
          this.#waiters.delete(waiter);
          if (problem === undefined) resolve();
          else reject(new Error(problem));
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Those that wait for that may go. */
  tell(what: Waiter['what']): void {
    for (const waiter of [...this.#waiters]) if (waiter.what === what) waiter.go();
  }

  all(): void {
    for (const waiter of [...this.#waiters]) waiter.go();
  }

  end(problem: string): void {
    this.#ended = problem;
    for (const waiter of [...this.#waiters]) waiter.go(problem);
  }
}
