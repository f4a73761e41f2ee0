/** Questions to other routers, and the answers to theirs: WhoHas/Has, NodesOf/Nodes, Redirect. */

import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import type {
  HasMessage,
  NodesMessage,
  NodesOfMessage,
  RedirectMessage,
  WhoHasMessage,
} from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import type { NetworkConfig, NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { type Context, nodeKey } from '../context.js';
import { isGateway } from '../neighbours.js';
import { RECORDS_PER_MESSAGE } from './update-batcher.js';

/** How long each try waits for answers. */
const TRY_TIMEOUTS_MS = [50, 100, 200] as const;
/** One question about the same thing in this time. */
const INTERVAL_MS = 1_000;
/** Open questions at a time: a storm of spoofed announcements gets no further. */
const MOST_OPEN = 256;
const NODES_PER_MESSAGE = 32;
/** Nodes told of one network. */
const MOST_NODES = 1_024;

export type NetworkNode = NodesMessage['nodes'][number];

interface Question {
  readonly waiting: Set<RouterId>;
  readonly ask: (to: RouterId) => void;
}

interface WhoHasQuestion extends Question {
  /** Records in an answer, already checked and applied. */
  readonly found: () => void;
}

interface NodesQuestion extends Question {
  readonly router: RouterId;
  readonly found: (nodes: readonly NetworkNode[]) => void;
}

export class Queries {
  readonly #context: Context;
  /** Checks records that a router sends of itself, and applies them. */
  readonly #accept: (from: RouterId, records: readonly NodeRecord[]) => void;
  readonly #whoHas = new Map<number, WhoHasQuestion>();
  readonly #nodesOf = new Map<number, NodesQuestion>();
  readonly #questions: KeyedRateLimit;
  readonly #redirects: KeyedRateLimit;
  #lastId = 0;

  constructor(context: Context, accept: (from: RouterId, records: readonly NodeRecord[]) => void) {
    this.#context = context;
    this.#accept = accept;
    this.#questions = new KeyedRateLimit(context.clock, onceIn(INTERVAL_MS));
    this.#redirects = new KeyedRateLimit(context.clock, onceIn(INTERVAL_MS));
  }

  /** Asks all routers that are up who has a MAC. `found` is called once, when an answer has brought records. */
  whoHasMac(vnet: VnetId, mac: Mac, found: () => void): void {
    const { messenger } = this.#context.ports;
    this.#ask(`${vnet}|${mac}`, messenger.upPeers(), { vnet, mac, ip: undefined }, found);
  }

  /** Asks one router whether it has an address; not if it is down. */
  whoHasIp(vnet: VnetId, ip: Ip, router: RouterId, found: () => void): void {
    if (!this.#context.ports.messenger.upPeers().includes(router)) return;
    this.#ask(`${nodeKey(vnet, ip)}|${router}`, [router], { vnet, mac: undefined, ip }, found);
  }

  /** Asks a network's home VR for the nodes there. `found` may be called more than once. */
  nodesOf(network: NetworkConfig, found: (nodes: readonly NetworkNode[]) => void): void {
    const { vnet, prefix, router } = network;
    if (!this.#context.ports.messenger.upPeers().includes(router)) return;
    if (!this.#mayAsk(`${vnet}|${prefix.key}`)) return;
    const queryId = this.#nextId();
    const ask = (to: RouterId): void =>
      this.#context.ports.messenger.send(to, { type: 'nodesOf', queryId, vnet, prefix });
    this.#nodesOf.set(queryId, { router, waiting: new Set([router]), ask, found });
    this.#try(this.#nodesOf, queryId, 0);
  }

  has(from: RouterId, message: HasMessage): void {
    const question = this.#whoHas.get(message.queryId);
    if (question === undefined || !question.waiting.delete(from)) {
      // Too late for the question, but what a router says of itself is worth knowing.
      if (message.records.length > 0) this.#accept(from, message.records);
      return;
    }
    if (message.records.length > 0) {
      this.#whoHas.delete(message.queryId);
      this.#accept(from, message.records);
      question.found();
    } else if (question.waiting.size === 0) {
      this.#whoHas.delete(message.queryId);
    }
  }

  nodes(from: RouterId, message: NodesMessage): void {
    const question = this.#nodesOf.get(message.queryId);
    if (question?.router !== from) return;
    question.waiting.delete(from);
    question.found(message.nodes);
  }

  /** Answers with own records only: every router speaks for itself. */
  whoHas(from: RouterId, message: WhoHasMessage): void {
    const { vnet, mac, ip } = message;
    const { directory, self } = this.#context;
    const found = mac === undefined ? [ip && directory.here(vnet, ip)] : directory.byMac(vnet, mac);
    const records = found.filter((record) => record !== undefined && record.router === self);
    this.#context.ports.messenger.send(from, {
      type: 'has',
      queryId: message.queryId,
      records: records.filter((record) => record !== undefined).slice(0, RECORDS_PER_MESSAGE),
    });
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
  redirect(message: RedirectMessage): void {
    const { vnet, ip, router, seq } = message;
    if (router === this.#context.self) return;
    const known = this.#context.directory.get(vnet, ip);
    if (known !== undefined && (known.seq > seq || (known.seq === seq && known.router === router))) return;
    this.whoHasIp(vnet, ip, router, () => {});
  }

  #ask(
    key: string,
    routers: readonly RouterId[],
    what: Pick<WhoHasMessage, 'vnet' | 'mac' | 'ip'>,
    found: () => void,
  ): void {
    if (routers.length === 0 || !this.#mayAsk(key)) return;
    const queryId = this.#nextId();
    const ask = (to: RouterId): void =>
      this.#context.ports.messenger.send(to, { type: 'whoHas', queryId, ...what });
    this.#whoHas.set(queryId, { waiting: new Set(routers), ask, found });
    this.#try(this.#whoHas, queryId, 0);
  }

  #mayAsk(key: string): boolean {
    if (this.#whoHas.size + this.#nodesOf.size >= MOST_OPEN || !this.#questions.allow(key)) {
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

  /** Asks those that have not answered yet; after the last try the question is forgotten. */
  #try(open: Map<number, Question>, queryId: number, attempt: number): void {
    const question = open.get(queryId);
    if (question === undefined) return;
    const timeoutMs = TRY_TIMEOUTS_MS[attempt];
    if (timeoutMs === undefined) {
      open.delete(queryId);
      return;
    }
    const up = new Set(this.#context.ports.messenger.upPeers());
    for (const router of question.waiting) if (up.has(router)) question.ask(router);
    this.#context.timers.after('query', timeoutMs, () => this.#try(open, queryId, attempt + 1));
  }
}
