import type { Clock } from '../net/clock.js';
import { DISOWNED_STAMP, MAX_STAMP } from './record.js';

/** How far ahead of the clock a stamp of before a restart may be: a clock that was wrong by hours and is set since. */
const TRUSTED_AHEAD_US = 24 * 3_600_000_000;
/** Kept free at the end of the range, for records: no clock and nothing that is heard leads in there. */
const RESERVED = 2 ** 40;
const HIGHEST_US = MAX_STAMP - RESERVED;

/**
 * The stamps of this router's own records: the wall clock in microseconds, but always above the last one that was given
 * out, so that they rise even when the clock stands still or is set back.
 *
 * They also go on above those that own records have which come from outside (the state file after a restart, peers that
 * give back what this router has lost), but only as far as these are at most a day ahead of the clock. One that is further
 * ahead is a damaged disk's, a liar's, or from a time when the clock was wrong: were it followed, the range would be used
 * up, and every decoder would refuse what this router says from then on. A record with such a stamp is beaten by its
 * sequence number instead (`Directory.originate`).
 */
export class OwnStamps {
  readonly #clock: Pick<Clock, 'wallMs'>;
  #last = DISOWNED_STAMP;

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  next(): number {
    this.#last = Math.max(this.#last + 1, Math.min(this.#wallUs(), HIGHEST_US));
    return this.#last;
  }

  /** An own record has come from outside. */
  heard(stamp: number): void {
    if (this.isCredible(stamp)) this.#last = Math.max(this.#last, stamp);
  }

  /** Can it be one of this router's, by its clock? */
  isCredible(stamp: number): boolean {
    return stamp <= Math.max(this.#last, Math.min(this.#wallUs() + TRUSTED_AHEAD_US, HIGHEST_US));
  }

  #wallUs(): number {
    return Math.floor(this.#clock.wallMs() * 1000);
  }
}
