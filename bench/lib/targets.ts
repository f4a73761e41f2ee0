/** The figures that the packet path is to reach, and whether a run reached them. */
import type { Figures } from './measured.js';
import { align, type Row } from './report.js';
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
  /** Which peers the best is taken from; without it the figure stands for itself. */
  readonly against?: (peer: Row) => boolean;
}

const anyPeer = (): boolean => true;
const overTcp = ({ name }: Row): boolean => name === 'openvpn-tcp';

function ratio(of: string, limit: number, what: string, against: (peer: Row) => boolean): Target[] {
  const common = { of, limit, want: 'at least', unit: 'Mbit/s', against } as const;
  return [
    { ...common, figure: `TCP, 1 stream, ${what}`, key: 'tcp1Mbit' },
    { ...common, figure: `TCP, 4 streams, ${what}`, key: 'tcp4Mbit' },
  ];
}

const below = { of: 'vine', want: 'below' } as const;

export const TARGETS: readonly Target[] = [
  ...ratio('vine', 4, 'ChaCha20-Poly1305 over UDP', anyPeer),
  ...ratio('vine-aes', 5, 'AES-256-GCM over UDP', anyPeer),
  ...ratio('vine-tcp', 2, 'over TCP', overTcp),
  {
    ...{ figure: '64-byte UDP received, 4 MB buffer', of: 'vine', key: 'udp4mKpps', unit: 'k/s' },
    ...{ limit: 3, want: 'at least', against: anyPeer },
  },
  {
    ...{ figure: 'ping, idle, mean', of: 'vine', key: 'rttMeanMs', unit: 'ms' },
    ...{ limit: 1.5, want: 'at most', against: anyPeer },
  },
  { ...below, figure: 'ping, idle, p99', key: 'rttP99Ms', unit: 'ms', limit: 0.3 },
  {
    ...{ ...below, figure: 'ping under a TCP flood and 1,000 table updates/s, max' },
    ...{ key: 'rttBusyMaxMs', unit: 'ms', limit: 10, given: { key: 'updatesPerSecond', atLeast: 950 } },
  },
  { ...below, figure: 'memory of a router, no routes', key: 'rssMb', unit: 'MB', limit: 120 },
  { ...below, figure: 'memory, 100,000 host routes', key: 'rssRoutesMb', unit: 'MB', limit: 250 },
  { ...below, figure: 'processor when idle', key: 'idlePercent', unit: '% of a core', limit: 1 },
];

/** Pings are better when they are shorter; all else that is compared with peers, when it is more. */
const isLessBetter = (key: keyof Figures): boolean => key === 'rttMeanMs';

export function judge(rows: readonly Row[]): Verdict[] {
  return TARGETS.map((target) => judgeOne(target, rows));
}

function judgeOne(target: Target, rows: readonly Row[]): Verdict {
  const { figure, of, key, unit, limit, want, against, given } = target;
  const own = rows.find(({ name, kind }) => kind === 'ours' && name === of)?.median;
  const isGiven = given === undefined || (own?.[given.key] ?? 0) >= given.atLeast;
  const measured = isGiven ? own?.[key] : undefined;
  const peer = against === undefined ? undefined : bestPeer(rows.filter(against), key);
  const divisor = against === undefined ? 1 : peer?.measured;
  const is = measured === undefined || divisor === undefined ? undefined : measured / divisor;
  const verdict = is === undefined ? 'not measured' : isReached(is, limit, want) ? 'holds' : 'FAILS';
  return { figure, measured, unit, ...(peer === undefined ? {} : { peer }), is, limit, want, verdict };
}

function isReached(is: number, limit: number, want: Verdict['want']): boolean {
  if (want === 'at least') return is >= limit;
  return want === 'at most' ? is <= limit : is < limit;
}

function bestPeer(rows: readonly Row[], key: keyof Figures): Verdict['peer'] {
  const sorted = rows
    .flatMap(({ name, kind, median }) => {
      const measured = median[key];
      return kind === 'peer' && measured !== undefined && measured > 0 ? [{ name, measured }] : [];
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

export const VERDICT_HEAD = ['figure', 'measured', 'best peer', 'is', 'to reach', ''] as const;

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
