/** The few actions that a decision ends in: to a node's MAC, to a peer, to a WireGuard client, to the machine itself. */
import { R, ROUTE_WORDS, RouteFlag, RouteKind } from '../../tables/forwarding/forwarding-table.js';
import { C, V } from '../counters.js';
import { Action, D } from '../engine.js';
import type { AddressWords } from '../punt/punt.js';
import { HoldQueue } from './hold-queue.js';
import { HoldRoom } from './hold-room.js';
import type { Punter } from './punter.js';
import type { WorkerContext } from './worker-context.js';

export class Delivery {
  readonly #ctx: WorkerContext;
  readonly #punter: Punter;
  readonly #hold: HoldQueue;
  readonly #gateway = new Int32Array(5);
  readonly #gatewayRoute = new Int32Array(ROUTE_WORDS);

  constructor(context: WorkerContext, punter: Punter) {
    this.#ctx = context;
    this.#punter = punter;
    this.#hold = new HoldQueue(context.engine, context.clock, new HoldRoom(context.budgets));
  }

  /**
   * Fills in an Action.lan toward the node of `route`, or holds the packet while its MAC is asked for.
   * The route must be of kind host or onLink.
   */
  deliver(descriptor: number, vnet: number, route: Int32Array): void {
    if (((route[R.flags] ?? 0) & RouteFlag.authorised) === 0) {
      this.#ctx.count(C.drop_destination_unauthorised);
      return;
    }
    if (route[R.kind] === RouteKind.onLink) {
      this.#holdFor(descriptor, vnet, this.#ctx.destinationWords());
      return;
    }
    this.#toLan(descriptor, vnet, route);
  }

  /** Sends the packet to the home network's gateway, on its way to the outside world. False: the network has none. */
  deliverOutside(descriptor: number, vnet: number, network: number): boolean {
    const gateway = this.#lookUpGateway(vnet, network);
    switch (gateway?.[R.kind]) {
      case RouteKind.host:
        this.#toLan(descriptor, vnet, this.#gatewayRoute);
        return true;
      case RouteKind.onLink:
        this.#holdFor(descriptor, vnet, this.#gatewayWords());
        return true;
      case RouteKind.own:
        this.toOwn(descriptor, vnet, this.#gatewayRoute);
        return true;
      default:
        this.#ctx.count(C.drop_no_gateway);
        return false;
    }
  }

  /** Straight back to the MAC that the frame came from, or through the TUN port. */
  backToPort(descriptor: number): void {
    const ctx = this.#ctx;
    ctx.setWord(descriptor, D.to, ctx.word(descriptor, D.from));
    ctx.setWord(descriptor, D.outMacHigh, ctx.word(descriptor, D.srcMacHigh));
    ctx.setWord(descriptor, D.outMacLow, ctx.word(descriptor, D.srcMacLow));
    ctx.setWord(descriptor, D.action, Action.lan);
  }

  /** Whether the packet has come from the network's gateway: its MAC as this router knows it, or this machine itself. */
  isFromGateway(descriptor: number, vnet: number, network: number): boolean {
    const gateway = this.#lookUpGateway(vnet, network);
    if (gateway === undefined) return false;
    const ctx = this.#ctx;
    if (ctx.isTun(ctx.word(descriptor, D.from))) return gateway[R.kind] === RouteKind.own;
    return (
      gateway[R.kind] === RouteKind.host &&
      gateway[R.macHigh] === ctx.word(descriptor, D.srcMacHigh) &&
      gateway[R.macLow] === ctx.word(descriptor, D.srcMacLow)
    );
  }

  /** Hands a packet for one of the machine's own addresses to its kernel, through the vnet's TUN port if it has one. */
  toOwn(descriptor: number, vnet: number, route: Int32Array): void {
    const ctx = this.#ctx;
    const port = route[R.lan] ?? -1;
    if (!ctx.isTun(port)) {
      ctx.count(C.drop_own_address_without_tun);
      return;
    }
    ctx.setWord(descriptor, D.to, port);
    ctx.setWord(descriptor, D.action, Action.lan);
    ctx.forwardedToOwn(descriptor, vnet);
  }

  /** To a WireGuard client that connects here. */
  toClient(descriptor: number, peer: number): void {
    const ctx = this.#ctx;
    const mtu = ctx.peerMtu[peer] ?? 0;
    if (mtu === 0) {
      ctx.count(C.drop_client_away);
      this.#punter.clientWanted(peer);
      return;
    }
    ctx.setWord(descriptor, D.to, peer);
    ctx.setWord(descriptor, D.mtu, mtu);
    ctx.setWord(descriptor, D.action, Action.bare);
    ctx.forwarded(descriptor, ctx.clientVnets[peer] ?? 0, C.to_client, V.packetsToTunnel);
  }

  toTunnel(descriptor: number, peer: number, vnet: number, hops: number): void {
    const ctx = this.#ctx;
    ctx.setWord(descriptor, D.to, peer);
    ctx.setWord(descriptor, D.vnet, vnet);
    ctx.setWord(descriptor, D.hops, hops);
    ctx.setWord(descriptor, D.mtu, ctx.peerMtu[peer] ?? 0);
    ctx.setWord(descriptor, D.action, Action.tunnel);
    ctx.forwarded(descriptor, vnet, C.to_tunnel, V.packetsToTunnel);
  }

  /** Packets that wait for a MAC. */
  get held(): number {
    return this.#hold.size;
  }

  /** Sends what was held and has a MAC now; drops what has waited too long. Called between batches. */
  releaseHeld(): void {
    this.#hold.release(this.#ctx.table, this.#gatewayRoute, (descriptor, route, vnet) => {
      if (route === undefined) {
        this.#ctx.count(C.drop_unresolved);
        return;
      }
      this.#ctx.flow.resume(descriptor);
      this.#toLan(descriptor, vnet, route);
    });
  }

  #toLan(descriptor: number, vnet: number, route: Int32Array): void {
    const ctx = this.#ctx;
    if (ctx.lanRoles.standsBy(route[R.lan] ?? -1)) {
      ctx.count(C.drop_standby);
      return;
    }
    ctx.setWord(descriptor, D.to, route[R.lan] ?? 0);
    ctx.setWord(descriptor, D.outMacHigh, route[R.macHigh] ?? 0);
    ctx.setWord(descriptor, D.outMacLow, route[R.macLow] ?? 0);
    ctx.setWord(descriptor, D.action, Action.lan);
    ctx.forwarded(descriptor, vnet, C.to_lan, V.packetsToLan, route[R.activity] ?? -1);
  }

  #holdFor(descriptor: number, vnet: number, next: AddressWords): void {
    this.#ctx.flow.hold(descriptor);
    if (!this.#hold.add(descriptor, vnet, next)) {
      this.#ctx.count(C.drop_hold_queue_full);
      return;
    }
    this.#ctx.count(C.held);
    this.#punter.want(vnet, next);
  }

  /** The route to a network's gateway, and its address in `#gateway`; undefined when it has none. */
  #lookUpGateway(vnet: number, network: number): Int32Array | undefined {
    const { table } = this.#ctx;
    if (!table.gateway(network - 1, this.#gateway)) return undefined;
    const {
      family,
      words: [w0, w1, w2, w3],
    } = this.#gatewayWords();
    table.lookup(vnet, family, w0, w1, w2, w3, this.#gatewayRoute);
    return this.#gatewayRoute;
  }

  #gatewayWords(): AddressWords {
    const [family, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = this.#gateway;
    return { family: family === 6 ? 6 : 4, words: [w0, w1, w2, w3] };
  }
}
