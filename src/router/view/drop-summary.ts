/** Repeated drops in the log: summed up once in 10 s, only when there are any; never one line a packet. */
import type { Clock, Timer } from '../../net/clock.js';
import type { CounterBoard } from './counter-board.js';

const INTERVAL_MS = 10_000;

export class DropSummary {
  readonly #clock: Clock;
  readonly #board: CounterBoard;
  readonly #report: (drops: Record<string, number>) => void;
  #last: Readonly<Record<string, number>>;
  #timer: Timer | undefined;

  /** @param report gets what each reason has grown by since the last report */
  constructor(clock: Clock, board: CounterBoard, report: (drops: Record<string, number>) => void) {
    this.#clock = clock;
    this.#board = board;
    this.#report = report;
    this.#last = board.counters();
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
    const now = this.#board.counters();
    const grown: Record<string, number> = {};
    for (const [name, value] of Object.entries(now)) {
      const by = value - (this.#last[name] ?? 0);
      if (by > 0 && this.#board.isDrop(name)) grown[name] = by;
    }
    this.#last = now;
    if (Object.keys(grown).length > 0) this.#report(grown);
  }
}
