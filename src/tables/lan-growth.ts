import type { Clock } from '../net/clock.js';
import type { CounterName, CounterTable } from '../net/counters.js';
import { KeyedRateLimit, type Rate } from '../net/rate-limit.js';
import type { LanNodes } from './lan-nodes.js';
import type { LanIndex, VnetId } from './model.js';

/** A rack that is switched on brings a few hundred nodes at once; what is beyond is learned by its next frames. */
const NEW_NODES: Rate = { perSecond: 100, burst: 200 };

export const GROWTH_COUNTERS = {
  lan_nodes_refused_too_soon: 'drop',
  lan_nodes_refused_full: 'drop',
} as const satisfies CounterTable;

/**
 * How fast, and how far, a LAN may make records. Every record is one at every router of the network, and a LAN can make up
 * as many addresses as it likes (an IPv6 /64 in the LNDT holds 2^64): so at most 100 new ones a second after a burst of
 * 200, and never more than `limits.nodesPerLan` at a time. A node that is refused is served at home as before, by its
 * network's route; it has no record with which it could move, until there is room when it is next heard.
 */
export class LanGrowth {
  readonly #nodes: Pick<LanNodes, 'on'>;
  readonly #rate: KeyedRateLimit<LanIndex>;
  #nodesPerLan: number;
  #tooSoon = 0;
  #full = 0;

  constructor(clock: Pick<Clock, 'nowMs'>, nodes: Pick<LanNodes, 'on'>, nodesPerLan: number) {
    this.#nodes = nodes;
    this.#rate = new KeyedRateLimit<LanIndex>(clock, NEW_NODES);
    this.#nodesPerLan = nodesPerLan;
  }

  /** A reload has changed it. Nodes that are there already stay. */
  setLimit(nodesPerLan: number): void {
    this.#nodesPerLan = nodesPerLan;
  }

  /** May a record be made for an address of this LAN that has none? True has taken one from the LAN's rate. */
  mayAdd(lan: { readonly index: LanIndex; readonly vnet: VnetId }): boolean {
    if (this.#nodes.on(lan) >= this.#nodesPerLan) {
      this.#full++;
      return false;
    }
    if (this.#rate.allow(lan.index)) return true;
    this.#tooSoon++;
    return false;
  }

  counters(): Readonly<Record<CounterName<typeof GROWTH_COUNTERS>, number>> {
    return { lan_nodes_refused_too_soon: this.#tooSoon, lan_nodes_refused_full: this.#full };
  }
}
