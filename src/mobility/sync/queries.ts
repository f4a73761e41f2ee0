/** Questions to other routers, and the answers to theirs: WhoHas/Has, NodesOf/Nodes, Redirect. */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { Prefix } from '../../net/prefix.js';
import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import type {
  HasMessage,
  NodesMessage,
  NodesOfMessage,
  RedirectMessage,
  WhoHasMessage,
} from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import type { NetworkConfig, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Context } from '../context.js';
import type { Arrived } from '../destination/candidate.js';
import type { Evidence } from '../evidence.js';
import type { QueryPurpose } from '../follow-up.js';
import { isGateway } from '../neighbours.js';
import { RECORDS_PER_MESSAGE, type UpdateBatcher } from './update-batcher.js';

/** How long each try waits for answers. */
const TRY_TIMEOUTS_MS = [50, 100, 200] as const;
/** What a claim waits for is asked once: messages are retransmitted until they are acknowledged. */
const CONFIRMATION_TIMEOUTS_MS = [1_500] as const;
/** Questions whose last try is over: an answer that comes from far away counts all the same. */
const MOST_CLOSED = 1_024;
const CLOSED_KEPT_MS = 10_000;
/** One question about the same thing in this time. */
const INTERVAL_MS = 1_000;
/** Open questions at a time: a storm of spoofed announcements gets no further. */
const MOST_OPEN = 256;
/** Of these, such that a claim waits for. */
const MOST_CONFIRMATIONS = 1_024;
const NODES_PER_MESSAGE = 32;
/** Nodes told of one network. */
const MOST_NODES = 1_024;

export type NetworkNode = NodesMessage['nodes'][number];

/** What a question is about. */
export interface WhoHasQuestion {
  readonly vnet: VnetId;
  readonly mac: Mac | undefined;
  readonly ips: readonly Ip[];
}

interface OpenWhoHas extends WhoHasQuestion {
  readonly timeoutsMs: readonly number[];
  readonly purpose: QueryPurpose;
  readonly waiting: Set<RouterId>;
}

interface OpenNodesOf {
  readonly vnet: VnetId;
  readonly prefix: Prefix;
  readonly router: RouterId;
  readonly network: NetworkConfig;
  readonly arrived: Arrived;
  readonly waiting: Set<RouterId>;
}

interface Closed {
  readonly question: OpenWhoHas;
  readonly atMs: number;
}

export class Queries {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;
  readonly #whoHas = new Map<number, OpenWhoHas>();
  readonly #nodesOf = new Map<number, OpenNodesOf>();
  readonly #closed = new BoundedMap<number, Closed>(MOST_CLOSED);
  readonly #questions: KeyedRateLimit;
  readonly #redirects: KeyedRateLimit;
  #lastId: number;

  constructor(context: Context, updates: UpdateBatcher) {
    this.#context = context;
    this.#updates = updates;
    this.#questions = new KeyedRateLimit(context.clock, onceIn(INTERVAL_MS));
    this.#redirects = new KeyedRateLimit(context.clock, onceIn(INTERVAL_MS));
    // Not from 0: a late answer to a question asked before a restart must not be taken for one to a new question.
    this.#lastId = Math.floor(context.clock.wallMs()) % 0x4000_0000;
  }

  /** Questions that are open. */
  get open(): number {
    return this.#whoHas.size + this.#nodesOf.size;
  }

  /** Asks all routers that are up who has a MAC, of which this router has only seen `evidence`. */
  whoHasMac(vnet: VnetId, mac: Mac, evidence?: Evidence): void {
    const { messenger } = this.#context.ports;
    const what = { vnet, mac, ips: [] };
    this.#ask(`${vnet}|${mac}`, messenger.upPeers(), what, purposeOf(evidence));
  }

