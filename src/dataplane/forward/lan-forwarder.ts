/**
 * The decision for each packet that comes from a LAN (design README, "How a packet travels", 1–3), or from the machine
 * itself through a TUN port.
 */
import { macFromHalves } from '../../net/mac.js';
import { R, RouteFlag, RouteKind } from '../../tables/forwarding/forwarding-table.js';
import { C } from '../counters.js';
import { D } from '../engine.js';
import type { Delivery } from './delivery.js';
import type { GatewayEcho } from './gateway-echo.js';
import type { NextHop } from './next-hop.js';
import type { Punter } from './punter.js';
import { INITIAL_HOPS, type WorkerContext } from './worker-context.js';

export interface LanForwarderParts {
  readonly context: WorkerContext;
  readonly delivery: Delivery;
  readonly nextHop: NextHop;
  readonly punter: Punter;
  readonly echo: GatewayEcho;
}

export class LanForwarder {
  readonly #ctx: WorkerContext;
  readonly #delivery: Delivery;
  readonly #nextHop: NextHop;
  readonly #punter: Punter;
  readonly #echo: GatewayEcho;

  constructor({ context, delivery, nextHop, punter, echo }: LanForwarderParts) {
    this.#ctx = context;
    this.#delivery = delivery;
    this.#nextHop = nextHop;
    this.#punter = punter;
    this.#echo = echo;
  }

  /** Decides over descriptor `i`: leaves Action.drop, or writes another action; always counts what became of it. */
  decide(i: number): void {
    const ctx = this.#ctx;
    ctx.flow.begin();
    const lan = ctx.word(i, D.from);
    const vnet = ctx.portVnets[lan];
    ctx.flow.frame();
    if (vnet !== undefined && !this.#isForUs(i, lan, vnet)) {
      this.#overheard(i, lan, vnet);
      ctx.count(C.frames_to_others);
      return;
    }
    if (
      vnet === undefined ||
      !ctx.packet.parse(ctx.engine.packets, ctx.word(i, D.offset), ctx.word(i, D.length))
    ) {
      ctx.count(C.drop_malformed);
      return;
    }
    if (ctx.packet.toGroup) {
      ctx.count(C.drop_group_destination);
      return;
    }
    if (ctx.packet.linkLocal) {
      // Neighbour discovery and the like between a host and the gateway machine itself: its kernel's affair.
      ctx.count(C.drop_link_local);
      return;
    }
    ctx.lookUp(vnet);
    this.#noteSource(i, vnet);
    if (ctx.destination[R.kind] === RouteKind.own) {
      ctx.count(C.kernel_own_address);
      return;
    }
    if (ctx.destination[R.kind] === RouteKind.gateway) {
      this.#answerEcho(i, lan);
      return;
    }
    if (ctx.lanRoles.standsBy(lan)) {
      ctx.count(C.drop_standby);
      return;
    }
    if (this.#sourceMayPass(i, vnet)) this.#route(i, vnet);
  }

  #answerEcho(i: number, lan: number): void {
    if (!this.#ctx.lanRoles.isActive(lan)) this.#ctx.count(C.drop_standby);
    else if (this.#echo.answer(i)) this.#delivery.backToPort(i);
  }

  /**
   * To one of the VR's MACs; or rescued: to the MAC of a node that is at another VR, by a machine that is not. A machine that is
   * at another VR may be that VR itself: two routers that heard each other would send packets round for ever.
   */
  #isForUs(i: number, lan: number, vnet: number): boolean {
    const ctx = this.#ctx;
    const high = ctx.word(i, D.dstMacHigh);
    const low = ctx.word(i, D.dstMacLow);
    if (ctx.isTun(lan) || ctx.isMacOf(lan, high, low)) return true;
    if (!ctx.lanRoles.isActive(lan) || !ctx.macsElsewhere.has(vnet, high, low)) return false;
    const sourceHigh = ctx.word(i, D.srcMacHigh);
    const sourceLow = ctx.word(i, D.srcMacLow);
    if (ctx.macsElsewhere.has(vnet, sourceHigh, sourceLow)) return false;
    if (ctx.isOwnMac(sourceHigh, sourceLow)) return false;
    ctx.count(C.rescued);
    ctx.flow.alsoCounted(C.rescued);
    return true;
  }

  /**
   * A switch shows us a frame between others when it does not know where its destination is (any more). It tells who is
   * there, and who is wanted and may have gone.
   */
  #overheard(i: number, lan: number, vnet: number): void {
    const { activity, macsElsewhere } = this.#ctx;
    const sourceHigh = this.#ctx.word(i, D.srcMacHigh);
    const sourceLow = this.#ctx.word(i, D.srcMacLow);
    activity.heardFrom(activity.numberOf(vnet, sourceHigh, sourceLow));
    activity.sentTo(activity.numberOf(vnet, this.#ctx.word(i, D.dstMacHigh), this.#ctx.word(i, D.dstMacLow)));
    if (macsElsewhere.has(vnet, sourceHigh, sourceLow)) {
      this.#punter.macElsewhere(lan, vnet, macFromHalves(sourceHigh, sourceLow));
    }
  }

  /** The machine that has sent the packet is there: by its route, or by its MAC when it sends for others, as gateways do. */
  #noteSource(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const { source, activity } = ctx;
    const high = ctx.word(i, D.srcMacHigh);
    const low = ctx.word(i, D.srcMacLow);
    const isItsOwn =
      source[R.kind] === RouteKind.host && source[R.macHigh] === high && source[R.macLow] === low;
    const number = isItsOwn ? (source[R.activity] ?? -1) : activity.numberOf(vnet, high, low);
    activity.heardFrom(number);
    ctx.flow.heard(number);
  }

  /** LNDT check. A source that is in no network may only reach departed nodes, and only through their home gateway. */
  #sourceMayPass(i: number, vnet: number): boolean {
    const ctx = this.#ctx;
    const source = ctx.source;
    const flags = source[R.flags] ?? 0;
    if (ctx.isTun(ctx.word(i, D.from)) && source[R.kind] !== RouteKind.none) {
      if (source[R.kind] === RouteKind.own) return true;
      ctx.count(C.drop_source_unauthorised);
      return false;
    }
    switch (source[R.kind]) {
      case RouteKind.host:
      case RouteKind.onLink:
        if ((flags & RouteFlag.authorised) !== 0 && this.#pinHolds(i, flags)) return true;
        ctx.count(C.drop_source_unauthorised);
        return false;
      case RouteKind.peer:
        this.#reportSourceElsewhere(i, vnet);
        return false;
      case RouteKind.none: {
        // Neither a departed node nor a WireGuard client is on this LAN: the gateway sends for them to this router.
        const departed =
          ((ctx.destination[R.flags] ?? 0) & RouteFlag.departed) !== 0 ||
          ctx.destination[R.kind] === RouteKind.client;
        if (departed && this.#delivery.isFromGateway(i, vnet, ctx.destination[R.network] ?? 0)) return true;
        ctx.count(C.drop_source_unauthorised);
        return false;
      }
      default:
        ctx.count(C.drop_source_unauthorised);
        return false;
    }
  }

  #pinHolds(i: number, flags: number): boolean {
    if ((flags & RouteFlag.pinned) === 0) return true;
    const { source } = this.#ctx;
    return (
      source[R.pinnedMacHigh] === this.#ctx.word(i, D.srcMacHigh) &&
      source[R.pinnedMacLow] === this.#ctx.word(i, D.srcMacLow)
    );
  }

  #reportSourceElsewhere(i: number, vnet: number): void {
    const ctx = this.#ctx;
    ctx.count(C.drop_source_elsewhere);
    const mac = macFromHalves(ctx.word(i, D.srcMacHigh), ctx.word(i, D.srcMacLow));
    this.#punter.sourceElsewhere(ctx.word(i, D.from), vnet, mac);
  }

