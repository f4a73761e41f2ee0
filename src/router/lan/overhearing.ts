/**
 * Whether frames between others are taken although no node is away. A switch floods those whose destination it does not know
 * (any more), and that is how it is seen that a node is wanted by its own LAN and may have gone. But where a port shows the
 * router all that there is (a mirror, a hub, a port group in promiscuous mode) it would be work for nothing.
 */
import type { Clock, Timer } from '../../net/clock.js';
import type { LanRescue } from './lan-rescue.js';

const LOOK_EVERY_MS = 1_000;
/** About three percent of a processor: 0.6 for each thousand frames that come alone (docs/decisions.md). */
const MOST_FRAMES = 5_000;
/** Then it is tried again. */
const PAUSE_MS = 60_000;

export interface OverhearingOptions {
  readonly clock: Clock;
  readonly plane: { counters(): Readonly<Record<string, number>> };
  readonly rescue: Pick<LanRescue, 'overhear'>;
}

export class Overhearing {
  readonly #options: OverhearingOptions;
  #frames = 0;
  #timer: Timer | undefined;

  constructor(options: OverhearingOptions) {
    this.#options = options;
  }

  start(): void {
    this.#frames = this.#count();
    this.#options.rescue.overhear(true);
    this.#after(LOOK_EVERY_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const before = this.#frames;
    this.#frames = this.#count();
    if (this.#frames - before <= MOST_FRAMES) {
      this.#after(LOOK_EVERY_MS, () => this.#look());
      return;
    }
    this.#options.rescue.overhear(false);
    this.#after(PAUSE_MS, () => this.start());
  }

  #after(delayMs: number, action: () => void): void {
    this.#timer = this.#options.clock.after('overhearing', delayMs, action);
  }

  #count(): number {
    return this.#options.plane.counters().frames_to_others ?? 0;
  }
}
