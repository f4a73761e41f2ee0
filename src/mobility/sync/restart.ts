/** A router begins anew: it says on its LANs what it would have said. What it has lost comes back by `Recovery`. */
import type { Ip } from '../../net/ip.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { Arrival } from '../destination/arrival.js';
import type { Departure } from '../source/departure.js';

/** A host asks for itself whether its entries are still right in less time, if it uses them. */
const RETURNED_MS = 600_000;

interface Parts {
  readonly departure: Departure;
  readonly arrival: Arrival;
}

export class Restart {
  readonly #context: Context;
  readonly #parts: Parts;

  constructor(context: Context, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** The LANs are open. Nodes may have left while this router was away, and its MAC may be another one now. */
  redirectAll(): void {
    const { lndt } = this.#context;
    for (const node of byNode(lndt.departed())) {
      this.#parts.departure.left(node, this.#context.clock.nowMs());
      this.#parts.departure.redirect(node);
    }
    for (const node of byNode(lndt.visiting())) {
      this.#hasArrived(node);
    }
  }

  /** Of nodes that are home again another router of the site may have said a moment ago that they are away. */
  redirectReturned(): void {
    const { directory, gndt, self, clock } = this.#context;
    const sinceUs = (clock.wallMs() - RETURNED_MS) * 1_000;
    const returned = directory.of(self).filter(({ vnet, ip, state, stamp }) => {
      const isHome = state === 'here' && gndt.isHome(vnet, ip);
      return isHome && stamp >= sinceUs && directory.previous(vnet, ip) !== undefined;
    });
    for (const node of byNode(returned)) this.#hasArrived(node);
  }

  #hasArrived(node: { vnet: VnetId; mac: NodeRecord['mac']; ips: Ip[] }): void {
    const [ip] = node.ips;
    const lan = ip && this.#context.lanOfNode(node.vnet, ip);
    if (lan !== undefined) this.#parts.arrival.redirect({ lan, ...node }, () => {});
  }
}

function byNode(
  records: readonly NodeRecord[],
): Iterable<{ vnet: VnetId; mac: NodeRecord['mac']; ips: Ip[] }> {
  const nodes = new Map<string, { vnet: VnetId; mac: NodeRecord['mac']; ips: Ip[] }>();
  for (const { vnet, mac, ip } of records) {
    const node = nodes.get(`${vnet}|${mac}`) ?? { vnet, mac, ips: [] };
    node.ips.push(ip);
    nodes.set(`${vnet}|${mac}`, node);
  }
  return nodes.values();
}
