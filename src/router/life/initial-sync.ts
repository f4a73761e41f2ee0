/**
 * The wait at start for what the peers know (tables.md, "On disk"): until all are up and have had a moment to send their
 * records, but 2 s at most, so that a site is not down because another one is.
 */
import type { Clock, Timer } from '../../net/clock.js';
import type { RouterId } from '../../tables/model.js';

const LIMIT_MS = 2000;
/** For the records that follow a session's first messages: a few round trips on most WANs. */
const QUIET_MS = 300;

export class InitialSync {
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #awaited: number;
  readonly #heard = new Set<RouterId>();
  #settle: () => void = () => {};
  #timers: Timer[] = [];

  constructor(clock: Clock, peers: number) {
    this.#clock = clock;
    this.#awaited = peers;
    this.done = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if (peers === 0) this.stop();
    else this.#timers.push(clock.after('hearing-limit', LIMIT_MS, () => this.stop()));
  }

  peerUp(router: RouterId): void {
    if (this.#heard.has(router)) return; // again, after it was down
    this.#heard.add(router);
    if (this.#heard.size === this.#awaited)
      this.#timers.push(this.#clock.after('hearing-quiet', QUIET_MS, () => this.stop()));
  }

  /** Ends the wait now. */
  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#settle();
  }
}
