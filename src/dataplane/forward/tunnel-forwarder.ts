/** The decision for each message that comes out of the tunnel (design README, "How a packet travels", 4–5). */
import { R, RouteFlag, RouteKind } from '../../tables/forwarding/forwarding-table.js';
import { C } from '../counters.js';
import { D, Kind } from '../engine.js';
import { ControlWord } from '../worker-input.js';
import type { ClientForwarder } from './client-forwarder.js';
import type { Delivery } from './delivery.js';
import type { GatewayEcho } from './gateway-echo.js';
import type { Punter } from './punter.js';
import type { RelayForwarder } from './relay-forwarder.js';
import { INITIAL_HOPS, type WorkerContext } from './worker-context.js';

const OVERLAY_HEADER_BYTES = 4;
const FIRST_BYTE_OVERLAY = 0x10;
const FIRST_BYTE_RELAY = 0x30;
const HIGH_NIBBLE_CONTROL = 0x2;
const SESSION_CONFIRMED = 1;

export interface TunnelForwarderParts {
  readonly context: WorkerContext;
  readonly delivery: Delivery;
  readonly punter: Punter;
  readonly clients: ClientForwarder;
  readonly relays: RelayForwarder;
  readonly echo: GatewayEcho;
}

export class TunnelForwarder {
  readonly #ctx: WorkerContext;
  readonly #delivery: Delivery;
  readonly #punter: Punter;
  readonly #clients: ClientForwarder;
  readonly #relays: RelayForwarder;
  readonly #echo: GatewayEcho;

  constructor({ context, delivery, punter, clients, relays, echo }: TunnelForwarderParts) {
    this.#ctx = context;
    this.#delivery = delivery;
    this.#punter = punter;
    this.#clients = clients;
    this.#relays = relays;
    this.#echo = echo;
  }

  /** Decides over descriptor `i`: leaves Action.drop, or writes another action; always counts what became of it. */
  decide(i: number): void {
    const kind = this.#ctx.word(i, D.kind);
    if (kind === Kind.handshake) this.#punter.handshake(i);
    else if (kind === Kind.stream) this.#punter.stream(i);
    else this.#message(i, true);
  }

  /** A relayed message is not itself for or from a relay. */
  #message(i: number, mayBeRelayed: boolean): void {
    const ctx = this.#ctx;
    ctx.flow.begin();
    if ((ctx.word(i, D.sessionFlags) & SESSION_CONFIRMED) !== 0) this.#punter.sessionConfirmed(i);
    const length = ctx.word(i, D.length);
    if (length === 0) return;
    const clientVnet = ctx.clientVnets[ctx.word(i, D.from)] ?? 0;
    if (clientVnet !== 0) {
      this.#clients.decide(i, clientVnet);
      return;
    }
    const first = ctx.engine.packets[ctx.word(i, D.offset)] ?? 0;
    if (first === FIRST_BYTE_OVERLAY) this.#overlay(i, length);
    else if (first >>> 4 === HIGH_NIBBLE_CONTROL) this.#punter.control(i);
    else if (first !== FIRST_BYTE_RELAY || !mayBeRelayed) ctx.count(C.drop_payload_unknown);
    else if (this.#relays.decide(i)) this.#message(i, false);
  }

  #overlay(i: number, length: number): void {
    const ctx = this.#ctx;
    const bytes = ctx.engine.packets;
    const header = ctx.word(i, D.offset);
    if (Atomics.load(ctx.control, ControlWord.serving) === 0) {
      ctx.count(C.drop_not_serving);
      return;
    }
    // A peer may say what it likes: a loop is not longer for it.
    const hops = Math.min(bytes[header + 1] ?? 0, INITIAL_HOPS);
    const vnet = ((bytes[header + 2] ?? 0) << 8) | (bytes[header + 3] ?? 0);
    const offset = header + OVERLAY_HEADER_BYTES;
    const room = length - OVERLAY_HEADER_BYTES;
    if (length < OVERLAY_HEADER_BYTES || !ctx.packet.parse(bytes, offset, room)) {
      ctx.count(C.drop_malformed);
      return;
    }
    // The sender pads the sealed payload to 16 bytes (WireGuard §5.4.6): what the IP header states is the packet.
    const stated = ctx.packet.statedLength;
    if (stated > room || stated < ctx.packet.headerLength) {
      ctx.count(C.drop_malformed);
      return;
    }
    if (ctx.vnets[vnet] !== 1) {
      ctx.count(C.drop_unknown_vnet);
      return;
    }
    if (ctx.packet.toGroup || ctx.packet.linkLocal) {
      ctx.count(ctx.packet.toGroup ? C.drop_group_destination : C.drop_link_local);
      return;
    }
    ctx.setWord(i, D.offset, offset);
    ctx.setWord(i, D.length, stated);
    ctx.flow.overlay(vnet);
    // With fewer it may be on its way round; the memory is asked only about those with all of them.
    if (hops < INITIAL_HOPS) ctx.flow.once();
    ctx.lookUp(vnet);
    if (this.#sourceBelongs(ctx.word(i, D.from), hops)) this.#route(i, vnet, hops);
    else ctx.count(C.drop_source_not_peers);
  }

