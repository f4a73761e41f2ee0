/**
 * A claim that was believed at once is confirmed afterwards by the router that had the node: it may not have been told, or
 * not agree. What a burst has displaced of one router is one question. If that router still has a node, its answer is a
 * record that is beaten here; it hears that, asks the node, and claims it back.
 */
import type { Ip } from '../../net/ip.js';
import { chunks } from '../../tables/chunks.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { Queries } from './queries.js';

/** By then the claim has reached the router that had the node, and its answer is on the way. */
const CONFIRM_AFTER_MS = 100;
const IPS_PER_QUESTION = 32;
/** Displaced nodes that wait to be confirmed; of more, none is lost but the confirmation. */
const MOST_WAITING = 4_096;

interface Displaced {
  readonly vnet: VnetId;
  readonly ip: Ip;
  /** To which the node is said to have moved. */
  readonly to: RouterId;
}

export class Confirmation {
  readonly #context: Context;
  readonly #queries: Queries;
  /** By the router that had the nodes. */
  readonly #waiting = new Map<RouterId, Displaced[]>();
  #count = 0;

  constructor(context: Context, queries: Queries) {
    this.#context = context;
    this.#queries = queries;
  }

  /** A record of one router was displaced by one of another. */
  displaced(before: NodeRecord, after: NodeRecord): void {
    const { self, config, timers } = this.#context;
    const concerns = before.state === 'here' && before.router !== self && before.router !== after.router;
    // In strict mode it was asked before; with `off` claims are believed.
    if (!concerns || config.verify !== 'optimistic' || this.#count >= MOST_WAITING) return;
    const { vnet, ip, router: to } = after;
    const waiting = this.#waiting.get(before.router);
    this.#count++;
    if (waiting !== undefined) {
      waiting.push({ vnet, ip, to });
      return;
    }
    this.#waiting.set(before.router, [{ vnet, ip, to }]);
    timers.after('confirmation', CONFIRM_AFTER_MS, () => this.#ask(before.router));
  }

  #ask(router: RouterId): void {
    const waiting = this.#waiting.get(router) ?? [];
    this.#waiting.delete(router);
    this.#count -= waiting.length;
    const byVnet = new Map<VnetId, Ip[]>();
    for (const { vnet, ip, to } of waiting) {
      // Something else has been heard since.
      if (this.#context.directory.get(vnet, ip)?.router !== to) continue;
      byVnet.set(vnet, [...(byVnet.get(vnet) ?? []), ip]);
    }
    for (const [vnet, ips] of byVnet) {
      for (const part of chunks(ips, IPS_PER_QUESTION)) {
        this.#queries.confirm(vnet, part, router, { for: 'records' });
      }
    }
  }
}
