/**
 * Who did not run itself accuses nobody. While this process was stopped, its machine paused or overloaded, what others sent
 * waited in its sockets, and its timers are read before them: the time of a stall is no silence of theirs. (After the local
 * health of Lifeguard, Dadgar et al. 2018: a member that is slow itself gives the others more time.)
 */
export class OwnStall {
  #lastMs: number | undefined;
  #wasLate = false;

  /** At the start, and when nobody has been watched for a while. */
  reset(nowMs: number): void {
    this.#lastMs = nowMs;
    this.#wasLate = false;
  }

  /**
   * A tick, due `everyMs` after the one before. How many of the milliseconds since that one do not count: none while ticks
   * are less than one interval late; else all, so that a peer has another whole interval to be heard in. When ticks are
   * late time and again, one interval of each counts: the sockets were read in between.
   */
  ticked(nowMs: number, everyMs: number): number {
    const gapMs = this.#lastMs === undefined ? everyMs : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const isLate = gapMs > 2 * everyMs;
    const isFirst = isLate && !this.#wasLate;
    this.#wasLate = isLate;
    if (!isLate) return 0;
    return isFirst ? gapMs : gapMs - everyMs;
  }
}
