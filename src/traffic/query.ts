/** What is asked, as it was given, and what that means now; or why it cannot be answered, and what could. */
import type { Ip } from '../net/ip.js';
import {
  MAX_ASKED_PAIRS,
  MAX_DETAIL_PERIODS,
  MAX_WEIGHT_PERMILLE,
  type TrafficAskMessage,
} from '../protocol/traffic-message.js';
import type { VnetId } from '../tables/model.js';
import { PERIOD_SECONDS, startOf } from './periods.js';

export const BY = ['node', 'site'] as const;
export type By = (typeof BY)[number];

/** `ended`: whole periods. `exact`: with the one that runs, when it has ended. `approximate`: with an estimate of it. */
export type Mode = 'ended' | 'exact' | 'approximate';

export interface TrafficQuery {
  readonly lastSeconds: number;
  readonly mode: Mode;
  readonly detail: boolean;
  /** How much a period counts as against the one before it. */
  readonly weight: number;
  readonly by: By;
  /** Rows of the answer, of each period with `detail`. */
  readonly top: number;
  readonly vnet: VnetId | undefined;
  /** All addresses of the node that it is about; none: all nodes. */
  readonly ips: readonly Ip[];
  /** How long the asker waits for the answer. */
  readonly waitSeconds: number;
}

/** A question without its number. */
export type Question = Omit<TrafficAskMessage, 'type' | 'queryId' | 'first'>;

export interface Plan {
  readonly question: Question;
  /** The routers are asked then, by the wall clock. */
  readonly askAtMs: number;
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** Behind the end of a period, so that it has ended on every router whose clock is right. */
export const SETTLE_MS = 300;
/** What the answers need. */
const ANSWER_MS = 1_000;
/** More are asked for than are shown: of a pair that has moved two routers know a part. */
const LEAST_PAIRS = 256;

export function planOf(query: TrafficQuery, nowMs: number, keepSeconds: number): Plan | string {
  const problem = problemOf(query, keepSeconds);
  if (problem !== undefined) return problem;
  const runs = startOf(nowMs);
  const periods = query.lastSeconds / PERIOD_SECONDS;
  const lastSeconds = query.mode === 'ended' ? runs - PERIOD_SECONDS : runs;
  const endsMs = (runs + PERIOD_SECONDS) * 1_000;
  const askAtMs = query.mode === 'exact' ? endsMs + SETTLE_MS : nowMs;
  const neededSeconds = Math.ceil((askAtMs - nowMs + ANSWER_MS) / 1_000);
  if (query.mode === 'exact' && query.waitSeconds < neededSeconds)
    return `the running period ends in ${Math.ceil((endsMs - nowMs) / 1_000)} s: wait ${neededSeconds}s at least, or ask for an approximate answer`;
  const pairs = Math.min(MAX_ASKED_PAIRS, Math.max(LEAST_PAIRS, 4 * query.top));
  return {
    question: {
      lastPeriod: lastSeconds / PERIOD_SECONDS,
      periods,
      approximate: query.mode === 'approximate',
      detail: query.detail,
      weightPermille: Math.round(query.weight * 1_000),
      vnet: query.vnet,
      ips: query.ips,
      mostPairs: query.by === 'site' && query.ips.length === 0 ? 0 : pairs,
    },
    askAtMs,
    fromSeconds: lastSeconds - (periods - 1) * PERIOD_SECONDS,
    toSeconds: lastSeconds + PERIOD_SECONDS,
  };
}

function problemOf(query: TrafficQuery, keepSeconds: number): string | undefined {
  const { lastSeconds, detail, weight } = query;
  if (lastSeconds % PERIOD_SECONDS !== 0 || lastSeconds <= 0) {
    const below = Math.floor(lastSeconds / PERIOD_SECONDS) * PERIOD_SECONDS;
    const would = below === 0 ? `${PERIOD_SECONDS}s` : `${below}s or ${below + PERIOD_SECONDS}s`;
    return `counts are kept in periods of ${PERIOD_SECONDS} s: the last ${would} can be told, not the last ${lastSeconds}s`;
  }
  if (lastSeconds > keepSeconds)
    return `counts are kept for ${keepSeconds} s (traffic.keep in router.json): ask for no more than that`;
  if (detail && lastSeconds > MAX_DETAIL_PERIODS * PERIOD_SECONDS)
    return `each period by itself can be told of the last ${(MAX_DETAIL_PERIODS * PERIOD_SECONDS) / 60} minutes at most`;
  if (detail && weight !== 1) return 'in detail each period stands by itself: there is nothing to weight';
  if (!(weight >= 0.001 && weight <= MAX_WEIGHT_PERMILLE / 1_000))
    return `a weight is from 0.001 to ${MAX_WEIGHT_PERMILLE / 1_000}`;
  return undefined;
}

/** What period `i` of `periods`, from the oldest, counts: the largest counts 1. */
export function weightAt(i: number, { periods, weightPermille }: Question): number {
  const weight = weightPermille / 1_000;
  return weight >= 1 ? weight ** (i - (periods - 1)) : weight ** i;
}

/** The time that sums are of. */
export function weightedSeconds(question: Question): number {
  let sum = 0;
  for (let i = 0; i < question.periods; i++) sum += weightAt(i, question);
  return sum * PERIOD_SECONDS;
}
