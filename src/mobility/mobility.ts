import { answer } from '../arp/announce.js';
import type { NeighbourFrame } from '../arp/frame.js';
import { shouldAnswer } from '../arp/proxy.js';
import type { Ip } from '../net/ip.js';
import type { StaleMessage, TableMessage } from '../protocol/table-message.js';
import type { SavedRecord } from '../tables/directory.js';
import type { Lan } from '../tables/lan.js';
import type {
  LanIndex,
  LimitsConfig,
  MobilityConfig,
  NodeRecord,
  RouterId,
  VnetId,
} from '../tables/model.js';
import { AddressProbe } from './address-probe.js';
import { Authority } from './authority.js';
import { Context, type MobilityDependencies } from './context.js';
import { Arrival } from './destination/arrival.js';
import { Claims } from './destination/claims.js';
import { DeferredClaims } from './destination/deferred-claims.js';
import { Migration } from './destination/migration.js';
import { Obstacles } from './destination/obstacles.js';
import { DuplicateSuppression, type Suppressed } from './duplicate-suppression.js';
import type { Evidence } from './evidence.js';
import type { FollowUp, ProbePurpose } from './follow-up.js';
import { Learning } from './learning.js';
import { isGateway, NetworkNodes } from './neighbours.js';
import { Pacer } from './pacer.js';
import type { MoveView } from './ports.js';
import { Reports } from './reports.js';
import { Rounds } from './rounds.js';
import { Acceptance } from './source/acceptance.js';
import { Departure } from './source/departure.js';
import { Reassertion } from './source/reassertion.js';
import { Verification, type Verified } from './source/verification.js';
import { AntiEntropy } from './sync/anti-entropy.js';
import { ClientAddresses } from './sync/client-addresses.js';
import { Confirmation } from './sync/confirmation.js';
import { OwnAddresses } from './sync/own-addresses.js';
import { Queries } from './sync/queries.js';
import { Removal } from './sync/removal.js';
import { Restart } from './sync/restart.js';
import { UpdateBatcher } from './sync/update-batcher.js';

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
  readonly #nodes: NetworkNodes;
  readonly #updates: UpdateBatcher;
  readonly #queries: Queries;
  readonly #antiEntropy: AntiEntropy;
  readonly #addressProbe: AddressProbe;
  readonly #suppression: DuplicateSuppression;
  readonly #deferred: DeferredClaims;
  readonly #obstacles: Obstacles;
  readonly #arrival: Arrival;
  readonly #migration: Migration;
  readonly #verification: Verification;
  readonly #authority: Authority;
  readonly #acceptance: Acceptance;
  readonly #reassertion: Reassertion;
  readonly #removal: Removal;
  readonly #restart: Restart;
  readonly #learning: Learning;
  #isFollowing = false;

  constructor(dependencies: MobilityDependencies) {
    const context = new Context(dependencies, () => this.#doWhatFollows());
    const nodes = new NetworkNodes(context.gndt, context.directory);
    const rounds = new Rounds(context.timers);
    const pacer = new Pacer(context);
    const departure = new Departure(context, nodes, rounds, pacer);
    const updates = new UpdateBatcher(context);
    const queries = new Queries(context, updates);
    const arrival = new Arrival(context, nodes, rounds, pacer, queries);
    const addressProbe = new AddressProbe(context, dependencies.startsLater === true);
    const suppression = new DuplicateSuppression(context, updates);
    const deferred = new DeferredClaims(context, addressProbe);
    const obstacles = new Obstacles(context, suppression, deferred);
    const claims = new Claims(context);
    const reports = new Reports(context);
    const antiEntropy = new AntiEntropy(context, updates);
    const verification = new Verification(context, addressProbe, queries, suppression);
    const authority = new Authority(context, { claims, queries, antiEntropy, updates }, suppression);
    const confirmation = new Confirmation(context, queries);
    const reassertion = new Reassertion(context, authority, updates);
    const acceptance = {
      claims,
      reassertion,
      authority,
      addressProbe,
      updates,
      departure,
      verification,
      suppression,
      confirmation,
      reports,
    };
    const destination = { arrival, departure, addressProbe, updates, suppression, deferred };
    this.#context = context;
    this.#nodes = nodes;
    this.#updates = updates;
    this.#queries = queries;
    this.#antiEntropy = antiEntropy;
    this.#addressProbe = addressProbe;
    this.#suppression = suppression;
    this.#deferred = deferred;
    this.#obstacles = obstacles;
    this.#arrival = arrival;
    this.#verification = verification;
    this.#authority = authority;
    this.#acceptance = new Acceptance(context, acceptance);
    this.#migration = new Migration(context, { ...destination, claims, obstacles, reports, reassertion });
    const removal = { addressProbe, antiEntropy, deferred, suppression, updates, verification };
    this.#reassertion = reassertion;
    this.#removal = new Removal(context, removal);
    this.#restart = new Restart(context, { departure, arrival, addressProbe, updates });
    const migration = this.#migration;
    this.#learning = new Learning(context, { migration, departure, arrival, addressProbe, queries, updates });
  }

  /** Publishes the gateway machine's own addresses and begins to compare tables with the peers that are up. */
  start(): void {
    const own = new OwnAddresses(this.#context, this.#updates);
    own.publish();
    this.#context.lans.subscribe((after, before) => own.readdressed(after, before));
    this.#addressProbe.start();
    this.#restart.redirectAll();
    new ClientAddresses(this.#context, this.#updates).publish();
    this.#antiEntropy.start();
    this.#doWhatFollows();
  }

  /** No timer fires and no frame is sent any more. */
  stop(): void {
    this.#context.timers.stop();
    this.#addressProbe.stop();
  }

  /** GNDT and LNDT have adopted a new configuration, and the forwarding table follows them. */
  reconfigure(config: MobilityConfig, limits?: LimitsConfig): void {
    this.#context.config = config;
    if (limits !== undefined) this.#context.limits = limits;
    this.#nodes.rebuild();
    new ClientAddresses(this.#context, this.#updates).publish();
    this.#doWhatFollows();
  }

  /** @param capturedAtMs on the monotonic clock of the ports */
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan === undefined) return;
    // First: a node that says nothing until its first question is claimed by that question, then answered.
    this.#learning.frame(lan, frame, capturedAtMs);
    this.#doWhatFollows();
    this.#answer(lan, frame);
  }

  /** A control message of another router, whose session is authentic. What it may not say is refused and counted. */
  message(from: RouterId, message: TableMessage): void {
    this.#context.counters.count(`messages_${message.type}`);
    const admitted = this.#authority.admit(from, message);
    if (admitted !== undefined) this.#handle(from, admitted);
    this.#doWhatFollows();
  }

  peerUp(router: RouterId): void {
    this.#antiEntropy.compareWith(router);
  }

  peerDown(router: RouterId): void {
    this.#migration.peerDown(router);
    this.#doWhatFollows();
  }

  /** The data plane has forwarded a packet from peer `to` for a node that is elsewhere. At most one hint a second. */
  redirectHint(to: RouterId, vnet: VnetId, ip: Ip): void {
    this.#queries.sendRedirect(to, vnet, ip);
  }

  /**
   * Routers have been taken out of gndt.json, and what they had said with them.
   * @param dropped what `Directory.keepMembers` returned
   */
  membersGone(dropped: readonly SavedRecord[]): void {
    this.#removal.membersGone(dropped);
    this.#doWhatFollows();
  }

  /**
   * A node no longer answers. It is forgotten, and its record withdrawn if it is native to this router: visitors are never
   * dropped for silence, nor are the machine's own addresses.
   */
  nodeGone(vnet: VnetId, ip: Ip): void {
    const { hwdt, gndt, ports } = this.#context;
    if (this.#context.isOwnAddress(vnet, ip) || gndt.clientAt(vnet, ip) !== undefined) return;
    const isVisiting = this.#context.isHere(vnet, ip) && !gndt.isHome(vnet, ip);
    if (isVisiting) return;
    hwdt.forget(vnet, ip);
    const tombstone = gndt.isHome(vnet, ip) ? this.#updates.withdraw(vnet, ip) : undefined;
    if (tombstone === undefined) return;
    ports.event({ event: 'node_withdrawn', vnet, ip, mac: tombstone.mac });
    this.#doWhatFollows();
  }

  /** Claims a node by an operator's word, for hypervisors that announce nothing. A string says why not. */
  moveByHand(vnet: VnetId, ip: Ip): MoveView | string {
    const { directory, self, clock } = this.#context;
    const record = directory.get(vnet, ip);
    if (record === undefined) return `${ip.key} is not known to any router`;
    if (record.router === self && record.state === 'here') return `${ip.key} is here already`;
    const lan = this.#context.lanOfNode(vnet, ip);
    if (lan === undefined) return 'this router has no LAN of that vnet';
    const others = directory
      .byMac(vnet, record.mac)
      .filter((other) => other.router === record.router && !other.ip.equals(ip));
    const claimed = this.#migration.claim({
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
    const released = this.#suppression.release(vnet, ip);
    this.#doWhatFollows();
    return released;
  }

  /** Claims of other routers that are refused for a while, because one was contradicted. */
  suppressed(): readonly Suppressed[] {
    return this.#suppression.suppressed();
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
      probes: this.#addressProbe.running,
      questions: this.#queries.open,
      verifications: this.#verification.pending,
    };
  }

  #handle(from: RouterId, message: TableMessage): void {
    switch (message.type) {
      case 'records':
        this.#acceptance.records(from, message.records);
        break;
      case 'claim':
        this.#acceptance.claim(from, message);
        break;
      case 'claimResult':
        this.#migration.result(from, message);
        break;
      case 'stale':
        this.#beaten(from, message.records);
        break;
      case 'digest':
        this.#antiEntropy.digest(from, message);
        break;
      case 'recall':
        this.#antiEntropy.recall(from);
        break;
      case 'returned':
        this.#restart.returned(message);
        break;
      case 'whoHas':
        this.#queries.whoHas(from, message);
        break;
      case 'has':
        this.#queries.has(from, message);
        break;
      case 'nodesOf':
        this.#queries.answerNodesOf(from, message);
        break;
      case 'nodes':
        this.#queries.nodes(from, message);
        break;
      case 'redirect':
        this.#queries.redirect(message);
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
      if (this.#context.isFixed(vnet, ip)) this.#reassertion.above(beaten, true);
      else this.#migration.beatenElsewhere(beaten, isByHolder, from);
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
        this.#learning.consider(followUp.evidence);
        break;
      case 'probed':
        this.#probed(followUp.purpose, followUp.evidence);
        break;
      case 'release':
        this.#deferred.release(followUp.vnet, followUp.ip);
        break;
      case 'object':
        this.#migration.object(followUp);
        break;
      case 'hold':
        this.#obstacles.hold(followUp.vnet, followUp.mac);
        break;
      case 'records':
        this.#acceptance.records(followUp.from, followUp.records);
        break;
      case 'confirmed':
        this.#verified(this.#verification.confirmed(followUp.id, followUp.holder, followUp.word));
        break;
      case 'neighbours':
        this.#arrival.neighboursTold(followUp.arrived, followUp.network, followUp.nodes);
        break;
      default:
        followUp satisfies never;
    }
  }

  #probed(purpose: ProbePurpose, evidence: Evidence | undefined): void {
    switch (purpose.for) {
      case 'verification':
        this.#verified(this.#verification.probed(purpose.id, evidence));
        break;
      case 'departure':
        this.#departureProbed(purpose, evidence);
        break;
      case 'undone':
        this.#migration.undoneProbed(purpose, evidence);
        break;
      case 'contradiction':
        this.#migration.contradictionProbed(purpose.record, purpose.by, evidence);
        break;
      case 'native':
        this.#migration.nativeProbed(purpose.candidate, purpose.record, purpose.mac, evidence);
        break;
      case 'beaten':
        this.#migration.beatenProbed(purpose, evidence);
        break;
      case 'refused':
        this.#acceptance.refusedProbed(purpose.record, evidence);
        break;
      case 'deferred':
        if (evidence !== undefined) this.#learning.consider(evidence);
        break;
      case 'returned':
        this.#restart.returnedProbed(purpose.record, evidence);
        break;
      default:
        purpose satisfies never;
    }
  }

  #verified(verified: Verified | undefined): void {
    if (verified !== undefined) this.#acceptance.verified(verified);
  }

  /** A node that was asked after it had left answers here: it is claimed back. */
  #departureProbed(
    departed: Extract<ProbePurpose, { readonly for: 'departure' }>,
    evidence: Evidence | undefined,
  ): void {
    const { record, to } = departed;
    const { directory, journal } = this.#context;
    const wasAtClaimer = directory.get(record.vnet, record.ip)?.router === to;
    if (!this.#verification.departureProbed(departed, evidence) || evidence === undefined) return;
    const move = wasAtClaimer ? journal.latest(record.vnet, record.mac) : undefined;
    if (this.#learning.object(evidence, to)) this.#verification.claimedBack(record, to, move);
  }

  /** Proxy ARP and ND, at once: the kernel's own would wait up to 0.8 s. */
  #answer(lan: Lan, frame: NeighbourFrame): void {
    if (frame.kind === 'na' || frame.kind === 'rarp' || this.#context.isOwnMac(frame.ethernetSource)) return;
    if (!shouldAnswer(frame, lan, this.#context)) return;
    const target = frame.kind === 'ns' ? frame.target : frame.targetIp;
    // A default router that says it is none is given up by the host (RFC 4861 §7.2.5).
    const router = target.isLinkLocal || isGateway(this.#context, lan.vnet, target);
    this.#context.ports.sendFrame(lan.index, answer(frame, lan.mac, lan.mac, router));
    this.#context.counters.count('proxy_answers');
  }
}
