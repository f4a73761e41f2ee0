/** The figures that the packet path is to reach, and whether a run reached them. */
import type { Figures } from './measured.js';
import { withoutOrigin } from './peer-path.js';
import { align, isOverTcp, type Row } from './report.js';
import type { Verdict } from './verdict.js';

interface Target {
  readonly figure: string;
  readonly of: string;
  readonly key: keyof Figures;
  readonly unit: string;
  readonly limit: number;
  readonly want: Verdict['want'];
  /** Without as much of another figure, the measurement was none. */
  readonly given?: { readonly key: keyof Figures; readonly atLeast: number };
  /** Which rows the best is taken from; without it the figure stands for itself. */
  readonly against?: (row: Row) => boolean;
}

const anyPeer = ({ kind }: Row): boolean => kind === 'peer';
const tcpPeer = (row: Row): boolean => row.kind === 'peer' && isOverTcp(row);
const fastd = ({ name }: Row): boolean => withoutOrigin(name) === 'fastd';
const kernel = ({ name }: Row): boolean => name === 'kernel';
const vxlan = ({ name }: Row): boolean => name === 'vxlan';

function tcp(of: string, limit: number, what: string, against: (row: Row) => boolean): Target[] {
  const common = { of, limit, want: 'at least', unit: 'Mbit/s', against } as const;
  return [
    { ...common, figure: `TCP, 1 stream, ${what}`, key: 'tcp1Mbit' },
    { ...common, figure: `TCP, 4 streams, ${what}`, key: 'tcp4Mbit' },
  ];
}

const small = { of: 'vine', key: 'udp4mKpps', unit: 'k/s', want: 'at least' } as const;
const ping = { of: 'vine', unit: 'ms', want: 'at most', limit: 1, against: anyPeer } as const;
const below = { of: 'vine', want: 'below' } as const;

export const TARGETS: readonly Target[] = [
  ...tcp('vine', 2.5, 'ChaCha20-Poly1305 over UDP', anyPeer),
  ...tcp('vine-aes', 4, 'AES-256-GCM over UDP', anyPeer),
  ...tcp('vine-aes', 0.35, 'AES-256-GCM over UDP, of kernel VXLAN', vxlan),
  ...tcp('vine-tcp', 10, 'over TCP', tcpPeer),
  {
    ...small,
    figure: '64-byte UDP received, 4 MB buffer, of kernel forwarding',
    limit: 0.8,
    against: kernel,
  },
  { ...small, figure: '64-byte UDP received, 4 MB buffer, of fastd', limit: 2.5, against: fastd },
  { ...ping, figure: 'ping, idle, every 5 ms, mean', key: 'rttMeanMs' },
  { ...ping, figure: 'ping, idle, every 5 ms, p99', key: 'rttP99Ms' },
  { ...ping, figure: 'ping, idle, every 1 s, mean', key: 'rtt1sMeanMs' },
  { ...ping, figure: 'ping, idle, every 1 s, p99', key: 'rtt1sP99Ms' },
  {
    ...{ ...below, figure: 'ping under a TCP flood and 1,000 table updates/s, max' },
    ...{ key: 'rttBusyMaxMs', unit: 'ms', limit: 5, given: { key: 'updatesPerSecond', atLeast: 950 } },
  },
  { ...below, figure: 'memory of a router, no routes', key: 'rssMb', unit: 'MB', limit: 100 },
  { ...below, figure: 'memory, 100,000 host routes', key: 'rssRoutesMb', unit: 'MB', limit: 170 },
  { ...below, figure: 'processor when idle', key: 'idlePercent', unit: '% of a core', limit: 1 },
];

/** Pings are better when they are shorter; all else that is compared with others, when it is more. */
const isLessBetter = (key: keyof Figures): boolean => key.startsWith('rtt');

export function judge(rows: readonly Row[]): Verdict[] {
  return TARGETS.map((target) => judgeOne(target, rows));
}

function judgeOne(target: Target, rows: readonly Row[]): Verdict {
  const { figure, of, key, unit, limit, want, against, given } = target;
  const own = rows.find(({ name, kind }) => kind === 'ours' && name === of);
  const others = against === undefined ? [] : rows.filter(against);
  const isGiven = given === undefined || (own?.median[given.key] ?? 0) >= given.atLeast;
  // A peer too: without it another one, less good, would be the best.
  const isCounted = ![own, ...others].some((row) => row?.tooFew?.includes(key));
  const measured = isGiven && isCounted ? own?.median[key] : undefined;
  const peer = against === undefined ? undefined : best(others, key);
  const divisor = against === undefined ? 1 : peer?.measured;
  const is = measured === undefined || divisor === undefined ? undefined : measured / divisor;
  const verdict = is === undefined ? 'not measured' : isReached(is, limit, want) ? 'holds' : 'FAILS';
  return { figure, measured, unit, ...(peer === undefined ? {} : { peer }), is, limit, want, verdict };
}

function isReached(is: number, limit: number, want: Verdict['want']): boolean {
  if (want === 'at least') return is >= limit;
  return want === 'at most' ? is <= limit : is < limit;
}

function best(rows: readonly Row[], key: keyof Figures): Verdict['peer'] {
  const sorted = rows
    .flatMap(({ name, median }) => {
      const measured = median[key];
      return measured !== undefined && measured > 0 ? [{ name, measured }] : [];
    })
    .sort((a, b) => a.measured - b.measured);
  return isLessBetter(key) ? sorted[0] : sorted.at(-1);
}

/** Three significant digits; whole from 100 on. */
export function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}

export const VERDICT_HEAD = ['figure', 'measured', 'best other', 'is', 'to reach', ''] as const;

/** One row for each figure: what was measured, against whom, how much that is, what it should be, and the verdict. */
export function verdictCells(verdict: Verdict): string[] {
  const { figure, measured, unit, peer, is, limit, want } = verdict;
  return [
    figure,
    measured === undefined ? '–' : `${short(measured)} ${unit}`,
    peer === undefined ? '' : `${peer.name} ${short(peer.measured)}`,
    is === undefined ? '–' : peer === undefined ? '' : `${short(is)} ×`,
    `${want} ${limit}${isRatio(figure) ? ' ×' : ` ${unit}`}`,
    verdict.verdict,
  ];
}

const isRatio = (figure: string): boolean =>
  TARGETS.some((target) => target.figure === figure && target.against !== undefined);

export function verdictTable(verdicts: readonly Verdict[]): string {
  return align([[...VERDICT_HEAD], ...verdicts.map(verdictCells)]);
}
