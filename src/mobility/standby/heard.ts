/**
 * Which machines were heard on the LANs while this router stood by: when it takes over, one of them may have come while
 * nobody was active, or so late that the router which was did not live to say so.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Clock } from '../../net/clock.js';
import type { Evidence } from '../evidence.js';

const MOST_HEARD = 4_096;
const REMEMBERED_MS = 60_000;

export class Heard {
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** By machine and address, the one heard last at the end. */
  readonly #evidence = new BoundedMap<string, Evidence>(MOST_HEARD);

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  note(evidence: Evidence): void {
    const { lan, mac, ip } = evidence;
    this.#evidence.set(`${lan.index}|${mac}|${ip?.key ?? ''}`, evidence);
  }

  /** Of the last minute, newest first. */
  latest(): readonly Evidence[] {
    const sinceMs = this.#clock.nowMs() - REMEMBERED_MS;
    return [...this.#evidence.values()].filter(({ atMs }) => atMs >= sinceMs).reverse();
  }
}
