/** The longest time without an arrival, and when it began. Times are Unix milliseconds with a fraction. */
export interface Gap {
  readonly longestMs: number;
  /** 0 before the second arrival. */
  readonly beganAtMs: number;
}

export class GapMeter {
  private lastMs: number | undefined;
  private longestMs = 0;
  private beganAtMs = 0;

  arrived(atMs: number): void {
    if (this.lastMs !== undefined && atMs - this.lastMs > this.longestMs) {
      this.longestMs = atMs - this.lastMs;
      this.beganAtMs = this.lastMs;
    }
    this.lastMs = atMs;
  }

  /** Forgets gaps so far, keeps the last arrival: a gap that is under way counts. */
  reset(): void {
    this.longestMs = 0;
    this.beganAtMs = 0;
  }

  /** How long ago the last arrival was; 0 before the first. */
  openMs(nowMs: number): number {
    return this.lastMs === undefined ? 0 : nowMs - this.lastMs;
  }

  get gap(): Gap {
    return { longestMs: this.longestMs, beganAtMs: this.beganAtMs };
  }
}
