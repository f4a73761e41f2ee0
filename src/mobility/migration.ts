/** The destination VR's part of a move: it claims the node, and hears what the others say to that. */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { ClaimResultMessage } from '../tables/message.js';
import type { BindingSource, MoveTrigger, NodeRecord, RouterId, VnetId } from '../tables/model.js';
import type { Arrival } from './arrival.js';
import { BoundedMap, RateLimit } from './bounded.js';
import { type Context, nodeKey } from './context.js';
import type { Departure } from './departure.js';
import type { Move } from './journal.js';
import type { Outbox } from './outbox.js';
import type { Lan } from './ports.js';
import type { Presence } from './presence.js';

/** After a refusal the node's further announcements are not claimed for this long. */
const HOLD_MS = 5_000;
const REPORT_INTERVAL_MS = 60_000;
/** Claims are acknowledged or their peers go down long before. */
const CLAIM_KEPT_MS = 60_000;
const KNOWN_SEQUENCES = 4_096;

export interface Candidate {
  readonly lan: Lan;
  readonly mac: Mac;
  /** Where its addresses were: all of one router, or tombstones. At least one. */
  readonly records: readonly NodeRecord[];
  readonly trigger: MoveTrigger;
  readonly source: BindingSource;
  readonly detectedMs: number;
}

interface Claim {
  readonly move: Move;
  readonly vnet: VnetId;
  readonly records: readonly NodeRecord[];
  readonly from: RouterId | undefined;
  /** Routers whose answer is still out. */
  readonly waiting: Set<RouterId>;
}

type Result = ClaimResultMessage['results'][number];

export class Migration {
  readonly #context: Context;
  readonly #arrival: Arrival;
  readonly #departure: Departure;
  readonly #presence: Presence;
  readonly #outbox: Outbox;
  readonly #claims = new Map<number, Claim>();
  /** Sequence numbers heard of without a record. */
  readonly #heardSeq = new BoundedMap<string, number>(KNOWN_SEQUENCES);
  readonly #holds: RateLimit;
  readonly #reports: RateLimit;
  #lastClaimId: number;

  constructor(context: Context, arrival: Arrival, departure: Departure, presence: Presence, outbox: Outbox) {
    this.#context = context;
    this.#arrival = arrival;
    this.#departure = departure;
    this.#presence = presence;
    this.#outbox = outbox;
    this.#holds = new RateLimit(context.clock, HOLD_MS);
    this.#reports = new RateLimit(context.clock, REPORT_INTERVAL_MS);
    // Not from 0: a late answer to a claim made before a restart must not be taken for one to a new claim.
    this.#lastClaimId = Math.floor(context.clock.wallMs()) % 0x4000_0000;
  }

  /** Claims a node for this router: tables, claim messages, ARP, in this order. A string says why not. */
  claim(candidate: Candidate): Move | string {
    const held = this.#holds.remainingMs(holdKey(candidate.lan.vnet, candidate.mac));
    if (held > 0) return 'a claim for it was refused a moment ago';
    let reason = 'it has no address that could move';
    const records = candidate.records.filter((record) => {
      const objection = this.#objectionTo(candidate, record);
      if (objection !== undefined) reason = objection;
      return objection === undefined;
    });
    return records.length === 0 ? reason : this.#take(candidate, records);
  }

  /** The answers of one router. */
  result(from: RouterId, message: ClaimResultMessage): void {
    const claim = this.#claims.get(message.claimId);
    if (claim === undefined || !claim.waiting.delete(from)) return;
    claim.move.step(`${message.results.every(isAccepted) ? 'accepted' : 'refused'}:${from}`);
    for (const result of message.results) {
      const record = claim.records.find(({ vnet, ip }) => vnet === result.vnet && ip.equals(result.ip));
      if (record === undefined || isAccepted(result)) continue;
      if (result.reason === 'stale') this.#beaten(record, result.seq, claim.move);
      else this.#refused(from, record, result, claim);
    }
    this.#settle(message.claimId, claim);
  }

  /** A router went down: it will hear of the claim when tables are compared. */
  peerDown(router: RouterId): void {
    for (const [id, claim] of this.#claims) {
      if (claim.waiting.delete(router)) this.#settle(id, claim);
    }
  }

