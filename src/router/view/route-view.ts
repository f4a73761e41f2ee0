/** `vinectl route get`: what the forwarding table does with a destination, and why, in the workers' own order of rules. */
import type { RouteView } from '../../control/api.js';
import { Ip } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import type { Prefix } from '../../net/prefix.js';
import {
  type ForwardingTable,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../tables/forwarding/forwarding-table.js';
import type { Gndt } from '../../tables/gndt.js';
import type { VnetConfig } from '../../tables/model.js';
import type { Sockets } from '../machine/sockets.js';

export interface RouteQuery {
  readonly vnet: string | undefined;
  readonly ip: string;
  readonly from: string | undefined;
}

interface Match {
  readonly prefix: Prefix;
  readonly route: Route;
}

interface Answer {
  readonly action: RouteView['action'];
  readonly to: string | null;
  readonly mac: string | null;
  readonly why: string;
}

export class RouteExplainer {
  readonly #gndt: Gndt;
  readonly #table: ForwardingTable;
  readonly #portNames: readonly string[];
  /** Ports from here on are TUN ports. */
  readonly #tunsFrom: number;

  constructor(gndt: Gndt, table: ForwardingTable, { lans, tuns }: Pick<Sockets, 'lans' | 'tuns'>) {
    this.#gndt = gndt;
    this.#table = table;
    this.#portNames = [...lans.current(), ...tuns].map((port) => port.interface);
    this.#tunsFrom = lans.current().length;
  }

  /** A string is the reason why the question makes no sense. */
  explain(query: RouteQuery): RouteView | string {
    const ip = Ip.parse(query.ip);
    if (ip === undefined) return `"${query.ip}" is not an IP address`;
    const from = query.from === undefined ? undefined : Ip.parse(query.from);
    if (query.from !== undefined && from === undefined) return `"${query.from}" is not an IP address`;
    if (from !== undefined && from.family !== ip.family)
      return `${from} and ${ip} are of different IP versions`;
    const vnet = this.vnet(query.vnet, ip);
    if (typeof vnet === 'string') return vnet;
    const match = this.#table.matched(vnet.id, ip);
    const source = from && this.#table.matched(vnet.id, from);
    const answer = this.#refuseSource(from, source) ?? this.#answer(match, source);
    return {
      vnet: vnet.name,
      ip: ip.key,
      from: from?.key ?? null,
      matched: match?.prefix.key ?? null,
      ...answer,
    };
  }

  /** The vnet that is meant: the named one, or the only one that may hold the address. A string says why none. */
  vnet(name: string | undefined, ip: Ip): VnetConfig | string {
    if (name !== undefined) return this.#gndt.vnetByName(name) ?? `there is no vnet "${name}" in gndt.json`;
    const { vnets } = this.#gndt.config;
    const holding = vnets.filter(({ id }) => this.#gndt.networkOf(id, ip) !== undefined);
    const [first, second] = holding.length > 0 ? holding : vnets;
    if (first === undefined) return 'gndt.json has no vnets';
    return second === undefined ? first : 'several vnets may hold this address: name one with --vnet';
  }

  #refuseSource(from: Ip | undefined, source: Match | undefined): Answer | undefined {
    if (from === undefined) return undefined;
    const drop = (why: string): Answer => ({ action: 'drop', to: null, mac: null, why });
    if (source === undefined) return drop(`${from} is in no network of this vnet`);
    const { kind, flags, peer, lan } = source.route;
    if (kind === RouteKind.peer)
      return drop(`${from} is at ${this.#router(peer)}, so it cannot send from a LAN here`);
    // From a client it comes through its own tunnel, and goes on as a node's of this LAN.
    if (kind === RouteKind.client) return undefined;
    if (kind === RouteKind.own && lan >= this.#tunsFrom) return undefined;
    if (kind === RouteKind.own)
      return drop(`${from} is the gateway machine's own address; that needs a TUN port`);
    if (kind === RouteKind.gateway) return drop(`${from} is a gateway address of this router, no machine's`);
    if ((flags & RouteFlag.authorised) === 0) return drop(`${from} is not in lndt.json`);
    return undefined;
  }

  #answer(match: Match | undefined, source: Match | undefined): Answer {
    if (match === undefined || match.route.kind === RouteKind.none) return this.#outside(source);
    const { route, prefix } = match;
    switch (route.kind) {
      case RouteKind.peer:
        return { action: 'peer', to: this.#router(route.peer), mac: null, why: this.#whyPeer(route, prefix) };
      case RouteKind.client:
        return {
          action: 'client',
          to: prefix.address.key,
          mac: null,
          why: 'a WireGuard client of this router',
        };
      case RouteKind.own:
        return {
          action: 'own',
          to: this.#lan(route.lan),
          mac: null,
          why:
            route.lan >= this.#tunsFrom
              ? "the gateway machine's own address: handed to its kernel"
              : "the gateway machine's own address: left to its kernel; from other sites it needs a TUN port",
        };
      case RouteKind.gateway:
        return {
          action: 'own',
          to: this.#lan(route.lan),
          mac: null,
          why: 'a gateway address of this router: it answers echo requests itself, and takes nothing else',
        };
      default:
        return this.#local(route);
    }
  }

  #local(route: Route): Answer {
    const to = this.#lan(route.lan);
    if ((route.flags & RouteFlag.authorised) === 0) {
      return { action: 'drop', to: null, mac: null, why: 'on a LAN here, but not in lndt.json' };
    }
    if (route.kind === RouteKind.onLink) {
      return { action: 'local', to, mac: null, why: 'on a LAN here; its MAC will be asked for by ARP' };
    }
    const visiting = (route.flags & RouteFlag.visiting) !== 0;
    const why = visiting ? `visiting here from ${this.#router(route.homePeer)}` : 'at home on a LAN here';
    return { action: 'local', to, mac: formatMac(route.mac), why };
  }

  #whyPeer(route: Route, prefix: Prefix): string {
    if (!prefix.isHost) return `in ${prefix}, native to ${this.#router(route.peer)}`;
    if ((route.flags & RouteFlag.departed) !== 0)
      return `native here, but away at ${this.#router(route.peer)}`;
    return `host route: the node is at ${this.#router(route.peer)}`;
  }

  #outside(source: Match | undefined): Answer {
    if (source !== undefined && (source.route.flags & RouteFlag.visiting) !== 0) {
      const home = this.#router(source.route.homePeer);
      return {
        action: 'gateway',
        to: home,
        mac: null,
        why: `the outside world, through the visiting node's home ${home} and its gateway`,
      };
    }
    return { action: 'drop', to: null, mac: null, why: 'in no network of this vnet' };
  }

  #router(peer: number): string {
    return this.#gndt.idAt(peer) ?? '?';
  }

  #lan(index: number): string {
    return this.#portNames[index] ?? '?';
  }
}
