/** The destination VR's part of a move: it claims the node, and hears what the others say to that. */

import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { ClaimResultMessage } from '../../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { type AddressProbe, PATIENT, QUICK } from '../address-probe.js';
import { type Context, nodeKey } from '../context.js';
import type { DuplicateSuppression } from '../duplicate-suppression.js';
import type { Move } from '../journal.js';
import type { Departure } from '../source/departure.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import type { Arrival } from './arrival.js';
import { type Candidate, seenAs } from './candidate.js';
import { type ClaimResult, Claims, type SentClaim } from './claims.js';
import type { DeferredClaims } from './deferred-claims.js';
import { HOLD_MS, Obstacles, STALE_WAIT_MS } from './obstacles.js';
import { once } from './once.js';
import { Reports } from './reports.js';

const KNOWN_SEQUENCES = 4_096;
/** A router that is up and does not answer a proposal for so long will not. */
const PROPOSAL_KEPT_MS = 2_000;

export interface MigrationParts {
  readonly arrival: Arrival;
  readonly departure: Departure;
  readonly addressProbe: AddressProbe;
  readonly updates: UpdateBatcher;
  readonly freeze: DuplicateSuppression;
  readonly deferred: DeferredClaims;
}

export class Migration {
  readonly #context: Context;
  readonly #parts: MigrationParts;
  readonly #claims: Claims;
  readonly #obstacles: Obstacles;
  /** Sequence numbers heard of without a record. */
  readonly #heardSeq = new BoundedMap<string, number>(KNOWN_SEQUENCES);
  readonly #reports: Reports;

  constructor(context: Context, parts: MigrationParts) {
    this.#context = context;
    this.#parts = parts;
    this.#claims = new Claims(context);
    this.#obstacles = new Obstacles(context, parts);
    this.#reports = new Reports(context);
  }

  /**
   * Claims a node for this router: tables, the first ARP, claim messages, the rest of ARP, in this order; in a burst the
   * claims of all come before the ARP of most. In strict mode, and when another MAC has the address, the VR that has it is
   * asked first, and nothing changes until it agrees. A string says why not.
   */
  claim(candidate: Candidate): Move | string {
    const obstacle = this.#obstacles.to(candidate);
    if (obstacle !== undefined) return obstacle;
    let reason = 'it has no address that could move';
    const records = candidate.records.filter((record) => {
      const objection = this.#objectionTo(candidate, record);
      if (objection !== undefined) reason = objection;
      return objection === undefined;
    });
    if (records.length === 0) return reason;
    const holder = this.#toBeAsked(candidate, records);
    if (holder !== undefined) return this.#propose(candidate, records, holder);
    return this.#take(candidate, records, this.#begin(candidate, records));
  }

  /** The answers of one router to claims. */
  result(from: RouterId, message: ClaimResultMessage): void {
    for (const { vnet, ip, verdict } of message.results) {
      if (verdict === 'objection') this.#contradicted(from, vnet, ip);
    }
    const results = message.results.filter(({ verdict }) => verdict !== 'objection');
    if (results.length > 0) this.#claims.result(from, { ...message, results });
  }

  peerDown(router: RouterId): void {
    this.#claims.peerDown(router);
  }

  /** The node's announcements here are not to be believed for a moment. */
  hold(vnet: VnetId, mac: Mac): void {
    this.#obstacles.hold(vnet, mac);
  }

