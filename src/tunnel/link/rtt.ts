/** Round-trip time, smoothed as TCP does it (RFC 6298 §2), and the retransmission delay of wire.md that follows. */

/** RFC 6298's alpha. */
const GAIN = 1 / 8;

export class RttEstimator {
  #smoothedMs: number | undefined;

  /** Undefined before the first sample. */
  get rttMs(): number | undefined {
    return this.#smoothedMs;
  }

  /** From a question that was asked only once (Karn's rule): its answer cannot belong to another. */
  sample(rttMs: number): void {
    this.#smoothedMs =
      this.#smoothedMs === undefined ? rttMs : this.#smoothedMs + GAIN * (rttMs - this.#smoothedMs);
  }

  /** For a rough sample, taken only when there is none yet. */
  seed(rttMs: number): void {
    this.#smoothedMs ??= rttMs;
  }

  reset(): void {
    this.#smoothedMs = undefined;
  }

  /** Delay of a message's first retransmission. */
  retransmitMs(limits: {
    readonly minRetransmitMs: number;
    readonly maxRetransmitMs: number;
    readonly initialRetransmitMs: number;
  }): number {
    if (this.#smoothedMs === undefined) return limits.initialRetransmitMs;
    return Math.min(limits.maxRetransmitMs, Math.max(limits.minRetransmitMs, 3 * this.#smoothedMs));
  }
}
