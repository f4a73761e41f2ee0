/** The destination VR's part of a move: whether it claims the node, and what the others say to that (`Taking` does it). */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { ClaimResultMessage, StaleMessage } from '../../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { MAX_SEQUENCE } from '../../tables/record.js';
import { type AddressProbe, PATIENT, QUICK, THOROUGH } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Evidence } from '../evidence.js';
import type { ProbePurpose } from '../follow-up.js';
import type { Move } from '../journal.js';
import type { Reports } from '../reports.js';
import type { Reassertion } from '../source/reassertion.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import { type Candidate, seenAs } from './candidate.js';
import type { AnsweredClaim, ClaimResult, Claims, SentClaim } from './claims.js';
import type { DeferredClaims } from './deferred-claims.js';
import { HOLD_MS, type Obstacles, STALE_WAIT_MS } from './obstacles.js';
import type { Taking } from './taking.js';

/** A router that is up and does not answer a proposal for so long will not. */
const PROPOSAL_KEPT_MS = 2_000;

export interface MigrationParts {
  readonly taking: Taking;
  readonly addressProbe: AddressProbe;
  readonly updates: UpdateBatcher;
  readonly suppression: DuplicateSuppression;
  readonly deferred: DeferredClaims;
  readonly claims: Claims;
  readonly obstacles: Obstacles;
  readonly reports: Reports;
  readonly reassertion: Reassertion;
}

/** What beats an own record at other routers. */
interface Beaten {
  readonly record: NodeRecord;
  readonly seq: number;
  /** So says the router that has it, or its home VR. */
  readonly isByHolder: boolean;
  /** Whose record beats it, if that is known and says more than that it had the node. */
  readonly against: RouterId | undefined;
}

export class Migration {
  readonly #context: Context;
  readonly #parts: MigrationParts;
  /** Proposals that have not been answered. */
  readonly #proposals = new Set<SentClaim>();
  /** By node that is being asked: all that has been said until it answers, which is one answer to it. */
  readonly #beatenBy = new Map<string, Beaten>();

