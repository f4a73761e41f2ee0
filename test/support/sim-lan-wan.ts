/** Messages between routers: delayed, reordered, duplicated, lost and repeated; at least once while the link is up. */
import type { Clock } from '../../src/net/clock.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import type { RouterId } from '../../src/tables/model.js';

export interface WanOptions {
  readonly delayMs: number;
  /** Up to so much is added at random, message by message. */
  readonly jitterMs: number;
  /** Chance that one transmission is lost; it is repeated after `retryMs`. */
  readonly loss: number;
  readonly retryMs: number;
  /** Chance that a message arrives twice. */
  readonly duplicate: number;
}

export interface WanEnd {
  message(from: RouterId, message: TableMessage): void;
  peerUp(peer: RouterId): void;
  peerDown(peer: RouterId): void;
}

/** A small, fast generator (mulberry32): the same seed gives the same history. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class SimWan {
  readonly #clock: Clock;
  readonly #options: WanOptions;
  readonly #random: () => number;
  readonly #ends = new Map<RouterId, WanEnd>();
  /** Links that are cut, and how often each was: what is under way when a link is cut is lost. */
  readonly #cut = new Set<string>();
  readonly #cuts = new Map<string, number>();
  sent = 0;

  constructor(clock: Clock, options: WanOptions, random: () => number) {
    this.#clock = clock;
    this.#options = options;
    this.#random = random;
  }

  join(id: RouterId, end: WanEnd): void {
    this.#ends.set(id, end);
  }

  upPeers(of: RouterId): readonly RouterId[] {
    return [...this.#ends.keys()].filter((id) => id !== of && !this.#cut.has(linkKey(of, id)));
  }

  send(from: RouterId, to: RouterId, message: TableMessage): void {
    if (this.#cut.has(linkKey(from, to)) || !this.#ends.has(to)) return;
    this.sent++;
    this.#transmit(from, to, message, this.#cuts.get(linkKey(from, to)) ?? 0);
  }

  /** All links up for the first time. */
  connectAll(): void {
    for (const [id, end] of this.#ends) for (const peer of this.upPeers(id)) end.peerUp(peer);
  }

  cut(a: RouterId, b: RouterId): void {
    const key = linkKey(a, b);
    if (this.#cut.has(key)) return;
    this.#cut.add(key);
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    this.#ends.get(a)?.peerDown(b);
    this.#ends.get(b)?.peerDown(a);
  }

  heal(a: RouterId, b: RouterId): void {
    if (!this.#cut.delete(linkKey(a, b))) return;
    this.#ends.get(a)?.peerUp(b);
    this.#ends.get(b)?.peerUp(a);
  }

  #transmit(from: RouterId, to: RouterId, message: TableMessage, cuts: number): void {
    const { delayMs, jitterMs, loss, retryMs, duplicate } = this.#options;
    if (this.#random() < loss) {
      this.#clock.after('retransmission', retryMs, () => this.#transmit(from, to, message, cuts));
      return;
    }
    const copies = this.#random() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#clock.after('message', delayMs + this.#random() * jitterMs, () => {
        const isLost = this.#cut.has(linkKey(from, to)) || (this.#cuts.get(linkKey(from, to)) ?? 0) !== cuts;
        if (!isLost) this.#ends.get(to)?.message(from, message);
      });
    }
  }
}

function linkKey(a: RouterId, b: RouterId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
