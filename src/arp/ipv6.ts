/**
 * The IPv6 header in front of a neighbour discovery message (RFC 8200 §3), and the addresses that such messages use.
 *
 *     14                    18        20   21   22       38            54
 *     +---------------------+---------+----+----+--------+-------------+---------+
 *     | version, class, flow| payload | nh | hl | source | destination | ICMPv6 …|
 *     |  4 bits              | length  |    |    |  16    |  16         |         |
 *     +---------------------+---------+----+----+--------+-------------+---------+
 */

import { Ip } from '../net/ip.js';
import { ICMPV6 } from '../net/ip-protocol.js';
import { type Mac, macFromHalves, macHigh, macLow } from '../net/mac.js';
import { checksumOf, sumOfWords } from './checksum.js';
import type { NeighbourDropReason } from './drop-reason.js';
import { ETHERNET_HEADER_BYTES, readU16, writeU16 } from './ethernet.js';

export const IPV6_HEADER_BYTES = 40;

/** Where an ICMPv6 message lies in its frame, and between whom. */
export interface Icmpv6Location {
  readonly source: Ip;
  readonly destination: Ip;
  readonly hopLimit: number;
  /** Offset in the frame. */
  readonly start: number;
  /** Bytes, Ethernet padding not included. */
  readonly length: number;
}

/**
 * Finds the ICMPv6 message of an IPv6 frame. A message behind extension headers is another protocol's to us: hosts
 * send neighbour discovery without any, and RFC 6980 forbids the fragment header.
 */
export function locateIcmpv6(bytes: Uint8Array): Icmpv6Location | NeighbourDropReason {
  const at = ETHERNET_HEADER_BYTES;
  const start = at + IPV6_HEADER_BYTES;
  if (bytes.length < start) return 'ipv6-too-short';
  if ((bytes[at] ?? 0) >>> 4 !== 6) return 'ipv6-version';
  if (bytes[at + 6] !== ICMPV6) return 'ipv6-other-protocol';
  const length = readU16(bytes, at + 4);
  if (start + length > bytes.length) return 'ipv6-length';
  const source = Ip.read(6, bytes, at + 8);
  if (source.isGroup) return 'ipv6-group-source';
  return { source, destination: Ip.read(6, bytes, at + 24), hopLimit: bytes[at + 7] ?? 0, start, length };
}

/** @param next what follows; ICMPv6 as a rule */
export function writeIpv6Header(bytes: Uint8Array, location: Icmpv6Location, next = ICMPV6): void {
  const at = location.start - IPV6_HEADER_BYTES;
  bytes[at] = 0x60;
  writeU16(bytes, at + 4, location.length);
  bytes[at + 6] = next;
  bytes[at + 7] = location.hopLimit;
  location.source.write(bytes, at + 8);
  location.destination.write(bytes, at + 24);
}

/**
 * The checksum of RFC 4443 §2.3 over pseudo-header and message, as the bytes stand. To fill in: over a zero checksum
 * field. To verify: over the whole; the result is then 0.
 */
export function icmpv6Checksum(bytes: Uint8Array, location: Icmpv6Location): number {
  const { start, length } = location;
  // The two addresses of the pseudo-header are the 32 bytes before the message.
  return checksumOf(length + ICMPV6 + sumOfWords(bytes, start - 32, start + length));
}

export const UNSPECIFIED_V6 = Ip.v6(0, 0, 0, 0);
/** ff02::1 */
export const ALL_NODES = Ip.v6(0xff020000, 0, 0, 1);

/** ff02::1:ffxx:xxxx (RFC 4291 §2.7.1). */
export function solicitedNodeAddress(ip: Ip): Ip {
  return Ip.v6(0xff020000, 0, 1, (0xff000000 | (ip.w3 & 0x00ffffff)) >>> 0);
}

/** 33:33 and the last four bytes of a group address (RFC 2464 §7). */
export function groupMac(group: Ip): Mac {
  return macFromHalves(0x3333, group.w3 >>> 0);
}

/** fe80::/64 with the modified EUI-64 identifier of a MAC (RFC 4291 appendix A). */
export function linkLocalOf(mac: Mac): Ip {
  const high = macHigh(mac) ^ 0x0200;
  const low = macLow(mac);
  return Ip.v6(
    0xfe800000,
    0,
    ((high << 16) | ((low >>> 24) << 8) | 0xff) >>> 0,
    (0xfe000000 | (low & 0xffffff)) >>> 0,
  );
}
