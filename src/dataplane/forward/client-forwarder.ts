/**
 * The decision for each packet of an ordinary WireGuard client: a bare IP packet, of the client's one address only. The
 * client is treated as a node one hop away from this router: where a node of this LAN may send, it may.
 */
import { R, RouteFlag, RouteKind } from '../../tables/forwarding-table.js';
import { C } from '../counters.js';
import { D } from '../engine.js';
import { ControlWord } from '../worker-input.js';
import { fitsPath, sendTimeExceeded } from './icmp.js';
import { clampMss, decrementTtl } from './packet.js';
import { INITIAL_HOPS, type WorkerContext } from './worker-context.js';

/** Decides over descriptor `i`, whose payload has come from the client: leaves Action.drop, or writes another. */
export function forwardFromClient(ctx: WorkerContext, i: number, vnet: number): void {
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
  ctx.lookUp(vnet);
  const { source } = ctx;
  if (source[R.kind] === RouteKind.client && source[R.peer] === ctx.word(i, D.from)) route(ctx, i, vnet);
  else ctx.count(C.drop_source_not_peers);
}

function route(ctx: WorkerContext, i: number, vnet: number): void {
  const { destination } = ctx;
  const kind = destination[R.kind];
  if (kind === RouteKind.own) {
    ctx.toOwn(i, destination);
    return;
  }
  if (!ctx.sameLink && !countHop(ctx, i)) return;
  switch (kind) {
    case RouteKind.host:
    case RouteKind.onLink:
      ctx.deliver(i, vnet, destination);
      return;
    case RouteKind.client:
      ctx.toClient(i, destination[R.peer] ?? 0);
      return;
    case RouteKind.peer:
      toPeer(ctx, i, destination[R.peer] ?? 0, vnet);
      return;
    default:
      outside(ctx, i, vnet);
  }
}

/** Through the home network's gateway: that of this site, or, for a client that is native elsewhere, by its home VR. */
function outside(ctx: WorkerContext, i: number, vnet: number): void {
  const { source } = ctx;
  if (((source[R.flags] ?? 0) & RouteFlag.visiting) === 0) {
    ctx.deliverOutside(i, vnet, source[R.network] ?? 0);
  } else if ((source[R.homePeer] ?? -1) >= 0) {
    toPeer(ctx, i, source[R.homePeer] ?? 0, vnet);
  } else {
    ctx.count(C.drop_no_route);
  }
}

function toPeer(ctx: WorkerContext, i: number, peer: number, vnet: number): void {
  const mtu = ctx.peerMtu[peer] ?? 0;
  if (!fitsPath(ctx, i, mtu)) return;
  clampMss(ctx.engine.packets, ctx.word(i, D.offset), ctx.word(i, D.length), ctx.packet, mtu, false);
  ctx.toTunnel(i, peer, vnet, INITIAL_HOPS);
}

function countHop(ctx: WorkerContext, i: number): boolean {
  if (ctx.packet.ttl <= 1) {
    ctx.count(C.drop_ttl_expired);
    sendTimeExceeded(ctx, i);
    return false;
  }
  decrementTtl(ctx.engine.packets, ctx.word(i, D.offset), ctx.packet.family);
  return true;
}