  constructor(context: Context, parts: MigrationParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Claims a node for this router: tables, the first ARP, claim messages, the rest of ARP, in this order; in a burst the
   * claims of all come before the ARP of most. In strict mode, and when another MAC has the address, the VR that has it is
   * asked first, and nothing changes until it agrees. A string says why not.
   */
  claim(candidate: Candidate): Move | string {
    const obstacle = this.#parts.obstacles.to(candidate);
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
    return this.#parts.taking.take(candidate, records, this.#parts.taking.begin(candidate, records));
  }

  /** The answers of one router to claims, as far as the gate lets them through. */
  result(from: RouterId, message: ClaimResultMessage): void {
    for (const { vnet, ip, verdict } of message.results) {
      if (verdict === 'objection') this.#contradicted(from, vnet, ip);
    }
    const results = message.results.filter(({ verdict }) => verdict !== 'objection');
    for (const answered of this.#parts.claims.result(from, { ...message, results })) this.#answered(answered);
  }

  /** Another router speaks for that site: what the one before has not answered is said to it. */
  sayAgain(site: RouterId): void {
    this.#parts.claims.sayAgain(site);
  }

  peerDown(router: RouterId): void {
    for (const answered of this.#parts.claims.peerDown(router)) this.#answered(answered);
  }

  /**
   * An own record is beaten at another router by one that is not known here: is the node really on this LAN? It is served
   * on while it is asked: it was seen here a moment ago.
   */
  beatenElsewhere(
    { vnet, ip, seq, router }: StaleMessage['records'][number],
    isByHolder: boolean,
    toldBy: RouterId,
  ): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.router !== this.#context.self || record.seq > seq) return;
    this.#beaten({ record, seq, isByHolder, against: router }, toldBy);
  }

  /** A host of this LAN was asked whether it has the address that the candidate brings. */
  nativeProbed(
    candidate: Candidate,
    { vnet, ip }: NodeRecord,
    mac: Mac,
    evidence: Evidence | undefined,
  ): void {
    const { hwdt, ports, directory } = this.#context;
    if (evidence !== undefined) {
      ports.event({ event: 'duplicate_address', vnet, ip, mac: candidate.mac, other: mac });
      return;
    }
    if (hwdt.get(vnet, ip)?.mac !== mac) return;
    hwdt.forget(vnet, ip);
    const current = directory.get(vnet, ip);
    if (current !== undefined && !this.#context.isHere(vnet, ip)) {
      this.claim({ ...candidate, records: [current] });
    }
  }

  /** A node whose record is beaten elsewhere was asked. Silence alone proves nothing: a third router's word is not enough. */
  beatenProbed(asked: NodeRecord, evidence: Evidence | undefined): void {
    const key = askedKey(asked);
    const beaten = this.#beatenBy.get(key);
    if (beaten === undefined) return;
    this.#beatenBy.delete(key);
    const { record, seq, isByHolder, against } = beaten;
    if (evidence === undefined) {
      if (isByHolder) this.#parts.updates.withdrawUnchanged(record);
      return;
    }
    const { directory, self } = this.#context;
    const own = directory.here(record.vnet, record.ip);
    // It has been claimed back meanwhile, above all that was said.
    if (own?.router === self && own.seq > seq) return;
    const { lan, mac, trigger, source, atMs, isAnswer } = evidence;
    const candidate = { lan, mac, records: [record], trigger, source, detectedMs: atMs };
    const objection = { objection: true, ...(against !== undefined && { against }) } as const;
    this.claim(isAnswer ? { ...candidate, ...objection } : candidate);
  }

  /**
   * The other router says that the node answers there. If it does here too, there are two: it stays here, the other's claims
   * are refused, and operators hear of it. (It is the word of one router: were the node frozen for it, one liar could stop
   * it from moving.) If not, it has moved meanwhile, and the other one may have it.
   */
  contradictionProbed(record: NodeRecord, by: RouterId, evidence: Evidence | undefined): void {
    if (evidence === undefined) {
      this.#parts.updates.withdrawUnchanged(record);
      return;
    }
    const { vnet, ip, mac } = record;
    this.#parts.reports.duplicate(vnet, ip, mac, by);
    this.#context.journal.latest(vnet, mac)?.stepOnce('answers_twice');
    this.#parts.suppression.contradicted(vnet, ip, by, this.#context.self);
  }

  /** An own claim was undone, and the node was asked here. */
  undoneProbed(
    { record, by, claimId, seq }: Extract<ProbePurpose, { readonly for: 'undone' }>,
    evidence: Evidence | undefined,
  ): void {
    const { vnet, ip } = record;
    if (evidence === undefined) {
      this.#context.counters.count('false_claims');
      return;
    }
    // It is frozen there, or this router's claims of it are refused for a while.
    const refusedMs = this.#parts.suppression.suppressedMs(vnet, ip, this.#context.self);
    if (refusedMs > 0) this.#parts.deferred.rememberFor({ ...evidence, ip }, refusedMs);
    else this.#parts.deferred.remember({ ...evidence, ip });
    const results = [{ vnet, ip, verdict: 'objection', reason: 'node-answers-here', seq }] as const;
    this.#context.ports.messenger.send(by, { type: 'claimResult', claimId, results });
  }

  #objectionTo(candidate: Candidate, record: NodeRecord): string | undefined {
    const { gndt, self, hwdt, counters } = this.#context;
    const { vnet, ip } = record;
    if (!gndt.mayClaim(vnet, ip, self)) {
      this.#parts.reports.notAllowed(record);
      return `the network's mobility.allow does not name ${self}`;
    }
    if (this.#parts.taking.nextSeq(vnet, ip) > MAX_SEQUENCE) return 'its sequence numbers are at their end';
    const native = hwdt.get(vnet, ip);
    if (native === undefined || native.silent || native.mac === candidate.mac) return undefined;
    counters.count('moves_in_conflict');
    // It is not harmed if it answers, and does not stand in the way if not.
    if (this.#parts.reports.mayAskNative(vnet, ip, candidate.mac)) {
      const purpose = { for: 'native', candidate, record, mac: native.mac } as const;
      this.#parts.addressProbe.ask({ vnet, ip, mac: native.mac, probes: QUICK, purpose });
    }
    return `another host of this LAN uses ${ip.key}`;
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
    counters.count('moves_proposed');
    const move = this.#parts.taking.begin(candidate, records);
    const drafts = records.map(({ vnet, ip }) =>
      directory.draft(vnet, ip, candidate.mac, this.#parts.taking.nextSeq(vnet, ip)),
    );
    const proposal: SentClaim = {
      kind: 'proposal',
      candidate: { ...candidate, records },
      records: drafts,
      move,
    };
    this.#proposals.add(proposal);
    this.#parts.obstacles.proposed(candidate.lan.vnet, candidate.mac);
    this.#parts.claims.send(holder, proposal);
    // Further announcements may ask again; an answer that is only late counts all the same.
    timers.after('proposal', PROPOSAL_KEPT_MS, () => this.#endProposal(proposal));
    return move;
  }

  #endProposal(proposal: SentClaim): void {
    if (!this.#proposals.delete(proposal)) return;
    const { lan, mac } = proposal.candidate;
    this.#parts.obstacles.proposalEnded(lan.vnet, mac);
  }

  #answered({ claim, by, results }: AnsweredClaim): void {
    if (claim.kind === 'proposal') this.#proposalAnswered(claim, by, results);
    else this.#claimAnswered(claim, by, results);
  }

  /** Without results it cannot be asked any more, and nothing reaches the node there. */
  #proposalAnswered(proposal: SentClaim, by: RouterId, results: readonly ClaimResult[] | undefined): void {
    const { candidate, move } = proposal;
    this.#endProposal(proposal);
    if (move.verdict !== 'claiming') return;
    const refusal = results?.find((result) => !isAccepted(result));
    if (results !== undefined) move.step(`${refusal === undefined ? 'agreed' : 'refused'}:${by}`);
    if (results === undefined) this.#agreed(candidate, move, by);
    else if (refusal === undefined) this.#agreed(candidate, move);
    else this.#proposalRefused(by, candidate, refusal, move);
  }

  /**
   * What an earlier proposal, answered late, has brought here meanwhile is not taken again.
   * @param downHolder has not agreed, but gone down: what it has no more by then is not taken
   */
  #agreed(candidate: Candidate, move: Move, downHolder?: RouterId): void {
    const { directory } = this.#context;
    const left = candidate.records.filter(
      ({ vnet, ip }) =>
        !this.#context.isHere(vnet, ip) &&
        (downHolder === undefined || directory.get(vnet, ip)?.router === downHolder),
    );
    if (left.length > 0) this.#parts.taking.take(candidate, left, move);
    else move.judge('accepted');
  }

  #proposalRefused(by: RouterId, candidate: Candidate, result: ClaimResult, move: Move): void {
    const { vnet, seq, reason } = result;
    move.judge('refused', reason);
    this.#parts.reports.refusal(by, result, candidate.mac);
    // What beats it is under way; then the node is asked whether it is here.
    const waitMs = reason === 'stale' ? STALE_WAIT_MS : HOLD_MS;
    if (reason === 'stale') this.#parts.taking.heard(vnet, result.ip, seq);
    else this.#parts.obstacles.hold(vnet, candidate.mac);
    for (const record of candidate.records) {
      const { ip, router, mac } = record;
      if (mac !== candidate.mac) this.#parts.reports.duplicate(vnet, ip, candidate.mac, router);
      else this.#parts.deferred.rememberFor(seenAs(candidate, record), waitMs);
    }
  }

