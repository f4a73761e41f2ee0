/**
 * How long nothing that is for all has been heard on a LAN: the questions by which hosts look for one another, and DHCP. A
 * platform that answers those itself, or carries no broadcasts, keeps them from this machine, and with them everything that a
 * node says when it has moved.
 */
import type { Clock } from '../../../net/clock.js';
import type { LanIndex } from '../../../tables/model.js';

export class GroupEar {
  readonly #startMs: number;
  /** One entry for each LAN. */
  readonly #heardMs = new Map<LanIndex, number>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#startMs = clock.nowMs();
  }

  /** Another machine has sent something to a group. @param capturedMs on the monotonic clock */
  heard(lan: LanIndex, capturedMs: number): void {
    this.#heardMs.set(lan, Math.max(capturedMs, this.#heardMs.get(lan) ?? capturedMs));
  }

  hasHeard(lan: LanIndex): boolean {
    return this.#heardMs.has(lan);
  }

  /** Since the start, where nothing ever was heard. @param nowMs of the same clock */
  silentMs(lan: LanIndex, nowMs: number): number {
    return Math.max(0, nowMs - (this.#heardMs.get(lan) ?? this.#startMs));
  }
}
