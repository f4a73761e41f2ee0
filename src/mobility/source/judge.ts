/** What a single record of another router does to the directory, and what that says of an own claim or objection. */
import type { ClaimReason } from '../../protocol/table-message.js';
import type { NodeRecord } from '../../tables/model.js';
import { type AddressProbe, PATIENT } from '../address-probe.js';
import type { Authority } from '../authority.js';
import type { Context } from '../context.js';
import type { Claims } from '../destination/claims.js';
import type { Evidence } from '../evidence.js';
import type { ProbePurpose } from '../follow-up.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { Confirmation } from '../sync/confirmation.js';
import type { Queries } from '../sync/queries.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import type { Reassertion } from './reassertion.js';
import type { Origin } from './verification.js';

/** A record that changed the directory, and the one that it displaced. */
export interface Change {
  readonly before: NodeRecord | undefined;
  readonly record: NodeRecord;
  /** The router that had the node undoes the claim by which another had got it. */
  readonly isObjection: boolean;
  /** It undoes the claim of a third one: that of the router that had the node by then has crossed it. */
  readonly isCrossed: boolean;
}

export interface Judgement {
  readonly record: NodeRecord;
  /** Empty: accepted (now, or before). */
  readonly reason: ClaimReason;
  /** For `stale`: what beats it. */
  readonly winner: NodeRecord | undefined;
  readonly change: Change | undefined;
}

export interface JudgeParts {
  readonly authority: Authority;
  readonly addressProbe: AddressProbe;
  readonly updates: UpdateBatcher;
  readonly queries: Queries;
  readonly suppression: DuplicateSuppression;
  readonly confirmation: Confirmation;
  readonly claims: Claims;
  readonly reassertion: Reassertion;
}

export class Judge {
  readonly #context: Context;
  readonly #parts: JudgeParts;

  constructor(context: Context, parts: JudgeParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Its doubts, if there were any, are gone. */
  judge(origin: Origin, record: NodeRecord): Judgement {
    const { vnet, ip } = record;
    const { directory } = this.#context;
    const { authority, suppression, confirmation } = this.#parts;
    const door = authority.door(origin.from, record, origin.isObjection);
    if (door.is === 'shut') {
      if (door.misconduct !== undefined) authority.misconduct(origin, door.misconduct);
      const isHeld = door.reason === 'frozen' || door.reason === 'node-answers-here';
      this.#parts.reassertion.above(record, isHeld || this.#context.isFixed(vnet, ip));
      if (isHeld) this.#askOwn(record);
      return { record, reason: door.reason, winner: undefined, change: undefined };
    }
    const before = directory.get(vnet, ip);
    this.#noteObjection(origin, record);
    const mayObject = origin.isObjection && suppression.mayObject(vnet, ip, origin.from);
    const isRaised = origin.claimId === undefined && suppression.restedAt(vnet, ip, origin.from);
    if (directory.apply(record) === 'applied') {
      const isOther = before !== undefined && before.router !== origin.from;
      const isCrossed =
        isOther && record.frozen !== true && this.#isCrossed(origin, before, mayObject, isRaised);
      const isObjection = isOther && mayObject && origin.against === before.router && !isCrossed;
      if (isCrossed && isRaised) suppression.crossed(vnet, ip);
      if (isObjection) suppression.contradicted(vnet, ip, before.router, origin.from);
      else if (before !== undefined) confirmation.displaced(before, record);
      return { record, reason: '', winner: undefined, change: { before, record, isObjection, isCrossed } };
    }
    const winner = directory.get(vnet, ip);
    // A later record of the same router beats it without contradicting it.
    const beaten = winner !== undefined && winner.router !== origin.from;
    return { record, reason: beaten ? 'stale' : '', winner: beaten ? winner : undefined, change: undefined };
  }

  /** Does the record by which an own node is lost not know of the own claim? Then there is no contradiction in it. */
  #isCrossed(
    { from, isObjection, against }: Origin,
    { vnet, ip, router }: NodeRecord,
    mayObject: boolean,
    isRaised: boolean,
  ): boolean {
    if (isObjection) return mayObject && against !== router;
    return router === this.#context.self && this.#parts.claims.crosses(from, vnet, ip, isRaised);
  }

  /** The objection comes after other records by which the claimer has lost the node already. */
  #noteObjection({ from, isObjection, against }: Origin, { vnet, ip }: NodeRecord): void {
    if (!isObjection || against === undefined) return;
    const { suppression } = this.#parts;
    if (suppression.wasTaken(vnet, ip, from, against)) suppression.contradicted(vnet, ip, against, from);
  }

  /** It was refused unasked. Is the node here at all? If not, it is kept from where it is for nothing. */
  #askOwn(refused: NodeRecord): void {
    const { vnet, ip } = refused;
    const own = this.#context.directory.here(vnet, ip);
    if (own?.router !== this.#context.self || refused.state !== 'here') return;
    this.#parts.addressProbe.ask({
      vnet,
      ip,
      mac: own.mac,
      probes: PATIENT,
      purpose: { for: 'refused', record: own, by: refused.router },
    });
  }

  /**
   * An own node that another router claims, and that it was not given, was asked. If it is gone, that router may say once
   * more that it has it: what it said was refused.
   */
  refusedProbed(
    { record: { vnet, ip, mac }, by }: Extract<ProbePurpose, { readonly for: 'refused' }>,
    evidence: Evidence | undefined,
  ): void {
    const { directory, self } = this.#context;
    if (evidence !== undefined || this.#context.isFixed(vnet, ip)) return;
    const current = directory.here(vnet, ip);
    // Its number may have risen meanwhile.
    if (current?.router === self && current.mac === mac) this.#parts.updates.withdraw(vnet, ip);
    if (directory.here(vnet, ip) === undefined) this.#parts.queries.whoHasIp(vnet, ip, by);
  }
}
