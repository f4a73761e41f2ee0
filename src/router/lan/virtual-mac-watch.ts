/**
 * When another machine was last heard to send from a virtual MAC of a LAN: the site's other router, as the active one. A port
 * that lets such a frame in may still not let one out; but where none is ever heard, a filter on the way is likely.
 */
import type { LanIndex } from '../../tables/model.js';

export class VirtualMacWatch {
  readonly #heardMs = new Map<LanIndex, number>();

  /** @param capturedMs on the monotonic clock */
  heard(lan: LanIndex, capturedMs: number): void {
    this.#heardMs.set(lan, Math.max(capturedMs, this.#heardMs.get(lan) ?? capturedMs));
  }

  /** Undefined: never. @param nowMs of the same clock */
  heardAgoMs(lan: LanIndex, nowMs: number): number | undefined {
    const heardMs = this.#heardMs.get(lan);
    return heardMs === undefined ? undefined : Math.max(0, nowMs - heardMs);
  }
}
