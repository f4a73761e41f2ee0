import type { DhcpFrame } from '../arp/dhcp/frame.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { StaleMessage, TableMessage } from '../protocol/table-message.js';
import type { SavedRecord } from '../tables/directory.js';
import type { Lan } from '../tables/lan.js';
import type {
  LanIndex,
  LimitsConfig,
  MobilityConfig,
  NodeRecord,
  RouterId,
  SiteId,
  VnetId,
} from '../tables/model.js';
import { type MobilityParts, partsOf } from './assembly.js';
import { Consequences } from './consequences.js';
import { type Chronicle, Context, type MobilityDependencies } from './context.js';
import type { Evidence } from './evidence.js';
import type { MoveView } from './ports.js';
import { answerInName } from './proxy-answers.js';
import type { OpenWork, Role } from './role.js';
import type { MissingNode } from './search/missing.js';
import { questionOf } from './search/question.js';
import { Asking } from './standby/asking.js';
import { PartnerFeed } from './standby/feed.js';
import { isForStandby, PartnerGate } from './standby/gate.js';
import type { Suppressed } from './suppression/duplicate-suppression.js';
import { ClientAddresses } from './sync/client-addresses.js';
import { OwnAddresses } from './sync/own-addresses.js';

/** By then all routers know who is active, wherever they are. */
const COMPARED_AGAIN_MS = 1_000;

/**
 * Mobility as the router that is active does it: for its site if another router stands by, else always. Messages pass the
 * gate here (`Authority`), and what follows from one part for another is done here (`FollowUp`), so that the parts need not
 * know each other. Its parts last as long as it does: what outlives them are the tables and the chronicle.
 */
export class Active implements Role {
  readonly #context: Context;
  readonly #parts: MobilityParts;
  readonly #gate: PartnerGate;
  /** None without a partner. */
  readonly #feed: PartnerFeed | undefined;
  readonly #asking: Asking;
  readonly #consequences: Consequences;

  /** @param startsLater the LANs are opened later, and nothing is asked on them before */
  constructor(dependencies: MobilityDependencies, chronicle: Chronicle, startsLater: boolean) {
    const { activity, ports } = dependencies;
    this.#context = new Context(dependencies, () => this.#consequences.settle(), chronicle);
    this.#parts = partsOf(this.#context, startsLater, activity);
    this.#consequences = new Consequences(this.#context, this.#parts);
    this.#gate = new PartnerGate(this.#context);
    if (ports.partner !== undefined) this.#feed = new PartnerFeed(this.#context, ports.partner);
    this.#asking = new Asking(this.#context, this.#parts);
  }

  /** Publishes the gateway machine's own addresses and begins to compare tables with the peers that are up. */
  start(): void {
    const own = new OwnAddresses(this.#context, this.#parts.updates);
    own.publish();
    const { lans } = this.#context;
    this.#context.atEnd(lans.subscribe((after, before) => own.readdressed(after, before)));
    const taken = lans.followRoles((lan, role) => {
      if (role === 'active') own.taken(lan);
    });
    this.#context.atEnd(taken);
    this.#parts.addressProbe.start();
    this.#parts.restart.redirectAll();
    new ClientAddresses(this.#context, this.#parts.updates).publish();
    this.#parts.antiEntropy.start();
    this.#parts.doubt.start();
    this.#consequences.settle();
  }

  /** This router answers and forwards on a LAN from now on: says there again what it would have said. */
  announceAll(): void {
    this.#parts.restart.redirectAll();
    this.#consequences.settle();
  }

  /**
   * This router has become active after another one: what that one did not live to say is found out. The tables are compared
   * a second time, and claims without an answer said again, when all routers have heard of the change.
   * @param heard on the LANs while this router stood by, newest first
   */
  takeOver(heard: readonly Evidence[]): void {
    this.#compareWithAll();
    this.#context.timers.after('take over', COMPARED_AGAIN_MS, () => {
      // Who had not heard of the change has answered the router before.
      for (const site of this.#context.ports.messenger.upPeers()) this.#parts.migration.sayAgain(site);
      this.#compareWithAll();
    });
    this.#parts.learning.tookOver();
    this.#parts.restart.redirectReturned();
    this.#asking.begin(heard);
  }

  end(): void {
    this.#parts.addressProbe.stop();
    this.#context.end();
  }

  /** Another router of the site is active from now on: what this one has waited for is not waited for any more. */
  layDown(): void {
    this.#feed?.flush();
    this.end();
    this.#context.journal.abandon('another router of the site has become active');
  }

  /** GNDT and LNDT have adopted a new configuration, and the forwarding table follows them. */
  reconfigure(config: MobilityConfig, limits?: LimitsConfig): void {
    this.#context.config = config;
    if (limits !== undefined) this.#context.limits = limits;
    this.#parts.nodes.rebuild();
    new ClientAddresses(this.#context, this.#parts.updates).publish();
    this.#consequences.settle();
  }

  /** @param capturedAtMs on the monotonic clock of the ports */
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan !== undefined) this.#context.directory.hold(() => this.#frame(lan, frame, capturedAtMs));
  }

