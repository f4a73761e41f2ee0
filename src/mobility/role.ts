/** What `Mobility` hands on to the role that this router has: `Active` does what is asked, `Standby` only watches. */
import type { DhcpFrame } from '../arp/dhcp/frame.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { SavedRecord } from '../tables/directory.js';
import type { LanIndex, LimitsConfig, MobilityConfig, NodeRecord, SiteId, VnetId } from '../tables/model.js';
import type { MoveView } from './ports.js';
import type { MissingNode } from './search/missing.js';
import type { Suppressed } from './suppression/duplicate-suppression.js';

/** What is being asked and waited for now; each is bounded. */
export interface OpenWork {
  readonly probes: number;
  readonly questions: number;
  readonly verifications: number;
}

/** See `Mobility` for what each call means. */
export interface Role {
  start(): void;
  /** No timer fires, nothing is heard and nothing is said any more. */
  end(): void;
  announceAll(): void;
  reconfigure(config: MobilityConfig, limits?: LimitsConfig): void;
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void;
  dhcpSeen(lanIndex: LanIndex, frame: DhcpFrame, capturedAtMs: number): void;
  message(from: SiteId, message: TableMessage): void;
  peerUp(site: SiteId): void;
  peerDown(site: SiteId): void;
  siteSwitched(site: SiteId, isUp: boolean): void;
  partnerMessage(message: TableMessage): void;
  partnerUp(): void;
  redirectHint(to: SiteId, vnet: VnetId, ip: Ip): void;
  membersGone(dropped: readonly SavedRecord[]): void;
  nodeGone(vnet: VnetId, ip: Ip): void;
  wanted(vnet: VnetId, ip: Ip): void;
  heardHere(lanIndex: LanIndex, vnet: VnetId, mac: Mac, ip?: Ip): void;
  unheardOf(vnet: VnetId, ip: Ip, mac: Mac): void;
  missing(): Iterable<MissingNode>;
  isMissing(record: NodeRecord): boolean;
  moveByHand(vnet: VnetId, ip: Ip): MoveView | string;
  unfreeze(vnet: VnetId, ip: Ip): NodeRecord | string;
  suppressed(): readonly Suppressed[];
  openWork(): OpenWork;
}
