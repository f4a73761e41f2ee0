/** Inner MTUs: of the IP packets that nodes send (wire.md). */
import { MIN_INNER_MTU_BYTES } from '../protocol/constants.js';

const ETHERNET_MTU_BYTES = 1500;
/** Of a jumbo frame's path. */
const LARGEST_INNER_BYTES = 9000;
/** IP 20 or 40, UDP 8, WireGuard header 16, overlay header 4, tag 16. */
const OVERHEAD_V4_BYTES = 64;
const OVERHEAD_V6_BYTES = 84;

/**
 * What this router says that it takes: what the LAN that takes least takes, within what other routers take for an MTU. What
 * the path carries is found by probes.
 */
export function ownInnerMtu(lanMtuBytes: readonly number[]): number {
  const least = Math.min(
    LARGEST_INNER_BYTES,
    ...(lanMtuBytes.length > 0 ? lanMtuBytes : [ETHERNET_MTU_BYTES]),
  );
  return Math.max(MIN_INNER_MTU_BYTES, least);
}

/** Of a TUN port: what an Ethernet path carries to any peer, so that the machine's own packets mostly fit. */
export const TUN_MTU_BYTES = ETHERNET_MTU_BYTES - OVERHEAD_V6_BYTES;

/**
 * What goes to a WireGuard client: the MTU that its own tools give its interface (1,500 less IPv6 and WireGuard's
 * header and tag), on whatever path.
 */
export const CLIENT_MTU_BYTES = 1420;

/** The outer IP packet that an inner one of this size makes. */
export function outerBytes(innerBytes: number, family: 4 | 6): number {
  return innerBytes + (family === 6 ? OVERHEAD_V6_BYTES : OVERHEAD_V4_BYTES);
}
