/**
 * Routers of other sites whom a site's router asks when its partner is silent, and by whose answers it knows that its WAN is
 * there. Both routers of a site ask the same few, and the active one speaks to them more often than to all: what they know of
 * it is fresh.
 */
import type { Clock } from '../../net/clock.js';
import type { PairMessage } from '../../protocol/pair-message.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId } from '../../tables/model.js';

const MOST_WITNESSES = 5;
/** Answers that come later are no answers. */
const OPEN_MS = 5_000;

export interface WitnessesOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly gndt: Pick<Gndt, 'sites' | 'self'>;
  readonly tunnel: {
    upPeers(): readonly RouterId[];
    rttMs(router: RouterId): number | undefined;
    say(to: RouterId, message: PairMessage): void;
  };
}

interface Query {
  readonly asked: Set<RouterId>;
  /** Of the state machine; undefined: only to hear that they are there. */
  readonly inquiry: number | undefined;
  readonly atMs: number;
}

export class Witnesses {
  readonly #options: WitnessesOptions;
  readonly #open = new Map<number, Query>();
  /** Rises over restarts too: an answer to the one before the restart is not taken for one to us. */
  #lastQuery: number;
  #chosen: readonly RouterId[] = [];
  #peersUp = 0;
  #nearestRttMs = 0;

  constructor(options: WitnessesOptions) {
    this.#options = options;
    this.#lastQuery = Math.floor(options.clock.wallMs()) * 1_024;
  }

  get chosen(): readonly RouterId[] {
    return this.#chosen;
  }

  /** Routers of other sites with which there is a session. */
  get peersUp(): number {
    return this.#peersUp;
  }

  get nearestRttMs(): number {
    return this.#nearestRttMs;
  }

  /** One router of each of the sites that follow the own one in the order of gndt.json, of those that are up. */
  choose(): void {
    const { gndt, tunnel } = this.#options;
    const up = new Set(tunnel.upPeers());
    const sites = [...gndt.sites];
    const own = sites.findIndex(([site]) => site === gndt.self);
    const others = [...sites.slice(own + 1), ...sites.slice(0, own)];
    this.#peersUp = others.reduce((sum, [, routers]) => sum + routers.filter((id) => up.has(id)).length, 0);
    const firsts = others.flatMap(([, routers]) => routers.find((id) => up.has(id)) ?? []);
    this.#chosen = firsts.slice(0, MOST_WITNESSES);
    const rtts = this.#chosen.flatMap((id) => tunnel.rttMs(id) ?? []);
    this.#nearestRttMs = rtts.length === 0 ? 0 : Math.min(...rtts);
  }

  /** Asks them when they heard the partner. */
  ask(inquiry?: number): void {
    const { clock, tunnel } = this.#options;
    this.#forget();
    if (this.#chosen.length === 0) return;
    const queryId = ++this.#lastQuery;
    this.#open.set(queryId, { asked: new Set(this.#chosen), inquiry, atMs: clock.nowMs() });
    for (const router of this.#chosen) tunnel.say(router, { type: 'partnerQuery', queryId });
  }

  isAsked(router: RouterId, queryId: number): boolean {
    return this.#open.get(queryId)?.asked.has(router) === true;
  }

  /** Of an answer that was asked for: which inquiry it is for. Each is asked once. */
  answered(router: RouterId, queryId: number): number | undefined {
    const query = this.#open.get(queryId);
    query?.asked.delete(router);
    return query?.inquiry;
  }

  #forget(): void {
    const sinceMs = this.#options.clock.nowMs() - OPEN_MS;
    for (const [id, { atMs }] of this.#open) {
      if (atMs >= sinceMs) return;
      this.#open.delete(id);
    }
  }
}
