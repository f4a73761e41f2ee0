/**
 * Which of the flows that exporters tell of count: those between two nodes that are both here and on one link, whose packets
 * a switch carries and the router does not see. Each packet counts once:
 *  - a pair that the router itself forwards between (it serves a host whose neighbour entry is wrong, say) is the router's;
 *  - of several exporters that see a pair (the hypervisors of both its ends, say) one counts, until it has been silent for a while;
 *  - of one that sees a packet where it comes in and where it leaves, as Open vSwitch does, one of the two counts, likewise;
 *  - of a site's two routers the active one.
 */
import type { Clock } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import type { Directory } from '../../tables/directory.js';
import type { Gndt } from '../../tables/gndt.js';
import type { VnetId } from '../../tables/model.js';
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import type { SeenFlow } from '../../traffic/collect/seen-flow.js';
import type { Periods } from '../../traffic/periods.js';

/** Exporters tell of a flow that goes on each minute, most of them: two of those, and some. */
const HELD_MS = 150_000;
const MOST_PAIRS = 65_536;

export interface WithinSiteOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly gndt: Pick<Gndt, 'self' | 'config' | 'networkOf' | 'clientAt' | 'siteOf' | 'sameLink'>;
  readonly directory: Pick<Directory, 'here'>;
  readonly counters: TrafficCounters;
  /** Does this router serve the site? */
  readonly isActive: () => boolean;
}

interface Held {
  readonly by: string;
  readonly sinceMs: number;
}

/** Cannot be an exporter's name. */
const THE_ROUTER = '';

export class WithinSite {
  readonly #options: WithinSiteOptions;
  /** Who counts a pair; who has counted longest ago first. */
  readonly #holders = new Map<string, Held>();

  constructor(options: WithinSiteOptions) {
    this.#options = options;
  }

  /** The router has forwarded between these two. */
  forwarded(vnet: VnetId, source: Ip, destination: Ip): void {
    this.#hold(keyOf(vnet, source, destination), THE_ROUTER);
  }

  /** @param observer who has seen it */
  count(flow: SeenFlow, observer: string, periods: Pick<Periods, 'add'>): void {
    const { counters, gndt, isActive } = this.#options;
    if (!isActive()) {
      counters.count('traffic_flows_ignored_standby');
      return;
    }
    const vnet = this.#vnetOf(flow);
    if (typeof vnet === 'string') {
      counters.count(
        vnet === 'elsewhere' ? 'traffic_flows_ignored_elsewhere' : 'traffic_flows_dropped_ambiguous',
      );
      return;
    }
    const { source, destination } = flow;
    const held = this.#hold(
      keyOf(vnet, source, destination),
      flow.isEgress ? `${observer} egress` : observer,
    );
    if (held !== 'held') {
      counters.count(held === 'full' ? 'traffic_flows_dropped_no-room' : 'traffic_flows_ignored_counted');
      return;
    }
    counters.count('traffic_flows_counted');
    const { self: site } = gndt;
    periods.add({ vnet, source, destination, sourceSite: site, destinationSite: site }, flow);
  }

  /** Exporters know no vnets: the one in which both are. */
  #vnetOf({ source, destination }: SeenFlow): VnetId | 'elsewhere' | 'ambiguous' {
    const { gndt } = this.#options;
    const found = gndt.config.vnets.filter(
      ({ id }) =>
        gndt.sameLink(id, source, destination) && this.#isHere(id, source) && this.#isHere(id, destination),
    );
    if (found.length > 1) return 'ambiguous';
    return found[0]?.id ?? 'elsewhere';
  }

  #isHere(vnet: VnetId, ip: Ip): boolean {
    const { gndt, directory } = this.#options;
    if (!ip.isNodeAddress || gndt.clientAt(vnet, ip) !== undefined) return false;
    const record = directory.here(vnet, ip);
    if (record !== undefined) return gndt.siteOf(record.router) === gndt.self;
    // One that has not been heard of is at home.
    return gndt.networkOf(vnet, ip)?.router === gndt.self;
  }

  #hold(key: string, by: string): 'held' | 'taken' | 'full' {
    const nowMs = this.#options.clock.nowMs();
    const known = this.#holders.get(key);
    const isFree = known === undefined || known.by === by || nowMs - known.sinceMs > HELD_MS;
    if (!isFree && by !== THE_ROUTER) return 'taken';
    if (known === undefined && !this.#makeRoom(nowMs, by)) return 'full';
    this.#holders.delete(key);
    this.#holders.set(key, { by, sinceMs: nowMs });
    return 'held';
  }

  /** The router counts its own in any case. */
  #makeRoom(nowMs: number, by: string): boolean {
    if (this.#holders.size < MOST_PAIRS) return true;
    const [oldest] = this.#holders;
    if (oldest === undefined) return true;
    const [key, { sinceMs }] = oldest;
    if (nowMs - sinceMs <= HELD_MS && by !== THE_ROUTER) return false;
    this.#holders.delete(key);
    return true;
  }
}

function keyOf(vnet: VnetId, source: Ip, destination: Ip): string {
  return `${vnet} ${source.key} ${destination.key}`;
}
