/**
 * ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903): 28 bytes after the Ethernet header.
 *
 *     14      16      18    19    20          22
 *     +-------+-------+-----+-----+-----------+
 *     | htype | ptype | hln | pln | operation |       htype 1, ptype 0x0800, hln 6, pln 4
 *     +-------+-------+-----+-----+-----------+
 *     22           28          32           38          42
 *     +------------+-----------+------------+-----------+
 *     | sender MAC | sender IP | target MAC | target IP |
 *     +------------+-----------+------------+-----------+
 *
 * Both have one format. The Ethernet type tells them apart, and each has operations of its own.
 */
import { Ip } from '../net/ip.js';
import { isGroupMac, type Mac, readMac, writeMac, ZERO_MAC } from '../net/mac.js';
import type { NeighbourDropReason } from './drop-reason.js';
import {
  createFrame,
  ETHERNET_HEADER_BYTES,
  type EthernetHeader,
  EtherType,
  readU16,
  writeU16,
} from './ethernet.js';

export const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

/** RFC 826 (1, 2) and RFC 903 (3, 4). */
export const ArpOperation = { request: 1, reply: 2, reverseRequest: 3, reverseReply: 4 } as const;

export interface ArpPacket {
  /** RARP frames carry operations 3 and 4 only, ARP frames 1 and 2 only. */
  readonly kind: 'arp' | 'rarp';
  readonly ethernetSource: Mac;
  readonly ethernetDestination: Mac;
  readonly operation: number;
  readonly senderMac: Mac;
  /** 0.0.0.0 in a probe (RFC 5227) and in hypervisors' RARP announcements. */
  readonly senderIp: Ip;
  readonly targetMac: Mac;
  readonly targetIp: Ip;
}

/** Decodes what follows a header whose type is ARP or RARP. Padding after it is ignored. */
export function decodeArp(header: EthernetHeader, bytes: Uint8Array): ArpPacket | NeighbourDropReason {
  const at = ETHERNET_HEADER_BYTES;
  if (bytes.length < at + ARP_BYTES) return 'arp-too-short';
  if (readU16(bytes, at) !== HARDWARE_ETHERNET) return 'arp-hardware-type';
  if (readU16(bytes, at + 2) !== PROTOCOL_IPV4) return 'arp-protocol-type';
  if (bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return 'arp-address-length';
  const kind = header.etherType === EtherType.rarp ? 'rarp' : 'arp';
  const operation = readU16(bytes, at + 6);
  if (!isOperationOf(kind, operation)) return 'arp-operation';
  const senderMac = readMac(bytes, at + 8);
  if (isGroupMac(senderMac) || senderMac === ZERO_MAC) return 'arp-sender-mac';
  const senderIp = Ip.read(4, bytes, at + 14);
  if (senderIp.isGroup || senderIp.isLoopback) return 'arp-sender-ip';
  return {
    kind,
    ethernetSource: header.source,
    ethernetDestination: header.destination,
    operation,
    senderMac,
    senderIp,
    targetMac: readMac(bytes, at + 18),
    targetIp: Ip.read(4, bytes, at + 24),
  };
}

/** A complete frame of 60 bytes. */
export function encodeArp(packet: ArpPacket): Uint8Array {
  const header = {
    destination: packet.ethernetDestination,
    source: packet.ethernetSource,
    etherType: packet.kind === 'rarp' ? EtherType.rarp : EtherType.arp,
  };
  const bytes = createFrame(header, ARP_BYTES);
  const at = ETHERNET_HEADER_BYTES;
  writeU16(bytes, at, HARDWARE_ETHERNET);
  writeU16(bytes, at + 2, PROTOCOL_IPV4);
  bytes[at + 4] = 6;
  bytes[at + 5] = 4;
  writeU16(bytes, at + 6, packet.operation);
  writeMac(packet.senderMac, bytes, at + 8);
  packet.senderIp.write(bytes, at + 14);
  writeMac(packet.targetMac, bytes, at + 18);
  packet.targetIp.write(bytes, at + 24);
  return bytes;
}

function isOperationOf(kind: 'arp' | 'rarp', operation: number): boolean {
  return kind === 'arp'
    ? operation === ArpOperation.request || operation === ArpOperation.reply
    : operation === ArpOperation.reverseRequest || operation === ArpOperation.reverseReply;
}
