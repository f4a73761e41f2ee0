import type { DhcpFrame } from '../arp/dhcp/frame.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { SavedRecord } from '../tables/directory.js';
import type { LanIndex, MobilityConfig, NodeRecord, SiteId, VnetId } from '../tables/model.js';
import { Active } from './active.js';
import { type Chronicle, type MobilityDependencies, newChronicle } from './context.js';
import type { MoveView } from './ports.js';
import type { OpenWork, Role } from './role.js';
import type { MissingNode } from './search/missing.js';
import { Standby } from './standby/standby.js';
import type { Suppressed } from './suppression/duplicate-suppression.js';

export type { OpenWork } from './role.js';

/**
 * One router's part in mobility: it learns from captured frames, claims nodes that have arrived on its LANs, redirects
 * the neighbours of those that have arrived or left, answers ARP for those that are away, and keeps its directory in
 * step with the other routers'. No I/O and no clock of its own. Every call works at once and returns; none throws for
 * what a peer or a LAN says.
 *
 * Of a site's two routers one is active; the other one stands by: it hears what the active one hears, keeps its tables like
 * the active one's, and says nothing. A takeover is a start with warm tables.
 *
 * The forwarding table must follow the directory and the HWDT by subscriptions made *before* this is constructed:
 * tables come before anything that is said about them.
 */
export class Mobility {
  #dependencies: MobilityDependencies;
  readonly #chronicle: Chronicle;
  #role: Active | Standby;
  #hasStarted = false;
  #hasStopped = false;

  constructor(dependencies: MobilityDependencies) {
    this.#dependencies = dependencies;
    this.#chronicle = newChronicle(dependencies);
    this.#role = dependencies.standsBy === true ? this.#standby() : this.#active();
  }

  /** Publishes the gateway machine's own addresses and begins to compare tables with the peers that are up. */
  start(): void {
    this.#hasStarted = true;
    this.#role.start();
  }

  /** This router answers and forwards for its site from now on, or the site's other router does. */
  setActive(isActive: boolean): void {
    if (this.#hasStopped) return;
    const before: Role = this.#role;
    if (before instanceof Standby && isActive) this.#takeOver(before);
    else if (before instanceof Active && !isActive) this.#layDown(before);
  }

  /** This router answers and forwards on a LAN from now on: says there again what it would have said. */
  announceAll(): void {
    this.#role.announceAll();
  }

  /** No timer fires and no frame is sent any more. */
  stop(): void {
    this.#hasStopped = true;
    this.#role.end();
  }

  /** GNDT and LNDT have adopted a new configuration, and the forwarding table follows them. */
  reconfigure(config: MobilityConfig, limits = this.#dependencies.limits): void {
    this.#dependencies = { ...this.#dependencies, config, limits };
    this.#role.reconfigure(config, limits);
  }

  /** @param capturedAtMs on the monotonic clock of the ports */
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    this.#role.frameSeen(lanIndex, frame, capturedAtMs);
  }

  /** @param capturedAtMs as of `frameSeen` */
  dhcpSeen(lanIndex: LanIndex, frame: DhcpFrame, capturedAtMs: number): void {
    this.#role.dhcpSeen(lanIndex, frame, capturedAtMs);
  }

  /** A control message of another site, whose session is authentic. What it may not say is refused and counted. */
  message(from: SiteId, message: TableMessage): void {
    this.#role.message(from, message);
  }

  /** There is a session with the router that speaks for the site. */
  peerUp(site: SiteId): void {
    this.#role.peerUp(site);
  }

  peerDown(site: SiteId): void {
    this.#role.peerDown(site);
  }

  /**
   * The site's other router speaks for it from now on. What was said to the one before, and not answered, is said again; the
   * tables are compared.
   * @param isUp is there a session with it?
   */
  siteSwitched(site: SiteId, isUp: boolean): void {
    this.#role.siteSwitched(site, isUp);
  }

  /** A control message of this site's other router, whose session is authentic. */
  partnerMessage(message: TableMessage): void {
    this.#role.partnerMessage(message);
  }

  partnerUp(): void {
    this.#role.partnerUp();
  }

  /** What is said to it is lost from now on; the tables are compared when it is back. */
  partnerDown(): void {}

  /** The data plane has forwarded a packet from peer `to` for a node that is elsewhere. At most one hint a second. */
  redirectHint(to: SiteId, vnet: VnetId, ip: Ip): void {
    this.#role.redirectHint(to, vnet, ip);
  }

  /**
   * Routers have been taken out of gndt.json, and what they had said with them.
   * @param dropped what `Directory.keepMembers` returned
   */
  membersGone(dropped: readonly SavedRecord[]): void {
    this.#role.membersGone(dropped);
  }

  /**
   * A node no longer answers. It is forgotten, and its record withdrawn if it is native to this router: visitors are never
   * dropped for silence, nor are the machine's own addresses.
   */
  nodeGone(vnet: VnetId, ip: Ip): void {
    this.#role.nodeGone(vnet, ip);
  }

  /** A packet for the node waits for its MAC. */
  wanted(vnet: VnetId, ip: Ip): void {
    this.#role.wanted(vnet, ip);
  }

  /** A machine sends packets on this LAN that is said to be elsewhere, or whose sender `ip` is: a reason to ask it. */
  heardHere(lanIndex: LanIndex, vnet: VnetId, mac: Mac, ip?: Ip): void {
    this.#role.heardHere(lanIndex, vnet, mac, ip);
  }

  /** A packet was for the MAC of a machine that is elsewhere, and for an address of which nobody knows. */
  unheardOf(vnet: VnetId, ip: Ip, mac: Mac): void {
    this.#role.unheardOf(vnet, ip, mac);
  }

  /** Nodes here that do not answer, machine by machine. */
  missing(): Iterable<MissingNode> {
    return this.#role.missing();
  }

  /** Is it the record of a node here that does not answer? */
  isMissing(record: NodeRecord): boolean {
    return this.#role.isMissing(record);
  }

  /** Claims a node by an operator's word, for hypervisors that announce nothing. A string says why not. */
  moveByHand(vnet: VnetId, ip: Ip): MoveView | string {
    return this.#role.moveByHand(vnet, ip);
  }

  /** Ends the freeze of a node that is here, by an operator's word. A string says why not. */
  unfreeze(vnet: VnetId, ip: Ip): NodeRecord | string {
    return this.#role.unfreeze(vnet, ip);
  }

  /** Claims of other routers that are refused for a while, because one was contradicted. */
  suppressed(): readonly Suppressed[] {
    return this.#role.suppressed();
  }

  /** The last 1,000 moves, oldest first. */
  moves(): readonly MoveView[] {
    return this.#chronicle.journal.views();
  }

  /** Every count by a stable name. */
  counters(): Readonly<Record<string, number>> {
    return this.#chronicle.counters.view();
  }

  /** What is open now; for those who look after bounds. */
  openWork(): OpenWork {
    return this.#role.openWork();
  }

  #active(): Active {
    const startsLater = this.#dependencies.startsLater === true && !this.#hasStarted;
    return new Active(this.#dependencies, this.#chronicle, startsLater);
  }

  #standby(): Standby {
    return new Standby(this.#dependencies, this.#chronicle);
  }

  #takeOver(standby: Standby): void {
    standby.end();
    const active = this.#active();
    this.#role = active;
    if (!this.#hasStarted) return;
    active.start();
    active.takeOver(standby.heard());
  }

  #layDown(active: Active): void {
    active.layDown();
    const standby = this.#standby();
    this.#role = standby;
    if (this.#hasStarted) standby.start();
  }
}