  #claimAnswered(claim: SentClaim, by: RouterId, results: readonly ClaimResult[] | undefined): void {
    const { candidate, records, move } = claim;
    if (results !== undefined) {
      move.step(`${results.every(isAccepted) ? 'accepted' : 'refused'}:${by}`);
      for (const result of results) {
        const record = records.find(({ vnet, ip }) => vnet === result.vnet && ip.equals(result.ip));
        if (record === undefined || isAccepted(result)) continue;
        if (result.reason === 'stale') {
          move.judge('refused', 'stale');
          const isByHolder =
            by === move.start.from || by === this.#context.gndt.homeOf(record.vnet, record.ip);
          // The router that had it may only have raised its number.
          const against = result.router === move.start.from ? undefined : result.router;
          this.#beaten({ record, seq: result.seq, isByHolder, against }, by);
        } else this.#refused(by, candidate, record, result, move);
      }
    }
    if (move.verdict === 'claiming' && by === move.start.from) move.judge('accepted');
  }

  #beaten(beaten: Beaten, toldBy: RouterId): void {
    const { record, seq, against } = beaten;
    const { vnet, ip, mac } = record;
    this.#parts.taking.heard(vnet, ip, seq);
    if (!this.#context.isHere(vnet, ip)) return;
    // It was asked when that router claimed it before.
    if (against !== undefined && this.#parts.suppression.suppressedMs(vnet, ip, against) > 0) {
      this.#parts.reassertion.above({ vnet, ip, seq, router: against }, true);
      return;
    }
    // These are where the configuration has them: nobody needs to be asked.
    if (this.#context.isFixed(vnet, ip)) {
      this.#parts.updates.publish(this.#context.directory.originate(vnet, ip, mac, seq + 1));
      return;
    }
    // Who had it before may only have raised its number.
    const named = against === this.#context.directory.previous(vnet, ip) ? undefined : against;
    const purpose = { for: 'beaten', record } as const;
    if (!this.#parts.addressProbe.ask({ vnet, ip, mac, probes: PATIENT, purpose, toldBy })) return;
    const key = askedKey(record);
    this.#beatenBy.set(key, together({ ...beaten, against: named }, this.#beatenBy.get(key)));
  }

  /** Only the router that had the node, or its home VR, can undo a move; another one's tables may be out of date. */
  #refused(by: RouterId, candidate: Candidate, record: NodeRecord, result: ClaimResult, move: Move): void {
    const { vnet, ip, mac } = record;
    this.#parts.reports.refusal(by, result, mac);
    // It answered here a moment ago. One whose claim that undoes may only say that it answers there as well.
    if (candidate.objection === true) return;
    // What a third router says of where the node answers it has from the one that had it, at another moment.
    const isHome = by === this.#context.gndt.homeOf(vnet, ip) && result.reason !== 'node-answers-here';
    if (by !== move.start.from && !isHome) return;
    move.judge('refused', result.reason);
    this.#parts.obstacles.hold(vnet, mac);
    this.#parts.updates.withdrawUnchanged(record);
    // It was frozen, or this router's claims of it are refused, without its knowing. When that ends it may have nothing
    // more to say.
    if (result.reason === 'frozen') this.#parts.deferred.remember(seenAs(candidate, record));
    else if (result.reason === 'node-answers-here') {
      this.#parts.deferred.rememberFor(seenAs(candidate, record), HOLD_MS);
    }
  }

  #contradicted(by: RouterId, vnet: VnetId, ip: Ip): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.router !== this.#context.self) return;
    this.#context.counters.count('objections_received');
    if (this.#context.isFixed(vnet, ip)) return;
    const purpose = { for: 'contradiction', record, by } as const;
    this.#parts.addressProbe.ask({ vnet, ip, mac: record.mac, probes: THOROUGH, purpose });
  }
}

/** The claim is against the record with the highest number: it beats the others too. */
function together(beaten: Beaten, before: Beaten | undefined): Beaten {
  if (before === undefined) return beaten;
  const { seq, against } = beaten.seq > before.seq ? beaten : before;
  return { record: beaten.record, seq, against, isByHolder: beaten.isByHolder || before.isByHolder };
}

/** As `AddressProbe` tells one question from another. */
function askedKey({ vnet, ip, mac }: NodeRecord): string {
  return `${nodeKey(vnet, ip)}|${mac}`;
}

function isAccepted(result: ClaimResult): boolean {
  return result.verdict === 'accepted';
}
