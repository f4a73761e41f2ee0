/**
 * The rates that a packet worker keeps to. One that is alone in its direction counts by itself; where there are several the
 * router's limits are theirs together, in memory that they share, so that they hold whichever of them is concerned.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../net/clock.js';
import { KeyedRateLimit, type Rate, RateLimit } from '../../net/rate-limit.js';
import { MAX_PEERS } from '../engine.js';
import { SharedKeyedRate, SharedRate } from './shared-rate.js';

type Monotonic = Pick<Clock, 'nowMs'>;

/** Subjects of each rate. Of those that anybody can make up: how many are remembered, in four times as many places. */
const ONE = {
  icmpErrors: 1,
  gatewayEchoes: 1,
  unprovenHandshakes: 1,
  joinRequests: 1,
  provenHandshakes: 1,
  cookieReplies: 1,
  cookies: 1,
} as const;
const NUMBERED = {
  control: MAX_PEERS,
  relays: MAX_PEERS,
  relaySenders: MAX_PEERS,
} as const;
const KEYED = {
  addresses: 4_096,
  relayedHandshakes: MAX_PEERS,
  want: 1_024,
  clientWanted: 1_024,
  redirect: 1_024,
  sourceElsewhere: 1_024,
  macElsewhere: 1_024,
  unheardOf: 1_024,
} as const;

const PLACES_EACH = 4;
/** Words in front: the seed of the hashes, then what `HoldRoom` counts. */
const SEED = 0;
const HELD = 16;
/** Packets held in all, and by the hash of the node that they are for. */
export const HELD_WORDS = 1 + 1_024;
const RATES = HELD + HELD_WORDS + 15;

interface Place {
  readonly from: number;
  readonly words: number;
}

const PLACES: ReadonlyMap<string, Place> = new Map(layout());

function* layout(): Generator<[string, Place]> {
  let from = RATES;
  for (const [name, subjects] of Object.entries({ ...ONE, ...NUMBERED })) {
    yield [name, { from, words: subjects }];
    // A cache line that only one rate has.
    from += Math.max(16, subjects);
  }
  for (const [name, subjects] of Object.entries(KEYED)) {
    const words = 2 * PLACES_EACH * subjects;
    yield [name, { from, words }];
    from += words;
  }
}

/** What the workers of one direction share. */
export function createBudgets(): SharedArrayBuffer {
  let end = RATES;
  for (const { from, words } of PLACES.values()) end = Math.max(end, from + Math.max(16, words));
  const memory = new SharedArrayBuffer(4 * end);
  new Int32Array(memory)[SEED] = randomBytes(4).readInt32LE();
  return memory;
}

class PeerRates {
  readonly #clock: Monotonic;
  readonly #rate: Rate;
  readonly #rates: RateLimit[] = [];

  constructor(clock: Monotonic, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  allow(peer: number, cost?: number): boolean {
    this.#rates[peer] ??= new RateLimit(this.#clock, this.#rate);
    return this.#rates[peer].allow(cost);
  }
}

export class Budgets {
  readonly #clock: Monotonic;
  readonly #words: Int32Array | undefined;

  /** @param memory of `createBudgets`; undefined: this worker is the only one of its direction */
  constructor(clock: Monotonic, memory: SharedArrayBuffer | undefined) {
    this.#clock = clock;
    this.#words = memory === undefined ? undefined : new Int32Array(memory);
  }

  one(name: keyof typeof ONE, rate: Rate): { allow(cost?: number): boolean } {
    const words = this.#wordsOf(name);
    if (words === undefined) return new RateLimit(this.#clock, rate);
    const shared = new SharedRate(this.#clock, rate, words);
    return { allow: (cost) => shared.allow(0, cost) };
  }

  /** By peer. */
  numbered(name: keyof typeof NUMBERED, rate: Rate): { allow(subject: number, cost?: number): boolean } {
    const words = this.#wordsOf(name);
    if (words === undefined) return new PeerRates(this.#clock, rate);
    return new SharedRate(this.#clock, rate, words);
  }

  keyed(name: keyof typeof KEYED, rate: Rate): { allow(key: string, cost?: number): boolean } {
    const words = this.#wordsOf(name);
    if (words === undefined) return new KeyedRateLimit(this.#clock, rate, KEYED[name]);
    return new SharedKeyedRate(this.#clock, rate, words, this.#seed);
  }

  /** `HELD_WORDS`, and the seed of hashes for them; undefined: the worker is alone. */
  get held(): { readonly words: Int32Array; readonly seed: number } | undefined {
    const words = this.#words?.subarray(HELD, HELD + HELD_WORDS);
    return words === undefined ? undefined : { words, seed: this.#seed };
  }

  get #seed(): number {
    return this.#words?.[SEED] ?? 0;
  }

  #wordsOf(name: string): Int32Array | undefined {
    const { from, words } = PLACES.get(name) ?? { from: 0, words: 0 };
    return this.#words?.subarray(from, from + words);
  }
}
