/** Counts, and tells the router shortly before each tenth second of the wall clock, so that it is in the period that it was counted in. */
import type { Clock, Timer } from '../net/clock.js';
import type { Prefix } from '../net/prefix.js';
import { ipfixMessages } from '../traffic/export/ipfix.js';
import { type Captures, COLLECT_MS } from './captures.js';
import type { Counting } from './counting.js';
import type { RouterLink } from './router-link.js';

export const INTERVAL_MS = 10_000;
/** For the way to the router. */
const BEFORE_MS = 500;
const HARVEST_MS = 1_000;

export interface SensorOptions {
  readonly clock: Clock;
  readonly counting: Counting;
  readonly captures: Pick<Captures, 'setLinks' | 'look' | 'takeDrops' | 'close'>;
  readonly link: Pick<RouterLink, 'start' | 'send' | 'stop'>;
  readonly log: (text: string) => void;
}

export class Sensor {
  readonly #options: SensorOptions;
  #timer: Timer | undefined;
  #harvesting: Timer | undefined;
  #sequence = 0;
  #sinceMs: number;

  constructor(options: SensorOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.wallMs();
  }

  start(): void {
    this.#options.link.start();
    this.#arm();
    this.#harvest();
  }

  /** Not at once: the kernel still collects the last frames. */
  stop(ended: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after('sensor-end', 2 * COLLECT_MS, () => {
      this.#harvesting?.cancel();
      this.#tell();
      this.#options.captures.close();
      this.#options.link.stop();
      ended();
    });
  }

  accepted(links: readonly Prefix[]): void {
    const { captures, log } = this.#options;
    captures.setLinks(links);
    log(`accepted; counting on ${links.join(', ') || 'no link'}`);
  }

  #harvest(): void {
    const { clock, counting } = this.#options;
    this.#harvesting = clock.after('sensor-harvest', HARVEST_MS, () => {
      counting.harvest();
      this.#harvest();
    });
  }

  #arm(): void {
    const { clock, captures } = this.#options;
    const inMs = INTERVAL_MS - ((clock.wallMs() + BEFORE_MS) % INTERVAL_MS);
    this.#timer = clock.after('sensor-period', inMs, () => {
      this.#tell();
      captures.look();
      this.#arm();
    });
  }

  #tell(): void {
    const { clock, counting, captures, link, log } = this.#options;
    const { pairs, restBytes } = counting.take();
    const drops = captures.takeDrops();
    if (drops > 0) log(`${drops} frames were lost: the kernel's buffer was full`);
    if (restBytes > 0) log(`${restBytes} bytes were left out: too many pairs`);
    const [startMs, endMs] = [this.#sinceMs, clock.wallMs()];
    this.#sinceMs = endMs;
    if (pairs.length === 0) return;
    const period = { startMs: Math.floor(startMs), endMs: Math.floor(endMs), pairs };
    const context = { exportSeconds: Math.floor(endMs / 1_000), domain: 0, sequence: this.#sequence };
    if (link.send(ipfixMessages(period, context))) this.#sequence += pairs.length;
    else log(`${pairs.length} pairs could not be told: there is no router`);
  }
}
