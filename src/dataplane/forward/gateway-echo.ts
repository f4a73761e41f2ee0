/**
 * Answers to echo requests for the addresses that the router itself answers for (RFC 792, RFC 4443 §4.1 and §4.2): no
 * kernel has them. The request becomes the answer where it lies; the caller sends it back to where it came from.
 */
import { ICMP, ICMPV6 } from '../../net/ip-protocol.js';
import { C } from '../counters.js';
import { D, VIRTIO_NEEDS_CSUM } from '../engine.js';
import { adjustChecksum } from './packet.js';
import type { WorkerContext } from './worker-context.js';

const ECHO_BYTES = 8;
const V4_HEADER_BYTES = 20;
/** A site's hosts that all watch their gateway, and a ping that measures; a flood costs no more than this. */
const RATE = { perSecond: 1_000, burst: 1_000 };
const TTL = 64;

export class GatewayEcho {
  readonly #ctx: WorkerContext;
  readonly #rate: { allow(): boolean };

  constructor(context: WorkerContext) {
    this.#ctx = context;
    this.#rate = context.budgets.one('gatewayEchoes', RATE);
  }

  /**
   * The packet in descriptor `i` is for a gateway address. True: it is the answer now. False: it is nothing that is answered
   * (a fragment, with options, anything but an echo request) or there were too many, and it is counted.
   */
  answer(i: number): boolean {
    const ctx = this.#ctx;
    const { packet } = ctx;
    const at = ctx.word(i, D.offset);
    const v6 = packet.family === 6;
    const request = v6 ? 128 : 8;
    const reply = v6 ? 129 : 0;
    const icmp = at + packet.headerLength;
    const isEcho =
      packet.protocol === (v6 ? ICMPV6 : ICMP) &&
      !packet.fragment &&
      (v6 || packet.headerLength === V4_HEADER_BYTES) &&
      ctx.word(i, D.length) >= packet.headerLength + ECHO_BYTES &&
      // Else its checksum is not there yet; nobody sends echo requests so.
      (ctx.word(i, D.flags) & VIRTIO_NEEDS_CSUM) === 0 &&
      ctx.word(i, D.gsoType) === 0 &&
      ctx.engine.packets[icmp] === request &&
      ctx.engine.packets[icmp + 1] === 0;
    if (!isEcho) {
      ctx.count(C.drop_gateway_address);
      return false;
    }
    if (!this.#rate.allow()) {
      ctx.count(C.drop_gateway_echo_rate);
      return false;
    }
    ctx.flow.own();
    this.#turnRound(at, v6);
    ctx.engine.packets[icmp] = reply;
    // The code is 0: of the word with the type in its upper half only that differs.
    adjustChecksum(ctx.engine.packets, icmp + 2, request << 8, reply << 8);
    ctx.count(C.gateway_echo_answered);
    return true;
  }

  /** Swaps the addresses, which no checksum notices, and starts the hop count anew. */
  #turnRound(at: number, v6: boolean): void {
    const bytes = this.#ctx.engine.packets;
    const [source, destination, length] = v6 ? [at + 8, at + 24, 16] : [at + 12, at + 16, 4];
    for (let k = 0; k < length; k++) {
      const byte = bytes[source + k] ?? 0;
      bytes[source + k] = bytes[destination + k] ?? 0;
      bytes[destination + k] = byte;
    }
    if (v6) {
      bytes[at + 7] = TTL;
      return;
    }
    const protocol = bytes[at + 9] ?? 0;
    const before = ((bytes[at + 8] ?? 0) << 8) | protocol;
    bytes[at + 8] = TTL;
    adjustChecksum(bytes, at + 10, before, (TTL << 8) | protocol);
  }
}
