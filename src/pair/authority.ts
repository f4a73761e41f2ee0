/**
 * Who may say what about the roles of a site's two routers: the gate that every such message passes before any handler sees
 * it. A valid key makes a router a member, not a friend: what a member says counts for its own site at most.
 *
 *   pairHeartbeat      the partner
 *   siteActive         a router of a site of two, of itself
 *   siteActiveRefused  in answer to a siteActive of ours
 *   partnerQuery       a router of another site of two, about its partner
 *   partnerAnswer      in answer to an open query of ours
 *   handOver           the partner
 *
 * The rates are of each peer, and the same for who misbehaves: with less than an honest router says it would go on to be
 * refused, so never be thought well of again, and its site could not be followed. Numbers have their ranges in the codec. What
 * is refused is counted and told to `Conduct`; it is never an exception, and never logged. What has waited here while this
 * router stood still comes all at once: so much is refused without being held against its sender.
 */

import type { Clock } from '../net/clock.js';
import { KeyedRateLimit, type Rate } from '../net/rate-limit.js';
import type { Conduct } from '../protocol/conduct.js';
import type { PairMessage } from '../protocol/pair-message.js';

export type PairRefusal = 'not-partner' | 'no-pair' | 'unasked' | 'too-soon';

/** What is known of the sender, and of what was asked. */
export interface PairFacts {
  readonly isPartner: boolean;
  /** It stands in a site of two, and that is not ours. */
  readonly isOfOtherPair: boolean;
  /** Our siteActive, or a query with this number, was sent to it a moment ago. */
  readonly isAnswer: boolean;
}

/** A session lasts so long without a word (`tunnel/times.ts`): what is said meanwhile comes when the receiver goes on. */
const HELD_UP_SECONDS = 10;

interface Rule {
  readonly refusal: (facts: PairFacts) => PairRefusal | undefined;
  readonly rate: Rate;
}

const partnerOnly = ({ isPartner }: PairFacts): PairRefusal | undefined =>
  isPartner ? undefined : 'not-partner';
const answersOnly = ({ isAnswer }: PairFacts): PairRefusal | undefined => (isAnswer ? undefined : 'unasked');
const pairsOnly = ({ isOfOtherPair, isPartner }: PairFacts): PairRefusal | undefined =>
  isOfOtherPair || isPartner ? undefined : 'no-pair';

const RULES: { readonly [Type in PairMessage['type']]: Rule } = {
  // Twenty a second, and one more with each change.
  pairHeartbeat: { refusal: partnerOnly, rate: { perSecond: 40, burst: 80 } },
  // Ten a second to those that are asked, one a second to all, and with each change.
  siteActive: { refusal: pairsOnly, rate: { perSecond: 15, burst: 60 } },
  siteActiveRefused: { refusal: answersOnly, rate: { perSecond: 15, burst: 60 } },
  // Ten a second while its partner is silent.
  partnerQuery: {
    refusal: ({ isOfOtherPair }) => (isOfOtherPair ? undefined : 'no-pair'),
    rate: { perSecond: 20, burst: 40 },
  },
  partnerAnswer: { refusal: answersOnly, rate: { perSecond: 40, burst: 80 } },
  handOver: { refusal: partnerOnly, rate: { perSecond: 1, burst: 5 } },
};

export interface PairAuthorityContext {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly conduct: Conduct;
  /** Of a refusal: `TYPE_REASON`. */
  readonly count: (name: string) => void;
}

export class PairAuthority {
  readonly #context: PairAuthorityContext;
  readonly #limits = new Map<PairMessage['type'], KeyedRateLimit<string>>();
  readonly #forgiven = new Map<PairMessage['type'], KeyedRateLimit<string>>();

  constructor(context: PairAuthorityContext) {
    this.#context = context;
    for (const [type, { rate }] of Object.entries(RULES) as [PairMessage['type'], Rule][]) {
      const { perSecond } = rate;
      this.#limits.set(type, new KeyedRateLimit(context.clock, rate));
      const heldUp = { perSecond, burst: HELD_UP_SECONDS * perSecond };
      this.#forgiven.set(type, new KeyedRateLimit(context.clock, heldUp));
    }
  }

  /** May the message be acted upon? Why not is counted. */
  allows(from: string, { type }: PairMessage, facts: PairFacts): boolean {
    const isSpent = (): boolean => this.#limits.get(type)?.allow(from) !== true;
    const refusal = RULES[type].refusal(facts) ?? (isSpent() ? 'too-soon' : undefined);
    if (refusal === undefined) return true;
    this.#context.count(`${type}_${refusal}`);
    const isForgiven = refusal === 'too-soon' && this.#forgiven.get(type)?.allow(from) === true;
    if (!isForgiven) this.#context.conduct.refused(from, type, refusal);
    return false;
  }
}
