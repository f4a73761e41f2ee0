/** What a run of the failover bench says, and what it keeps. */
import { table } from '../lib/table.js';
import { type OutageDistribution, outageDistribution, type ProbeWindow } from './figures.js';

/** One fault of the active router. */
export interface Switch {
  readonly fault: string;
  readonly struck: string;
  /** From the fault until its undoing began. */
  readonly windowMs: number;
  /** The longer of the two directions' longest gaps. */
  readonly outageMs: number;
  /** Until the other router's first frame from the virtual MAC; null: none was seen. */
  readonly servedMs: number | null;
  readonly toPair: ProbeWindow;
  readonly fromPair: ProbeWindow;
  /** While the router came back: what that cost. */
  readonly healingMs: number;
  readonly healingGapMs: number;
  readonly healingLost: number;
  readonly healingDuplicated: number;
  readonly bothActiveMs: number;
  /** Connections that broke. */
  readonly resets: number;
  readonly longestStallMs: number;
  /** How long some processor ran below half its usual speed meanwhile. */
  readonly lowClockMs: number;
}

export interface HandOver {
  readonly from: string;
  readonly tookMs: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly gapMs: number;
  readonly bothActiveMs: number;
  readonly resets: number;
}

export interface Measured {
  readonly faults: readonly string[];
  readonly switches: readonly Switch[];
  readonly handOvers: readonly HandOver[];
  /** What could not be measured, and why. */
  readonly problems: readonly string[];
}

/** design/pairs.md, "What must be seen". */
const P95_MS = 700;
const P99_MS = 1_000;
/** A link that is cut has to be noticed first. */
const LINK_MORE_MS = 1_000;
const TWO_ACTIVE_MS = 1_000;

export interface Check {
  readonly what: string;
  readonly measured: string;
  readonly limit: string;
  readonly holds: boolean;
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
const isProcess = (fault: string): boolean => fault === 'kill' || fault === 'stop';

export function checksOf({ switches, handOvers, problems }: Measured): Check[] {
  const checks: Check[] = [];
  const atMost = (what: string, value: number, limit: number, unit: string): void => {
    const measured = `${Number.isNaN(value) ? '–' : Math.round(value)}${unit}`;
    checks.push({ what, measured, limit: `≤ ${limit}${unit}`, holds: value <= limit });
  };
  for (const [what, isMeant, moreMs] of [
    ['kill -9, SIGSTOP', isProcess, 0],
    ['link cut', (fault: string) => !isProcess(fault), LINK_MORE_MS],
  ] as const) {
    const meant = switches.filter(({ fault }) => isMeant(fault));
    if (meant.length === 0) continue;
    const { p95, p99 } = outageDistribution(meant.map(({ outageMs }) => outageMs));
    atMost(`${what}: outage, p95`, p95, P95_MS + moreMs, ' ms');
    atMost(`${what}: outage, p99`, p99, P99_MS + moreMs, ' ms');
  }
  if (switches.length > 0) {
    atMost('connections broken by a switch', sum(switches.map(({ resets }) => resets)), 0, '');
    const bothMs = Math.max(...switches.map((one) => one.bothActiveMs));
    atMost('two active on the LAN at a switch', bothMs, TWO_ACTIVE_MS, ' ms');
  }
  if (handOvers.length > 0) {
    atMost('hand-overs: packets lost', sum(handOvers.map(({ lost }) => lost)), 0, '');
    atMost('hand-overs: packets duplicated', sum(handOvers.map(({ duplicated }) => duplicated)), 0, '');
    atMost('hand-overs: connections broken', sum(handOvers.map(({ resets }) => resets)), 0, '');
  }
  atMost('switches that could not be measured', problems.length, 0, '');
  return checks;
}

function distributions({ faults, switches }: Measured): Record<string, OutageDistribution> {
  const of = (list: readonly Switch[]): OutageDistribution =>
    outageDistribution(list.map(({ outageMs }) => outageMs));
  return Object.fromEntries([
    ...faults.map((fault) => [fault, of(switches.filter((one) => one.fault === fault))]),
    ['all', of(switches)],
  ]);
}

/** Answers what is to be kept. */
export function report(measured: Measured, say: (text: string) => void): object {
  const { switches, handOvers, problems } = measured;
  const outages = distributions(measured);
  if (switches.length > 0) {
    say('\nOutage, milliseconds: the longest time without a packet of a 1 kHz probe, the worse direction');
    say(
      table(
        head,
        Object.entries(outages).map(([fault, all]) => row(fault, all, switches)),
      ),
    );
  }
  if (handOvers.length > 0) {
    const gaps = outageDistribution(handOvers.map(({ gapMs }) => gapMs));
    say(
      `\n${handOvers.length} hand-overs: ${sum(handOvers.map(({ lost }) => lost))} packets lost, ` +
        `${sum(handOvers.map(({ duplicated }) => duplicated))} duplicated; longest gap ${gaps.p50} ms (median), ${gaps.max} ms (highest)`,
    );
  }
  for (const problem of problems) say(`not measured: ${problem}`);
  const checks = checksOf(measured);
  say('');
  const rows = checks.map(({ what, measured: is, limit, holds }) => [
    what,
    is,
    limit,
    holds ? 'holds' : 'FAILS',
  ]);
  say(table(['must hold', 'measured', 'limit', ''], rows));
  return { outages, checks, problems, switches, handOvers };
}

const head = [
  '',
  'times',
  'p50',
  'p95',
  'p99',
  'max',
  'broken',
  'longest stall of a connection',
  'duplicated',
  'two active',
];

function row(fault: string, all: OutageDistribution, switches: readonly Switch[]): string[] {
  const meant = switches.filter((one) => fault === 'all' || one.fault === fault);
  const most = (of: (one: Switch) => number): string =>
    meant.length === 0 ? '–' : Math.max(...meant.map(of)).toFixed(0);
  return [
    fault,
    ...[all.count, all.p50, all.p95, all.p99, all.max].map(String),
    String(sum(meant.map(({ resets }) => resets))),
    most(({ longestStallMs }) => longestStallMs),
    String(sum(meant.map(({ toPair, fromPair }) => toPair.duplicated + fromPair.duplicated))),
    most((one) => one.bothActiveMs),
  ];
}
