/**
 * Whose a counted packet is, and whether this router is the one that counts it. A pair is counted once: by the router of the
 * source's site; where the source is a WireGuard client or outside, by that of the destination's, which delivers it.
 */

import { Action } from '../../dataplane/descriptor.js';
import type { Flow, FlowCounts } from '../../dataplane/flows/flow-harvest.js';
import { FlowKind } from '../../dataplane/flows/flow-memory.js';
import { Ip, type IpWords } from '../../net/ip.js';
import type { Gndt } from '../../tables/gndt.js';
import type { SiteId, VnetId } from '../../tables/model.js';
import type { Periods } from '../../traffic/periods.js';

/** Ends that are remembered; what they are is looked up anew after a while. */
const MOST_ENDS = 32_768;

type EndKind = 'node' | 'client' | 'outside';

/** Told of each pair that the router forwards between two nodes of its own site. */
type Forwarded = (vnet: VnetId, source: Ip, destination: Ip) => void;

type Found = Pick<Gndt, 'self' | 'networkOf' | 'clientAt' | 'idAt' | 'siteOf'>;

export class Attribution {
  readonly #gndt: Found;
  readonly #forwarded: Forwarded;
  readonly #ends = new Map<string, EndKind>();

  constructor(gndt: Found, forwarded: Forwarded = () => {}) {
    this.#gndt = gndt;
    this.#forwarded = forwarded;
  }

  count(flow: Flow, counts: FlowCounts, periods: Pick<Periods, 'add'>): void {
    const source = this.#kindOf(flow, flow.source);
    if (!isCountedHere(flow, source)) return;
    const destination = this.#kindOf(flow, flow.destination);
    const { family, vnet } = flow;
    if (flow.kind === FlowKind.frame && isDelivered(flow) && source === 'node' && destination === 'node')
      this.#forwarded(vnet, Ip.fromWords(family, flow.source), Ip.fromWords(family, flow.destination));
    const end = (kind: EndKind, words: IpWords) => (kind === 'outside' ? undefined : { family, words });
    periods.add(
      {
        vnet,
        source: end(source, flow.source),
        destination: end(destination, flow.destination),
        sourceSite: flow.kind === FlowKind.overlay ? this.#siteAt(flow.from) : this.#gndt.self,
        destinationSite: isDelivered(flow) ? this.#gndt.self : this.#siteAt(flow.to),
      },
      counts,
    );
  }

  /** What an address is may have changed. */
  forget(): void {
    this.#ends.clear();
  }

  #kindOf({ vnet, family }: Flow, words: IpWords): EndKind {
    const key = `${vnet} ${words[0]} ${words[1]} ${words[2]} ${words[3]}`;
    let kind = this.#ends.get(key);
    if (kind === undefined) {
      if (this.#ends.size >= MOST_ENDS) this.#ends.clear();
      kind = this.#lookUp(vnet, Ip.fromWords(family, words));
      this.#ends.set(key, kind);
    }
    return kind;
  }

  #lookUp(vnet: VnetId, ip: Ip): EndKind {
    if (this.#gndt.clientAt(vnet, ip) !== undefined) return 'client';
    return this.#gndt.networkOf(vnet, ip) === undefined ? 'outside' : 'node';
  }

  /** Of a peer that has gone meanwhile: this one. */
  #siteAt(peer: number): SiteId {
    const id = this.#gndt.idAt(peer);
    return id === undefined ? this.#gndt.self : this.#gndt.siteOf(id);
  }
}

function isDelivered({ action }: Flow): boolean {
  return action === Action.lan || action === Action.bare;
}

function isCountedHere(flow: Flow, source: EndKind): boolean {
  if (source === 'node') return flow.kind === FlowKind.frame;
  return isDelivered(flow);
}
