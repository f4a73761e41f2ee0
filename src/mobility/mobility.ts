import type { DhcpFrame } from '../arp/dhcp/frame.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { StaleMessage, TableMessage } from '../protocol/table-message.js';
import type { SavedRecord } from '../tables/directory.js';
import type {
  LanIndex,
  LimitsConfig,
  MobilityConfig,
  NodeRecord,
  RouterId,
  VnetId,
} from '../tables/model.js';
import { type MobilityParts, partsOf } from './assembly.js';
import { Context, type MobilityDependencies } from './context.js';
import type { Evidence } from './evidence.js';
import type { FollowUp, ProbePurpose } from './follow-up.js';
import type { MoveView } from './ports.js';
import { answerInName } from './proxy-answers.js';
import type { MissingNode } from './search/missing.js';
import { questionOf } from './search/question.js';
import type { Verified } from './source/verification.js';
import type { Suppressed } from './suppression/duplicate-suppression.js';
import { ClientAddresses } from './sync/client-addresses.js';
import { OwnAddresses } from './sync/own-addresses.js';

/** What is being asked and waited for now; each is bounded. */
export interface OpenWork {
  readonly probes: number;
  readonly questions: number;
  readonly verifications: number;
}

/**
 * One router's part in mobility: it learns from captured frames, claims nodes that have arrived on its LANs, redirects
 * the neighbours of those that have arrived or left, answers ARP for those that are away, and keeps its directory in
 * step with the other routers'. No I/O and no clock of its own. Every call works at once and returns; none throws for
 * what a peer or a LAN says.
 *
 * The forwarding table must follow the directory and the HWDT by subscriptions made *before* this is constructed:
 * tables come before anything that is said about them.
 *
 * The front door: messages pass the gate here (`Authority`), and what follows from one part for another is done here
 * (`FollowUp`), so that the parts need not know each other.
 */
export class Mobility {
  readonly #context: Context;
  readonly #parts: MobilityParts;
  #isFollowing = false;

  constructor(dependencies: MobilityDependencies) {
    this.#context = new Context(dependencies, () => this.#doWhatFollows());
    this.#parts = partsOf(this.#context, dependencies.startsLater === true, dependencies.activity);
  }

  /** Publishes the gateway machine's own addresses and begins to compare tables with the peers that are up. */
  start(): void {
    const own = new OwnAddresses(this.#context, this.#parts.updates);
    own.publish();
    this.#context.lans.subscribe((after, before) => own.readdressed(after, before));
    this.#context.lans.followRoles((lan, role) => {
      if (role === 'active') own.taken(lan);
    });
    this.#parts.addressProbe.start();
    this.#parts.restart.redirectAll();
    new ClientAddresses(this.#context, this.#parts.updates).publish();
    this.#parts.antiEntropy.start();
    this.#parts.doubt.start();
    this.#doWhatFollows();
  }

  /** This router answers and forwards on a LAN from now on: says there again what it would have said. */
  announceAll(): void {
    this.#parts.restart.redirectAll();
    this.#doWhatFollows();
  }

  /** No timer fires and no frame is sent any more. */
  stop(): void {
    this.#context.timers.stop();
    this.#parts.addressProbe.stop();
  }

  /** GNDT and LNDT have adopted a new configuration, and the forwarding table follows them. */
  reconfigure(config: MobilityConfig, limits?: LimitsConfig): void {
    this.#context.config = config;
    if (limits !== undefined) this.#context.limits = limits;
    this.#parts.nodes.rebuild();
    new ClientAddresses(this.#context, this.#parts.updates).publish();
    this.#doWhatFollows();
  }

  /** @param capturedAtMs on the monotonic clock of the ports */
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan === undefined) return;
    // First: a node that says nothing until its first question is claimed by that question, then answered.
    this.#parts.learning.frame(lan, frame, capturedAtMs);
    const wanted = questionOf(frame);
    if (wanted !== undefined && !this.#context.isOwnMac(frame.ethernetSource)) {
      this.#parts.doubt.asked(lan, frame.ethernetSource, wanted);
      this.#parts.unheard.asked(lan, wanted);
    }
    this.#doWhatFollows();
    answerInName(this.#context, lan, frame);
  }

