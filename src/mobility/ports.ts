/** What mobility needs of the world; the router hands it in, the simulation hands in its own. */
import type { NeighbourFrame } from '../arp/frame.js';
import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { PartnerMessage, TableMessage } from '../protocol/table-message.js';
import type { LanIndex, MoveTrigger, RouterId, VnetId } from '../tables/model.js';

/** At-least-once messages to the other routers; a message to a peer that is down waits or is dropped, see each. */
export interface Messenger {
  /** Reliable while the peer is up; dropped when it is down (tables are compared when it comes back). */
  send(to: RouterId, message: TableMessage): void;
  /** Routers with a live session now, nearest (smallest RTT) first. */
  upPeers(): readonly RouterId[];
}

/** Which machines of the LANs were sent packets and sent none; `NodeActivity` fits. */
export interface ActivityView {
  look(nowMs: number): {
    readonly unanswered: readonly { readonly vnet: VnetId; readonly mac: Mac }[];
    readonly heard: readonly { readonly vnet: VnetId; readonly mac: Mac }[];
  };
}

/** The site's other router. */
export interface PartnerPort {
  /** Is there a session with it now? */
  isUp(): boolean;
  /** Reliable while it is up; dropped when it is down. */
  send(message: PartnerMessage): void;
}

export interface MobilityPorts {
  readonly clock: Clock;
  readonly messenger: Messenger;
  /** None: no other router serves these LANs. */
  readonly partner?: PartnerPort;
  /** Puts a complete Ethernet frame on a LAN at once. */
  sendFrame(lan: LanIndex, frame: Uint8Array): void;
  /** Tells operators; never blocks. */
  event(event: MobilityEvent): void;
  /** A move has got a verdict; for those who count, and make a view of it if they do. */
  moveJudged?(move: { view(): MoveView }): void;
  /** A neighbour's question has been answered in another's name; for those who look whether that is heeded. */
  answered?(lan: LanIndex, question: NeighbourFrame): void;
  /** Writes the state to disk at once (a move has happened). */
  saveState(): void;
}

/** What set a move off, as this router knows it: `records` = learned after the event, when tables were compared. */
export type SeenTrigger = MoveTrigger | 'records';

/** What operators see in `vinectl events` and in the log: a constant name and fields. */
export type MobilityEvent =
  | {
      readonly event: 'move_claimed' | 'move_learned';
      readonly vnet: VnetId;
      readonly mac: Mac;
      readonly ips: readonly Ip[];
      readonly from: RouterId | undefined;
      readonly to: RouterId;
      readonly seq: number;
      readonly trigger: SeenTrigger;
    }
  | {
      readonly event: 'claim_refused';
      readonly vnet: VnetId;
      readonly ip: Ip;
      readonly by: RouterId;
      readonly reason: string;
      readonly seq: number;
    }
  | {
      readonly event: 'move_undone' | 'duplicate_address' | 'node_frozen';
      readonly vnet: VnetId;
      readonly ip: Ip;
      readonly mac: Mac;
      readonly other: RouterId | Mac;
    }
  | {
      readonly event:
        | 'node_learned'
        | 'node_rebound'
        | 'node_withdrawn'
        | 'node_released'
        | 'node_missing'
        | 'node_found'
        | 'unauthorised_seen'
        /** A visiting node was told from memory that it keeps its address; its home server has refused it one. */
        | 'dhcp_answered'
        | 'dhcp_refused';
      readonly vnet: VnetId;
      readonly ip: Ip;
      readonly mac: Mac;
    };

/** One step's time, microseconds after the first announcement was captured (or the claim arrived). */
export interface MoveStep {
  readonly step: string;
  readonly atUs: number;
}

/** A move as `vinectl migrations` shows it. */
export interface MoveView {
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
  readonly from: RouterId | undefined;
  readonly to: RouterId;
  readonly trigger: SeenTrigger;
  readonly seq: number;
  readonly role: 'destination' | 'source' | 'observer';
  readonly verdict: 'claiming' | 'accepted' | 'refused' | 'undone';
  readonly reason: string;
  /** See MigrationView in src/control/api.ts. */
  readonly blackoutUs: number | undefined;
  /** Unix time, milliseconds with a fraction. */
  readonly startedWallMs: number;
  readonly steps: readonly MoveStep[];
}
