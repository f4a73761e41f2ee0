/** The decision for each message that comes out of the tunnel (design README, "How a packet travels", 4–5). */
import { R, RouteFlag, RouteKind } from '../tables/forwarding-table.js';
import { forwardFromClient } from './client-forwarder.js';
import { C } from './counters.js';
import { Action, D, Kind } from './engine.js';
import { HandshakeGate } from './handshake-gate.js';
import { INITIAL_HOPS, type WorkerContext } from './worker-context.js';
import { type AddressWords, ControlWord } from './worker-message.js';

const OVERLAY_HEADER_BYTES = 4;
const FIRST_BYTE_OVERLAY = 0x10;
const HIGH_NIBBLE_CONTROL = 0x2;
const SESSION_CONFIRMED = 1;
const ADDRESS_PROVEN = 4;

export class TunnelForwarder {
  readonly #ctx: WorkerContext;
  readonly #gate: HandshakeGate;

  constructor(context: WorkerContext) {
    this.#ctx = context;
    this.#gate = new HandshakeGate(context.nowMs, () =>
      Atomics.load(context.control, ControlWord.handshakesDone),
    );
  }

  /** Decides over descriptor `i`: leaves Action.drop, or writes another action; always counts what became of it. */
  decide(i: number): void {
    const ctx = this.#ctx;
    const kind = ctx.word(i, D.kind);
    if (kind === Kind.handshake) {
      this.#handshake(i);
      return;
    }
    if ((ctx.word(i, D.sessionFlags) & SESSION_CONFIRMED) !== 0) {
      ctx.post({
        type: 'sessionConfirmed',
        peer: ctx.word(i, D.from),
        session: ctx.word(i, D.session) >>> 0,
      });
    }
    const length = ctx.word(i, D.length);
    if (length === 0) return;
    const clientVnet = ctx.clientVnets[ctx.word(i, D.from)] ?? 0;
    if (clientVnet !== 0) {
      forwardFromClient(ctx, i, clientVnet);
      return;
    }
    const first = ctx.engine.packets[ctx.word(i, D.offset)] ?? 0;
    if (first === FIRST_BYTE_OVERLAY) this.#overlay(i, length);
    else if (first >>> 4 === HIGH_NIBBLE_CONTROL) this.#control(i);
    else ctx.count(C.drop_payload_unknown);
  }

  #handshake(i: number): void {
    const ctx = this.#ctx;
    ctx.count(C.handshake_received);
    const source: AddressWords = {
      family: ctx.word(i, D.sourceFamily) === 6 ? 6 : 4,
      words: [
        ctx.word(i, D.sourceWord0),
        ctx.word(i, D.sourceWord1),
        ctx.word(i, D.sourceWord2),
        ctx.word(i, D.sourceWord3),
      ],
    };
    const type = ctx.engine.packets[ctx.word(i, D.offset)] ?? 0;
    switch (this.#gate.judge(type, (ctx.word(i, D.sessionFlags) & ADDRESS_PROVEN) !== 0, source)) {
      case 'pass':
        ctx.post({
          type: 'handshake',
          bytes: this.#copy(i),
          address: source,
          port: ctx.word(i, D.sourcePort),
        });
        return;
      case 'cookie':
        ctx.setWord(i, D.action, Action.cookie);
        ctx.count(C.handshake_answered_with_cookie);
        return;
      case 'limited':
        ctx.count(C.drop_handshake_limited);
        return;
      case 'full':
        ctx.count(C.drop_handshake_queue_full);
    }
  }

  #control(i: number): void {
    this.#ctx.count(C.control_received);
    this.#ctx.post({ type: 'control', peer: this.#ctx.word(i, D.from), payload: this.#copy(i) });
  }

  #copy(i: number): Uint8Array {
    const offset = this.#ctx.word(i, D.offset);
    return this.#ctx.engine.packets.slice(offset, offset + this.#ctx.word(i, D.length));
  }

  #overlay(i: number, length: number): void {
    const ctx = this.#ctx;
    const bytes = ctx.engine.packets;
    const header = ctx.word(i, D.offset);
    if (Atomics.load(ctx.control, ControlWord.serving) === 0) {
      ctx.count(C.drop_not_serving);
      return;
    }
    const hops = bytes[header + 1] ?? 0;
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
    ctx.lookUp(vnet);
    if (this.#sourceBelongs(ctx.word(i, D.from), hops)) this.#route(i, vnet, hops);
    else ctx.count(C.drop_source_not_peers);
  }

  /**
   * The inner source must belong to the peer, or have belonged to it a moment ago. Two more cases: from the outside world through the home VR of a visiting
   * destination; and a packet that the peer only forwards, because its destination was there before or is native there.
   */
  #sourceBelongs(peer: number, hops: number): boolean {
    const { source, destination } = this.#ctx;
    if (source[R.kind] === RouteKind.peer && source[R.peer] === peer) return true;
    if (((source[R.flags] ?? 0) & RouteFlag.justMoved) !== 0 && source[R.previousPeer] === peer) return true;
    const destinationHome = destination[R.homePeer] === peer;
    const destinationWasThere = destination[R.previousPeer] === peer;
    if (source[R.kind] === RouteKind.none) return destinationHome || destinationWasThere;
    return hops < INITIAL_HOPS && (destinationHome || destinationWasThere);
  }

  #route(i: number, vnet: number, hops: number): void {
    const ctx = this.#ctx;
    const { destination } = ctx;
    switch (destination[R.kind]) {
      case RouteKind.host:
      case RouteKind.onLink:
        ctx.deliver(i, vnet, destination);
        return;
      case RouteKind.own:
        ctx.toOwn(i, destination);
        return;
      case RouteKind.peer:
        this.#forwardOn(i, vnet, hops);
        return;
      case RouteKind.client:
        ctx.toClient(i, destination[R.peer] ?? 0);
        return;
      default:
        this.#outside(i, vnet);
    }
  }

  /** A node that has moved on: once more through the tunnel, and the sender is told. */
  #forwardOn(i: number, vnet: number, hops: number): void {
    const ctx = this.#ctx;
    const { destination } = ctx;
    const from = ctx.word(i, D.from);
    const wasHere = destination[R.previousPeer] === ctx.input.selfPeer;
    const departed = ((destination[R.flags] ?? 0) & RouteFlag.departed) !== 0;
    if ((!wasHere && !departed) || destination[R.peer] === from) {
      ctx.count(C.drop_not_for_us);
      return;
    }
    if (hops <= 1) {
      ctx.count(C.drop_hops_exhausted);
      return;
    }
    ctx.toTunnel(i, destination[R.peer] ?? 0, vnet, hops - 1);
    ctx.count(C.forwarded_on);
    const address = ctx.destinationWords();
    if (ctx.mayReport(from, vnet, address)) ctx.post({ type: 'redirect', peer: from, vnet, address });
  }

  /** A departed node's traffic with the outside world leaves through its home network's gateway. */
  #outside(i: number, vnet: number): void {
    const ctx = this.#ctx;
    const { source } = ctx;
    if (((source[R.flags] ?? 0) & RouteFlag.departed) === 0) {
      ctx.count(C.drop_no_route);
      return;
    }
    ctx.deliverOutside(i, vnet, source[R.network] ?? 0);
  }
}
