/**
 * What the packet workers hand up to the control thread ("punt"): the few messages that need more than a look-up. Anybody
 * who can send a packet can cause one, so each kind is bounded where it is made (RFC 6192, "Protecting the Router Control
 * Plane"): by a rate, and by how many may wait (`PuntPolicer`).
 */
import { MAX_PEERS, type StreamEvent } from '../engine.js';

/** Address words as the forwarding table takes them, with the family: what a worker has instead of an `Ip`. */
export interface AddressWords {
  readonly family: 4 | 6;
  readonly words: readonly [number, number, number, number];
}

/** Where a message of the tunnel came from: a UDP address; a TCP connection (its far end); or a peer that passed it on. */
export interface MessageSource {
  readonly address: AddressWords;
  readonly port: number;
  readonly stream: number | undefined;
  readonly relay: number | undefined;
}

export type Punt =
  /** A WireGuard message of type 1, 2 or 3, or a join request. */
  | {
      readonly type: 'handshake';
      readonly bytes: Uint8Array;
      readonly source: MessageSource;
    }
  /** Something has become of a TCP connection; `errno` when it has ended (0: orderly). */
  | {
      readonly type: 'stream';
      readonly event: keyof typeof StreamEvent;
      readonly stream: number;
      readonly source: MessageSource;
      readonly errno: number;
    }
  /** A decrypted control message, first byte 0x2v. */
  | {
      readonly type: 'control';
      readonly peer: number;
      readonly payload: Uint8Array;
      readonly source: MessageSource;
    }
  /** The first authenticated message has come on a session. */
  | { readonly type: 'sessionConfirmed'; readonly peer: number; readonly session: number }
  /** There is a packet for a WireGuard client that has no session. */
  | { readonly type: 'clientWanted'; readonly peer: number }
  /** A local node's MAC is needed. */
  | { readonly type: 'want'; readonly vnet: number; readonly address: AddressWords }
  /** A packet from `peer` was for a node that is elsewhere: tell that router. */
  | {
      readonly type: 'redirect';
      readonly peer: number;
      readonly vnet: number;
      readonly address: AddressWords;
    }
  /** IP traffic on a LAN from a node that the directory has elsewhere: not evidence, but a reason to ask by ARP. */
  | {
      readonly type: 'sourceElsewhere';
      readonly lan: number;
      readonly vnet: number;
      readonly address: AddressWords;
      readonly mac: number;
    }
  /** A machine that the directory has elsewhere sends frames to others on this LAN: a reason to ask it, too. */
  | { readonly type: 'macElsewhere'; readonly lan: number; readonly vnet: number; readonly mac: number }
  /** A packet for the MAC of a machine that is elsewhere, and for an address that no node is known to have. */
  | {
      readonly type: 'unheardOf';
      readonly vnet: number;
      readonly address: AddressWords;
      readonly mac: number;
    };

/** Told at most once a second for one subject, and lost without harm. */
export type ReportKind =
  | 'want'
  | 'clientWanted'
  | 'redirect'
  | 'sourceElsewhere'
  | 'macElsewhere'
  | 'unheardOf';

/** Under which number what waits is counted: a peer's under the peer's own, the other kinds behind them. */
export const Tally = {
  handshake: MAX_PEERS,
  stream: MAX_PEERS + 1,
  want: MAX_PEERS + 2,
  clientWanted: MAX_PEERS + 3,
  redirect: MAX_PEERS + 4,
  sourceElsewhere: MAX_PEERS + 5,
  macElsewhere: MAX_PEERS + 6,
  unheardOf: MAX_PEERS + 7,
  /** The sum over all peers. */
  peers: MAX_PEERS + 8,
  count: MAX_PEERS + 9,
} as const;

/** The one that counts it; a peer's messages are in `Tally.peers` besides. */
export function tallyOf(punt: Punt): number {
  return punt.type === 'control' || punt.type === 'sessionConfirmed' ? punt.peer : Tally[punt.type];
}

/**
 * What has the same number is worked on in the order in which it came: a session is confirmed before what came in it is
 * read, a connection is there before the handshake that came by it.
 */
export function queueOf(punt: Punt): number {
  return punt.type === 'stream' ? Tally.handshake : tallyOf(punt);
}

/** Two thousand bytes hold what a peer's control message ordinarily is; a longer one counts as several. */
const UNIT_BYTES = 2_048;

export function unitsOf(lengthBytes: number): number {
  return 1 + Math.floor(lengthBytes / UNIT_BYTES);
}

/** How much of its bound a message takes. */
export function costOf(punt: Punt): number {
  return punt.type === 'control' ? unitsOf(punt.payload.length) : 1;
}

/** Writes down that it was worked on. @param done by `Tally` */
export function markDone(done: Int32Array, punt: Punt): void {
  const tally = tallyOf(punt);
  Atomics.add(done, tally, costOf(punt));
  if (tally < MAX_PEERS) Atomics.add(done, Tally.peers, costOf(punt));
}
