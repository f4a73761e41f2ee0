/** What a packet has to pass before it is sent on: a hop that is left, and the size that the path carries. */
import { TCP } from '../../net/ip-protocol.js';
import { C } from '../counters.js';
import { D, VIRTIO_NEEDS_CSUM } from '../engine.js';
import type { IcmpErrors } from './icmp-errors.js';
import { clampMss, decrementTtl } from './packet.js';
import type { WorkerContext } from './worker-context.js';

const UDP_HEADER_BYTES = 8;
/** RFC 8200 §5. */
const MIN_IPV6_MTU_BYTES = 1280;

export class NextHop {
  readonly #ctx: WorkerContext;
  readonly #icmp: IcmpErrors;

  constructor(context: WorkerContext, icmp: IcmpErrors) {
    this.#ctx = context;
    this.#icmp = icmp;
  }

  /** TTL − 1; false when it was the last, and the sender is told. */
  spendTtl(i: number): boolean {
    const ctx = this.#ctx;
    if (ctx.packet.ttl <= 1) {
      ctx.count(C.drop_ttl_expired);
      this.#icmp.timeExceeded(i);
      return false;
    }
    ctx.flow.spendsTtl();
    decrementTtl(ctx.engine.packets, ctx.word(i, D.offset), ctx.packet.family);
    return true;
  }

  /** There is no way to the destination: the sender is told. */
  noRoute(i: number): void {
    this.#icmp.noRoute(i);
  }

  /** Makes TCP's segments fit from the start; false when the packet does not fit, and the sender is told. */
  fit(i: number, mtuBytes: number): boolean {
    const ctx = this.#ctx;
    if (!this.#fits(i, mtuBytes)) return false;
    const isPartial = (ctx.word(i, D.flags) & VIRTIO_NEEDS_CSUM) !== 0;
    const [offset, length] = [ctx.word(i, D.offset), ctx.word(i, D.length)];
    clampMss(ctx.engine.packets, offset, length, ctx.packet, mtuBytes, isPartial);
    return true;
  }

  /**
   * False when the packet is larger than the path carries and nobody but its sender may cut it. TCP is cut by the engine,
   * and IPv4 without DF is fragmented there. IPv6 up to 1,280 bytes passes always (RFC 8200 §5): where it does not fit it
   * is fragmented outside.
   */
  #fits(i: number, mtuBytes: number): boolean {
    const { packet } = this.#ctx;
    if (!packet.dontFragment || (packet.protocol === TCP && !packet.fragment)) return true;
    const limit = packet.family === 6 ? Math.max(mtuBytes, MIN_IPV6_MTU_BYTES) : mtuBytes;
    if (this.#largestPart(i) <= limit) return true;
    this.#ctx.count(C.drop_too_big);
    this.#icmp.tooBig(i, limit);
    return false;
  }

  /** A UDP super-packet leaves as datagrams of its GSO size. */
  #largestPart(i: number): number {
    const ctx = this.#ctx;
    const length = ctx.word(i, D.length);
    if (ctx.word(i, D.gsoType) === 0) return length;
    return Math.min(length, ctx.packet.headerLength + UDP_HEADER_BYTES + ctx.word(i, D.gsoSize));
  }
}
