/** From captured frames to the tables: bindings, own records, and the candidates for a move. */
import { probe } from '../arp/announce.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { KeyedRateLimit, onceIn, type Rate } from '../net/rate-limit.js';
import { isGatewayAddress } from '../tables/gateway.js';
import type { Lan } from '../tables/lan.js';
import type { LanIndex, NodeRecord, RouterId, VnetId } from '../tables/model.js';
import { nodeKey } from '../tables/node-key.js';
import type { AddressProbe } from './address-probe.js';
import type { Context } from './context.js';
import type { Arrival } from './destination/arrival.js';
import type { Migration } from './destination/migration.js';
import { classify, type Verdict } from './detector.js';
import { type Evidence, evidenceOf } from './evidence.js';
import type { Search } from './search/search.js';
import type { SoughtNodes } from './search/sought.js';
import type { Departure } from './source/departure.js';
import type { Queries } from './sync/queries.js';
import type { UpdateBatcher } from './sync/update-batcher.js';

const REPORT_INTERVAL_MS = 60_000;
const STRANGERS: Rate = { perSecond: 5, burst: 50 };
const PROBE_INTERVAL_MS = 1_000;
/** A burst of announcements lasts about a second. */
const REDIRECT_INTERVAL_MS = 5_000;
/** By then the tables have been compared, whoever had to be waited for. */
const MISSED_MS = 60_000;
/** Addresses asked after one ambiguous RARP. */
const MOST_PROBES = 8;

export interface LearningParts {
  readonly migration: Migration;
  readonly departure: Departure;
  readonly arrival: Arrival;
  readonly addressProbe: AddressProbe;
  readonly queries: Queries;
  readonly updates: UpdateBatcher;
  readonly search: Search;
  readonly sought: SoughtNodes;
}

export class Learning {
  readonly #context: Context;
  readonly #parts: LearningParts;
  readonly #reports: KeyedRateLimit;
  /** By LAN: reports of machines that do what they may not, whoever they say that they are. */
  readonly #strangers: KeyedRateLimit<LanIndex>;
  readonly #probes: KeyedRateLimit;
  readonly #redirections: KeyedRateLimit;
  #tookOverMs = Number.NEGATIVE_INFINITY;

  constructor(context: Context, parts: LearningParts) {
    this.#context = context;
    this.#parts = parts;
    this.#reports = new KeyedRateLimit(context.clock, onceIn(REPORT_INTERVAL_MS));
    this.#strangers = new KeyedRateLimit(context.clock, STRANGERS);
    this.#probes = new KeyedRateLimit(context.clock, onceIn(PROBE_INTERVAL_MS));
    this.#redirections = new KeyedRateLimit(context.clock, onceIn(REDIRECT_INTERVAL_MS));
  }

  /** Another router of the site was active until now, and may have known more. */
  tookOver(): void {
    this.#tookOverMs = this.#context.clock.nowMs();
  }

