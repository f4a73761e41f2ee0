/** What operators are shown and told of another router. */
import type { Coordinate } from '../net/coordinates.js';
import type { Ip } from '../net/ip.js';
import type { RouterId } from '../tables/model.js';
import type { CipherName } from '../wireguard/primitives.js';
import type { NameEvent, NameState } from './names/names.js';
import type { PeerCounts } from './ports.js';

/** What `vinectl peers` shows. */
export interface PeerState {
  readonly id: RouterId;
  /** Its number in the data plane. */
  readonly peer: number;
  readonly state: 'up' | 'connecting' | 'down' | 'refused';
  /** Why it is not up; empty when it is. */
  readonly reason: string;
  readonly transport: 'udp' | 'tcp' | 'relay' | 'none';
  /** Undefined for a relayed peer. */
  readonly endpoint: { readonly address: Ip; readonly port: number } | undefined;
  /** Of the current session; undefined without one. And why it is that one. */
  readonly cipher: CipherName | undefined;
  readonly cipherReason: string;
  /** The host names among its endpoints, as far as they are known. */
  readonly names: readonly NameState[];
  /** The name that the endpoint in use was found by; undefined: by none. */
  readonly nameInUse: string | undefined;
  /** The router that passes messages on, for transport `relay`. */
  readonly relay: RouterId | undefined;
  /** Of the last hundred Pings; undefined before the first. */
  readonly lossPercent: number | undefined;
  readonly lastHandshakeWallMs: number | undefined;
  readonly rttMs: number | undefined;
  /** Where it said last that it is. */
  readonly coordinate: Coordinate | undefined;
  /** What its last Hello said; undefined before the first. */
  readonly version: string | undefined;
  readonly capabilities: readonly string[];
  /** 0 before the first Hello. */
  readonly innerMtuBytes: number;
  /** Has it read the same gndt.json? Undefined before the first Hello. */
  readonly sameGndt: boolean | undefined;
  /** By how much its clock is ahead of ours; undefined before the first answer. */
  readonly clockOffsetMs: number | undefined;
  /** The outer packet that its path is known to carry; undefined for TCP, and while it is down. */
  readonly pathMtuBytes: number | undefined;
  /** Control messages that it has not acknowledged. */
  readonly pendingMessages: number;
  readonly counts: PeerCounts | undefined;
}

export type TunnelEvent =
  | NameEvent
  | {
      readonly event: 'peer_up';
      readonly router: RouterId;
      readonly endpoint: string;
      readonly version: string;
      readonly rttMs: number | undefined;
    }
  | {
      readonly event: 'peer_down' | 'peer_refused' | 'peer_unanswered';
      readonly router: RouterId;
      readonly reason: string;
    }
  /** Messages to it take another way from now on. */
  | {
      readonly event: 'peer_path';
      readonly router: RouterId;
      readonly path: string;
      readonly reason: string;
    }
  /** Sessions with it use another cipher from now on, or handshakes for another are given up for now. */
  | {
      readonly event: 'peer_cipher';
      readonly router: RouterId;
      readonly cipher: string;
      readonly reason: string;
    }
  /** Its gndt.json is not ours. */
  | { readonly event: 'peer_gndt_differs'; readonly router: RouterId }
  /** So many WireGuard clients may seal for sessions that this router does not have any more. */
  | { readonly event: 'clients_called'; readonly clients: number }
  /** The last of them has a session again, or is not called any more. */
  | {
      readonly event: 'clients_answered';
      readonly answered: number;
      readonly unanswered: number;
      readonly tookMs: number;
    };
