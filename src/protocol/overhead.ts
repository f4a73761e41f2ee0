/**
 * How long packets are on their way (wire.md): the IP packet that a node sends (inner) becomes the payload of a message, that
 * is sealed, and leaves in an outer IP packet. All in bytes.
 *
 *   outer = IP 20 or 40 | UDP 8 | WireGuard header 16 | overlay header 4 | inner | tag 16
 *   by a relay the message is sealed once more: IP | UDP | WireGuard header 16 | relay header 12 | message | tag 16
 */
import type { Family } from '../net/ip.js';
import { RELAY_HEADER_BYTES } from './relay-message.js';

/** In front of the inner packet, inside the seal. */
const OVERLAY_HEADER_BYTES = 4;
/** Header and tag of a transport message (WireGuard paper §5.4.6). */
const SEAL_BYTES = 16 + 16;
const IP_AND_UDP_BYTES: Readonly<Record<Family, number>> = { 4: 20 + 8, 6: 40 + 8 };

/**
 * Inner MTUs that there can be: what every IPv4 host must be able to take (RFC 791 §3.2), the least that the packet engine
 * works with; and an IP packet's greatest length.
 */
export const MIN_INNER_MTU_BYTES = 576;
export const MAX_INNER_MTU_BYTES = 65_535;

const ETHERNET_MTU_BYTES = 1_500;
/** Of a jumbo frame's path. */
const LARGEST_OWN_BYTES = 9_000;

/** Of a TUN port: what an Ethernet path carries to any peer, so that the machine's own packets mostly fit. */
export const TUN_MTU_BYTES = ETHERNET_MTU_BYTES - overheadBytes(6);

/** What goes to a WireGuard client: the MTU that its own tools give its interface, on whatever path. It has no overlay header. */
export const CLIENT_MTU_BYTES = ETHERNET_MTU_BYTES - IP_AND_UDP_BYTES[6] - SEAL_BYTES;

/** What an inner packet gains until it is an outer one; which family a relay speaks with the far end is not known here. */
export function overheadBytes(outer: Family, isRelayed = false): number {
  const sealed = IP_AND_UDP_BYTES[outer] + SEAL_BYTES + OVERLAY_HEADER_BYTES;
  return isRelayed ? sealed + SEAL_BYTES + RELAY_HEADER_BYTES : sealed;
}

/** The outer packet that an inner one of this size makes on a direct path. */
export function outerBytes(innerBytes: number, outer: Family): number {
  return innerBytes + overheadBytes(outer);
}

/** The payload of a message that carries an inner packet of this size, and back. */
export function payloadBytes(innerBytes: number): number {
  return innerBytes + OVERLAY_HEADER_BYTES;
}

export function innerBytes(payloadBytes: number): number {
  return payloadBytes - OVERLAY_HEADER_BYTES;
}

/**
 * What this router says that it takes: what the LAN that takes least takes, within what other routers take for an MTU. What
 * the path carries is found by probes.
 */
export function ownInnerMtu(lanMtuBytes: readonly number[]): number {
  const least = Math.min(LARGEST_OWN_BYTES, ...(lanMtuBytes.length > 0 ? lanMtuBytes : [ETHERNET_MTU_BYTES]));
  return Math.max(MIN_INNER_MTU_BYTES, least);
}
