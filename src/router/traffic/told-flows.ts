/**
 * What exporters and sensors have told, until it is counted: behind what the pass over the flow memories that begins next has
 * harvested, because only then is it known what the router forwarded itself. Bounded, and given out in slices: who may tell
 * something may tell much.
 */
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import type { Decoded, SeenFlow } from '../../traffic/collect/seen-flow.js';

/** A second of all exporters' datagrams, as full as usual. */
const MOST_FLOWS = 32_768;

/** Who has seen it, and what. */
export type ToldFlow = readonly [observer: string, flow: SeenFlow];

export class ToldFlows {
  readonly #counters: TrafficCounters;
  #told: ToldFlow[] = [];
  /** From `#next` on. */
  #due: ToldFlow[] = [];
  #next = 0;

  constructor(counters: TrafficCounters) {
    this.#counters = counters;
  }

  add({ observer, flows, dropped, ignored }: Decoded): void {
    for (const reason of dropped) this.#counters.count(`traffic_flows_dropped_${reason}`);
    for (const reason of ignored) this.#counters.count(`traffic_flows_ignored_${reason}`);
    for (const flow of flows) {
      if (this.#told.length + this.#due.length - this.#next < MOST_FLOWS) this.#told.push([observer, flow]);
      else this.#counters.count('traffic_flows_dropped_no-room');
    }
  }

  /** A pass begins: what was told by now is due when it has ended. */
  passBegan(): void {
    if (this.#told.length === 0) return;
    this.#due = this.#due.slice(this.#next).concat(this.#told);
    this.#next = 0;
    this.#told = [];
  }

  /** So many at most of those that are due, first come first; none: that was all. */
  take(most: number): readonly ToldFlow[] {
    const taken = this.#due.slice(this.#next, this.#next + most);
    this.#next += taken.length;
    if (taken.length > 0) return taken;
    this.#due = [];
    this.#next = 0;
    return taken;
  }
}
