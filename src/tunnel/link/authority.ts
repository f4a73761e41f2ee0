/**
 * Who may say what about the link itself: the gate that every message passes which is not about the tables, before any
 * handler sees it. A valid key makes a router a member, not a friend.
 *
 *   hello  unasked, of itself only (its id is that of its key: `Link`); one that begins anew costs more
 *   ping   unasked
 *   pong   only in answer to a Ping of ours
 *   bye    unasked
 *   seek   unasked, about another router of gndt.json
 *   seen   about another router of gndt.json, in answer to a Seek of ours; unasked only about one that is not reached in the
 *          best way, so that both can try at once
 *
 * The rates are of each peer, in units of what a message causes here; for who misbehaves a unit costs more. Numbers have
 * their ranges in the codec. What is refused is counted and told to `Conduct`; it is never an exception, and never logged.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Clock } from '../../net/clock.js';
import { type Rate, RateLimit } from '../../net/rate-limit.js';
import type { Conduct } from '../../protocol/conduct.js';
import type { LinkMessage } from '../../protocol/control-message.js';
import type { RouterId } from '../../tables/model.js';
import type { Counters } from '../counters.js';

export type LinkRefusal = 'unasked' | 'too-soon' | 'unknown-router' | 'not-sought';

/** `unknown`: not in gndt.json, or this router itself. `reached`: by the best kind of way. */
export type RouterStanding = 'unknown' | 'unreached' | 'reached';

export interface RouterStandings {
  standingOf(router: RouterId): RouterStanding;
}

/** What the link knows of a message. */
export interface LinkFacts {
  /** It comes from another beginning of the peer than is known. */
  readonly beginsAnew: boolean;
  /** A Pong: a Ping of ours with its token waits. */
  readonly answersPing: boolean;
}

interface Facts extends LinkFacts {
  /** A Seen: this peer was asked about that router a moment ago. */
  readonly answersSeek: boolean;
  /** Of the router that the message is about. */
  readonly standing: RouterStanding;
}

interface Rule {
  /** Undefined: it may be said. */
  readonly refusal: (facts: Facts) => LinkRefusal | undefined;
  readonly rate: Rate;
  readonly cost: (facts: Facts) => number;
}

const may = (): undefined => undefined;
const one = (): number => 1;

const RULES: { readonly [Type in LinkMessage['type']]: Rule } = {
  // A new session brings one, and a reload; an unacknowledged one is repeated. A new beginning is told to operators, twice.
  hello: {
    refusal: may,
    rate: { perSecond: 1, burst: 20 },
    cost: ({ beginsAnew }) => (beginsAnew ? 2 : 1),
  },
  // Sixteen paths and eight sizes at once are tried by who looks for a better way.
  ping: { refusal: may, rate: { perSecond: 200, burst: 400 }, cost: one },
  // Each of our Pings is answered once.
  pong: {
    refusal: ({ answersPing }) => (answersPing ? undefined : 'unasked'),
    rate: { perSecond: 1, burst: 1 },
    cost: () => 0,
  },
  bye: { refusal: may, rate: { perSecond: 1, burst: 10 }, cost: one },
  // Causes two messages. Who starts while a thousand routers are down asks about all of them.
  seek: {
    refusal: ({ standing }) => (standing === 'unknown' ? 'unknown-router' : undefined),
    rate: { perSecond: 500, burst: 2_000 },
    cost: one,
  },
  // Causes a call to an address that the peer has chosen.
  seen: {
    refusal: ({ standing, answersSeek }) => {
      if (standing === 'unknown') return 'unknown-router';
      return answersSeek || standing === 'unreached' ? undefined : 'not-sought';
    },
    rate: { perSecond: 100, burst: 1_000 },
    cost: ({ answersSeek }) => (answersSeek ? 0 : 1),
  },
};

/** An honest router does not know whom we reach. */
const NO_FAULT: ReadonlySet<LinkRefusal> = new Set(['not-sought']);

/** How long an answer to a Seek is expected. */
const SEEK_OPEN_MS = 10_000;
const MAX_OPEN_SEEKS = 1_024;

export interface AuthorityContext {
  readonly ports: { readonly clock: Clock };
  readonly routers: RouterStandings;
  readonly conduct: Conduct;
  readonly counters: Counters;
}

/** The gate for one peer. */
export class LinkAuthority {
  readonly #peer: RouterId;
  readonly #context: AuthorityContext;
  readonly #limits = new Map<LinkMessage['type'], RateLimit>();
  /** Until when each router that this peer was asked about may be answered. */
  readonly #seeks = new BoundedMap<RouterId, number>(MAX_OPEN_SEEKS);

  constructor(peer: RouterId, context: AuthorityContext) {
    this.#peer = peer;
    this.#context = context;
  }

  /** The peer is asked where that router is. */
  sought(router: RouterId): void {
    this.#seeks.set(router, this.#context.ports.clock.nowMs() + SEEK_OPEN_MS);
  }

  /** May the message be acted upon? Why not is counted. */
  allows(message: LinkMessage, link: LinkFacts): boolean {
    const { type } = message;
    const facts = this.#factsOf(message, link);
    const refusal = RULES[type].refusal(facts) ?? this.#overspent(type, RULES[type].cost(facts));
    if (refusal === undefined) {
      if (message.type === 'seen') this.#seeks.delete(message.router);
      return true;
    }
    this.#context.counters.add(`control_refused_${type}_${refusal}`);
    if (!NO_FAULT.has(refusal)) this.#context.conduct.refused(this.#peer, type, refusal);
    return false;
  }

  #overspent(type: LinkMessage['type'], cost: number): LinkRefusal | undefined {
    if (cost === 0) return undefined;
    let limit = this.#limits.get(type);
    if (limit === undefined) {
      limit = new RateLimit(this.#context.ports.clock, RULES[type].rate);
      this.#limits.set(type, limit);
    }
    return limit.allow(cost * this.#context.conduct.price(this.#peer)) ? undefined : 'too-soon';
  }

  #factsOf(message: LinkMessage, link: LinkFacts): Facts {
    if (message.type !== 'seek' && message.type !== 'seen')
      return { ...link, answersSeek: false, standing: 'unknown' };
    const { router } = message;
    const answersSeek = (this.#seeks.get(router) ?? 0) > this.#context.ports.clock.nowMs();
    const standing = router === this.#peer ? 'unknown' : this.#context.routers.standingOf(router);
    return { ...link, answersSeek, standing };
  }
}