  /** For a MAC that is elsewhere: the machine there has the address, and nobody has heard of it. */
  #reportUnheard(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const high = ctx.word(i, D.dstMacHigh);
    const low = ctx.word(i, D.dstMacLow);
    if (ctx.macsElsewhere.has(vnet, high, low)) this.#punter.unheardOf(vnet, macFromHalves(high, low));
  }

  #route(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const { source, destination } = ctx;
    switch (destination[R.kind]) {
      case RouteKind.peer:
        if (this.#countHop(i)) this.#tunnel(i, destination[R.peer] ?? 0, vnet);
        return;
      case RouteKind.onLink:
        this.#reportUnheard(i, vnet);
        if (this.#countHop(i)) this.#delivery.deliver(i, vnet, destination);
        return;
      case RouteKind.host:
        if (this.#countHop(i)) this.#delivery.deliver(i, vnet, destination);
        return;
      case RouteKind.client:
        if (this.#countHop(i)) this.#client(i, destination[R.peer] ?? 0);
        return;
      default:
        // The outside world: a visiting node reaches it through its home network's gateway, as if on its link.
        if (((source[R.flags] ?? 0) & RouteFlag.visiting) !== 0 && (source[R.homePeer] ?? -1) >= 0) {
          this.#tunnel(i, source[R.homePeer] ?? 0, vnet);
        } else if (ctx.isForGateway(i)) {
          this.#outside(i, vnet, source[R.network] ?? 0);
        } else {
          ctx.count(C.drop_no_route);
        }
    }
  }

  /**
   * A native node has this router as its gateway: its network's own one leads to the outside world, but not what has come
   * from there.
   */
  #outside(i: number, vnet: number, network: number): void {
    if (this.#delivery.isFromGateway(i, vnet, network)) {
      this.#ctx.count(C.drop_no_route);
      return;
    }
    if (!this.#countHop(i)) return;
    if (!this.#delivery.deliverOutside(i, vnet, network)) this.#nextHop.noRoute(i);
  }

  /** TTL − 1 between hosts that are not on one link; false when it was the last. */
  #countHop(i: number): boolean {
    const ctx = this.#ctx;
    // From outside to a departed node the home gateway has counted already, and believes to be on its link. What the
    // machine itself sends has not been through a router yet: this one is the machine.
    if (ctx.sameLink || ctx.source[R.kind] === RouteKind.none || ctx.isTun(ctx.word(i, D.from))) return true;
    return this.#nextHop.spendTtl(i);
  }

  #tunnel(i: number, site: number, vnet: number): void {
    const peer = this.#ctx.sitePeers.activeOf(site);
    if (this.#nextHop.fit(i, this.#ctx.peerMtu[peer] ?? 0))
      this.#delivery.toTunnel(i, peer, vnet, INITIAL_HOPS);
  }

  /** One that is away has no MTU. */
  #client(i: number, peer: number): void {
    const mtu = this.#ctx.peerMtu[peer] ?? 0;
    if (mtu === 0 || this.#nextHop.fit(i, mtu)) this.#delivery.toClient(i, peer);
  }
}
