/** A route as the packet workers read it: what its 32-bit words are. */
import { type Mac, macFromHalves, macHigh, macLow, ZERO_MAC } from '../../net/mac.js';
import type { LanIndex } from '../model.js';

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
  /** A WireGuard client that connects to this VR: `peer`. */
  client: 5,
  /** An address that this VR itself answers for on `lan`: no kernel has it. */
  gateway: 6,
} as const;
export type RouteKind = (typeof RouteKind)[keyof typeof RouteKind];

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
  /** It came from `previousPeer` a moment ago: packets that it sent there may still be under way. */
  justMoved: 64,
} as const;

/** Word offsets of a route, as `lookup` copies it out. */
export const R = {
  kind: 0,
  peer: 1,
  /** The same word, of a route of kind host: the machine's number in `NodeActivity`, −1 if it has none. */
  activity: 1,
  lan: 2,
  macHigh: 3,
  macLow: 4,
  /** Index + 1 of the native network (longest prefix in gndt.json), 0 = in none. */
  network: 5,
  /** Peer index of the home VR when that is not this router, −1 when it is, −2 when there is none. */
  homePeer: 6,
  /** Index of the VR where the node was before (this router's own too), −1 if none: it may still forward packets for it. */
  previousPeer: 7,
  flags: 8,
  pinnedMacHigh: 9,
  pinnedMacLow: 10,
} as const;

export const ROUTE_WORDS = 11;

/** The words by name. */
export interface Route {
  readonly kind: RouteKind;
  /** Peer index (kind = peer or client), or the machine's number in `NodeActivity` (kind = host); else −1. */
  readonly peer: number;
  /** −1 unless kind = host, onLink, own or gateway. */
  readonly lan: LanIndex;
  /** 00:00:00:00:00:00 unless kind = host. */
  readonly mac: Mac;
  readonly network: number;
  readonly homePeer: number;
  readonly previousPeer: number;
  /** A sum of `RouteFlag`s; `pinned` is set exactly when there is a `pinnedMac`. */
  readonly flags: number;
  readonly pinnedMac: Mac | undefined;
}

/** Writes a route's words from offset 0. */
export function encodeRoute(route: Route, out: Int32Array): void {
  const pin = route.pinnedMac ?? ZERO_MAC;
  out[R.kind] = route.kind;
  out[R.peer] = route.peer;
  out[R.lan] = route.lan;
  out[R.macHigh] = macHigh(route.mac);
  out[R.macLow] = macLow(route.mac);
  out[R.network] = route.network;
  out[R.homePeer] = route.homePeer;
  out[R.previousPeer] = route.previousPeer;
  out[R.flags] =
    route.pinnedMac === undefined ? route.flags & ~RouteFlag.pinned : route.flags | RouteFlag.pinned;
  out[R.pinnedMacHigh] = macHigh(pin);
  out[R.pinnedMacLow] = macLow(pin);
}

/** Reads a route's words from `offset`. */
export function decodeRoute(words: Int32Array, offset = 0): Route {
  const word = (index: number): number => words[offset + index] ?? 0;
  const flags = word(R.flags);
  return {
    kind: word(R.kind) as RouteKind,
    peer: word(R.peer),
    lan: word(R.lan),
    mac: macFromHalves(word(R.macHigh), word(R.macLow)),
    network: word(R.network),
    homePeer: word(R.homePeer),
    previousPeer: word(R.previousPeer),
    flags,
    pinnedMac:
      (flags & RouteFlag.pinned) === 0
        ? undefined
        : macFromHalves(word(R.pinnedMacHigh), word(R.pinnedMacLow)),
  };
}
