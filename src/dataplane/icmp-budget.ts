const ERRORS_PER_SECOND = 100;

/** Tokens for ICMP errors, one bucket per worker. */
export class IcmpBudget {
  #tokens = ERRORS_PER_SECOND;
  #filledMs = 0;

  take(nowMs: number): boolean {
    if (nowMs - this.#filledMs >= 1000) {
      this.#filledMs = nowMs;
      this.#tokens = ERRORS_PER_SECOND;
    }
    if (this.#tokens === 0) return false;
    this.#tokens--;
    return true;
  }
}
