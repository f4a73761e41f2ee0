/**
 * Reading and changing IP packets in place (RFC 791, RFC 8200, RFC 9293). Offsets are positions in the engine's
 * packet memory. Nothing here allocates: it runs for every packet.
 */
import { TCP } from '../../net/ip-protocol.js';

const TCP_SYN = 0x02;
const TCP_OPTION_END = 0;
const TCP_OPTION_NOP = 1;
const TCP_OPTION_MSS = 2;
const TCP_HEADER_BYTES = 20;

/** Largest inner packet that the smallest path takes: the IPv6 minimum (RFC 8200 §5) less all headers that there can be. */
export const LEAST_MTU_BYTES = 1_280 - 128;
/**
 * Segments that every path takes (RFC 9293 §3.7.1). Of IPv6 less than the 1,220 bytes there: where a path carries 1,280,
 * these would not fit behind our own headers, and be cut in two.
 */
const LEAST_MSS_BYTES = { 4: 536, 6: LEAST_MTU_BYTES - 40 - TCP_HEADER_BYTES } as const;

/** What `parse` found out about one packet; one object per worker, filled again for each packet. */
export class PacketView {
  family: 4 | 6 = 4;
  /** Header length in front of the upper layer; for IPv6 only the fixed header (extension headers pass unread). */
  headerLength = 0;
  /** The packet's length as its IP header states it; 0 for a super-packet whose length field is stale. */
  statedLength = 0;
  ttl = 0;
  protocol = 0;
  /** True for a fragment that is not the first: it has no upper-layer header. */
  laterFragment = false;
  /** True for any fragment, the first one included. */
  fragment = false;
  /** Nobody but its sender may fragment it: IPv4 with DF, and IPv6. */
  dontFragment = false;
  source0 = 0;
  source1 = 0;
  source2 = 0;
  source3 = 0;
  destination0 = 0;
  destination1 = 0;
  destination2 = 0;
  destination3 = 0;

  /** Reads the IP header of the `length` bytes at `offset`. False: not an IP packet, or shorter than its header. */
  parse(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length < 20) return false;
    const version = byte(bytes, offset) >>> 4;
    if (version === 4) return this.#parseV4(bytes, offset, length);
    if (version === 6) return this.#parseV6(bytes, offset, length);
    return false;
  }

  #parseV4(bytes: Uint8Array, offset: number, length: number): boolean {
    const headerLength = (byte(bytes, offset) & 0x0f) * 4;
    if (headerLength < 20 || headerLength > length) return false;
    this.family = 4;
    this.headerLength = headerLength;
    this.statedLength = u16(bytes, offset + 2);
    const fragmentation = u16(bytes, offset + 6);
    this.laterFragment = (fragmentation & 0x1fff) !== 0;
    this.fragment = (fragmentation & 0x3fff) !== 0;
    this.dontFragment = (fragmentation & 0x4000) !== 0;
    this.ttl = byte(bytes, offset + 8);
    this.protocol = byte(bytes, offset + 9);
    this.source0 = this.source1 = this.source2 = 0;
    this.source3 = i32(bytes, offset + 12);
    this.destination0 = this.destination1 = this.destination2 = 0;
    this.destination3 = i32(bytes, offset + 16);
    return true;
  }

  #parseV6(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length < 40) return false;
    this.family = 6;
    this.headerLength = 40;
    const payload = u16(bytes, offset + 4);
    this.statedLength = payload === 0 ? 0 : payload + 40;
    this.laterFragment = this.fragment = false;
    this.dontFragment = true;
    this.ttl = byte(bytes, offset + 7);
    this.protocol = byte(bytes, offset + 6);
    this.source0 = i32(bytes, offset + 8);
    this.source1 = i32(bytes, offset + 12);
    this.source2 = i32(bytes, offset + 16);
    this.source3 = i32(bytes, offset + 20);
    this.destination0 = i32(bytes, offset + 24);
    this.destination1 = i32(bytes, offset + 28);
    this.destination2 = i32(bytes, offset + 32);
    this.destination3 = i32(bytes, offset + 36);
    return true;
  }

  /** Multicast or limited broadcast (RFC 5771, RFC 4291 §2.7). */
  get toGroup(): boolean {
    return this.family === 4 ? this.destination3 >>> 28 >= 0xe : this.destination0 >>> 24 === 0xff;
  }

  /** fe80::/10 or 169.254/16 on either end: never leaves its link. */
  get linkLocal(): boolean {
    if (this.family === 4) return this.destination3 >>> 16 === 0xa9fe || this.source3 >>> 16 === 0xa9fe;
    return this.destination0 >>> 22 === 0x3fa || this.source0 >>> 22 === 0x3fa;
  }
}