  /** An own record is beaten at another router by one that is not known here: is the node really on this LAN? */
  beatenElsewhere(vnet: VnetId, ip: Ip, seq: number): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.router !== this.#context.self || record.seq > seq) return;
    this.#beaten(record, seq, undefined);
  }

  #objectionTo(candidate: Candidate, record: NodeRecord): string | undefined {
    const { gndt, self, hwdt, counters } = this.#context;
    const { vnet, ip } = record;
    if (!gndt.mayClaim(vnet, ip, self)) {
      this.#reports.notAllowed(record);
      return `the network's mobility.allow does not name ${self}`;
    }
    const native = hwdt.get(vnet, ip);
    if (native === undefined || native.silent || native.mac === candidate.mac) return undefined;
    counters.count('moves_in_conflict');
    this.#askNative(candidate, record, native.mac);
    return `another host of this LAN uses ${ip.key}`;
  }

  /** A host of this LAN has the address, or had it: it is not harmed if it answers, and does not stand in the way if not. */
  #askNative(candidate: Candidate, { vnet, ip }: NodeRecord, mac: Mac): void {
    const { hwdt, ports } = this.#context;
    if (!this.#reports.mayAskNative(vnet, ip, candidate.mac)) return;
    this.#parts.addressProbe.check({
      vnet,
      ip,
      mac,
      probes: QUICK,
      found: () => ports.event({ event: 'duplicate_address', vnet, ip, mac: candidate.mac, other: mac }),
      gone: () => {
        if (hwdt.get(vnet, ip)?.mac !== mac) return;
        hwdt.forget(vnet, ip);
        const current = this.#context.directory.get(vnet, ip);
        if (current !== undefined && !this.#context.isHere(vnet, ip)) {
          this.claim({ ...candidate, records: [current] });
        }
      },
    });
  }

  /** The VR that has to agree before anything changes; undefined if there is none, or none that can be asked. */
  #toBeAsked(candidate: Candidate, records: readonly NodeRecord[]): RouterId | undefined {
    const { self, config, ports } = this.#context;
    const [first] = records;
    if (first === undefined || candidate.objection === true) return undefined;
    if (first.state === 'withdrawn' || first.router === self) return undefined;
    const isContested = records.some((record) => record.mac !== candidate.mac);
    if (config.verify !== 'strict' && !isContested) return undefined;
    return ports.messenger.upPeers().includes(first.router) ? first.router : undefined;
  }

  #propose(candidate: Candidate, records: readonly NodeRecord[], holder: RouterId): Move {
    const { directory, counters, timers } = this.#context;
    const closed = this.#obstacles.proposed(candidate.lan.vnet, candidate.mac);
    counters.count('moves_proposed');
    const move = this.#begin(candidate, records);
    let isOpen = true;
    const close = (): boolean => {
      if (!isOpen) return false;
      isOpen = false;
      closed();
      return true;
    };
    const drafts = records.map(({ vnet, ip }) =>
      directory.draft(vnet, ip, candidate.mac, this.#nextSeq(vnet, ip)),
    );
    this.#claims.send(holder, {
      ...this.#message(candidate, drafts),
      sent: () => move.step(`asked:${holder}`),
      answered: (by, results) => {
        if (!close()) return;
        const refusal = results.find((result) => !isAccepted(result));
        move.step(`${refusal === undefined ? 'agreed' : 'refused'}:${by}`);
        if (refusal === undefined) this.#agreed(candidate, records, move);
        else this.#proposalRefused(by, candidate, refusal, move);
      },
      // It cannot be asked any more, and nothing reaches the node there.
      unanswered: () => {
        if (close()) this.#agreed(candidate, records, move);
      },
    });
    // Further announcements may ask again; an answer that is only late counts all the same.
    timers.after('proposal', PROPOSAL_KEPT_MS, () => {
      if (isOpen) closed();
    });
    return move;
  }

  /** What an earlier proposal, answered late, has brought here meanwhile is not taken again. */
  #agreed(candidate: Candidate, records: readonly NodeRecord[], move: Move): void {
    const left = records.filter(({ vnet, ip }) => !this.#context.isHere(vnet, ip));
    if (left.length > 0) this.#take(candidate, left, move);
    else move.judge('accepted');
  }

  #proposalRefused(by: RouterId, candidate: Candidate, result: ClaimResult, move: Move): void {
    const { vnet, seq, reason } = result;
    move.judge('refused', reason);
    this.#reports.refusal(by, result, candidate.mac);
    // What beats it is under way; then the node is asked whether it is here.
    const waitMs = reason === 'stale' ? STALE_WAIT_MS : HOLD_MS;
    if (reason === 'stale') this.#heard(vnet, result.ip, seq);
    else this.hold(vnet, candidate.mac);
    for (const record of candidate.records) {
      const { ip, router, mac } = record;
      if (mac !== candidate.mac) this.#reports.duplicate(vnet, ip, candidate.mac, router);
      else this.#parts.deferred.rememberFor(seenAs(candidate, record), waitMs);
    }
  }

  #begin(candidate: Candidate, records: readonly NodeRecord[]): Move {
    const { lan, mac, trigger, detectedMs } = candidate;
    const { self, journal } = this.#context;
    const ips = records.map(({ ip }) => ip);
    const seq = Math.max(...records.map(({ vnet, ip }) => this.#nextSeq(vnet, ip)));
    const from = records[0]?.router === self ? undefined : records[0]?.router;
    const start = { vnet: lan.vnet, mac, ips, from, to: self, trigger, seq, startedMs: detectedMs };
    const move = journal.begin({ ...start, role: 'destination' });
    move.step('detected', detectedMs);
    return move;
  }

  #take(candidate: Candidate, records: readonly NodeRecord[], move: Move): Move {
    const { directory, hwdt, ports, burst } = this.#context;
    const { lan, mac } = candidate;
    const ips = records.map(({ ip }) => ip);
    const bounces = records.some(({ vnet, ip }) => this.#parts.freeze.isMoveTooMany(vnet, ip));
    const next = records.map(({ vnet, ip }) => this.#nextSeq(vnet, ip));
    const claimed = records.map(({ vnet, ip }, i) => {
      // The binding first, so that the route is complete when the directory changes.
      hwdt.learn(lan.index, vnet, mac, ip, candidate.source);
      return directory.originate(vnet, ip, mac, next[i] ?? 1, bounces);
    });
    move.step('directory');
    this.#parts.departure.end(lan.vnet, mac);
    // One frame does not hold up the claim; all of them would.
    const tell = once(() => this.#tell(candidate, move, claimed));
    const redirect = (): void =>
      this.#parts.arrival.redirect({ lan, mac, ips }, () => {
        move.step('first_arp');
        tell();
      });
    if (burst.joined()) burst.later(redirect);
    else redirect();
    tell();
    if (bounces) {
      move.step('frozen');
      for (const record of claimed) this.#parts.freeze.alarm(record, move.start.from ?? this.#context.self);
    }
    const { vnet, from, to, seq, trigger } = move.start;
    ports.event({ event: 'move_claimed', vnet, mac, ips, from, to, seq, trigger });
    this.#context.counters.count(`moves_claimed_${trigger}`);
    ports.saveState();
    return move;
  }

  #nextSeq(vnet: VnetId, ip: Ip): number {
    const known = this.#context.directory.get(vnet, ip)?.seq ?? 0;
    return Math.max(known, this.#heardSeq.get(nodeKey(vnet, ip)) ?? 0) + 1;
  }

  #heard(vnet: VnetId, ip: Ip, seq: number): void {
    const key = nodeKey(vnet, ip);
    this.#heardSeq.set(key, Math.max(seq, this.#heardSeq.get(key) ?? 0));
  }

  /** To all routers that are up, the one that had the node first. The claim stands when that one agrees or is down. */
  #tell(candidate: Candidate, move: Move, records: readonly NodeRecord[]): void {
    const up = this.#context.ports.messenger.upPeers();
    const { from } = move.start;
    const first = from !== undefined && up.includes(from) ? from : undefined;
    const settle = (by: RouterId): void => {
      if (move.verdict === 'claiming' && by === from) move.judge('accepted');
    };
    const claim: SentClaim = {
      ...this.#message(candidate, records),
      sent: () => move.stepOnce('claim_sent'),
      answered: (by, results) => {
        move.step(`${results.every(isAccepted) ? 'accepted' : 'refused'}:${by}`);
        this.#answered(by, candidate, records, results, move);
        settle(by);
      },
      unanswered: settle,
    };
    for (const peer of first === undefined ? up : [first, ...up.filter((id) => id !== first)]) {
      this.#claims.send(peer, claim);
    }
    if (first === undefined) move.judge('accepted');
  }

  #message(
    { lan, mac, trigger, detectedMs, objection }: Candidate,
    records: readonly NodeRecord[],
  ): Omit<SentClaim, 'sent' | 'answered' | 'unanswered'> {
    return { vnet: lan.vnet, mac, records, trigger, detectedMs, objection: objection === true };
  }

  #answered(
    by: RouterId,
    candidate: Candidate,
    records: readonly NodeRecord[],
    results: readonly ClaimResult[],
    move: Move,
  ): void {
    for (const result of results) {
      const record = records.find(({ vnet, ip }) => vnet === result.vnet && ip.equals(result.ip));
      if (record === undefined || isAccepted(result)) continue;
      if (result.reason === 'stale') this.#beaten(record, result.seq, move);
      else this.#refused(by, candidate, record, result, move);
    }
  }

  /** The node is served on while it is asked: it was seen here a moment ago. */
  #beaten(record: NodeRecord, seq: number, move: Move | undefined): void {
    const { vnet, ip, mac } = record;
    this.#heard(vnet, ip, seq);
    move?.judge('refused', 'stale');
    if (!this.#context.isHere(vnet, ip)) return;
    // These are where the configuration has them: nobody needs to be asked.
    if (this.#context.isOwnAddress(vnet, ip) || this.#context.gndt.ownClientAt(vnet, ip) !== undefined) {
      this.#parts.updates.publish(this.#context.directory.originate(vnet, ip, mac, seq + 1));
      return;
    }
    this.#parts.addressProbe.check({
      vnet,
      ip,
      mac,
      probes: PATIENT,
      found: ({ lan, trigger, source, atMs }) => {
        this.claim({ lan, mac, records: [record], trigger, source, detectedMs: atMs });
      },
      gone: () => this.#withdraw(record),
    });
  }

  /** Only the router that had the node, or its home VR, can undo a move; another one's tables may be out of date. */
  #refused(by: RouterId, candidate: Candidate, record: NodeRecord, result: ClaimResult, move: Move): void {
    const { vnet, ip, mac } = record;
    this.#reports.refusal(by, result, mac);
    if (by !== move.start.from && by !== this.#context.gndt.homeOf(vnet, ip)) return;
    move.judge('refused', result.reason);
    this.hold(vnet, mac);
    this.#withdraw(record);
    // It was frozen without this router's knowing. When that ends it may have nothing more to say.
    if (result.reason === 'frozen') this.#parts.deferred.remember(seenAs(candidate, record));
  }

  /**
   * This router has undone another's claim because the node answered here, and it answers there too. If it still does
   * here, there are two: it stays here, frozen. If not, it has moved meanwhile, and the other one may have it.
   */
  #contradicted(by: RouterId, vnet: VnetId, ip: Ip): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.router !== this.#context.self) return;
    const { mac } = record;
    this.#context.counters.count('objections_received');
    this.#parts.addressProbe.check({
      vnet,
      ip,
      mac,
      probes: QUICK,
      found: () => {
        this.#reports.duplicate(vnet, ip, mac, by);
        this.#context.journal.latest(vnet, mac)?.stepOnce('frozen');
        this.#parts.freeze.freeze(vnet, ip, by);
      },
      gone: () => this.#withdraw(record),
    });
  }

  #withdraw({ vnet, ip, seq }: NodeRecord): void {
    const current = this.#context.directory.here(vnet, ip);
    if (current?.router !== this.#context.self || current.seq !== seq) return;
    const tombstone = this.#context.directory.withdraw(vnet, ip);
    if (tombstone !== undefined) this.#parts.updates.publish(tombstone);
  }
}

function isAccepted(result: ClaimResult): boolean {
  return result.verdict === 'accepted';
}
