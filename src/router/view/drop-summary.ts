/** Repeated drops in the log: summed up once in 10 s, only when there are any; never one line a packet. */
import type { Clock, Timer } from '../../net/clock.js';

const INTERVAL_MS = 10_000;
/** Names that count what was refused or lost; the others count what passed. */
export const LOSSES = /^drop_|_malformed$|_not_authentic$|_replayed$|_unknown_session$|_errors$|^no_session$/;

export class DropSummary {
  readonly #clock: Clock;
  readonly #read: () => Readonly<Record<string, number>>;
  readonly #report: (drops: Record<string, number>) => void;
  #last: Readonly<Record<string, number>>;
  #timer: Timer | undefined;

  /** @param report gets what each reason has grown by since the last report */
  constructor(
    clock: Clock,
    read: () => Readonly<Record<string, number>>,
    report: (drops: Record<string, number>) => void,
  ) {
    this.#clock = clock;
    this.#read = read;
    this.#report = report;
    this.#last = read();
  }

  start(): void {
    this.#timer = this.#clock.after('drop-summary', INTERVAL_MS, () => {
      this.flush();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.flush();
  }

  flush(): void {
    const now = this.#read();
    const grown: Record<string, number> = {};
    for (const [name, value] of Object.entries(now)) {
      const by = value - (this.#last[name] ?? 0);
      if (by > 0 && LOSSES.test(name)) grown[name] = by;
    }
    this.#last = now;
    if (Object.keys(grown).length > 0) this.#report(grown);
  }
}
