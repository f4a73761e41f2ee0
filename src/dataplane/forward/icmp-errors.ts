/** ICMP errors that the VR itself originates (RFC 792, RFC 4443). */
import { ICMP, ICMPV6 } from '../../net/ip-protocol.js';
import { C } from '../counters.js';
import { Action, D, DESCRIPTOR_WORDS, Kind } from '../engine.js';
import type { AddressWords } from '../punt/punt.js';
import { addToSum, finishSum } from './packet.js';
import type { WorkerContext } from './worker-context.js';

/** Scratch slot that ICMP errors are built in; the hold queue runs between batches, so they never meet. */
const SCRATCH = 0;
/** RFC 1812 §4.3.2.3 allows more than the 8 bytes of RFC 792; 576 in all is what every host accepts. */
const V4_QUOTE_BYTES = 576 - 20 - 8;
/** RFC 4443 §2.4(c): as much as fits in the minimum IPv6 MTU. */
const V6_QUOTE_BYTES = 1280 - 40 - 8;
const RATE = { perSecond: 100, burst: 100 };

/**
 * Told to the sender of the packet in descriptor `i`, straight to the MAC that it came from, or to the WireGuard client,
 * and from an address of the router's on that LAN. Nothing is sent when there is no address of that family, or for ICMP errors and
 * later fragments (RFC 1122 §3.2.2), or over the rate limit.
 */
export class IcmpErrors {
  readonly #ctx: WorkerContext;
  readonly #rate: { allow(): boolean };

  constructor(context: WorkerContext) {
    this.#ctx = context;
    this.#rate = context.budgets.one('icmpErrors', RATE);
  }

