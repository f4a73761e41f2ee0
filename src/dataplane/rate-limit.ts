/** One report a second for one subject; bounded, so that a flood of subjects only loses reports. */
const INTERVAL_MS = 1000;
const MAX_SUBJECTS = 4096;

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
    // Re-inserting keeps the map in order of time, so that the first entries are the ones to forget.
    this.#last.delete(subject);
    this.#last.set(subject, now);
    if (this.#last.size > MAX_SUBJECTS) {
      for (const oldest of this.#last.keys()) {
        this.#last.delete(oldest);
        break;
      }
    }
    return true;
  }
}
