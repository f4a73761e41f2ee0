/**
 * The decision for each packet of an ordinary WireGuard client: a bare IP packet, of the client's one address only. The
 * client is treated as a node one hop away from this router: where a node of this LAN may send, it may.
 */
import { R, RouteFlag, RouteKind } from '../../tables/forwarding/forwarding-table.js';
import { C } from '../counters.js';
import { D } from '../engine.js';
import { ControlWord } from '../worker-input.js';
import type { Delivery } from './delivery.js';
import type { GatewayEcho } from './gateway-echo.js';
import type { NextHop } from './next-hop.js';
import { INITIAL_HOPS, type WorkerContext } from './worker-context.js';

export class ClientForwarder {
  readonly #ctx: WorkerContext;
  readonly #delivery: Delivery;
  readonly #nextHop: NextHop;
  readonly #echo: GatewayEcho;

  constructor(context: WorkerContext, delivery: Delivery, nextHop: NextHop, echo: GatewayEcho) {
    this.#ctx = context;
    this.#delivery = delivery;
    this.#nextHop = nextHop;
    this.#echo = echo;
  }

  /** Decides over descriptor `i`, whose payload has come from a client of that vnet. */
  decide(i: number, vnet: number): void {
    const ctx = this.#ctx;
    if (Atomics.load(ctx.control, ControlWord.serving) === 0) {
      ctx.count(C.drop_not_serving);
      return;
    }
    const length = ctx.word(i, D.length);
    // Not parsed is also what only routers say to each other: overlay packets and control messages.
    if (!ctx.packet.parse(ctx.engine.packets, ctx.word(i, D.offset), length)) {
      ctx.count(C.drop_malformed);
      return;
    }
    // Padding to 16 bytes is no part of the packet (WireGuard §5.4.6).
    const stated = ctx.packet.statedLength;
    if (stated > length || stated < ctx.packet.headerLength) {
      ctx.count(C.drop_malformed);
      return;
    }
    if (ctx.packet.toGroup || ctx.packet.linkLocal) {
      ctx.count(ctx.packet.toGroup ? C.drop_group_destination : C.drop_link_local);
      return;
    }
    ctx.setWord(i, D.length, stated);
    ctx.flow.bare();
    ctx.lookUp(vnet);
    const { source } = ctx;
    if (source[R.kind] === RouteKind.client && source[R.peer] === ctx.word(i, D.from)) this.#route(i, vnet);
    else ctx.count(C.drop_source_not_peers);
  }

  #route(i: number, vnet: number): void {
    const { destination, sameLink } = this.#ctx;
    const delivery = this.#delivery;
    const kind = destination[R.kind];
    if (kind === RouteKind.own) {
      delivery.toOwn(i, vnet, destination);
      return;
    }
    if (kind === RouteKind.gateway) {
      if (this.#echo.answer(i)) delivery.toClient(i, this.#ctx.word(i, D.from));
      return;
    }
    if (!sameLink && !this.#nextHop.spendTtl(i)) return;
    switch (kind) {
      case RouteKind.host:
      case RouteKind.onLink:
        delivery.deliver(i, vnet, destination);
        return;
      case RouteKind.client:
        delivery.toClient(i, destination[R.peer] ?? 0);
        return;
      case RouteKind.peer:
        this.#toSite(i, destination[R.peer] ?? 0, vnet);
        return;
      default:
        this.#outside(i, vnet);
    }
  }

  /** Through the home network's gateway: that of this site, or, for a client that is native elsewhere, by its home VR. */
  #outside(i: number, vnet: number): void {
    const { source } = this.#ctx;
    if (((source[R.flags] ?? 0) & RouteFlag.visiting) === 0) {
      this.#delivery.deliverOutside(i, vnet, source[R.network] ?? 0);
    } else if ((source[R.homePeer] ?? -1) >= 0) {
      this.#toSite(i, source[R.homePeer] ?? 0, vnet);
    } else {
      this.#ctx.count(C.drop_no_route);
    }
  }

  #toSite(i: number, site: number, vnet: number): void {
    const peer = this.#ctx.sitePeers.activeOf(site);
    if (this.#nextHop.fit(i, this.#ctx.peerMtu[peer] ?? 0))
      this.#delivery.toTunnel(i, peer, vnet, INITIAL_HOPS);
  }
}
