/** What the contract suite needs around an addon: the other end of its sockets. */
import type { LanSocket, NativeAddon, TunSocket } from '../../src/dataplane/engine.js';
import type { Mac } from '../../src/net/mac.js';

export interface Received {
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** A plain UDP socket on the loopback address, of the test's own. */
export interface RawSocket {
  readonly port: number;
  send(bytes: Uint8Array, toPort: number): Promise<void>;
  /** The next datagram; rejects when none comes within ten seconds. */
  next(): Promise<Received>;
  close(): void;
}

/** A plain TCP client of the test's own, connected. */
export interface RawStream {
  send(bytes: Uint8Array): Promise<void>;
  /** Exactly so many bytes; rejects when they do not come within ten seconds. */
  read(length: number): Promise<Buffer>;
  /** Settles when the other end has closed it. */
  readonly closed: Promise<void>;
  close(): void;
}

/** A machine on the LAN that sends and sees bare frames. */
export interface Station {
  send(frame: Uint8Array): void;
  /** The next IP frame from the near end; rejects when none comes within ten seconds. */
  next(): Promise<Uint8Array>;
  close(): void;
}

/** A link with two ends, both open for engines, and a station on the far one. */
export interface LanLink {
  readonly near: LanSocket;
  readonly far: LanSocket;
  readonly nearMac: Mac;
  readonly farMac: Mac;
  readonly station: Station;
  close(): void;
}

/**
 * A TUN device and, behind it, a program of the machine's own: UDP port 5201 of 10.2.0.9 and fd00:2::9, which talks with
 * port 40000 of 10.1.0.5 and fd00:1::1 (the ends of `udpPacket`).
 */
export interface TunLink {
  readonly name: string;
  readonly tun: TunSocket;
  say(family: 4 | 6, payload: Uint8Array): Promise<void>;
  /** The payload that the program gets next; rejects when none comes within ten seconds. */
  hear(): Promise<Uint8Array>;
  /** Deletes the device while it is open. */
  remove(): void;
  close(): void;
}

export interface World {
  readonly addon: NativeAddon;
  openRaw(family: 4 | 6): Promise<RawSocket>;
  connectRaw(family: 4 | 6, port: number): Promise<RawStream>;
  /** @param vrid of the virtual MACs of its near end */
  openLink(vrid?: number): LanLink;
  openTun(): Promise<TunLink>;
  /** Packets of one flow leave for a LAN together. */
  readonly coalesces: boolean;
  /** Why there are no LAN links and TUN devices here; undefined when there are. */
  readonly withoutLan: string | undefined;
}

export const LOOPBACK: Readonly<Record<4 | 6, Uint8Array>> = {
  4: Uint8Array.of(127, 0, 0, 1),
  6: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
};
