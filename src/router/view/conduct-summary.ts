/** What was refused of what the other routers said: no line for each refusal, but one for each peer in 10 s. */
import type { Clock, Timer } from '../../net/clock.js';
import type { Conduct } from '../../protocol/conduct.js';
import type { EventHub } from './event-hub.js';

const INTERVAL_MS = 10_000;

export class ConductSummary {
  readonly #clock: Clock;
  readonly #conduct: Conduct;
  readonly #hub: EventHub;
  #timer: Timer | undefined;

  constructor(clock: Clock, conduct: Conduct, hub: EventHub) {
    this.#clock = clock;
    this.#conduct = conduct;
    this.#hub = hub;
  }

  start(): void {
    this.#timer = this.#clock.after('conduct-summary', INTERVAL_MS, () => {
      this.start();
      this.tell();
    });
  }

  /** What has come since the last summary is told now. */
  stop(): void {
    this.#timer?.cancel();
    this.tell();
  }

  tell(): void {
    for (const { peer, misbehaving, refusals } of this.#conduct.takeSummaries()) {
      this.#hub.emit('warn', 'peer_refusals', 'what a peer said was refused', () => ({
        peer,
        misbehaving,
        refusals: Object.entries(refusals)
          .sort(([, a], [, b]) => b - a)
          .map(([what, count]) => `${what} ${count}`),
      }));
    }
  }
}
