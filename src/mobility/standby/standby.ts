/**
 * Mobility as the router does it that stands by: it hears and learns, and says nothing on a LAN or to another site. Its
 * directory is the active router's word, and it knows who was heard on the LANs when that word ends.
 */
import type { NeighbourFrame } from '../../arp/frame.js';
import type { TableMessage } from '../../protocol/table-message.js';
import type { LanIndex, LimitsConfig, MobilityConfig, NodeRecord, SiteId } from '../../tables/model.js';
import { type Chronicle, Context, type MobilityDependencies } from '../context.js';
import { classify, type Verdict } from '../detector.js';
import { type Evidence, evidenceOf } from '../evidence.js';
import type { MoveView } from '../ports.js';
import type { OpenWork, Role } from '../role.js';
import type { MissingNode } from '../search/missing.js';
import type { Suppressed } from '../suppression/duplicate-suppression.js';
import { PartnerGate } from './gate.js';
import { Heard } from './heard.js';
import { Replica } from './replica.js';

const STANDS_BY = "this router stands by: its site's other router is active";

export class Standby implements Role {
  readonly #context: Context;
  readonly #gate: PartnerGate;
  readonly #replica: Replica;
  readonly #heard: Heard;

  constructor(dependencies: MobilityDependencies, chronicle: Chronicle) {
    this.#context = new Context(dependencies, () => {}, chronicle);
    this.#gate = new PartnerGate(this.#context);
    this.#replica = new Replica(this.#context, dependencies.ports.partner, this.#gate);
    this.#heard = new Heard(dependencies.ports.clock);
  }

  start(): void {
    this.#replica.start();
  }

  end(): void {
    this.#context.end();
  }

  /** Who was heard on the LANs within the last minute, newest first. */
  heard(): readonly Evidence[] {
    return this.#heard.latest();
  }

  reconfigure(config: MobilityConfig, limits: LimitsConfig): void {
    this.#context.config = config;
    this.#context.limits = limits;
  }

  frameSeen(lanIndex: LanIndex, frame: NeighbourFrame, capturedAtMs: number): void {
    const lan = this.#context.lan(lanIndex);
    if (lan === undefined) return;
    const { counters, hwdt } = this.#context;
    const evidence = evidenceOf(lan, frame, capturedAtMs, (mac) => this.#context.isOwnMac(mac));
    if (typeof evidence === 'string') {
      counters.count(`frames_${evidence}`);
      return;
    }
    const verdict = classify(evidence, this.#context);
    counters.count(`frames_${verdict.verdict}`);
    const { mac, ip, source } = evidence;
    if (ip === undefined) hwdt.seenMac(lan.index, mac);
    else if (isBinding(verdict)) hwdt.learn(lan.index, lan.vnet, mac, ip, source);
    if (isToBeAsked(verdict)) this.#heard.note(evidence);
  }

  message(_from: SiteId, _message: TableMessage): void {
    this.#context.counters.count('messages_standby');
  }

  partnerMessage(message: TableMessage): void {
    if (message.type === 'partnerRecords') this.#replica.records(message);
    else if (message.type === 'partnerWhole') this.#replica.whole(message);
    // Both may stand by for a moment; then neither can tell the other anything.
    else if (message.type === 'partnerDigests') this.#gate.refuse(message.type, 'role');
    else this.#gate.refuseOther(message);
  }

  partnerUp(): void {
    this.#replica.compare();
  }

  moveByHand(): MoveView | string {
    return STANDS_BY;
  }

  unfreeze(): NodeRecord | string {
    return STANDS_BY;
  }

  missing(): Iterable<MissingNode> {
    return [];
  }

  isMissing(): boolean {
    return false;
  }

  suppressed(): readonly Suppressed[] {
    return [];
  }

  openWork(): OpenWork {
    return { probes: 0, questions: 0, verifications: 0 };
  }

  // The active router does, or says, all this.
  announceAll(): void {}
  dhcpSeen(): void {}
  peerUp(): void {}
  peerDown(): void {}
  siteSwitched(): void {}
  redirectHint(): void {}
  membersGone(): void {}
  nodeGone(): void {}
  wanted(): void {}
  heardHere(): void {}
  unheardOf(): void {}
}

/** Would the active router learn it? Not of who is said to be elsewhere: it may be the active router that answers for it. */
function isBinding(verdict: Verdict): boolean {
  switch (verdict.verdict) {
    case 'local':
    case 'link-local':
    case 'new':
    case 'rebinding':
    case 'unknown-address':
      return true;
    case 'unauthorised':
      return !verdict.pinned;
    default:
      return false;
  }
}

/** Also of who is where the directory says: the active router may have known better, and not lived to say it. */
function isToBeAsked({ verdict }: Verdict): boolean {
  return verdict !== 'link-local' && verdict !== 'unauthorised' && verdict !== 'own-address';
}