  #frame(lan: Lan, frame: NeighbourFrame, capturedAtMs: number): void {
    // First: a node that says nothing until its first question is claimed by that question, then answered.
    this.#parts.learning.frame(lan, frame, capturedAtMs);
    const wanted = questionOf(frame);
    if (wanted !== undefined && !this.#context.isOwnMac(frame.ethernetSource)) {
      this.#parts.doubt.asked(lan, frame.ethernetSource, wanted);
      this.#parts.unheard.asked(lan, wanted);
    }
    this.#consequences.settle();
    answerInName(this.#context, lan, frame);
  }

  /** @param capturedAtMs as of `frameSeen` */
  dhcpSeen(lanIndex: LanIndex, frame: DhcpFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan !== undefined) this.#parts.dhcp.frame(lan, frame, capturedAtMs);
  }

  /** A control message of another router, whose session is authentic. What it may not say is refused and counted. */
  message(from: RouterId, message: TableMessage): void {
    this.#context.directory.hold(() => {
      this.#context.counters.count(`messages_${message.type}`);
      const admitted = this.#parts.authority.admit(from, message);
      if (admitted !== undefined) this.#handle(from, admitted);
      this.#consequences.settle();
    });
  }

  peerUp(router: RouterId): void {
    this.#parts.antiEntropy.peerUp(router);
  }

  siteSwitched(site: SiteId, isUp: boolean): void {
    this.#parts.antiEntropy.forget(site);
    if (isUp) {
      this.#parts.migration.sayAgain(site);
      this.#parts.updates.sendLatest(site);
      this.#parts.antiEntropy.compareWith(site);
    } else this.#parts.migration.peerDown(site);
    this.#consequences.settle();
  }

  partnerMessage(message: TableMessage): void {
    if (message.type === 'partnerDigests') this.#feed?.compared(this.#gate.digests(message));
    // Both may be active for a moment; then neither believes the other.
    else if (isForStandby(message)) this.#gate.refuse(message.type, 'role');
    else this.#gate.refuseOther(message);
  }

  /** The standby will say what it knows. */
  partnerUp(): void {
    this.#feed?.partnerUp();
  }

  peerDown(router: RouterId): void {
    this.#parts.migration.peerDown(router);
    this.#consequences.settle();
  }

  /** The data plane has forwarded a packet from peer `to` for a node that is elsewhere. At most one hint a second. */
  redirectHint(to: RouterId, vnet: VnetId, ip: Ip): void {
    this.#parts.queries.sendRedirect(to, vnet, ip);
  }

  /**
   * Routers have been taken out of gndt.json, and what they had said with them.
   * @param dropped what `Directory.keepMembers` returned
   */
  membersGone(dropped: readonly SavedRecord[]): void {
    this.#parts.removal.membersGone(dropped);
    this.#consequences.settle();
  }

  /**
   * A node no longer answers. It is forgotten, and its record withdrawn if it is native to this router: visitors are never
   * dropped for silence, nor are the machine's own addresses.
   */
  nodeGone(vnet: VnetId, ip: Ip): void {
    this.#parts.removal.nodeGone(vnet, ip);
    this.#consequences.settle();
  }

  /** A packet for the node waits for its MAC. */
  wanted(vnet: VnetId, ip: Ip): void {
    this.#parts.doubt.wanted(vnet, ip);
    this.#consequences.settle();
  }

  /** A machine sends packets on this LAN that is said to be elsewhere, or whose sender `ip` is: a reason to ask it. */
  heardHere(lanIndex: LanIndex, vnet: VnetId, mac: Mac, ip?: Ip): void {
    const lan = this.#context.lan(lanIndex);
    if (lan?.vnet === vnet) this.#parts.learning.ask(lan, mac, ip);
  }

  /** A packet was for the MAC of a machine that is elsewhere, and for an address of which nobody knows. */
  unheardOf(vnet: VnetId, ip: Ip, mac: Mac): void {
    this.#parts.unheard.packet(vnet, ip, mac);
  }

  /** Nodes here that do not answer, machine by machine. */
  missing(): Iterable<MissingNode> {
    return this.#parts.search.missing();
  }

  /** Is it the record of a node here that does not answer? */
  isMissing({ vnet, ip, mac, router }: NodeRecord): boolean {
    return router === this.#context.self && this.#context.missing.has(vnet, ip, mac);
  }

  /** Claims a node by an operator's word, for hypervisors that announce nothing. A string says why not. */
  moveByHand(vnet: VnetId, ip: Ip): MoveView | string {
    const { directory, self, clock } = this.#context;
    const record = directory.get(vnet, ip);
    if (record === undefined) return `${ip.key} is not known to any router`;
    if (record.router === self && record.state === 'here') return `${ip.key} is here already`;
    const lan = this.#context.lanOfNode(vnet, ip);
    if (lan === undefined) return 'this router has no LAN of that vnet';
    const isOther = (it: NodeRecord): boolean => it.router === record.router && !it.ip.equals(ip);
    const others = directory.byMac(vnet, record.mac).filter(isOther);
    const claimed = this.#parts.migration.claim({
      lan,
      mac: record.mac,
      records: [record, ...others],
      trigger: 'operator',
      // The binding follows from the record, as with RARP.
      source: 'rarp',
      detectedMs: clock.nowMs(),
    });
    this.#consequences.settle();
    return typeof claimed === 'string' ? claimed : claimed.view();
  }

  /** Ends the freeze of a node that is here, by an operator's word. A string says why not. */
  unfreeze(vnet: VnetId, ip: Ip): NodeRecord | string {
    const released = this.#parts.suppression.release(vnet, ip);
    this.#consequences.settle();
    return released;
  }

  /** Claims of other routers that are refused for a while, because one was contradicted. */
  suppressed(): readonly Suppressed[] {
    return this.#parts.suppression.suppressed();
  }

  /** What is open now; for those who look after bounds. */
  openWork(): OpenWork {
    return {
      probes: this.#parts.addressProbe.running,
      questions: this.#parts.queries.open,
      verifications: this.#parts.verification.pending,
    };
  }

  #compareWithAll(): void {
    for (const peer of this.#context.ports.messenger.upPeers()) this.#parts.antiEntropy.compareWith(peer);
  }

  #handle(from: RouterId, message: TableMessage): void {
    switch (message.type) {
      case 'records':
        this.#parts.acceptance.records(from, message.records);
        break;
      case 'claim':
        this.#parts.acceptance.claim(from, message);
        break;
      case 'claimResult':
        this.#parts.migration.result(from, message);
        break;
      case 'stale':
        this.#beaten(from, message.records);
        break;
      case 'digest':
        this.#parts.antiEntropy.digest(from, message);
        break;
      case 'recall':
        this.#parts.antiEntropy.recall(from);
        break;
      case 'returned':
        this.#parts.recovery.returned(from, message);
        break;
      case 'whoHas':
        for (const ip of message.ips) this.#parts.recovery.askedFor(from, message.vnet, ip);
        this.#parts.queries.whoHas(from, message);
        break;
      case 'has':
        this.#parts.queries.has(from, message);
        break;
      case 'nodesOf':
        this.#parts.queries.answerNodesOf(from, message);
        break;
      case 'nodes':
        this.#parts.queries.nodes(from, message);
        break;
      case 'redirect':
        this.#parts.queries.redirect(message);
        break;
      case 'search':
        this.#parts.sought.search(from, message);
        break;
      // The gate lets none of these through.
      case 'partnerRecords':
      case 'partnerDigests':
      case 'partnerWhole':
        break;
      case 'dhcp':
        this.#parts.dhcp.message(from, message);
        break;
      default:
        message satisfies never;
    }
  }

  /** Own records are beaten at another router. Those that are the router's own, from before it lost its state, too. */
  #beaten(from: RouterId, records: StaleMessage['records']): void {
    for (const beaten of records) {
      const { vnet, ip, router } = beaten;
      const isByHolder = from === router || from === this.#context.gndt.homeOf(vnet, ip);
      this.#context.counters.count('records_beaten');
      if (this.#context.isFixed(vnet, ip)) this.#parts.reassertion.above(beaten, true);
      else this.#parts.migration.beatenElsewhere(beaten, isByHolder, from);
    }
  }
}
