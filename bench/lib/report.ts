/** From single runs to a table with ratios, and the JSON that documents quote. */
import type { Carrier } from './carrier.js';
import type { Machine } from './machine.js';
import { FIGURES, type Figures, median } from './measure.js';
import type { Verdict } from './verdict.js';

export interface Row {
  readonly name: string;
  readonly kind: Carrier['kind'];
  readonly detail: string;
  /** Version as the program states it, or the Debian package's. */
  readonly version: string;
  readonly runs: readonly Figures[];
  readonly median: Figures;
}

export interface Ratios {
  readonly of: string;
  /** The user-space peer that was best at it. */
  readonly figure: keyof Figures;
  readonly best: string;
  readonly ratio: number;
}

export interface ThroughputReport {
  readonly benchmark: 'throughput';
  readonly at: string;
  readonly seconds: number;
  readonly repeat: number;
  /** Host routes for the figures that a carrier's `churns` says; 0 when they were left out. */
  readonly routes: number;
  readonly machine: Machine;
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratios[];
  readonly verdicts: readonly Verdict[];
  /** What could not be measured, and why. */
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

export function medians(runs: readonly Figures[]): Figures {
  const entries = FIGURES.map((figure) => {
    const values = runs.flatMap((run) => run[figure] ?? []);
    return [figure, values.length === 0 ? undefined : median(values)];
  });
  return Object.fromEntries(entries) as unknown as Figures;
}

interface Column {
  readonly figure: keyof Figures;
  readonly title: string;
  readonly digits: number;
  /** What is good: shown as ratio to the best peer. */
  readonly better: 'more' | 'less';
}

export const COLUMNS: readonly Column[] = [
  { figure: 'tcp1Mbit', title: 'TCP 1 Mbit/s', digits: 0, better: 'more' },
  { figure: 'tcp4Mbit', title: 'TCP 4 Mbit/s', digits: 0, better: 'more' },
  { figure: 'udpKpps', title: 'UDP 64 k/s', digits: 1, better: 'more' },
  { figure: 'udp4mKpps', title: '64 -w4M k/s', digits: 1, better: 'more' },
  { figure: 'rttMeanMs', title: 'RTT ms', digits: 3, better: 'less' },
  { figure: 'rttP99Ms', title: 'p99 ms', digits: 3, better: 'less' },
  { figure: 'rttFloodMaxMs', title: 'flood max ms', digits: 2, better: 'less' },
  { figure: 'cpuPerGb', title: 'CPU s/GB', digits: 2, better: 'less' },
  { figure: 'rssMb', title: 'RSS MB', digits: 0, better: 'less' },
  { figure: 'idlePercent', title: 'idle %', digits: 1, better: 'less' },
  { figure: 'rttBusyMaxMs', title: 'busy max ms', digits: 2, better: 'less' },
  { figure: 'rssRoutesMb', title: 'routes MB', digits: 0, better: 'less' },
];

/**
 * Every own row against the best user-space peer of each figure; above 1 is more of it, whether good or bad. TCP
 * inside TCP is compared with peers that do that (name ends in "-tcp"), all else with those over UDP.
 */
export function ratiosOf(rows: readonly Row[]): Ratios[] {
  const overTcp = (row: Row): boolean => row.name.endsWith('-tcp');
  return rows
    .filter(({ kind }) => kind === 'ours')
    .flatMap((own) => {
      const peers = rows.filter((row) => row.kind === 'peer' && overTcp(row) === overTcp(own));
      return COLUMNS.flatMap(({ figure, better }) => {
        const best = bestOf(peers, figure, better);
        const [mine, theirs] = [own.median[figure], best?.median[figure]];
        if (best === undefined || mine === undefined || theirs === undefined || theirs === 0) return [];
        return [{ of: own.name, figure, best: best.name, ratio: mine / theirs }];
      });
    });
}

function bestOf(peers: readonly Row[], figure: keyof Figures, better: 'more' | 'less'): Row | undefined {
  const sorted = peers
    .filter((peer) => peer.median[figure] !== undefined)
    .sort((a, b) => (a.median[figure] ?? 0) - (b.median[figure] ?? 0));
  return better === 'more' ? sorted.at(-1) : sorted[0];
}

export function table(report: ThroughputReport): string {
  const head = ['', ...COLUMNS.map(({ title }) => title)];
  const body = report.rows.map((row) => [
    row.name,
    ...COLUMNS.map(({ figure, digits }) => row.median[figure]?.toFixed(digits) ?? '–'),
  ]);
  const compared = [...new Set(report.ratios.map(({ of }) => of))].map((name) => [
    `${name} ÷ best peer`,
    ...COLUMNS.map(({ figure }) => {
      const found = report.ratios.find((ratio) => ratio.of === name && ratio.figure === figure);
      return found === undefined ? '–' : `${found.ratio.toFixed(2)}×`;
    }),
  ]);
  return align([head, ...body, ...compared]);
}

/** First column to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
