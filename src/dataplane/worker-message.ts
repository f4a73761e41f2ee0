/** What the packet workers tell the control thread. Never one message per packet: each kind is rare or rate-limited. */
import type { EngineOptions } from './engine.js';

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

export type WorkerMessage =
  /** The worker is in its loop. `thread` is the kernel's number for it (gettid), 0 when it cannot be told. */
  | { readonly type: 'running'; readonly thread: number }
  /** It has left its loop because it was asked to. */
  | { readonly type: 'stopped' }
  /** A WireGuard message of type 1, 2 or 3. */
  | {
      readonly type: 'handshake';
      readonly bytes: Uint8Array;
      readonly source: MessageSource;
    }
  /** Something has become of a TCP connection; `errno` when it has ended (0: orderly). */
  | {
      readonly type: 'stream';
      readonly event: 'connected' | 'accepted' | 'closed';
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
    };

/** Everything that a worker is given at its start. */
export interface WorkerInput {
  readonly engine: EngineOptions;
  /** vnet of each LAN and behind them of each TUN port, by index. */
  readonly lanVnets: readonly number[];
  /** Indexes from here on are TUN ports. */
  readonly tunsFrom: number;
  /** The gateway machine's own IPv4 and IPv6 address on each LAN, for ICMP errors; undefined where it has none. */
  readonly lanAddresses: readonly {
    readonly v4: AddressWords | undefined;
    readonly v6: AddressWords | undefined;
  }[];
  /** Uint8Array by vnet id: 1 for those that exist, for overlay packets of unknown ones. */
  readonly vnets: SharedArrayBuffer;
  readonly table: SharedArrayBuffer;
  /** The `MacTable` of MACs that the directory places at other VRs. */
  readonly macs: SharedArrayBuffer;
  /** This router's own index among gndt.json's routers. */
  readonly selfPeer: number;
  /** The `RelayTable`. */
  readonly relays: SharedArrayBuffer;
  /** Int32Array by peer index: the vnet of a WireGuard client, 0 for a router. */
  readonly clientVnets: SharedArrayBuffer;
  /** Int32Array: inner MTU by peer index; 0 for a WireGuard client without a session. */
  readonly peerMtu: SharedArrayBuffer;
  /** Float64Array of PACKET_COUNTERS. */
  readonly counters: SharedArrayBuffer;
  /** Float64Array of `V.count` per vnet id. */
  readonly vnetCounters: SharedArrayBuffer;
  /** Int32Array of `ControlWord`. */
  readonly control: SharedArrayBuffer;
  /** Int32Array of `WorkerWord`, this worker's own. */
  readonly words: SharedArrayBuffer;
}

export const WorkerWord = {
  /** Its turns round the loop, wrapping. The watchdog looks at it. */
  turns: 0,
  /** 1: it holds packets whose node's MAC is not known, and wants to be woken when one is learned. */
  holding: 1,
  count: 2,
} as const;

export const ControlWord = {
  /** 1: leave the loop. */
  stop: 0,
  /** 1: tables are complete, data packets may be forwarded. */
  serving: 1,
  /** Handshake messages that the main thread has worked on since the start. */
  handshakesDone: 2,
  count: 3,
} as const;