  timeExceeded(i: number): void {
    const v6 = this.#ctx.packet.family === 6;
    if (this.#send(i, v6 ? 3 : 11, 0, 0)) this.#ctx.count(C.icmp_time_exceeded_sent);
  }

  /** "Net unreachable" (RFC 792), "no route to destination" (RFC 4443 §3.1). */
  noRoute(i: number): void {
    const v6 = this.#ctx.packet.family === 6;
    if (this.#send(i, v6 ? 1 : 3, 0, 0)) this.#ctx.count(C.icmp_unreachable_sent);
  }

  /** "Fragmentation needed" (RFC 792, RFC 1191) or "packet too big" (RFC 4443 §3.2). @param mtuBytes that fits */
  tooBig(i: number, mtuBytes: number): void {
    const v6 = this.#ctx.packet.family === 6;
    const sent = v6 ? this.#send(i, 2, 0, mtuBytes) : this.#send(i, 3, 4, mtuBytes & 0xffff);
    if (sent) this.#ctx.count(C.icmp_too_big_sent);
  }

  /** @param value the 32-bit word behind type, code and checksum */
  #send(i: number, type: number, code: number, value: number): boolean {
    const ctx = this.#ctx;
    const { family } = ctx.packet;
    const from = ownAddress(ctx, i, family);
    if (from === undefined || ctx.packet.laterFragment || isIcmpError(ctx, i) || !this.#rate.allow())
      return false;
    const offset = ctx.engine.scratchOffset(SCRATCH);
    const head = (type << 24) | (code << 16);
    const build = family === 4 ? buildV4 : buildV6;
    const length = build(ctx, i, offset, from, head, value);
    const slot = ctx.engine.capacity + SCRATCH;
    ctx.engine.descriptors.fill(0, slot * DESCRIPTOR_WORDS, (slot + 1) * DESCRIPTOR_WORDS);
    ctx.setWord(slot, D.offset, offset);
    ctx.setWord(slot, D.length, length);
    ctx.setWord(slot, D.to, ctx.word(i, D.from));
    if (isOfClient(ctx, i)) {
      ctx.setWord(slot, D.mtu, ctx.peerMtu[ctx.word(i, D.from)] ?? 0);
      ctx.setWord(slot, D.action, Action.bare);
    } else {
      ctx.setWord(slot, D.outMacHigh, ctx.word(i, D.srcMacHigh));
      ctx.setWord(slot, D.outMacLow, ctx.word(i, D.srcMacLow));
      ctx.setWord(slot, D.action, Action.lan);
    }
    ctx.engine.send(slot, 1);
    return true;
  }
}

/** What comes from a WireGuard client is a message; errors about other routers' packets are those routers' affair. */
function isOfClient(ctx: WorkerContext, i: number): boolean {
  return ctx.word(i, D.kind) === Kind.message;
}

/** That of the LAN which the packet came from; toward a client that of any LAN of its vnet. */
function ownAddress(ctx: WorkerContext, i: number, family: 4 | 6): AddressWords | undefined {
  const of = (lan: number): AddressWords | undefined => ctx.lanAddresses.get(lan, family);
  const from = ctx.word(i, D.from);
  if (!isOfClient(ctx, i)) return of(from);
  const vnet = ctx.clientVnets[from];
  for (let lan = 0; lan < ctx.tunsFrom; lan++) {
    const address = ctx.portVnets[lan] === vnet ? of(lan) : undefined;
    if (address !== undefined) return address;
  }
  return undefined;
}

/** So is what has no type: nobody can tell. */
function isIcmpError(ctx: WorkerContext, i: number): boolean {
  const { protocol, headerLength, family } = ctx.packet;
  if (protocol !== (family === 6 ? ICMPV6 : ICMP)) return false;
  if (ctx.word(i, D.length) <= headerLength) return true;
  const type = ctx.engine.packets[ctx.word(i, D.offset) + headerLength] ?? 0;
  return family === 6 ? type < 128 : type !== 8 && type !== 0;
}

/** @param head type and code, the upper half of a word; the checksum comes into the lower one */
function buildV4(
  ctx: WorkerContext,
  i: number,
  at: number,
  from: AddressWords,
  head: number,
  value: number,
): number {
  const bytes = ctx.engine.packets;
  const quote = Math.min(V4_QUOTE_BYTES, ctx.word(i, D.length));
  const source = ctx.word(i, D.offset);
  const length = 28 + quote;
  bytes.fill(0, at, at + 28);
  bytes[at] = 0x45;
  bytes[at + 1] = 0xc0; // Precedence "internetwork control" (RFC 1812 §4.3.2.5).
  put16(bytes, at + 2, length);
  bytes[at + 8] = 64;
  bytes[at + 9] = ICMP;
  put32(bytes, at + 12, from.words[3]);
  bytes.copyWithin(at + 16, source + 12, source + 16);
  put16(bytes, at + 10, finishSum(addToSum(bytes, at, 20, 0)));
  put32(bytes, at + 20, head);
  put32(bytes, at + 24, value);
  bytes.copyWithin(at + 28, source, source + quote);
  put16(bytes, at + 22, finishSum(addToSum(bytes, at + 20, 8 + quote, 0)));
  return length;
}

function buildV6(
  ctx: WorkerContext,
  i: number,
  at: number,
  from: AddressWords,
  head: number,
  value: number,
): number {
  const bytes = ctx.engine.packets;
  const quote = Math.min(V6_QUOTE_BYTES, ctx.word(i, D.length));
  const source = ctx.word(i, D.offset);
  bytes.fill(0, at, at + 48);
  bytes[at] = 0x60;
  put16(bytes, at + 4, 8 + quote);
  bytes[at + 6] = ICMPV6;
  bytes[at + 7] = 64;
  for (let word = 0; word < 4; word++) put32(bytes, at + 8 + 4 * word, from.words[word] ?? 0);
  bytes.copyWithin(at + 24, source + 8, source + 24);
  put32(bytes, at + 40, head);
  put32(bytes, at + 44, value);
  bytes.copyWithin(at + 48, source, source + quote);
  // Pseudo-header (RFC 8200 §8.1): both addresses, the length, the next header.
  const pseudo = addToSum(bytes, at + 8, 32, 8 + quote + ICMPV6);
  put16(bytes, at + 42, finishSum(addToSum(bytes, at + 40, 8 + quote, pseudo)));
  return 48 + quote;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value & 0xffff);
}