  /** Asks one router whether it has an address; not if it is down. */
  whoHasIp(vnet: VnetId, ip: Ip, router: RouterId, evidence?: Evidence): void {
    if (!this.#isUp(router)) return;
    const what = { vnet, mac: undefined, ips: [ip] };
    this.#ask(`${nodeKey(vnet, ip)}|${router}`, [router], what, purposeOf(evidence));
  }

  /** Asks a router whether it still has nodes that others claim. False: it cannot be asked. */
  confirm(vnet: VnetId, ips: readonly Ip[], router: RouterId, purpose: QueryPurpose): boolean {
    if (!this.#isUp(router) || this.#whoHas.size >= MOST_CONFIRMATIONS) return false;
    this.#context.counters.count('confirmations_asked');
    this.#begin([router], { vnet, mac: undefined, ips }, purpose, CONFIRMATION_TIMEOUTS_MS);
    return true;
  }

  /** Asks a network's home VR for the nodes there, of which a node that has arrived must be told. */
  nodesOf(network: NetworkConfig, arrived: Arrived): void {
    const { vnet, prefix, router } = network;
    if (!this.#isUp(router) || !this.#mayAsk(`${vnet}|${prefix.key}`)) return;
    const queryId = this.#nextId();
    this.#nodesOf.set(queryId, { vnet, prefix, router, network, arrived, waiting: new Set([router]) });
    this.#tryNodesOf(queryId, 0);
  }

  /** The question of this number that is open to the router; undefined if there is none. */
  whoHasAsked(of: RouterId, queryId: number): WhoHasQuestion | undefined {
    const question = this.#questionOf(queryId);
    return question?.waiting.has(of) === true ? question : undefined;
  }

  nodesAsked(of: RouterId, queryId: number): { readonly vnet: VnetId; readonly prefix: Prefix } | undefined {
    const question = this.#nodesOf.get(queryId);
    return question?.router === of ? question : undefined;
  }

  /** An answer to an open question, of which the gate has left only what was asked about. */
  has(from: RouterId, { queryId, records }: HasMessage): void {
    const question = this.#questionOf(queryId);
    if (question === undefined) return;
    question.waiting.delete(from);
    if (question.waiting.size === 0) this.#forget(queryId);
    else if (records.length > 0) this.#close(queryId, question);
    const { purpose } = question;
    if (records.length > 0) this.#context.follow({ do: 'records', from, records });
    if (purpose.for === 'evidence' && records.length > 0) {
      this.#context.follow({ do: 'consider', evidence: purpose.evidence });
    }
    if (purpose.for === 'verification') {
      const { id } = purpose;
      const word = records.length > 0 ? 'has-it' : 'has-it-not';
      this.#context.follow({ do: 'confirmed', id, holder: from, word });
    }
  }

  nodes(from: RouterId, { queryId, nodes }: NodesMessage): void {
    const question = this.#nodesOf.get(queryId);
    if (question === undefined) return;
    question.waiting.delete(from);
    const { arrived, network } = question;
    this.#context.follow({ do: 'neighbours', arrived, network, nodes });
  }

  /** Answers with own records only: every router speaks for itself. */
  whoHas(from: RouterId, { vnet, mac, ips, queryId }: WhoHasMessage): void {
    const { directory, self } = this.#context;
    const found = mac === undefined ? ips.map((ip) => directory.here(vnet, ip)) : directory.byMac(vnet, mac);
    const records = found
      .filter((record) => record !== undefined)
      .filter((record) => record.router === self)
      .slice(0, RECORDS_PER_MESSAGE);
    this.#updates.told(from, records);
    this.#context.ports.messenger.send(from, { type: 'has', queryId, records });
  }

  /** The nodes in a network here, gateway first. */
  answerNodesOf(from: RouterId, message: NodesOfMessage): void {
    const { directory, self, ports } = this.#context;
    const nodes: NetworkNode[] = [];
    for (const { vnet, ip, mac, state } of directory.of(self)) {
      if (state !== 'here' || vnet !== message.vnet || !message.prefix.contains(ip)) continue;
      if (isGateway(this.#context, vnet, ip)) nodes.unshift({ ip, mac });
      else nodes.push({ ip, mac });
    }
    for (const part of chunks(nodes.slice(0, MOST_NODES), NODES_PER_MESSAGE)) {
      ports.messenger.send(from, { type: 'nodes', queryId: message.queryId, nodes: part });
    }
  }

  /** A peer's packet came here for a node that is elsewhere: tells the peer where. */
  sendRedirect(to: RouterId, vnet: VnetId, ip: Ip): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record === undefined || record.router === this.#context.self || record.router === to) return;
    if (!this.#redirects.allow(`${nodeKey(vnet, ip)}|${to}`)) return;
    const { router, seq } = record;
    this.#context.ports.messenger.send(to, { type: 'redirect', vnet, ip, router, seq });
    this.#context.counters.count('redirects_sent');
  }

  /** A hint only: the router that is named has to say so itself. */
  redirect({ vnet, ip, router, seq }: RedirectMessage): void {
    if (router === this.#context.self) return;
    const known = this.#context.directory.get(vnet, ip);
    if (known !== undefined && (known.seq > seq || (known.seq === seq && known.router === router))) return;
    this.whoHasIp(vnet, ip, router);
  }

  #questionOf(queryId: number): OpenWhoHas | undefined {
    const open = this.#whoHas.get(queryId);
    if (open !== undefined) return open;
    const closed = this.#closed.get(queryId);
    const isFresh = closed !== undefined && this.#context.clock.nowMs() - closed.atMs < CLOSED_KEPT_MS;
    return isFresh ? closed.question : undefined;
  }

  /** It is not asked again; answers that are still on their way count. */
  #close(queryId: number, question: OpenWhoHas): void {
    this.#whoHas.delete(queryId);
    this.#closed.set(queryId, { question, atMs: this.#context.clock.nowMs() });
  }

  #forget(queryId: number): void {
    this.#whoHas.delete(queryId);
    this.#closed.delete(queryId);
  }

  #isUp(router: RouterId): boolean {
    return this.#context.ports.messenger.upPeers().includes(router);
  }

  #ask(key: string, routers: readonly RouterId[], what: WhoHasQuestion, purpose: QueryPurpose): void {
    if (routers.length > 0 && this.#mayAsk(key)) this.#begin(routers, what, purpose, TRY_TIMEOUTS_MS);
  }

  #begin(
    routers: readonly RouterId[],
    what: WhoHasQuestion,
    purpose: QueryPurpose,
    timeoutsMs: readonly number[],
  ): void {
    const queryId = this.#nextId();
    this.#whoHas.set(queryId, { ...what, purpose, timeoutsMs, waiting: new Set(routers) });
    this.#tryWhoHas(queryId, 0);
  }

  #mayAsk(key: string): boolean {
    const isFull = this.#whoHas.size >= MOST_OPEN || this.#nodesOf.size >= MOST_OPEN;
    if (isFull || !this.#questions.allow(key)) {
      this.#context.counters.count('queries_suppressed');
      return false;
    }
    this.#context.counters.count('queries_sent');
    return true;
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) % 0x8000_0000;
    return this.#lastId;
  }

  #tryWhoHas(queryId: number, attempt: number): void {
    const question = this.#whoHas.get(queryId);
    if (question === undefined) return;
    const { vnet, mac, ips, purpose } = question;
    const timeoutMs = question.timeoutsMs[attempt];
    if (timeoutMs === undefined) {
      this.#close(queryId, question);
      if (purpose.for !== 'verification') return;
      for (const holder of question.waiting) {
        this.#context.follow({ do: 'confirmed', id: purpose.id, holder, word: 'silent' });
      }
      return;
    }
    this.#sendTo(question.waiting, (to) =>
      this.#context.ports.messenger.send(to, { type: 'whoHas', queryId, vnet, mac, ips }),
    );
    this.#context.timers.after('query', timeoutMs, () => this.#tryWhoHas(queryId, attempt + 1));
  }

  #tryNodesOf(queryId: number, attempt: number): void {
    const question = this.#nodesOf.get(queryId);
    if (question === undefined) return;
    const { vnet, prefix } = question;
    const timeoutMs = TRY_TIMEOUTS_MS[attempt];
    if (timeoutMs === undefined) {
      this.#context.timers.after('query', CLOSED_KEPT_MS, () => this.#nodesOf.delete(queryId));
      return;
    }
    this.#sendTo(question.waiting, (to) =>
      this.#context.ports.messenger.send(to, { type: 'nodesOf', queryId, vnet, prefix }),
    );
    this.#context.timers.after('query', timeoutMs, () => this.#tryNodesOf(queryId, attempt + 1));
  }

  /** Those that have not answered yet. */
  #sendTo(waiting: ReadonlySet<RouterId>, send: (to: RouterId) => void): void {
    const up = new Set(this.#context.ports.messenger.upPeers());
    for (const router of waiting) if (up.has(router)) send(router);
  }
}

function purposeOf(evidence: Evidence | undefined): QueryPurpose {
  return evidence === undefined ? { for: 'records' } : { for: 'evidence', evidence };
}
