/** Words of a route as the packet workers read it. The table itself is in this file's class. */

/** What kind of next hop a route has. */
export const RouteKind = {
  /** Nothing known: the outside world, or nothing at all. */
  none: 0,
  /** At another VR: `peer`. */
  peer: 1,
  /** A node on one of this VR's LANs, MAC known: `lan`, `mac`. */
  host: 2,
  /** A prefix on one of this VR's LANs: the MAC has to be asked for. */
  onLink: 3,
  /** One of the gateway machine's own addresses. */
  own: 4,
} as const;

export const RouteFlag = {
  /** The LNDT lets this address take part here. */
  authorised: 1,
  /** A visiting node: here, but native to another VR's network (`homePeer`). */
  visiting: 2,
  /** A node native to one of this VR's networks that is away (kind = peer). */
  departed: 4,
  /** Only frames from `pinnedMac` are authorised. */
  pinned: 8,
  /** The network lies in its vnet's `subnet` (single-large-subnet mode). */
  inSubnet: 16,
  /** The node's VR is down or the node is silent; for display only. */
  silent: 32,
} as const;

/** Word offsets of a route, as `lookup` copies it out. */
export const R = {
  kind: 0,
  peer: 1,
  lan: 2,
  macHigh: 3,
  macLow: 4,
  /** Index + 1 of the native network (longest prefix in gndt.json), 0 = in none. */
  network: 5,
  /** Peer index of the home VR when that is not this router, −1 when it is, −2 when there is none. */
  homePeer: 6,
  /** Peer index of the VR where the node was before, −1 if none: it may still forward packets for it. */
  previousPeer: 7,
  flags: 8,
  pinnedMacHigh: 9,
  pinnedMacLow: 10,
} as const;

export const ROUTE_WORDS = 11;