/** TTL or hop limit − 1, with the IPv4 header checksum updated (RFC 1624). The caller has checked that it is > 1. */
export function decrementTtl(bytes: Uint8Array, offset: number, family: 4 | 6): void {
  if (family === 6) {
    bytes[offset + 7] = byte(bytes, offset + 7) - 1;
    return;
  }
  const before = u16(bytes, offset + 8);
  bytes[offset + 8] = byte(bytes, offset + 8) - 1;
  adjustChecksum(bytes, offset + 10, before, u16(bytes, offset + 8));
}

/**
 * Lowers the MSS option of a TCP SYN to what fits in `mtu`, so that both ends send segments that need no splitting; never
 * below what every path takes.
 * `partialChecksum`: the TCP checksum is still to be completed by whoever sends the packet on, and must be left alone.
 */
export function clampMss(
  bytes: Uint8Array,
  offset: number,
  length: number,
  packet: PacketView,
  mtu: number,
  partialChecksum: boolean,
): void {
  if (packet.protocol !== TCP || packet.laterFragment) return;
  const tcp = offset + packet.headerLength;
  const end = offset + length;
  if (tcp + TCP_HEADER_BYTES > end || (byte(bytes, tcp + 13) & TCP_SYN) === 0) return;
  const room = mtu - (packet.family === 4 ? 20 : 40) - TCP_HEADER_BYTES;
  const least = LEAST_MSS_BYTES[packet.family];
  const limit = Math.max(room, least);
  const optionsEnd = Math.min(end, tcp + (byte(bytes, tcp + 12) >>> 4) * 4);
  let at = tcp + TCP_HEADER_BYTES;
  while (at < optionsEnd) {
    const kind = byte(bytes, at);
    if (kind === TCP_OPTION_END) return;
    if (kind === TCP_OPTION_NOP) {
      at++;
      continue;
    }
    const size = at + 1 < optionsEnd ? byte(bytes, at + 1) : 0;
    if (size < 2 || at + size > optionsEnd) return;
    if (kind === TCP_OPTION_MSS && size === 4) {
      lowerMss(bytes, at + 2, tcp, limit, partialChecksum);
      return;
    }
    at += size;
  }
}

function lowerMss(bytes: Uint8Array, at: number, tcp: number, limit: number, partialChecksum: boolean): void {
  const before = u16(bytes, at);
  if (before <= limit) return;
  bytes[at] = limit >>> 8;
  bytes[at + 1] = limit & 0xff;
  if (partialChecksum) return;
  if (((at - tcp) & 1) === 0) {
    adjustChecksum(bytes, tcp + 16, before, limit);
  } else {
    // The option starts at an odd place: in the sum its bytes stand swapped.
    adjustChecksum(bytes, tcp + 16, swap(before), swap(limit));
  }
}

/** RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
export function adjustChecksum(bytes: Uint8Array, at: number, before: number, after: number): void {
  let sum = (~u16(bytes, at) & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff;
  bytes[at] = checksum >>> 8;
  bytes[at + 1] = checksum & 0xff;
}

/** RFC 1071 over `length` bytes, starting from `sum`; the result is to be complemented by `finishSum`. */
export function addToSum(bytes: Uint8Array, offset: number, length: number, sum: number): number {
  let total = sum;
  for (let i = 0; i + 1 < length; i += 2) total += u16(bytes, offset + i);
  if (length & 1) total += byte(bytes, offset + length - 1) << 8;
  return total;
}

export function finishSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return (byte(bytes, at) << 8) | byte(bytes, at + 1);
}

/** 32 bits as the signed integer that Int32Arrays and the forwarding table's words hold. */
function i32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) | u16(bytes, at + 2);
}
