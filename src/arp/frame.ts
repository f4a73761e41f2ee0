/** The frames by which neighbours find and announce one another: ARP, RARP, neighbour discovery. */
import { type ArpPacket, decodeArp, encodeArp } from './arp.js';
import type { NeighbourDropReason } from './drop-reason.js';
import { decodeEthernet, EtherType } from './ethernet.js';
import { decodeNdp, encodeNdp, type NeighbourAdvertisement, type NeighbourSolicitation } from './ndp.js';

export { ArpOperation, type ArpPacket } from './arp.js';
export { NEIGHBOUR_DROP_REASONS, type NeighbourDropReason } from './drop-reason.js';
export type { NeighbourAdvertisement, NeighbourSolicitation } from './ndp.js';

export type NeighbourFrame = ArpPacket | NeighbourAdvertisement | NeighbourSolicitation;

/** Decodes a whole Ethernet frame. Never throws; keeps no reference to `bytes`. */
export function decodeNeighbourFrame(bytes: Uint8Array): NeighbourFrame | NeighbourDropReason {
  const header = decodeEthernet(bytes);
  if (typeof header === 'string') return header;
  switch (header.etherType) {
    case EtherType.arp:
    case EtherType.rarp:
      return decodeArp(header, bytes);
    case EtherType.ipv6:
      return decodeNdp(header, bytes);
    default:
      return 'frame-other-type';
  }
}

export function encodeNeighbourFrame(frame: NeighbourFrame): Uint8Array {
  return frame.kind === 'ns' || frame.kind === 'na' ? encodeNdp(frame) : encodeArp(frame);
}

/** An ARP that announces its sender's own binding (RFC 5227 §3; request or reply form), or an unsolicited NA. */
export function isGratuitous(frame: NeighbourFrame): boolean {
  if (frame.kind === 'na') return !frame.solicited;
  return frame.kind === 'arp' && !frame.senderIp.isUnspecified && frame.senderIp.equals(frame.targetIp);
}

/** Duplicate detection: an ARP probe (RFC 5227 §2.1.1) or an NS from `::` (RFC 4862 §5.4.2). Never evidence. */
export function isProbe(frame: NeighbourFrame): boolean {
  if (frame.kind === 'ns') return frame.source.isUnspecified;
  return frame.kind === 'arp' && frame.senderIp.isUnspecified;
}
