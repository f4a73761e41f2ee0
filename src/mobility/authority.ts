/**
 * The gate: who may say what. A valid key makes a router a member, not a friend, so every message of another router about
 * tables and moves passes here before a handler sees it: from whom, in answer to what, about what, how much, which numbers.
 * What may not be said is taken out of the message, or the whole message is refused; a refusal has a reason and a counter,
 * is never an exception and costs no log line of its own (`Conduct` keeps account of who goes on).
 *
 * The rules are the table `RULES`, which does not compile with a kind of message missing. What a single record of another
 * router may change is `door.ts`.
 */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { KeyedRateLimit, type Rate } from '../net/rate-limit.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../tables/model.js';
import type { Context } from './context.js';
import type { Claims } from './destination/claims.js';
import { readCarried } from './dhcp/gate.js';
import { type Door, isSentTo, isWithinReach, openDoor } from './door.js';
import type { DuplicateSuppression } from './suppression/duplicate-suppression.js';
import type { AntiEntropy } from './sync/anti-entropy.js';
import type { Queries } from './sync/queries.js';
import type { UpdateBatcher } from './sync/update-batcher.js';

/** Why a message, or a part of it, was refused. */
export type Refusal =
  /** No router of gndt.json. */
  | 'no-member'
  /** An answer to no open question of ours to that router. */
  | 'unasked'
  /** An answer about something else than was asked. */
  | 'beside-the-question'
  /** Not the sender's to say. */
  | 'not-yours'
  /** A number that is out of reach of what is known. */
  | 'number'
  /** More than its budget. */
  | 'too-soon'
  | 'too-large'
  /** No DHCP message. */
  | 'malformed';

/** Where the open questions are that messages may answer. */
export interface OpenQuestions {
  readonly claims: Claims;
  readonly queries: Queries;
  readonly antiEntropy: AntiEntropy;
  readonly updates: UpdateBatcher;
}

type MessageOf<Type extends TableMessage['type']> = Extract<TableMessage, { readonly type: Type }>;

interface Rule<Message> {
  /** Units of its sender's budget: what it holds, or what it makes this router say. */
  readonly cost: (message: Message, context: Context) => number;
  readonly budget: Rate;
  /** The message as far as the sender may say it, or why not. `refuse` notes a part that is taken out. */
  readonly admit: (
    gate: Gate,
    from: RouterId,
    message: Message,
    refuse: (why: Refusal) => false,
  ) => Message | Refusal;
}

interface Gate extends OpenQuestions {
  readonly context: Context;
}

