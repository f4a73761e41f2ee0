/**
 * What the tunnel needs of the world. The router connects it to the packet engine and the sockets; simulations and
 * tests connect it to one another. A peer is named by its number, which is the data plane's.
 */
import type { Clock } from '../net/clock.js';
import type { Family, Ip } from '../net/ip.js';
import type { HandshakeKeys } from '../wireguard/handshake.js';
import type { LookupAnswer } from './names/names.js';

/** Where a message came from or goes to: a UDP address, unless one of the last two says otherwise. */
export interface DatagramAddress {
  /** 4 or 16 bytes, network order; empty for a relay. */
  readonly address: Uint8Array;
  readonly port: number;
  /** The TCP connection that carries it; `address` and `port` are its far end's. */
  readonly stream?: number | undefined;
  /** Number of the peer that passes it on. */
  readonly relay?: number | undefined;
}

/** Counts since the start, of transport messages in all sessions of a peer. */
export interface PeerCounts {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** Milliseconds on any monotonic scale; only changes are looked at. */
  readonly lastSentMs: number;
  /** Last authenticated message, empty ones included. */
  readonly lastReceivedMs: number;
  /** Messages sealed in the current session. */
  readonly currentCounter: number;
}

/** 32 bytes each. */
export interface HandshakeGuardKeys {
  readonly mac1Key: Uint8Array;
  readonly cookieKey: Uint8Array;
  /** Behind the cookies that are given; new every two minutes. */
  readonly cookieSecret: Uint8Array;
}

/** Host names, by the system's resolver. */
export interface ResolverPort {
  /** `done` is called once, and later; perhaps never. */
  lookUp(name: string, done: (answer: LookupAnswer) => void): void;
  /** Why the tunnel must not send to an address that is one host's (this machine has it …); undefined: it may. */
  unusable(address: Ip): string | undefined;
}

export interface TunnelPorts {
  readonly clock: Clock;
  /** Fresh bytes of a cryptographic quality; the tunnel may overwrite them. */
  random(length: number): Uint8Array;

  /** Makes a session usable for receiving. The keys are copied before it returns. */
  installSession(peer: number, keys: HandshakeKeys): void;
  /** Makes an installed session the one used for sending. */
  setCurrentSession(peer: number, localIndex: number): void;
  /** Forgets it and wipes its keys; harmless if it is gone. */
  removeSession(localIndex: number): void;
  /** Where transport messages to the peer go, until an authenticated one comes from another UDP address. */
  setPeerEndpoint(peer: number, to: DatagramAddress): void;
  /** The endpoint in use, which follows the peer when it roams. */
  peerEndpoint?(peer: number): DatagramAddress | undefined;
  /** Begins to connect by TCP; the connection's number. Undefined: it cannot even begin. */
  connectStream?(address: Uint8Array, port: number): number | undefined;
  closeStream?(stream: number): void;
  /** Its far end is a peer. */
  trustStream?(stream: number): void;
  /** Removes all sessions and the endpoint. */
  removePeer(peer: number): void;
  peerStats?(peer: number): PeerCounts;

  /** What handshake messages are to be checked with before they come up, and cookies made with (cookie.ts). */
  setHandshakeGuard?(guard: HandshakeGuardKeys): void;

  /**
   * Seals a payload (empty: keep-alive) in the current session, and sends it by the path in use or another.
   * False: there is no session, or the socket said no (also: too long for the link).
   */
  sealAndSend(peer: number, payload: Uint8Array, to?: DatagramAddress): boolean;
  /**
   * Sends bytes as they are (handshake messages). `peer`: whom they are for, which a relay must know.
   * False: no socket of that family, or it said no.
   */
  sendDatagram(to: DatagramAddress, bytes: Uint8Array, peer?: number): boolean;

  /** Is there a UDP socket of that family? Of both unless given. */
  canSend?(family: Family): boolean;
  /** Without it names stay unresolved. */
  readonly resolver?: ResolverPort;
}
