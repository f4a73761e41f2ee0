/** What must be done whatever it takes: again each second until it is, one after another in the order of the calls. */
import type { Clock, Timer } from '../../../net/clock.js';
import { messageOf } from '../../../net/system-error.js';

const AGAIN_MS = 1_000;

export class Steadily {
  #last: Promise<void> = Promise.resolve();
  #isOver = false;
  #problem = '';
  readonly #waiting = new Map<Timer, () => void>();

  /** @param log what fails is told once */
  constructor(
    private readonly clock: Clock,
    private readonly log: (problem: string) => void,
  ) {}

  /** Why the one that is being done has failed; empty: it has not. */
  get problem(): string {
    return this.#problem;
  }

  /** @param then when it is done, unless all is over by then */
  do(what: string, work: () => Promise<void>, then: () => void): void {
    this.#last = this.#last.then(async () => {
      while (!this.#isOver) {
        try {
          await work();
          break;
        } catch (error) {
          if (this.#problem === '') this.log(`${what}: ${messageOf(error)}; it is tried again`);
          this.#problem = `${what}: ${messageOf(error)}`;
          await this.#pause();
        }
      }
      this.#problem = '';
      if (!this.#isOver) then();
    });
  }

  stop(): void {
    this.#isOver = true;
    for (const [timer, go] of this.#waiting) {
      timer.cancel();
      go();
    }
    this.#waiting.clear();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.after('volume-again', AGAIN_MS, () => {
        this.#waiting.delete(timer);
        resolve();
      });
      this.#waiting.set(timer, resolve);
    });
  }
}

/** The same of one thing, in no order with others. False: it was not. @param failed whether it is tried again */
export async function untilDone(
  clock: Clock,
  work: () => Promise<void>,
  failed: (why: string) => boolean,
): Promise<boolean> {
  for (;;) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!failed(messageOf(error))) return false;
      await new Promise<void>((again) => clock.after('volume-again', AGAIN_MS, again));
    }
  }
}