  /** A frame was captured on a LAN. */
  frame(lan: Lan, frame: NeighbourFrame, capturedMs: number): void {
    const evidence = evidenceOf(lan, frame, capturedMs, (mac) => this.#context.isOwnMac(mac));
    if (typeof evidence === 'string') {
      this.#context.counters.count(`frames_${evidence}`);
    } else if (this.#parts.departure.precedes(capturedMs, lan.vnet, evidence.mac)) {
      this.#context.counters.count('frames_late');
    } else if (!this.#parts.addressProbe.answered(evidence)) {
      this.consider(evidence);
    }
  }

  /** Classifies evidence and does what follows. Also for evidence whose meaning has become clear later. */
  consider(evidence: Evidence): void {
    const verdict = classify(evidence, this.#context);
    if (evidence.ip === undefined) this.#ofMac(evidence, verdict);
    else this.#ofBinding(evidence, evidence.ip, verdict);
    this.#context.counters.count(`frames_${verdict.verdict}`);
  }

  /** Asks a machine that is said to be elsewhere for its addresses, that one first: its answers are evidence. */
  ask(lan: Lan, mac: Mac, ip?: Ip): void {
    const its = this.#elsewhere(lan, mac);
    const others = its.filter((record) => ip?.equals(record.ip) !== true);
    this.#askAddresses(lan, mac, ip === undefined ? its : [{ ip }, ...others]);
  }

  /** The node has answered here after router `against` had claimed it: that claim is undone. False: it cannot be. */
  object(evidence: Evidence, against: RouterId): boolean {
    const verdict = classify(evidence, this.#context);
    if (verdict.verdict === 'move') return this.#move(evidence, verdict.records, against);
    this.consider(evidence);
    return true;
  }

  #ofMac(evidence: Evidence, verdict: Verdict): void {
    const { lan, mac } = evidence;
    // A move first: the node waits.
    if (verdict.verdict === 'move') this.#move(evidence, verdict.records);
    this.#context.hwdt.seenMac(lan.index, mac);
    if (verdict.verdict === 'local') {
      this.#redirectAgain(evidence);
      // Some of its addresses may have stayed behind in the tables (a claim of them was refused): it is asked for them.
      this.#askAddresses(lan, mac, this.#elsewhere(lan, mac));
    } else if (verdict.verdict === 'ambiguous') this.#askAddresses(lan, mac, verdict.records);
    else if (verdict.verdict === 'unknown-mac') {
      // A node that was given up (its record withdrawn) is learned again by its answer: it may not say more than this.
      this.#askAddresses(lan, mac, this.#context.hwdt.byMac(lan.vnet, mac));
      this.#parts.queries.whoHasMac(lan.vnet, mac, evidence);
    }
  }

  #elsewhere(lan: Lan, mac: Mac): readonly NodeRecord[] {
    const { directory, self } = this.#context;
    return directory.byMac(lan.vnet, mac).filter(({ router }) => router !== self);
  }

  #ofBinding(evidence: Evidence, ip: Ip, verdict: Verdict): void {
    const { lan, mac } = evidence;
    switch (verdict.verdict) {
      case 'local':
        this.#learn(evidence, ip);
        this.#parts.search.found(lan.vnet, mac);
        if (evidence.source === 'gratuitous' && this.#mayHaveMissedMoves()) this.#redirectAgain(evidence);
        return;
      case 'link-local':
        this.#learn(evidence, ip);
        return;
      case 'new':
        this.#learn(evidence, ip);
        this.#parts.search.found(lan.vnet, mac);
        if (!this.#context.growth.mayAdd(lan)) return;
        this.#originate(lan.vnet, ip, mac, verdict.seq, 'node_learned');
        return;
      case 'rebinding':
        this.#learn(evidence, ip);
        this.#originate(lan.vnet, ip, mac, verdict.record.seq, 'node_rebound');
        return;
      case 'move':
        this.#move(evidence, verdict.records);
        return;
      case 'conflict':
        // The VR that has the address is asked first; it alone can tell whether its node is still there.
        this.#move(evidence, [verdict.record]);
        return;
      case 'own-address':
        if (!isGatewayAddress(lan, ip)) this.#duplicate(lan, ip, mac);
        return;
      case 'unknown-address':
        this.#unauthorised(evidence, ip);
        this.#parts.queries.whoHasIp(lan.vnet, ip, verdict.home, evidence);
        return;
      case 'unauthorised':
        this.#unauthorised(evidence, ip, verdict.pinned);
        return;
    }
  }

  /**
   * A node that is where the directory has it announces itself as after a move. It may have been elsewhere while the WAN
   * was cut, so that nobody here knows of it; its neighbour cache then leads to another VR.
   */
  #redirectAgain({ lan, mac }: Evidence): void {
    if (!this.#redirections.allow(`${lan.index}|${mac}`)) return;
    const ips = this.#context.directory
      .byMac(lan.vnet, mac)
      .filter(
        ({ vnet, ip, router }) => router === this.#context.self && !this.#context.isOwnAddress(vnet, ip),
      )
      .map(({ ip }) => ip);
    if (ips.length > 0) this.#parts.arrival.redirect({ lan, mac, ips }, () => {});
  }

  /** Of nodes that come back a move may have been missed, for as long as another router has not been heard. */
  #mayHaveMissedMoves(): boolean {
    const { gndt, ports, clock } = this.#context;
    if (clock.nowMs() - this.#tookOverMs < MISSED_MS) return true;
    return ports.messenger.upPeers().length < gndt.siteIds.size - 1;
  }

  #learn({ lan, mac, source }: Evidence, ip: Ip): void {
    this.#context.hwdt.learn(lan.index, lan.vnet, mac, ip, source);
  }

  #originate(vnet: VnetId, ip: Ip, mac: Mac, seq: number, event: 'node_learned' | 'node_rebound'): void {
    this.#parts.updates.publish(this.#context.directory.originate(vnet, ip, mac, seq));
    this.#context.ports.event({ event, vnet, ip, mac });
  }

  #move(evidence: Evidence, records: readonly NodeRecord[], against?: RouterId): boolean {
    const { lan, mac, source, atMs } = evidence;
    const isFound = evidence.isAnswer && this.#parts.sought.isSought(lan.vnet, mac);
    const trigger = isFound ? 'search' : evidence.trigger;
    const candidate = { lan, mac, records, trigger, source, detectedMs: atMs };
    const claimed = this.#parts.migration.claim(
      against === undefined ? candidate : { ...candidate, objection: true, against },
    );
    this.#redirections.exhaust(`${lan.index}|${mac}`);
    if (typeof claimed === 'string') this.#context.counters.count('moves_not_claimed');
    return typeof claimed !== 'string';
  }

  #duplicate(lan: Lan, ip: Ip, mac: Mac): void {
    const { vnet, mac: other } = lan;
    if (!this.#strangers.allow(lan.index) || !this.#reports.allow(`duplicate|${nodeKey(vnet, ip)}`)) return;
    this.#context.ports.event({ event: 'duplicate_address', vnet, ip, mac, other });
  }

  /** Its binding is kept for operators to see, unless it would displace that of the node the address is pinned to. */
  #unauthorised(evidence: Evidence, ip: Ip, pinned = false): void {
    const { lan, mac } = evidence;
    if (!pinned) this.#learn(evidence, ip);
    if (!this.#strangers.allow(lan.index) || !this.#reports.allow(`unauthorised|${nodeKey(lan.vnet, ip)}`))
      return;
    this.#context.ports.event({ event: 'unauthorised_seen', vnet: lan.vnet, ip, mac });
  }

  #askAddresses(lan: Lan, mac: Mac, records: readonly { readonly ip: Ip }[]): void {
    if (records.length === 0 || !this.#probes.allow(`${lan.index}|${mac}`)) return;
    for (const { ip } of records.slice(0, MOST_PROBES)) {
      this.#parts.addressProbe.askedOtherwise({ vnet: lan.vnet, ip, mac });
      this.#context.ports.sendFrame(lan.index, probe(ip, lan.mac, mac, undefined));
    }
  }
}
