/** TAI64N labels (https://cr.yp.to/libtai/tai64.html): 8 bytes of seconds, 4 of nanoseconds, big-endian. */
import { TIMESTAMP_BYTES } from './constants.js';

/** 2^62 is the label of 1970 in TAI, which was 10 s ahead of UTC; leap seconds are not followed, as WireGuard does. */
const UNIX_EPOCH = 2n ** 62n + 10n;
const NANOSECONDS = 1_000_000_000n;

/** @param nanoseconds of Unix time */
function encode(nanoseconds: bigint): Uint8Array {
  const label = new Uint8Array(TIMESTAMP_BYTES);
  const view = new DataView(label.buffer);
  view.setBigUint64(0, UNIX_EPOCH + nanoseconds / NANOSECONDS);
  view.setUint32(8, Number(nanoseconds % NANOSECONDS));
  return label;
}

/** Makes labels from the wall clock that always rise, also when that clock is set back or stands still. */
export class TimestampSource {
  readonly #wallMs: () => number;
  #last: bigint;

  /** @param afterUs microseconds of Unix time: all labels are later, whatever the clock says */
  constructor(wallMs: () => number, afterUs = 0) {
    this.#wallMs = wallMs;
    this.#last = BigInt(afterUs) * 1_000n;
  }

  /** Microseconds of Unix time, rounded up: no label that was made is later. */
  get lastUs(): number {
    return Number((this.#last + 999n) / 1_000n);
  }

  next(): Uint8Array {
    const now = BigInt(Math.max(0, Math.floor(this.#wallMs() * 1_000))) * 1_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return encode(this.#last);
  }
}

/** Labels compare as big-endian integers. */
export function isLater(label: Uint8Array, than: Uint8Array): boolean {
  return Buffer.compare(label, than) > 0;
}
