/** What the documents quote, made from the JSON of the kept runs in bench/results. */
import type { Machine } from './machine.js';
import type { Figures } from './measured.js';
import {
  cell,
  clockLine,
  measuredColumns,
  type Row,
  starred,
  TABLES,
  type ThroughputReport,
} from './report.js';
import { judge, short, VERDICT_HEAD, verdictCells } from './targets.js';

export const BEGIN = '<!-- figures: begin. Written by scripts/bench figures from bench/results. -->';
export const END = '<!-- figures: end -->';

/** What of a soak's JSON is quoted. */
export interface SoakReport {
  readonly at: string;
  readonly machine: Machine;
  readonly minutes: number;
  readonly routes: number;
  readonly appliedPerSecond: number;
  readonly mbit: readonly number[];
  readonly peakByMinuteMb: readonly (readonly number[])[];
  readonly growth: readonly number[];
  readonly astray: Readonly<Record<string, number>>;
  readonly probesArrived: number;
}

interface Brief {
  readonly key: keyof Figures;
  readonly title: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
}

/** The README's columns, those that the run has figures for. */
const BRIEF: readonly Brief[] = [
  { key: 'tcp1Mbit', title: 'TCP, 1 stream', unit: 'Mbit/s', better: 'more' },
  { key: 'tcp4Mbit', title: 'TCP, 4 streams', unit: 'Mbit/s', better: 'more' },
  { key: 'udp4mKpps', title: '64-byte UDP, 4 MB buffer', unit: 'k/s', better: 'more' },
  { key: 'rttMeanMs', title: 'ping, idle', unit: 'ms', better: 'less' },
  { key: 'rtt1sMeanMs', title: 'ping once a second', unit: 'ms', better: 'less' },
  { key: 'rttBesideP99Ms', title: 'ping beside 100 Mbit/s, p99', unit: 'ms', better: 'less' },
  { key: 'rttFloodMaxMs', title: 'ping under TCP flood, max', unit: 'ms', better: 'less' },
  { key: 'cpuPerGb', title: 'processor per GB', unit: 's', better: 'less' },
  { key: 'rssMb', title: 'memory', unit: 'MB', better: 'less' },
];

export const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
};

export function named({ cpu, cores, distribution, kernel, node, commit, loadBefore }: Machine): string {
  const load = `load before ${loadBefore.toFixed(2)}`;
  return `${cores} × ${cpu}, ${distribution}, Linux ${kernel}, Node ${node}, commit ${commit}, ${load}`;
}

function source(report: ThroughputReport, folder: string): string {
  const { at, repeat, seconds, machine, clock } = report;
  const runs = repeat === 1 ? 'one repetition' : `median of ${repeat} repetitions`;
  const file = `[bench/results/throughput.json](${folder}throughput.json)`;
  return `\`scripts/bench throughput\`, ${at.slice(0, 10)}, ${runs} of ${seconds} s; both routers and both ends on one machine:
${named(machine)}${clock === undefined ? '' : `; ${clockLine(clock)}`}; ${file}.`;
}

const briefOf = ({ rows }: ThroughputReport): readonly Brief[] =>
  BRIEF.filter(({ key }) => rows.some(({ median }) => median[key] !== undefined));

function bestPeers(rows: readonly Row[], brief: readonly Brief[]): string[] {
  return brief.map(({ key, unit, better }) => {
    const sorted = rows
      .flatMap(({ kind, name, median }) => {
        const value = median[key];
        return kind === 'peer' && value !== undefined ? [{ name, value }] : [];
      })
      .sort((a, b) => a.value - b.value);
    const best = better === 'more' ? sorted.at(-1) : sorted[0];
    return best === undefined ? '–' : `${short(best.value)} ${unit} (${best.name})`;
  });
}

const ours = (row: Row, brief: readonly Brief[]): string[] => [
  `vined, ${row.detail}`,
  ...brief.map(({ key, unit }) => {
    const value = row.median[key];
    return value === undefined ? '–' : `${short(value)} ${unit}`;
  }),
];

function verdicts(report: ThroughputReport): string {
  return markdown(VERDICT_HEAD, judge(report.rows).map(verdictCells));
}

export function readmeFigures(report: ThroughputReport): string {
  const brief = briefOf(report);
  const rows = report.rows.filter(({ kind }) => kind === 'ours').map((row) => ours(row, brief));
  const head = ['', ...brief.map(({ title }) => title)];
  const table = markdown(head, [['best user-space peer', ...bestPeers(report.rows, brief)], ...rows]);
  return `${source(report, 'bench/results/')}\n\n${table}\n\nWhat the router is to reach, in the same run:\n\n${verdicts(report)}`;
}

export function performanceFigures(report: ThroughputReport, soak: SoakReport | undefined): string {
  const tables = TABLES.map(({ title, columns: all }) => {
    const columns = measuredColumns(all, report.rows);
    return markdown(
      [title, ...columns.map((column) => column.title)],
      report.rows.map((row) => [row.name, ...columns.map((column) => cell(row, column))]),
    );
  });
  const stars = starred(report);
  const what = report.rows.map(({ name, detail, version }) => `\`${name}\`: ${detail} (${version})`);
  const parts = [
    source(report, '../bench/results/'),
    ...tables,
    ...(stars === undefined ? [] : [stars.replace('*', '\\*')]),
    `${what.join('; ')}.`,
    'What the router is to reach, in the same run:',
    verdicts(report),
    soak === undefined ? '*No run of `scripts/bench soak` is kept.*' : soaked(soak),
  ];
  return parts.join('\n\n');
}

function soaked(soak: SoakReport): string {
  const astray = Object.values(soak.astray).reduce((sum, count) => sum + count, 0);
  const rows = soak.peakByMinuteMb.map((peaks, router) => [
    router === 0 ? 'vr-a' : 'vr-b',
    short(peaks[0] ?? 0),
    short(Math.max(...peaks.slice(1))),
    `${((soak.growth[router] ?? 0) * 100).toFixed(1)} %`,
  ]);
  const head = ['router', 'peak of the 2nd minute, MB', 'highest later peak, MB', 'growth'];
  return `\`scripts/bench soak --minutes ${soak.minutes}\`, ${soak.at.slice(0, 10)}: ${soak.routes} host routes, ${soak.appliedPerSecond.toFixed(0)} changes a second,
TCP both ways at ${soak.mbit.map((mbit) => mbit.toFixed(0)).join(' and ')} Mbit/s; ${soak.probesArrived} probes arrived, ${astray} packets astray;
${named(soak.machine)}; [bench/results/soak.json](../bench/results/soak.json).

${markdown(head, rows)}`;
}

/** The text with what is between the markers replaced. Throws when they are not there exactly once. */
export function withFigures(text: string, figures: string): string {
  const [before, rest, ...more] = text.split(BEGIN);
  const [, after, ...others] = (rest ?? '').split(END);
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0)
    throw new Error(`expected once: ${BEGIN} … ${END}`);
  return `${before}${BEGIN}\n${figures}\n${END}${after}`;
}
