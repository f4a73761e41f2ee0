/**
 * How much may be on its way to the other courier: what the path holds, and 30 ms more. QEMU decides when it stops the guest by
 * how fast its socket takes what it writes, and whatever waits here, it takes for sent.
 *
 * The path is measured as BBR does it: the highest rate of acknowledgement in the last second, and the shortest time to one.
 * What waits on the path lengthens every time, so that each ten seconds the queue is let run empty, and the time measured
 * anew. Pure: the time is handed in.
 */
const BUFFERED_MS = 30;
const RATE_MS = 1_000;
const RATE_ROUND_TRIPS = 4;
const MEASURE_MS = 10_000;
/** Of what the path holds, while the time is measured. */
const MEASURING_SHARE = 0.5;
/**
 * Until something is known, and never less. Where processors are busy the time to an answer says more about them than about the path,
 * and a window that follows it would shrink without end.
 */
export const LEAST_WINDOW_BYTES = 256 * 1024;

interface Sent {
  readonly serial: number;
  readonly bytes: number;
  readonly atMs: number;
  /** When it was sent, so much had been acknowledged, the last of it then. */
  readonly acked: number;
  readonly ackedAtMs: number;
}

interface Sample {
  readonly value: number;
  readonly atMs: number;
}

export class Window {
  #onItsWay: Sent[] = [];
  #bytes = 0;
  #acked = 0;
  #ackedAtMs = 0;
  #rates: Sample[] = [];
  /** Until the first acknowledgement there is none. */
  #shortestMs: number | undefined;
  #measuredAtMs = 0;
  /** The time is measured anew: by which batch, when it is sent already. */
  #measuring: { serial: number | undefined } | undefined;

  /** On their way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What may be on its way; nothing further is sent while it is reached. */
  get limitBytes(): number {
    const shortest = this.#shortestMs ?? 0;
    const pathBytes = this.bytesPerMs * shortest;
    const limit =
      this.#measuring === undefined ? pathBytes + this.bytesPerMs * BUFFERED_MS : pathBytes * MEASURING_SHARE;
    return Math.max(LEAST_WINDOW_BYTES, limit);
  }

  get isOpen(): boolean {
    return this.#bytes < this.limitBytes;
  }

  /** 0: not known yet. */
  get bytesPerMs(): number {
    return this.#rates[0]?.value ?? 0;
  }

  sent(serial: number, bytes: number, nowMs: number): void {
    // What was idle before does not count as time that it took.
    if (this.#onItsWay.length === 0) this.#ackedAtMs = nowMs;
    if (this.#shortestMs !== undefined && nowMs - this.#measuredAtMs > MEASURE_MS)
      this.#measuring ??= { serial: undefined };
    if (this.#measuring !== undefined && this.isOpen) this.#measuring.serial ??= serial;
    this.#onItsWay.push({ serial, bytes, atMs: nowMs, acked: this.#acked, ackedAtMs: this.#ackedAtMs });
    this.#bytes += bytes;
  }

  /** All up to `serial` have arrived. False: that was not on its way. */
  arrived(serial: number, nowMs: number): boolean {
    const count = this.#onItsWay.findIndex((one) => one.serial === serial) + 1;
    if (count === 0) return false;
    const arrived = this.#onItsWay.splice(0, count);
    for (const { bytes } of arrived) {
      this.#bytes -= bytes;
      this.#acked += bytes;
    }
    const last = arrived.at(-1);
    if (last !== undefined) this.#measure(last, nowMs);
    this.#ackedAtMs = nowMs;
    return true;
  }

  #measure(last: Sent, nowMs: number): void {
    const tookMs = Math.max(nowMs - last.ackedAtMs, 0.1);
    // The best first, and only those that will be the best when it is too old.
    const lifeMs = Math.max(RATE_MS, RATE_ROUND_TRIPS * (this.#shortestMs ?? 0));
    keep(this.#rates, (this.#acked - last.acked) / tookMs, nowMs, lifeMs);
    this.#roundTrip(last, nowMs);
  }

  #roundTrip({ serial, atMs }: Sent, nowMs: number): void {
    const ms = nowMs - atMs;
    const isMeasured = this.#measuring?.serial !== undefined && serial >= this.#measuring.serial;
    if (isMeasured) this.#measuring = undefined;
    else if (ms > (this.#shortestMs ?? ms)) return;
    this.#shortestMs = ms;
    this.#measuredAtMs = nowMs;
  }
}

function keep(samples: Sample[], value: number, nowMs: number, lifeMs: number): void {
  while (samples.length > 0 && value >= (samples.at(-1)?.value ?? value)) samples.pop();
  samples.push({ value, atMs: nowMs });
  while (samples.length > 1 && nowMs - (samples[0]?.atMs ?? nowMs) > lifeMs) samples.shift();
}
