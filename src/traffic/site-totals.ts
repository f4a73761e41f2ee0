/**
 * What a router has counted since it was started, by the sites of both ends. Only ever grows, and in bounded memory: a pair of sites
 * that finds no room is counted as nobody's.
 */
import type { SiteId, VnetId } from '../tables/model.js';
import { type Counted, NO_COUNTS, plus } from './counted.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';

/** One end is at this router's site, so it is twice the sites of each vnet in all honesty. */
export const MOST_TOTALS = 2_048;

type Sites = Omit<SiteTraffic, 'packets' | 'bytes'>;
interface Total extends SiteTraffic {
  packets: number;
  bytes: number;
}

export class SiteTotals {
  readonly #most: number;
  readonly #totals: Total[] = [];
  /** By vnet, source's site, destination's site. */
  readonly #index = new Map<VnetId, Map<SiteId, Map<SiteId, Total>>>();
  #unattributed: TrafficCounts = NO_COUNTS;

  constructor(most = MOST_TOTALS) {
    this.#most = most;
  }

  add(sites: Sites, counts: TrafficCounts): void {
    const total = this.#find(sites) ?? this.#make(sites);
    if (total === undefined) {
      this.addUnattributed(counts);
      return;
    }
    total.packets += counts.packets;
    total.bytes += counts.bytes;
  }

  addUnattributed(counts: TrafficCounts): void {
    this.#unattributed = plus(this.#unattributed, counts);
  }

  totals(): Omit<Counted, 'pairs'> {
    return { rest: this.#totals, unattributed: this.#unattributed };
  }

  #find({ vnet, sourceSite, destinationSite }: Sites): Total | undefined {
    return this.#index.get(vnet)?.get(sourceSite)?.get(destinationSite);
  }

  #make({ vnet, sourceSite, destinationSite }: Sites): Total | undefined {
    if (this.#totals.length >= this.#most) return undefined;
    const total = { vnet, sourceSite, destinationSite, packets: 0, bytes: 0 };
    this.#totals.push(total);
    inside(inside(this.#index, vnet), sourceSite).set(destinationSite, total);
    return total;
  }
}

function inside<Outer, Inner, Value>(map: Map<Outer, Map<Inner, Value>>, key: Outer): Map<Inner, Value> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made: Map<Inner, Value> = new Map();
  map.set(key, made);
  return made;
}
