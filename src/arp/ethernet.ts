/**
 * Ethernet II frames (IEEE 802.3 clause 3; RFC 894).
 *
 *     0             6             12     14
 *     +-------------+-------------+------+-----------------+
 *     | destination | source      | type | payload …       |
 *     +-------------+-------------+------+-----------------+
 *
 * A frame is at least 60 bytes without its check sequence; shorter payloads are followed by zeros. Frames that the
 * own kernel sends reach a capture unpadded, so a decoder must take shorter ones.
 */
import { isGroupMac, type Mac, readMac, writeMac } from '../net/mac.js';
import type { NeighbourDropReason } from './drop-reason.js';

export const ETHERNET_HEADER_BYTES = 14;
export const MINIMUM_FRAME_BYTES = 60;

/** IEEE 802 numbers, as the "type" field carries them. */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  ipv6: 0x86dd,
  /** 802.1Q and 802.1ad tags: such a frame belongs to another interface (`eth0.12`). */
  vlan: 0x8100,
  serviceVlan: 0x88a8,
} as const;

export interface EthernetHeader {
  readonly destination: Mac;
  readonly source: Mac;
  readonly etherType: number;
}

export function decodeEthernet(bytes: Uint8Array): EthernetHeader | NeighbourDropReason {
  if (bytes.length < ETHERNET_HEADER_BYTES) return 'frame-too-short';
  const source = readMac(bytes, 6);
  if (isGroupMac(source)) return 'frame-group-source';
  const etherType = readU16(bytes, 12);
  if (etherType === EtherType.vlan || etherType === EtherType.serviceVlan) return 'frame-vlan-tagged';
  return { destination: readMac(bytes, 0), source, etherType };
}

/** A zeroed frame with its header written and room for `payloadBytes`, padded to the minimum. */
export function createFrame(header: EthernetHeader, payloadBytes: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(MINIMUM_FRAME_BYTES, ETHERNET_HEADER_BYTES + payloadBytes));
  writeMac(header.destination, bytes, 0);
  writeMac(header.source, bytes, 6);
  writeU16(bytes, 12, header.etherType);
  return bytes;
}

/** Reads 2 bytes, network order. The caller has checked that they are there. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

export function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value & 0xff;
}
