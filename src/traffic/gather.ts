/** What one router tells of what it has counted. */
import type { TrafficRow } from '../protocol/traffic-message.js';
import { type Counted, type CountedPair, NO_COUNTS, times } from './counted.js';
import { PairTable } from './pair-table.js';
import { PERIOD_SECONDS, type Periods } from './periods.js';
import { type Question, weightAt } from './query.js';

/** Of each of the two kinds, in one answer. */
const MOST_ROWS = 2_560;

/** Rows that may be looked at before something else has its turn: a few milliseconds. */
const ROWS_A_SLICE = 2_000;

/** The next slice of it; undefined: there are more. */
export function slice(work: Generator<number, Told>): Told | undefined {
  for (let rows = 0; rows < ROWS_A_SLICE; ) {
    const step = work.next();
    if (step.done === true) return step.value;
    rows += step.value;
  }
  return undefined;
}

export interface Told {
  /** How many of the periods asked for there are. */
  readonly periods: number;
  /** By the period's number from the oldest asked for; all in 0 unless each is told by itself. */
  readonly parts: ReadonlyMap<number, Counted>;
}

/** In slices: it yields how many rows it has looked at, after each period. @param nowMs wall clock */
export function* gather(periods: Periods, question: Question, nowMs: number): Generator<number, Told> {
  const { detail } = question;
  const lastSeconds = lastOf(periods, question);
  const firstSeconds = lastSeconds - (question.periods - 1) * PERIOD_SECONDS;
  const found = new Set<number>();
  const parts = new Map<number, Counted>();
  let table = new PairTable();
  const limit = limitOf(question);
  const taken = (startSeconds: number, counted: Counted): void => {
    const i = (startSeconds - firstSeconds) / PERIOD_SECONDS;
    found.add(i);
    addTo(table, counted, question, weightAt(i, question));
    if (!detail) return;
    // One that was there before, before the clock was set back.
    const before = parts.get(i);
    if (before !== undefined) table.addAll(before);
    parts.set(i, bounded(table, limit));
    table = new PairTable();
  };
  for (const { startSeconds, counted } of periods.between(firstSeconds, lastSeconds + PERIOD_SECONDS)) {
    taken(startSeconds, counted);
    yield 1 + counted.pairs.length + counted.rest.length;
  }
  if (question.approximate && lastSeconds === periods.startSeconds)
    taken(lastSeconds, estimate(periods, nowMs));
  if (!detail) parts.set(0, bounded(table, limit));
  return { periods: found.size, parts };
}

/** What the running period will have come to, if what is left of it goes as the one before went. */
export function estimate(periods: Periods, nowMs: number): Counted {
  const elapsed = (nowMs / 1_000 - periods.startSeconds) / PERIOD_SECONDS;
  const left = Math.min(1, Math.max(0, 1 - elapsed));
  const table = new PairTable();
  table.addAll(periods.running());
  const last = periods.last();
  for (const pair of last.pairs) table.addPair(pair, times(pair, left));
  for (const site of last.rest) table.addRest(site, times(site, left));
  table.addUnattributed(times(last.unattributed, left));
  return table.counted();
}

/**
 * A clock that is off by less than a period does not shift what is asked: it is the same periods' names. One that is off by
 * more would find nothing: the question is then taken as "the last ones".
 */
function lastOf(periods: Periods, { lastPeriod, approximate }: Question): number {
  const asked = lastPeriod * PERIOD_SECONDS;
  const latest = approximate ? periods.startSeconds : periods.startSeconds - PERIOD_SECONDS;
  return Math.abs(asked - latest) <= PERIOD_SECONDS ? asked : latest;
}

function addTo(table: PairTable, counted: Counted, question: Question, weight: number): void {
  const { vnet, mostPairs } = question;
  for (const pair of counted.pairs) {
    if (!isAsked(pair, question)) continue;
    if (mostPairs === 0) table.addRest(pair, times(pair, weight));
    else table.addPair(pair, times(pair, weight));
  }
  // Of one node nothing is known in what has no nodes.
  if (question.ips.length > 0) return;
  for (const site of counted.rest)
    if (vnet === undefined || site.vnet === vnet) table.addRest(site, times(site, weight));
  table.addUnattributed(times(counted.unattributed, weight));
}

function isAsked({ vnet, source, destination }: CountedPair, question: Question): boolean {
  if (question.vnet !== undefined && question.vnet !== vnet) return false;
  if (question.ips.length === 0) return true;
  return question.ips.some((ip) => source?.equals(ip) === true || destination?.equals(ip) === true);
}

interface Limit {
  readonly pairs: number;
  readonly rest: number;
}

function limitOf({ detail, periods, mostPairs }: Question): Limit {
  const rest = detail ? Math.floor(MOST_ROWS / periods) : MOST_ROWS;
  return { pairs: Math.min(mostPairs, rest), rest };
}

/** Whole numbers, and no more rows than fit. */
function bounded(table: PairTable, limit: Limit): Counted {
  const { pairs, rest, unattributed } = table.counted(limit.pairs);
  const others = new PairTable();
  others.addUnattributed(unattributed);
  for (const site of rest.slice(limit.rest)) others.addUnattributed(site);
  return {
    pairs: pairs.map(rounded),
    rest: rest.slice(0, limit.rest).map(rounded),
    unattributed: rounded(others.counted().unattributed),
  };
}

function rounded<Counts extends { readonly packets: number; readonly bytes: number }>(
  counts: Counts,
): Counts {
  return { ...counts, packets: Math.round(counts.packets), bytes: Math.round(counts.bytes) };
}

export function rowsOf({ parts }: Told): TrafficRow[] {
  const none = { vnet: 0, source: undefined, destination: undefined, sourceSite: '', destinationSite: '' };
  return [...parts].flatMap(([period, { pairs, rest, unattributed }]) => [
    ...pairs.map((pair): TrafficRow => ({ ...none, ...pair, kind: 'pair', period })),
    ...rest.map((site): TrafficRow => ({ ...none, ...site, kind: 'sites', period })),
    ...(unattributed.packets > 0 ? [{ ...none, ...unattributed, kind: 'nobody', period } as const] : []),
  ]);
}

/** The other way round. */
export function toldOf(periods: number, rows: readonly TrafficRow[]): Told {
  const tables = new Map<number, PairTable>();
  for (const row of rows) {
    const table = tables.get(row.period) ?? new PairTable();
    tables.set(row.period, table);
    if (row.kind === 'pair') table.addPair(row);
    else if (row.kind === 'sites') table.addRest(row, row);
    else table.addUnattributed(row);
  }
  return { periods, parts: new Map([...tables].map(([period, table]) => [period, table.counted()])) };
}

export const NOTHING_TOLD: Told = {
  periods: 0,
  parts: new Map([[0, { pairs: [], rest: [], unattributed: NO_COUNTS }]]),
};
