/**
 * What follows from one part's work for another (`FollowUp`) is done here, when the current frame, message or timer has been
 * dealt with, so that the parts need not know each other.
 */
import type { MobilityParts } from './assembly.js';
import type { Context } from './context.js';
import type { Evidence } from './evidence.js';
import type { FollowUp, ProbePurpose } from './follow-up.js';
import type { Verified } from './source/verification.js';

export class Consequences {
  readonly #context: Context;
  readonly #parts: MobilityParts;
  #isFollowing = false;

  constructor(context: Context, parts: MobilityParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** In the order in which it was found out. What follows from that in turn comes behind it. */
  settle(): void {
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
        // It has said by itself that it is here: it may have just come back.
        if (evidence?.source === 'gratuitous' && !evidence.isAnswer) this.#parts.learning.consider(evidence);
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
        this.#parts.recovery.probed(purpose, evidence);
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
