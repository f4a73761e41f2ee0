/** Inner MTU: what fits into one outer datagram (wire.md). The path is taken to carry 1,500 bytes until it is probed. */
import type { Ip } from '../net/ip.js';
import type { Endpoint } from '../tables/model.js';

const WAN_MTU_BYTES = 1500;
/** IP 20 or 40, UDP 8, WireGuard header 16, overlay header 4, tag 16. */
const OVERHEAD_V4_BYTES = 64;
const OVERHEAD_V6_BYTES = 84;

/** What this router says that it takes: the larger overhead if it listens on IPv6. */
export function ownInnerMtu(listen: readonly Endpoint[]): number {
  const v6 = listen.some(({ address }) => address.family === 6);
  return WAN_MTU_BYTES - (v6 ? OVERHEAD_V6_BYTES : OVERHEAD_V4_BYTES);
}

/** What goes to a peer at that endpoint, which itself takes `peerMtuBytes` (0 = it has not said). */
export function innerMtu(endpoint: Ip | undefined, peerMtuBytes: number): number {
  const own = WAN_MTU_BYTES - (endpoint?.family === 6 ? OVERHEAD_V6_BYTES : OVERHEAD_V4_BYTES);
  return peerMtuBytes > 0 ? Math.min(own, peerMtuBytes) : own;
}

/**
 * What goes to a WireGuard client: the MTU that its own tools give its interface (1,500 less IPv6 and WireGuard's
 * header and tag), on whatever path.
 */
export const CLIENT_MTU_BYTES = 1420;

/** The outer IP packet that an inner one of this size makes. */
export function outerBytes(innerBytes: number, family: 4 | 6): number {
  return innerBytes + (family === 6 ? OVERHEAD_V6_BYTES : OVERHEAD_V4_BYTES);
}
