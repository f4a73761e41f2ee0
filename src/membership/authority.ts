/**
 * Who may say what about the network's documents: the gate that every such message passes before any handler sees it. A
 * valid key makes a router a member, not a friend: what a document says counts by its signature, not by who has sent it.
 *
 *   networkState  unasked, of itself; it is told again with each change
 *   networkAsk    about a document that was told to it; priced by the parts that it wants
 *   networkPart   in answer to an open question of ours to that peer, about a part that was asked for
 *
 * The rates are of each peer; for who misbehaves a unit costs more. Numbers have their ranges in the codec. What is refused
 * is counted and told to `Conduct`; it is never an exception, and never logged.
 */
import type { Clock } from '../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../net/counters.js';
import { KeyedRateLimit, type Rate } from '../net/rate-limit.js';
import type { Conduct } from '../protocol/conduct.js';
import type { NetworkMessage } from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';

export const NETWORK_COUNTERS = {
  'network_refused_*': 'drop',
  /** A document that a peer has sent is not what it said, or not signed. */
  network_documents_forged: 'drop',
  network_documents_received: 'event',
  /** A peer was too slow, or silent, or went away, with a document half sent. */
  network_downloads_given_up: 'event',
  descriptions_applied: 'event',
  descriptions_confirmed: 'event',
  descriptions_refused: 'event',
  descriptions_undone: 'event',
  /** Two documents of one version: the network's key has signed twice. */
  descriptions_signed_twice: 'event',
  /** A key of the network has named two successors. */
  network_keys_signed_twice: 'event',
} as const satisfies CounterTable;

export type NetworkCounters = DeclaredCounters<typeof NETWORK_COUNTERS>;
export function networkCounters(): NetworkCounters {
  return new DeclaredCounters(NETWORK_COUNTERS);
}

export type NetworkRefusal = 'unasked' | 'unknown-document' | 'too-soon';

export interface NetworkFacts {
  /** An ask: the document is one that is kept here. */
  readonly isKept: boolean;
  /** A part: it was asked of this peer. */
  readonly isAwaited: boolean;
}

interface Rule {
  readonly refusal: (facts: NetworkFacts) => NetworkRefusal | undefined;
  readonly rate: Rate;
}

const RULES: { readonly [Type in NetworkMessage['type']]: Rule } = {
  // A version that is published is told three times: on trial, confirmed or undone, and by a new session perhaps again.
  networkState: { refusal: () => undefined, rate: { perSecond: 1, burst: 20 } },
  // In parts: a full document at once, then a megabyte a second.
  networkAsk: {
    refusal: ({ isKept }) => (isKept ? undefined : 'unknown-document'),
    rate: { perSecond: 1_200, burst: 6_000 },
  },
  // What was asked for may come, as fast as it was asked for.
  networkPart: {
    refusal: ({ isAwaited }) => (isAwaited ? undefined : 'unasked'),
    rate: { perSecond: 20_000, burst: 20_000 },
  },
};

/** An honest router has replaced its document a moment ago, or answers a question twice that was asked twice. */
const NO_FAULT: ReadonlySet<string> = new Set(['networkAsk unknown-document', 'networkPart unasked']);
/** So many of those a peer are no fault: what is on the way when a question is given up or asked again. */
const INNOCENT: Rate = { perSecond: 20, burst: 200 };

export interface NetworkAuthorityContext {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly conduct: Conduct;
  readonly counters: NetworkCounters;
}

export class NetworkAuthority {
  readonly #context: NetworkAuthorityContext;
  readonly #limits = new Map<NetworkMessage['type'], KeyedRateLimit<RouterId>>();
  readonly #innocent: KeyedRateLimit<RouterId>;

  constructor(context: NetworkAuthorityContext) {
    this.#context = context;
    this.#innocent = new KeyedRateLimit(context.clock, INNOCENT);
    for (const [type, { rate }] of Object.entries(RULES) as [NetworkMessage['type'], Rule][])
      this.#limits.set(type, new KeyedRateLimit(context.clock, rate));
  }

  /** May the message be acted upon? Why not is counted. */
  allows(from: RouterId, message: NetworkMessage, facts: NetworkFacts): boolean {
    const { conduct, counters } = this.#context;
    const { type } = message;
    const cost = (type === 'networkAsk' ? Math.max(1, message.count) : 1) * conduct.price(from);
    const isSpent = (): boolean => this.#limits.get(type)?.allow(from, cost) !== true;
    const refusal = RULES[type].refusal(facts) ?? (isSpent() ? 'too-soon' : undefined);
    if (refusal === undefined) return true;
    counters.count(`network_refused_${type}_${refusal}`);
    const isInnocent = NO_FAULT.has(`${type} ${refusal}`) && this.#innocent.allow(from);
    if (!isInnocent) conduct.refused(from, type, refusal);
    return false;
  }
}
