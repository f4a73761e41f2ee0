/** Which chunks of a volume are written to often of late, whether it moves or not. */
import type { Clock, Timer } from '../../../net/clock.js';
import { WriteCounts } from '../chunk/write-counts.js';

/** A chunk that is written to less than once in so long is quiet after a while. */
const HALVE_MS = 10_000;

export class RecentWrites {
  readonly counts = new WriteCounts();
  #timer: Timer | undefined;

  /** @param changed the counts have been halved */
  constructor(clock: Clock, changed: () => void) {
    const arm = (): void => {
      this.#timer = clock.after('volume-counts', HALVE_MS, () => {
        this.counts.halve();
        changed();
        arm();
      });
    };
    arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
