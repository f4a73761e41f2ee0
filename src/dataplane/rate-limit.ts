/** One report a second for one subject, and of all subjects so many that a flood of them only loses reports. */
const INTERVAL_MS = 1000;
/** In a second. Sources and destinations are anybody's to choose, and each report is work for the control thread. */
const MAX_SUBJECTS = 1024;

export class RateLimit {
  readonly #last = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  allow(subject: string): boolean {
    const now = this.#nowMs();
    const last = this.#last.get(subject);
    if (last !== undefined && now - last < INTERVAL_MS) return false;
    if (last === undefined && !this.#makeRoom(now)) return false;
    // Re-inserting keeps the map in order of time, so that the first entries are the ones to forget.
    this.#last.delete(subject);
    this.#last.set(subject, now);
    return true;
  }

  /** Forgets the subject that was reported longest ago, if that may be reported again anyhow. */
  #makeRoom(now: number): boolean {
    if (this.#last.size < MAX_SUBJECTS) return true;
    for (const [oldest, atMs] of this.#last) {
      if (now - atMs < INTERVAL_MS) return false;
      this.#last.delete(oldest);
      return true;
    }
    return true;
  }
}
