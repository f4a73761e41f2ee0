/** From single runs to a table with ratios, and the JSON that documents quote. */
import type { Carrier } from './carrier.js';
import type { ClockReport } from './clock.js';
import type { Machine } from './machine.js';
import { median } from './measure.js';
import { FIGURES, type Figures } from './measured.js';
import { withoutOrigin } from './peer-path.js';
import type { Verdict } from './verdict.js';

export interface Row {
  readonly name: string;
  readonly kind: Carrier['kind'];
  readonly detail: string;
  /** Version as the program states it, or the Debian package's. */
  readonly version: string;
  /** All that was measured, whatever the processors' clock did. */
  readonly runs: readonly Figures[];
  /** The same repetitions without what the clock disturbed; runs kept from before it was watched have none. */
  readonly judged?: readonly Partial<Figures>[];
  /** Of those. */
  readonly median: Figures;
  /** Figures of which the clock has left fewer repetitions than were asked for: no verdict rests on them. */
  readonly tooFew?: readonly (keyof Figures)[];
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
  /** Pings with a second between them, in each repetition. */
  readonly slowPings?: number;
  /** Host routes for the figures that a carrier's `churns` says; 0 when they were left out. */
  readonly routes: number;
  readonly machine: Machine;
  readonly clock?: ClockReport;
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratios[];
  readonly verdicts: readonly Verdict[];
  /** What could not be measured, and why. */
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

export function medians(runs: readonly Partial<Figures>[]): Figures {
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

const LOAD_COLUMNS: readonly Column[] = [
  { figure: 'tcp1Mbit', title: 'TCP 1 Mbit/s', digits: 0, better: 'more' },
  { figure: 'tcp4Mbit', title: 'TCP 4 Mbit/s', digits: 0, better: 'more' },
  { figure: 'udpKpps', title: 'UDP 64 k/s', digits: 1, better: 'more' },
  { figure: 'udp4mKpps', title: '64 -w4M k/s', digits: 1, better: 'more' },
  { figure: 'cpuPerGb', title: 'CPU s/GB', digits: 2, better: 'less' },
  { figure: 'rssMb', title: 'RSS MB', digits: 0, better: 'less' },
  { figure: 'idlePercent', title: 'idle %', digits: 1, better: 'less' },
  { figure: 'rssRoutesMb', title: 'routes MB', digits: 0, better: 'less' },
];

const PING_COLUMNS: readonly Column[] = [
  { figure: 'rttMeanMs', title: '5 ms: mean', digits: 3, better: 'less' },
  { figure: 'rttP50Ms', title: 'p50', digits: 3, better: 'less' },
  { figure: 'rttP99Ms', title: 'p99', digits: 3, better: 'less' },
  { figure: 'rtt1sMeanMs', title: '1 s: mean', digits: 3, better: 'less' },
  { figure: 'rtt1sP50Ms', title: 'p50', digits: 3, better: 'less' },
  { figure: 'rtt1sP99Ms', title: 'p99', digits: 3, better: 'less' },
  { figure: 'rttBesideP50Ms', title: '100 Mbit/s: p50', digits: 3, better: 'less' },
  { figure: 'rttBesideP99Ms', title: 'p99', digits: 3, better: 'less' },
  { figure: 'rttFloodMaxMs', title: 'flood: max', digits: 2, better: 'less' },
  { figure: 'rttBusyMaxMs', title: 'busy: max', digits: 2, better: 'less' },
];

/** Two tables: one would be too wide to read. */
export const TABLES: readonly { readonly title: string; readonly columns: readonly Column[] }[] = [
  { title: 'Throughput and cost', columns: LOAD_COLUMNS },
  { title: 'Ping, round trip in ms', columns: PING_COLUMNS },
];

/** Those that the run has a figure for: an old run that is kept has not all of today's. */
export const measuredColumns = (columns: readonly Column[], rows: readonly Row[]): readonly Column[] =>
  columns.filter(({ figure }) => rows.some(({ median }) => median[figure] !== undefined));

export function cell({ median, tooFew = [] }: Row, { figure, digits }: Column): string {
  const text = median[figure]?.toFixed(digits) ?? '–';
  return tooFew.includes(figure) ? `${text}*` : text;
}

/** What the stars in the cells say; undefined when there is none. */
export function starred(report: ThroughputReport): string | undefined {
  if (report.rows.every(({ tooFew = [] }) => tooFew.length === 0)) return undefined;
  return `* fewer than ${report.repeat} repetitions in which the processors kept their clock: not judged`;
}

export function clockLine({ lowMs, watchedMs, times, worstFactor }: ClockReport): string {
  const share = `${lowMs} ms of ${(watchedMs / 1000).toFixed(0)} s`;
  if (times === 0) return `the processors kept their clock, all ${(watchedMs / 1000).toFixed(0)} s`;
  return `some processor's clock was low for ${share} (${times} times, at worst ${worstFactor.toFixed(1)} times slower)`;
}

/** TCP inside TCP. */
export const isOverTcp = ({ name }: Row): boolean => withoutOrigin(name).endsWith('-tcp');

/**
 * Every own row against the best user-space peer of each figure; above 1 is more of it, whether good or bad. TCP
 * inside TCP is compared with peers that do that (name ends in "-tcp"), all else with those over UDP.
 */
export function ratiosOf(rows: readonly Row[]): Ratios[] {
  return rows
    .filter(({ kind }) => kind === 'ours')
    .flatMap((own) => {
      const peers = rows.filter((row) => row.kind === 'peer' && isOverTcp(row) === isOverTcp(own));
      return TABLES.flatMap(({ columns }) => columns).flatMap(({ figure, better }) => {
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
  const tables = TABLES.map(({ title, columns }) => tableOf(report, title, columns));
  return [...tables, starred(report)].filter((part) => part !== undefined).join('\n\n');
}

function tableOf({ rows, ratios }: ThroughputReport, title: string, all: readonly Column[]): string {
  const columns = measuredColumns(all, rows);
  const body = rows.map((row) => [row.name, ...columns.map((column) => cell(row, column))]);
  const compared = [...new Set(ratios.map(({ of }) => of))].map((name) => [
    `${name} ÷ best peer`,
    ...columns.map(({ figure }) => {
      const found = ratios.find((ratio) => ratio.of === name && ratio.figure === figure);
      return found === undefined ? '–' : `${found.ratio.toFixed(2)}×`;
    }),
  ]);
  return align([[title, ...columns.map((column) => column.title)], ...body, ...compared]);
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
