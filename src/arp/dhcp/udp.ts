/**
 * UDP (RFC 768) in IPv4 (RFC 791) or IPv6 (RFC 8200) in Ethernet frames, as far as DHCP needs it: no fragments, no IPv6
 * extension headers, which hosts and servers do not put before DHCP.
 *
 *     14                          34 or 54                                 + 8
 *     +---------------------------+--------+-------------+--------+----------+---------+
 *     | IPv4 (20 and options)     | source | destination | length | checksum | payload |
 *     | or IPv6 (40) header       | port   | port        |        |          |         |
 *     +---------------------------+--------+-------------+--------+----------+---------+
 */

import { Ip } from '../../net/ip.js';
import { UDP } from '../../net/ip-protocol.js';
import type { Mac } from '../../net/mac.js';
import { checksumOf, foldSum, sumOfWords } from '../checksum.js';
import {
  createFrame,
  decodeEthernet,
  ETHERNET_HEADER_BYTES,
  EtherType,
  readU16,
  writeU16,
} from '../ethernet.js';
import { IPV6_HEADER_BYTES, writeIpv6Header } from '../ipv6.js';
import type { DhcpDropReason } from './drop-reason.js';

const IPV4_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const HOP_LIMIT = 64;
/** More-fragments flag and fragment offset. */
const FRAGMENT = 0x3fff;

/** A UDP datagram in its frame. */
export interface UdpFrame {
  readonly ethernetSource: Mac;
  readonly ethernetDestination: Mac;
  readonly source: Ip;
  readonly destination: Ip;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Where the datagram lies in its frame; `start` is that of its UDP header, `bytes` counts from there. */
interface Located {
  readonly source: Ip;
  readonly destination: Ip;
  readonly start: number;
  readonly bytes: number;
}

/** Decodes a whole Ethernet frame. Never throws; `payload` is a part of `frame`. */
export function decodeUdp(frame: Uint8Array): UdpFrame | DhcpDropReason {
  const header = decodeEthernet(frame);
  if (typeof header === 'string') return 'udp-other-protocol';
  const located = header.etherType === EtherType.ipv6 ? locateInIpv6(frame) : locateInIpv4(frame);
  if (typeof located === 'string') return located;
  const { source, destination, start, bytes } = located;
  if (bytes < UDP_HEADER_BYTES) return 'udp-length';
  const length = readU16(frame, start + 4);
  if (length < UDP_HEADER_BYTES || length > bytes) return 'udp-length';
  if (!hasGoodChecksum(frame, located, length)) return 'udp-checksum';
  return {
    ethernetSource: header.source,
    ethernetDestination: header.destination,
    source,
    destination,
    sourcePort: readU16(frame, start),
    destinationPort: readU16(frame, start + 2),
    payload: frame.subarray(start + UDP_HEADER_BYTES, start + length),
  };
}

function locateInIpv4(frame: Uint8Array): Located | DhcpDropReason {
  const at = ETHERNET_HEADER_BYTES;
  if (frame.length < at + IPV4_HEADER_BYTES) return 'udp-too-short';
  const headerBytes = ((frame[at] ?? 0) & 0xf) * 4;
  if ((frame[at] ?? 0) >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES) return 'udp-ip-version';
  const totalBytes = readU16(frame, at + 2);
  if (totalBytes < headerBytes || at + totalBytes > frame.length) return 'udp-ip-length';
  if (checksumOf(sumOfWords(frame, at, at + headerBytes)) !== 0) return 'udp-ip-checksum';
  if ((readU16(frame, at + 6) & FRAGMENT) !== 0) return 'udp-fragment';
  if (frame[at + 9] !== UDP) return 'udp-other-protocol';
  const source = Ip.read(4, frame, at + 12);
  if (source.isGroup || source.isLoopback) return 'udp-source';
  const destination = Ip.read(4, frame, at + 16);
  return { source, destination, start: at + headerBytes, bytes: totalBytes - headerBytes };
}

function locateInIpv6(frame: Uint8Array): Located | DhcpDropReason {
  const at = ETHERNET_HEADER_BYTES;
  const start = at + IPV6_HEADER_BYTES;
  if (frame.length < start) return 'udp-too-short';
  if ((frame[at] ?? 0) >>> 4 !== 6) return 'udp-ip-version';
  if (frame[at + 6] !== UDP) return 'udp-other-protocol';
  const bytes = readU16(frame, at + 4);
  if (start + bytes > frame.length) return 'udp-ip-length';
  const source = Ip.read(6, frame, at + 8);
  if (source.isGroup || source.isLoopback || source.isUnspecified) return 'udp-source';
  return { source, destination: Ip.read(6, frame, at + 24), start, bytes };
}

/**
 * Right, left out (IPv4 only), or left by the sender's kernel for hardware to complete, which a machine on the same host
 * never does: then the field has the pseudo-header's sum alone.
 */
function hasGoodChecksum(frame: Uint8Array, { source, start }: Located, length: number): boolean {
  const field = readU16(frame, start + 6);
  if (field === 0) return source.family === 4;
  const pseudo = pseudoSum(frame, source, length);
  return field === foldSum(pseudo) || checksumOf(pseudo + sumOfWords(frame, start, start + length)) === 0;
}

/** A complete frame. `source` and `destination` are of one family. */
export function encodeUdp(datagram: UdpFrame): Uint8Array {
  const { source, destination, payload } = datagram;
  const length = UDP_HEADER_BYTES + payload.length;
  const isV4 = source.family === 4;
  const headerBytes = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const ethernet = {
    destination: datagram.ethernetDestination,
    source: datagram.ethernetSource,
    etherType: isV4 ? EtherType.ipv4 : EtherType.ipv6,
  };
  const frame = createFrame(ethernet, headerBytes + length);
  const start = ETHERNET_HEADER_BYTES + headerBytes;
  if (isV4) writeIpv4Header(frame, source, destination, length);
  else writeIpv6Header(frame, { source, destination, hopLimit: HOP_LIMIT, start, length }, UDP);
  writeU16(frame, start, datagram.sourcePort);
  writeU16(frame, start + 2, datagram.destinationPort);
  writeU16(frame, start + 4, length);
  frame.set(payload, start + UDP_HEADER_BYTES);
  const sum = checksumOf(pseudoSum(frame, source, length) + sumOfWords(frame, start, start + length));
  // Zero would mean that there is none (RFC 768).
  writeU16(frame, start + 6, sum === 0 ? 0xffff : sum);
  return frame;
}

function writeIpv4Header(frame: Uint8Array, source: Ip, destination: Ip, payloadBytes: number): void {
  const at = ETHERNET_HEADER_BYTES;
  frame[at] = 0x45;
  writeU16(frame, at + 2, IPV4_HEADER_BYTES + payloadBytes);
  frame[at + 8] = HOP_LIMIT;
  frame[at + 9] = UDP;
  source.write(frame, at + 12);
  destination.write(frame, at + 16);
  writeU16(frame, at + 10, checksumOf(sumOfWords(frame, at, at + IPV4_HEADER_BYTES)));
}

/** Of the pseudo-header (RFC 768; RFC 8200 §8.1): both addresses as the IP header has them, protocol and length. */
function pseudoSum(frame: Uint8Array, source: Ip, length: number): number {
  const at = ETHERNET_HEADER_BYTES + (source.family === 4 ? 12 : 8);
  return sumOfWords(frame, at, at + (2 * source.bits) / 8) + UDP + length;
}
