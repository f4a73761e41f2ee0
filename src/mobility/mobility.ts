import { answer } from '../arp/announce.js';
import type { NeighbourFrame } from '../arp/frame.js';
import { shouldAnswer } from '../arp/proxy.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { LanIndex, MobilityConfig, NodeRecord, RouterId, VnetId } from '../tables/model.js';
import { AddressProbe } from './address-probe.js';
import { Context, type MobilityDependencies } from './context.js';
import { Arrival } from './destination/arrival.js';
import { DeferredClaims } from './destination/deferred-claims.js';
import { Migration } from './destination/migration.js';
import { DuplicateSuppression } from './duplicate-suppression.js';
import type { Evidence } from './evidence.js';
import { Learning } from './learning.js';
import { isGateway, NetworkNodes } from './neighbours.js';
import { Pacer } from './pacer.js';
import type { Lan, MoveView } from './ports.js';
import { Rounds } from './rounds.js';
import { Acceptance } from './source/acceptance.js';
import { Departure } from './source/departure.js';
import { Verification } from './source/verification.js';
import { AntiEntropy } from './sync/anti-entropy.js';
import { ClientAddresses } from './sync/client-addresses.js';
import { OwnAddresses } from './sync/own-addresses.js';
import { Queries } from './sync/queries.js';
import { Restart } from './sync/restart.js';
import { UpdateBatcher } from './sync/update-batcher.js';

/**
 * One router's part in mobility: it learns from captured frames, claims nodes that have arrived on its LANs, redirects
 * the neighbours of those that have arrived or left, answers ARP for those that are away, and keeps its directory in
 * step with the other routers'. No I/O and no clock of its own. Every call works at once and returns; none throws for
 * what a peer or a LAN says.
 *
 * The forwarding table must follow the directory and the HWDT by subscriptions made *before* this is constructed:
 * tables come before anything that is said about them.
 */
export class Mobility {
  readonly #context: Context;
  readonly #learning: Learning;
  readonly #migration: Migration;
  readonly #acceptance: Acceptance;
  readonly #queries: Queries;
  readonly #addressProbe: AddressProbe;
  readonly #updates: UpdateBatcher;
  readonly #freeze: DuplicateSuppression;
  readonly #sync: AntiEntropy;
  readonly #restart: Restart;
  readonly #nodes: NetworkNodes;

  constructor(dependencies: MobilityDependencies) {
    const context = new Context(dependencies);
    const nodes = new NetworkNodes(context.gndt, context.directory);
    const rounds = new Rounds(context.timers);
    this.#context = context;
    this.#nodes = nodes;
    this.#updates = new UpdateBatcher(context);
    this.#addressProbe = new AddressProbe(context, dependencies.startsLater === true);
    const pacer = new Pacer(context);
    const departure = new Departure(context, nodes, rounds, pacer);
    const { addressProbe, updates } = { addressProbe: this.#addressProbe, updates: this.#updates };
    const deferred = new DeferredClaims(context, addressProbe, (evidence) =>
      this.#learning.consider(evidence),
    );
    this.#freeze = new DuplicateSuppression(context, updates, (vnet, ip) => deferred.release(vnet, ip));
    const freeze = this.#freeze;
    const claimBack = (evidence: Evidence): boolean => this.#learning.object(evidence);
    const verification = new Verification(context, addressProbe, deferred, claimBack);
    const hold = (vnet: VnetId, mac: Mac): void => this.#migration.hold(vnet, mac);
    this.#acceptance = new Acceptance(context, { updates, departure, verification, freeze, hold });
    this.#queries = new Queries(context, (from, records) => this.#acceptance.records(from, records));
    const arrival = new Arrival(context, nodes, rounds, pacer, this.#queries);
    this.#migration = new Migration(context, { arrival, departure, addressProbe, updates, freeze, deferred });
    this.#restart = new Restart(context, { departure, arrival, addressProbe, updates });
    this.#sync = new AntiEntropy(context, this.#updates, this.#migration);
    this.#learning = new Learning(context, {
      migration: this.#migration,
      departure,
      arrival,
      addressProbe: this.#addressProbe,
      queries: this.#queries,
      updates: this.#updates,
    });
  }

  /** Publishes the gateway machine's own addresses and begins to compare tables with the peers that are up. */
  start(): void {
    new OwnAddresses(this.#context, this.#updates).publish();
    this.#addressProbe.start();
    this.#restart.redirectAll();
    new ClientAddresses(this.#context, this.#updates).publish();
    this.#sync.start();
  }

  /** No timer fires and no frame is sent any more. */
  stop(): void {
    this.#context.timers.stop();
    this.#addressProbe.stop();
  }

  /** GNDT and LNDT have adopted a new configuration, and the forwarding table follows them. */
  reconfigure(config: MobilityConfig): void {
    this.#context.config = config;
    this.#nodes.rebuild();
    new ClientAddresses(this.#context, this.#updates).publish();
  }

  /** @param capturedAtMs on the monotonic clock of the ports */
  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan === undefined) return;
    // First: a node that says nothing until its first question is claimed by that question, then answered.
    this.#learning.frame(lan, frame, capturedAtMs);
    this.#answer(lan, frame);
  }

  message(from: RouterId, message: TableMessage): void {
    this.#context.counters.count(`messages_${message.type}`);
    switch (message.type) {
      case 'records':
        this.#acceptance.records(from, message.records);
        break;
      case 'digest':
        this.#sync.digest(from, message);
        break;
      case 'stale':
        this.#sync.stale(message);
        break;
      case 'recall':
        this.#sync.recall(from);
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
      case 'claim':
        this.#acceptance.claim(from, message);
        break;
      case 'claimResult':
        this.#migration.result(from, message);
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
    }
  }

  peerUp(router: RouterId): void {
    this.#sync.compareWith(router);
  }

  peerDown(router: RouterId): void {
    this.#migration.peerDown(router);
  }

  /** The data plane has forwarded a packet from peer `to` for a node that is elsewhere. At most one hint a second. */
  redirectHint(to: RouterId, vnet: VnetId, ip: Ip): void {
    this.#queries.sendRedirect(to, vnet, ip);
  }

  /** A home node no longer answers. Visitors are never dropped for silence, nor are the machine's own addresses. */
  nodeGone(vnet: VnetId, ip: Ip): void {
    const { directory, hwdt, gndt, ports } = this.#context;
    if (!gndt.isHome(vnet, ip) || this.#context.isOwnAddress(vnet, ip)) return;
    if (gndt.clientAt(vnet, ip) !== undefined) return;
    hwdt.forget(vnet, ip);
    const tombstone = directory.withdraw(vnet, ip);
    if (tombstone === undefined) return;
    this.#updates.publish(tombstone);
    ports.event({ event: 'node_withdrawn', vnet, ip, mac: tombstone.mac });
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
    return typeof claimed === 'string' ? claimed : claimed.view();
  }

  /** Ends the freeze of a node that is here, by an operator's word. A string says why not. */
  unfreeze(vnet: VnetId, ip: Ip): NodeRecord | string {
    return this.#freeze.release(vnet, ip);
  }

  /** The last 1,000 moves, oldest first. */
  moves(): readonly MoveView[] {
    return this.#context.journal.views();
  }

  /** Every count by a stable name. */
  counters(): Readonly<Record<string, number>> {
    return this.#context.counters.view();
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