  /**
   * The inner source must belong to the peer's site, or have belonged to it a moment ago. Two more cases: from the outside world
   * through the home VR of a visiting destination; and a packet that the peer only forwards, because its destination was
   * there before or is native there.
   */
  #sourceBelongs(peer: number, hops: number): boolean {
    const { source, destination, sitePeers } = this.#ctx;
    const site = sitePeers.siteOf(peer);
    if (source[R.kind] === RouteKind.peer && source[R.peer] === site) return true;
    if (((source[R.flags] ?? 0) & RouteFlag.justMoved) !== 0 && source[R.previousPeer] === site) return true;
    const destinationHome = destination[R.homePeer] === site;
    const destinationWasThere = destination[R.previousPeer] === site;
    if (source[R.kind] === RouteKind.none) return destinationHome || destinationWasThere;
    return hops < INITIAL_HOPS && (destinationHome || destinationWasThere);
  }

  #route(i: number, vnet: number, hops: number): void {
    const { destination } = this.#ctx;
    switch (destination[R.kind]) {
      case RouteKind.host:
      case RouteKind.onLink:
        this.#delivery.deliver(i, vnet, destination);
        return;
      case RouteKind.own:
        this.#delivery.toOwn(i, vnet, destination);
        return;
      case RouteKind.peer:
        this.#forwardOn(i, vnet, hops);
        return;
      case RouteKind.client:
        this.#delivery.toClient(i, destination[R.peer] ?? 0);
        return;
      case RouteKind.gateway:
        this.#answerEcho(i, vnet);
        return;
      default:
        this.#outside(i, vnet);
    }
  }

  /** To the site where the asker is. */
  #answerEcho(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const { source, destination } = ctx;
    if (source[R.kind] !== RouteKind.peer) ctx.count(C.drop_gateway_address);
    else if (!ctx.lanRoles.isActive(destination[R.lan] ?? -1)) ctx.count(C.drop_standby);
    else if (this.#echo.answer(i))
      this.#delivery.toTunnel(i, ctx.sitePeers.activeOf(source[R.peer] ?? 0), vnet, INITIAL_HOPS);
  }

  /** A node that has moved on: once more through the tunnel, and the sender is told. */
  #forwardOn(i: number, vnet: number, hops: number): void {
    const ctx = this.#ctx;
    const { destination } = ctx;
    const from = ctx.word(i, D.from);
    const wasHere = destination[R.previousPeer] === ctx.selfSite;
    const departed = ((destination[R.flags] ?? 0) & RouteFlag.departed) !== 0;
    if ((!wasHere && !departed) || destination[R.peer] === ctx.sitePeers.siteOf(from)) {
      ctx.count(C.drop_not_for_us);
      return;
    }
    if (hops <= 1) {
      ctx.count(C.drop_hops_exhausted);
      return;
    }
    ctx.flow.once();
    this.#delivery.toTunnel(i, ctx.sitePeers.activeOf(destination[R.peer] ?? 0), vnet, hops - 1);
    ctx.count(C.forwarded_on);
    this.#punter.redirect(from, vnet);
  }

  /** A departed node's traffic with the outside world leaves through its home network's gateway. */
  #outside(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const { source } = ctx;
    if (((source[R.flags] ?? 0) & RouteFlag.departed) === 0) {
      ctx.count(C.drop_no_route);
      return;
    }
    this.#delivery.deliverOutside(i, vnet, source[R.network] ?? 0);
  }
}