  /** @param capturedAtMs as of `frameSeen` */
  dhcpSeen(lanIndex: LanIndex, frame: DhcpFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan !== undefined) this.#parts.dhcp.frame(lan, frame, capturedAtMs);
  }

  /** A control message of another router, whose session is authentic. What it may not say is refused and counted. */
  message(from: RouterId, message: TableMessage): void {
    this.#context.counters.count(`messages_${message.type}`);
    const admitted = this.#parts.authority.admit(from, message);
    if (admitted !== undefined) this.#handle(from, admitted);
    this.#doWhatFollows();
  }

  peerUp(router: RouterId): void {
    this.#parts.antiEntropy.compareWith(router);
  }

  peerDown(router: RouterId): void {
    this.#parts.migration.peerDown(router);
    this.#doWhatFollows();
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
    this.#doWhatFollows();
  }

  /**
   * A node no longer answers. It is forgotten, and its record withdrawn if it is native to this router: visitors are never
   * dropped for silence, nor are the machine's own addresses.
   */
  nodeGone(vnet: VnetId, ip: Ip): void {
    this.#parts.removal.nodeGone(vnet, ip);
    this.#doWhatFollows();
  }

  /** A packet for the node waits for its MAC. */
  wanted(vnet: VnetId, ip: Ip): void {
    this.#parts.doubt.wanted(vnet, ip);
    this.#doWhatFollows();
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
    this.#doWhatFollows();
    return typeof claimed === 'string' ? claimed : claimed.view();
  }

  /** Ends the freeze of a node that is here, by an operator's word. A string says why not. */
  unfreeze(vnet: VnetId, ip: Ip): NodeRecord | string {
    const released = this.#parts.suppression.release(vnet, ip);
    this.#doWhatFollows();
    return released;
  }

  /** Claims of other routers that are refused for a while, because one was contradicted. */
  suppressed(): readonly Suppressed[] {
    return this.#parts.suppression.suppressed();
  }

  /** The last 1,000 moves, oldest first. */
  moves(): readonly MoveView[] {
    return this.#context.journal.views();
  }

  /** Every count by a stable name. */
  counters(): Readonly<Record<string, number>> {
    return this.#context.counters.view();
  }

  /** What is open now; for those who look after bounds. */
  openWork(): OpenWork {
    return {
      probes: this.#parts.addressProbe.running,
      questions: this.#parts.queries.open,
      verifications: this.#parts.verification.pending,
    };
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

  /** In the order in which it was found out. What follows from that in turn comes behind it. */
  #doWhatFollows(): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    try {
      for (let next = this.#context.nextFollowUp(); next !== undefined; next = this.#context.nextFollowUp()) {
        this.#follow(next);
      }
    } finally {
      this.#isFollowing = false;
    }
  }

  #follow(followUp: FollowUp): void {
    switch (followUp.do) {
      case 'consider':
        this.#parts.learning.consider(followUp.evidence);
        break;
      case 'probed':
        this.#probed(followUp.purpose, followUp.evidence);
        break;
      case 'release':
        this.#parts.deferred.release(followUp.vnet, followUp.ip);
        break;
      case 'object':
        this.#parts.taking.object(followUp);
        break;
      case 'hold':
        this.#parts.obstacles.hold(followUp.vnet, followUp.mac);
        break;
      case 'records':
        this.#parts.acceptance.records(followUp.from, followUp.records);
        break;
      case 'confirmed':
        this.#verified(this.#parts.verification.confirmed(followUp.id, followUp.holder, followUp.word));
        break;
      case 'neighbours':
        this.#parts.arrival.neighboursTold(followUp.arrived, followUp.network, followUp.nodes);
        break;
      default:
        followUp satisfies never;
    }
  }

  #probed(purpose: ProbePurpose, evidence: Evidence | undefined): void {
    switch (purpose.for) {
      case 'verification':
        this.#verified(this.#parts.verification.probed(purpose.id, evidence));
        break;
      case 'departure':
        this.#departureProbed(purpose, evidence);
        break;
      case 'undone':
        this.#parts.migration.undoneProbed(purpose, evidence);
        break;
      case 'contradiction':
        this.#parts.migration.contradictionProbed(purpose.record, purpose.by, evidence);
        break;
      case 'native':
        this.#parts.migration.nativeProbed(purpose.candidate, purpose.record, purpose.mac, evidence);
        break;
      case 'beaten':
        this.#parts.migration.beatenProbed(purpose.record, evidence);
        break;
      case 'refused':
        this.#parts.judge.refusedProbed(purpose, evidence);
        break;
      case 'deferred':
        if (evidence !== undefined) this.#parts.learning.consider(evidence);
        break;
      case 'doubt':
        this.#parts.doubt.probed(purpose, evidence);
        break;
      case 'returned':
        this.#parts.recovery.probed(purpose.record, evidence);
        break;
      default:
        purpose satisfies never;
    }
  }

  #verified(verified: Verified | undefined): void {
    if (verified !== undefined) this.#parts.acceptance.verified(verified);
  }

  /** A node that was asked after it had left answers here: it is claimed back. */
  #departureProbed(
    departed: Extract<ProbePurpose, { readonly for: 'departure' }>,
    evidence: Evidence | undefined,
  ): void {
    const { record, to } = departed;
    const { directory, journal } = this.#context;
    const wasAtClaimer = directory.get(record.vnet, record.ip)?.router === to;
    if (!this.#parts.verification.departureProbed(departed, evidence) || evidence === undefined) return;
    const move = wasAtClaimer ? journal.latest(record.vnet, record.mac) : undefined;
    if (this.#parts.learning.object(evidence, to)) this.#parts.verification.claimedBack(record, to, move);
  }
}