const RULES: { readonly [Type in TableMessage['type']]: Rule<MessageOf<Type>> } = {
  // Each record passes the door.
  records: {
    cost: ({ records }) => records.length,
    budget: { perSecond: 20_000, burst: 200_000 },
    admit: (_gate, _from, message) => message,
  },
  claim: {
    cost: ({ moves }) => moves.reduce((sum, { records }) => sum + records.length, 0),
    budget: { perSecond: 1_000, burst: 4_000 },
    admit: (_gate, _from, message) => message,
  },
  claimResult: {
    cost: ({ results }) => results.length,
    budget: { perSecond: 2_000, burst: 8_000 },
    admit: (gate, from, message, refuse) => {
      const sent = gate.claims.sentTo(from, message.claimId);
      // Answers that come twice, or after a router was given up for down, are no misconduct: nothing is looked for.
      if (sent.length === 0) return 'unasked';
      const results = message.results.filter(({ vnet, ip, verdict, seq }) => {
        const claim = sent.find(({ records }) => records.some((record) => isOf(record, vnet, ip)));
        if (claim === undefined) return refuse('beside-the-question');
        // Only the router whose claim was undone by an objection can object to that.
        const hasUndone = claim.candidate.objection === true && claim.candidate.against === from;
        if (verdict === 'objection' && !hasUndone) return refuse('not-yours');
        return isWithinReach(gate.context, from, vnet, ip, seq) || refuse('number');
      });
      return { ...message, results };
    },
  },
  stale: {
    cost: ({ records }) => records.length,
    budget: { perSecond: 500, burst: 20_000 },
    admit: (gate, from, message, refuse) => {
      const { directory, self, gndt } = gate.context;
      const records = message.records.filter(({ vnet, ip, seq, router }) => {
        const own = directory.get(vnet, ip);
        // It has been beaten here too, meanwhile.
        if (own === undefined || own.router !== self) return false;
        // Its own, from before it lost its state, may beat it too.
        if (router !== self && !gndt.mayClaim(vnet, ip, router)) return refuse('not-yours');
        if (!gate.updates.hasTold(from, own)) return refuse('unasked');
        return isWithinReach(gate.context, from, vnet, ip, seq) || refuse('number');
      });
      return { ...message, records };
    },
  },
  digest: {
    cost: () => 1,
    budget: { perSecond: 2, burst: 20 },
    admit: (_gate, _from, message) => message,
  },
  recall: {
    cost: () => 1,
    budget: { perSecond: 1, burst: 10 },
    admit: (_gate, _from, message) => message,
  },
  returned: {
    cost: ({ records }) => records.length,
    budget: { perSecond: 20_000, burst: 200_000 },
    admit: (gate, from, message, refuse) => {
      if (!gate.antiEntropy.hasRecalled(from)) return 'unasked';
      const { self, gndt } = gate.context;
      const records = message.records.filter(({ vnet, ip, router, seq }) => {
        if (router !== self || !gndt.mayClaim(vnet, ip, self)) return refuse('not-yours');
        return isWithinReach(gate.context, from, vnet, ip, seq) || refuse('number');
      });
      return { ...message, records };
    },
  },
  whoHas: {
    cost: ({ ips }) => Math.max(1, ips.length),
    budget: { perSecond: 1_000, burst: 4_000 },
    admit: (_gate, _from, message) => message,
  },
  has: {
    cost: ({ records }) => 1 + records.length,
    budget: { perSecond: 2_000, burst: 8_000 },
    admit: (gate, from, message, refuse) => {
      const asked = gate.queries.whoHasAsked(from, message.queryId);
      if (asked === undefined) return 'unasked';
      const records = message.records.filter((record) => {
        if (record.router !== from) return refuse('not-yours');
        const fits =
          record.vnet === asked.vnet &&
          (record.mac === asked.mac || asked.ips.some((ip) => ip.equals(record.ip)));
        return fits || refuse('beside-the-question');
      });
      return { ...message, records };
    },
  },
  nodesOf: {
    // Its answer is up to a thousand nodes.
    cost: () => 1,
    budget: { perSecond: 10, burst: 100 },
    admit: (_gate, _from, message) => message,
  },
  nodes: {
    cost: ({ nodes }) => nodes.length,
    budget: { perSecond: 5_000, burst: 20_000 },
    admit: (gate, from, message, refuse) => {
      const asked = gate.queries.nodesAsked(from, message.queryId);
      if (asked === undefined) return 'unasked';
      const nodes = message.nodes.filter(
        ({ ip }) => asked.prefix.contains(ip) || refuse('beside-the-question'),
      );
      return { ...message, nodes };
    },
  },
  // Who finds the node claims it, and that passes the door.
  search: {
    cost: ({ ips }) => ips.length,
    budget: { perSecond: 400, burst: 1_600 },
    admit: (gate, from, message, refuse) => {
      const { vnet, mac } = message;
      const ips = message.ips.filter((ip) => mayBeSought(gate.context, from, vnet, mac, ip, refuse));
      return { ...message, ips };
    },
  },
  redirect: {
    cost: () => 1,
    budget: { perSecond: 500, burst: 2_000 },
    admit: (gate, from, message) => {
      const { gndt, self } = gate.context;
      const { vnet, ip, router, seq } = message;
      if (router === self || router === from || gndt.peerIndex(router) < 0) return 'not-yours';
      if (!isSentTo(gate.context, from, vnet, ip)) return 'unasked';
      return isWithinReach(gate.context, from, vnet, ip, seq) ? message : 'number';
    },
  },
  // The next three are said between the two routers of a site, which pass another gate (`standby/gate.ts`).
  partnerRecords: {
    cost: ({ records }) => records.length,
    budget: { perSecond: 50, burst: 500 },
    admit: () => 'not-yours',
  },
  partnerDigests: {
    cost: () => 1,
    budget: { perSecond: 2, burst: 20 },
    admit: () => 'not-yours',
  },
  partnerWhole: {
    cost: () => 1,
    budget: { perSecond: 2, burst: 20 },
    admit: () => 'not-yours',
  },
  // What it says is read again when it has passed.
  dhcp: {
    cost: () => 1,
    budget: { perSecond: 50, burst: 200 },
    admit: (gate, from, message) => {
      const read = readCarried(gate.context, from, message);
      return typeof read === 'string' ? read : message;
    },
  },
};

