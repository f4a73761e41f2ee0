/** Bytes a second, over the last ten. */
import type { Clock } from '../../../net/clock.js';

const SPAN_MS = 10_000;

export class Rate {
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(private readonly clock: Clock) {}

  count(bytes: number): void {
    const atMs = this.clock.nowMs();
    this.#forget(atMs);
    this.#samples.push({ atMs, bytes });
  }

  get bytesPerSecond(): number {
    const nowMs = this.clock.nowMs();
    this.#forget(nowMs);
    const [first] = this.#samples;
    if (first === undefined) return 0;
    const seconds = Math.max((nowMs - first.atMs) / 1000, 1);
    return this.#samples.reduce((sum, { bytes }) => sum + bytes, 0) / seconds;
  }

  #forget(nowMs: number): void {
    while (this.#samples.length > 0 && nowMs - (this.#samples[0]?.atMs ?? nowMs) > SPAN_MS)
      this.#samples.shift();
  }
}
