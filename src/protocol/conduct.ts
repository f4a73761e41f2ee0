/**
 * How the other routers behave: what was refused of what each of them said. A refusal now and then is ordinary (an answer
 * that came too late); who goes on is misbehaving, and its budgets shrink until it has stopped.
 */
import type { Clock } from '../net/clock.js';
import type { RouterId } from '../tables/model.js';
import { Subscribers } from '../tables/subscribers.js';

/** Refusals forgiven in a second. */
const FORGIVEN_PER_SECOND = 1;
/** More than so many not forgiven: misbehaving, until no more than so many are left. */
const MISBEHAVING_ABOVE = 50;
const REDEEMED_BELOW = 10;
/** Nobody has to wait longer than this for its good name. */
const MOST_HELD = 300;
/** What is left of a misbehaving router's budgets. */
const SHRUNK = 1 / 8;

interface Held {
  refusals: number;
  sinceMs: number;
  misbehaving: boolean;
  total: number;
  /** By `message reason`, since the last summary. */
  recent: Map<string, number>;
}

export interface ConductView {
  /** Messages, or parts of them, refused since this router began. */
  readonly refusals: number;
  readonly misbehaving: boolean;
}

export interface ConductSummary {
  readonly peer: RouterId;
  readonly misbehaving: boolean;
  /** How often since the last summary, by `message reason`. */
  readonly refusals: Readonly<Record<string, number>>;
}

export class Conduct {
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** Peers are as many as gndt.json names: bounded by it, and `keepOnly` drops the others. */
  readonly #peers = new Map<RouterId, Held>();
  readonly #subscribers = new Subscribers<[RouterId]>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  /** Calls `listener` when a router begins or ceases to misbehave; that it has ceased is seen when it is asked for. */
  subscribe(listener: (peer: RouterId) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /** @param message its type @param reason why, as in the counter */
  refused(peer: RouterId, message: string, reason: string): void {
    const held = this.#held(peer);
    held.refusals = Math.min(MOST_HELD, held.refusals + 1);
    held.total++;
    if (held.refusals > MISBEHAVING_ABOVE) this.#judge(peer, held, true);
    const name = `${message} ${reason}`;
    held.recent.set(name, (held.recent.get(name) ?? 0) + 1);
  }

  isMisbehaving(peer: RouterId): boolean {
    return this.#peers.has(peer) && this.#held(peer).misbehaving;
  }

  /** What one unit costs the peer's budgets: more for one that misbehaves. */
  price(peer: RouterId): number {
    return this.isMisbehaving(peer) ? 1 / SHRUNK : 1;
  }

  view(peer: RouterId): ConductView {
    if (!this.#peers.has(peer)) return { refusals: 0, misbehaving: false };
    const { total, misbehaving } = this.#held(peer);
    return { refusals: total, misbehaving };
  }

  /** What was refused since the last call, a line a peer. */
  takeSummaries(): readonly ConductSummary[] {
    const summaries: ConductSummary[] = [];
    for (const peer of this.#peers.keys()) {
      const held = this.#held(peer);
      if (held.recent.size === 0) continue;
      summaries.push({ peer, misbehaving: held.misbehaving, refusals: Object.fromEntries(held.recent) });
      held.recent = new Map();
    }
    return summaries;
  }

  /** Forgets routers that are no members any more. */
  keepOnly(peers: ReadonlySet<RouterId>): void {
    for (const peer of this.#peers.keys()) if (!peers.has(peer)) this.#peers.delete(peer);
  }

  #judge(peer: RouterId, held: Held, misbehaving: boolean): void {
    if (held.misbehaving === misbehaving) return;
    held.misbehaving = misbehaving;
    this.#subscribers.notify(peer);
  }

  /** With what has been forgiven until now. */
  #held(peer: RouterId): Held {
    const nowMs = this.#clock.nowMs();
    let held = this.#peers.get(peer);
    if (held === undefined) {
      held = { refusals: 0, sinceMs: nowMs, misbehaving: false, total: 0, recent: new Map() };
      this.#peers.set(peer, held);
    }
    held.refusals = Math.max(0, held.refusals - ((nowMs - held.sinceMs) / 1_000) * FORGIVEN_PER_SECOND);
    held.sinceMs = nowMs;
    if (held.refusals <= REDEEMED_BELOW) this.#judge(peer, held, false);
    return held;
  }
}