  /** An own record is beaten at another router by one that is not known here: is the node really on this LAN? */
  beatenElsewhere(vnet: VnetId, ip: Ip, seq: number): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.router !== this.#context.self || record.seq > seq) return;
    this.#beaten(record, seq, undefined);
  }

  #objectionTo(candidate: Candidate, record: NodeRecord): string | undefined {
    const { gndt, self, hwdt, ports, counters } = this.#context;
    const { vnet, ip, seq } = record;
    if (!gndt.mayClaim(vnet, ip, self)) {
      counters.count('moves_not_allowed');
      if (this.#reports.allow(`allow|${nodeKey(vnet, ip)}`)) {
        ports.event({ event: 'claim_refused', vnet, ip, by: self, reason: 'not-allowed', seq });
      }
      return `the network's mobility.allow does not name ${self}`;
    }
    const native = hwdt.get(vnet, ip);
    if (native === undefined || native.silent || native.mac === candidate.mac) return undefined;
    counters.count('moves_in_conflict');
    if (this.#reports.allow(`conflict|${nodeKey(vnet, ip)}`)) {
      ports.event({ event: 'duplicate_address', vnet, ip, mac: candidate.mac, other: native.mac });
    }
    return `another host of this LAN uses ${ip.key}`;
  }

  #take(candidate: Candidate, records: readonly NodeRecord[]): Move {
    const { directory, hwdt, self, journal } = this.#context;
    const { lan, mac, trigger, detectedMs } = candidate;
    const ips = records.map(({ ip }) => ip);
    const next = records.map(({ vnet, ip }) => this.#nextSeq(vnet, ip));
    const from = records[0]?.router === self ? undefined : records[0]?.router;
    const seq = Math.max(...next);
    const start = { vnet: lan.vnet, mac, ips, from, to: self, trigger, seq, startedMs: detectedMs };
    const move = journal.begin({ ...start, role: 'destination' });
    move.step('detected', detectedMs);
    const claimed = records.map(({ vnet, ip }, i) => {
      // The binding first, so that the route is complete when the directory changes.
      hwdt.learn(lan.index, vnet, mac, ip, candidate.source);
      return directory.originate(vnet, ip, mac, next[i] ?? 1);
    });
    move.step('directory');
    this.#send(candidate, move, claimed, from);
    move.step('claim_sent');
    this.#departure.end(lan.vnet, mac);
    this.#arrival.redirect({ lan, mac, ips }, () => move.step('first_arp'));
    this.#announceLocally(move);
    return move;
  }

  #announceLocally(move: Move): void {
    const { vnet, mac, ips, from, to, seq, trigger } = move.start;
    this.#context.ports.event({ event: 'move_claimed', vnet, mac, ips, from, to, seq, trigger });
    this.#context.counters.count(`moves_claimed_${trigger}`);
    this.#context.ports.saveState();
  }

  #nextSeq(vnet: VnetId, ip: Ip): number {
    const known = this.#context.directory.get(vnet, ip)?.seq ?? 0;
    return Math.max(known, this.#heardSeq.get(nodeKey(vnet, ip)) ?? 0) + 1;
  }

  #send(candidate: Candidate, move: Move, records: readonly NodeRecord[], from: RouterId | undefined): void {
    const { messenger } = this.#context.ports;
    const up = messenger.upPeers();
    const peers = from !== undefined && up.includes(from) ? [from, ...up.filter((id) => id !== from)] : up;
    const claimId = this.#nextClaimId();
    const { mac, trigger, detectedMs, lan } = candidate;
    const claim: Claim = { move, vnet: lan.vnet, records, from, waiting: new Set(peers) };
    this.#claims.set(claimId, claim);
    const sinceDetectionUs = Math.max(0, Math.round((this.#context.clock.nowMs() - detectedMs) * 1000));
    const moves = [{ vnet: lan.vnet, mac, records, trigger, sinceDetectionUs }];
    for (const peer of peers) messenger.send(peer, { type: 'claim', claimId, moves });
    this.#context.timers.after('claim', CLAIM_KEPT_MS, () => this.#claims.delete(claimId));
    this.#settle(claimId, claim);
  }

  #nextClaimId(): number {
    this.#lastClaimId = (this.#lastClaimId + 1) % 0x8000_0000;
    return this.#lastClaimId;
  }

  /** The claim stands when the router that had the node agrees, or is not there to be asked. */
  #settle(claimId: number, claim: Claim): void {
    const { move, from, waiting } = claim;
    const sourceIsDone = from === undefined || !waiting.has(from);
    if (move.verdict === 'claiming' && sourceIsDone) move.judge('accepted');
    if (waiting.size === 0) this.#claims.delete(claimId);
  }

  /** The node is served on while it is asked: it was seen here a moment ago. */
  #beaten(record: NodeRecord, seq: number, move: Move | undefined): void {
    const { vnet, ip, mac } = record;
    const key = nodeKey(vnet, ip);
    this.#heardSeq.set(key, Math.max(seq, this.#heardSeq.get(key) ?? 0));
    move?.judge('refused', 'stale');
    if (!this.#context.isHere(vnet, ip)) return;
    if (this.#context.isOwnAddress(vnet, ip)) {
      this.#outbox.publish(this.#context.directory.originate(vnet, ip, mac, seq + 1));
      return;
    }
    this.#presence.check({
      vnet,
      ip,
      mac,
      found: ({ lan, trigger, source, atMs }) => {
        this.claim({ lan, mac, records: [record], trigger, source, detectedMs: atMs });
      },
      gone: () => this.#withdraw(record),
    });
  }

  /** Only the router that had the node, or its home VR, can undo a move; another one's tables may be out of date. */
  #refused(by: RouterId, record: NodeRecord, result: Result, claim: Claim): void {
    const { vnet, ip, mac, seq } = record;
    this.#context.ports.event({ event: 'claim_refused', vnet, ip, by, reason: result.reason, seq });
    this.#context.counters.count(`own_claims_refused_${result.reason}`);
    if (by !== claim.from && by !== this.#context.gndt.homeOf(vnet, ip)) return;
    claim.move.judge('refused', result.reason);
    this.#holds.begin(holdKey(vnet, mac));
    this.#withdraw(record);
  }

  #withdraw({ vnet, ip, seq }: NodeRecord): void {
    const current = this.#context.directory.here(vnet, ip);
    if (current?.router !== this.#context.self || current.seq !== seq) return;
    const tombstone = this.#context.directory.withdraw(vnet, ip);
    if (tombstone !== undefined) this.#outbox.publish(tombstone);
  }
}

function holdKey(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}

function isAccepted(result: Result): boolean {
  return result.verdict === 'accepted';
}