export class Authority {
  readonly #gate: Gate;
  readonly #context: Context;
  readonly #suppression: DuplicateSuppression;
  readonly #budgets: { readonly [Type in TableMessage['type']]: KeyedRateLimit<RouterId> };

  constructor(context: Context, questions: OpenQuestions, suppression: DuplicateSuppression) {
    this.#gate = { ...questions, context };
    this.#context = context;
    this.#suppression = suppression;
    const budget = (type: TableMessage['type']): KeyedRateLimit<RouterId> =>
      new KeyedRateLimit(context.clock, RULES[type].budget);
    this.#budgets = {
      records: budget('records'),
      claim: budget('claim'),
      claimResult: budget('claimResult'),
      stale: budget('stale'),
      digest: budget('digest'),
      recall: budget('recall'),
      returned: budget('returned'),
      whoHas: budget('whoHas'),
      has: budget('has'),
      nodesOf: budget('nodesOf'),
      nodes: budget('nodes'),
      redirect: budget('redirect'),
      search: budget('search'),
      dhcp: budget('dhcp'),
      partnerRecords: budget('partnerRecords'),
      partnerDigests: budget('partnerDigests'),
      partnerWhole: budget('partnerWhole'),
    };
  }

  /** The message as far as it may be said; undefined if nothing of it may. */
  admit<Message extends TableMessage>(from: RouterId, message: Message): Message | undefined {
    const type: TableMessage['type'] = message.type;
    // The table has a rule of the message's own kind under its name.
    const rule = RULES[type] as unknown as Rule<Message>;
    const refuse = (why: Refusal): false => {
      this.#refused(from, type, why);
      return false;
    };
    if (this.#context.gndt.peerIndex(from) < 0) {
      refuse('no-member');
      return undefined;
    }
    const cost = rule.cost(message, this.#context) * this.#context.conduct.price(from);
    const taken = this.#budgets[type].take(from, Math.min(cost, rule.budget.burst));
    if (taken !== 'taken') {
      refuse(taken);
      return undefined;
    }
    const admitted = rule.admit(this.#gate, from, message, refuse);
    if (typeof admitted !== 'string') return admitted;
    refuse(admitted);
    return undefined;
  }

  /** May the record be put into the directory, and what has to be asked before? */
  door(from: RouterId, record: NodeRecord, isObjection: boolean): Door {
    return openDoor(this.#context, this.#suppression, from, record, isObjection);
  }

  /** Is the record's number one that may be answered by a higher one? */
  isWithinReach({ vnet, ip, router, seq }: Pick<NodeRecord, 'vnet' | 'ip' | 'router' | 'seq'>): boolean {
    return isWithinReach(this.#context, router, vnet, ip, seq);
  }

  /** A record was refused that no honest router sends. */
  misconduct(
    { from, claimId }: { readonly from: RouterId; readonly claimId: number | undefined },
    why: string,
  ): void {
    this.#refused(from, claimId === undefined ? 'records' : 'claim', why);
  }

  #refused(from: RouterId, type: TableMessage['type'], why: string): void {
    this.#context.counters.count(`refused_${type}_${why}`);
    this.#context.conduct.refused(from, type, why);
  }
}

function isOf(record: NodeRecord, vnet: VnetId, ip: Ip): boolean {
  return record.vnet === vnet && record.ip.equals(ip);
}

/**
 * By the router that has its record; of an address that nobody knows, by its home VR, if the machine is here. One that the
 * directory has elsewhere has moved meanwhile.
 */
function mayBeSought(
  { directory, gndt, self, counters }: Context,
  from: RouterId,
  vnet: VnetId,
  mac: Mac,
  ip: Ip,
  refuse: (why: Refusal) => false,
): boolean {
  const known = directory.get(vnet, ip);
  const isUnheard =
    known === undefined &&
    gndt.homeOf(vnet, ip) === from &&
    directory.byMac(vnet, mac).some(({ router }) => router === self);
  if (!isUnheard && (known?.router !== from || known.mac !== mac)) {
    const hadIt = known?.router === self || directory.previous(vnet, ip) === from;
    return known === undefined || hadIt ? false : refuse('not-yours');
  }
  if (gndt.mayClaim(vnet, ip, self)) return true;
  counters.count('searches_not_allowed');
  return false;
}
