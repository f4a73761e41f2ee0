/**
 * The time budget of a move (docs/mobility.md), held against what was measured. Times are judged by the moves in which the
 * machine's processors kept their clock (bench/lib/clock.ts); losses and connections by all. All are shown.
 */
import { type Distribution, distributionOf, inShort } from '../lib/distribution.js';
import {
  ALL_MS,
  BURST_MS,
  DESTINATION_MEDIAN_MS,
  DESTINATION_P99_MS,
  LOST_MEDIAN_MS,
  LOST_P99_MS,
  SOURCE_MS,
} from './limits.js';
import type { BurstResult, MeasuredMove, SeriesResult } from './series.js';

export interface Check {
  readonly what: string;
  readonly measured: string;
  readonly limit: string;
  readonly holds: boolean;
}

export interface Summary {
  readonly delayMs: number;
  readonly moves: number;
  readonly pauseMs: Distribution;
  readonly destinationArpMs: Distribution;
  readonly ownForwardingMs: Distribution;
  readonly ownArpMs: Distribution;
  readonly sourceArpMs: Distribution;
  readonly sourceForwardingMs: Distribution;
  readonly allMs: Distribution;
  readonly lostToNodeMs: Distribution;
  readonly lostFromNodeMs: Distribution;
  readonly gapToNodeMs: Distribution;
  readonly gapFromNodeMs: Distribution;
  readonly tcpGapMs: Distribution;
  readonly broken: readonly string[];
}

/** Of a series: all its moves, and those in which no processor was slow. */
export interface Summaries {
  readonly asked: number;
  readonly all: Summary;
  readonly judged: Summary;
}

export const isUndisturbed = ({ lowClockMs }: { readonly lowClockMs: number }): boolean => lowClockMs === 0;

export function summariesOf(result: SeriesResult, asked: number): Summaries {
  const judged = { ...result, moves: result.moves.filter(isUndisturbed) };
  return { asked, all: summarise(result), judged: summarise(judged) };
}

function summarise({ delayMs, moves, broken }: SeriesResult): Summary {
  const of = (value: (move: MeasuredMove) => number | undefined): Distribution =>
    distributionOf(moves.map(value).filter((one) => one !== undefined));
  return {
    delayMs,
    moves: moves.length,
    pauseMs: of((move) => move.pauseMs),
    destinationArpMs: of((move) => move.destinationArpMs),
    ownForwardingMs: of((move) => move.ownForwardingMs),
    ownArpMs: of((move) => move.ownArpMs),
    sourceArpMs: of((move) => move.sourceArpMs),
    sourceForwardingMs: of((move) => move.sourceForwardingMs),
    allMs: of((move) => move.allMs),
    lostToNodeMs: of((move) => move.toNode.lostMs),
    lostFromNodeMs: of((move) => move.fromNode.lostMs),
    gapToNodeMs: of((move) => move.toNode.gapMs),
    gapFromNodeMs: of((move) => move.fromNode.gapMs),
    tcpGapMs: of((move) => move.tcpGapMs),
    broken,
  };
}

function check(what: string, measured: number, limit: number): Check {
  return {
    what,
    measured: `${measured.toFixed(2)} ms`,
    limit: `≤ ${limit} ms`,
    holds: measured <= limit,
  };
}

/** @param isLong the run of many consecutive moves, whose losses are limited too */
export function checksOf({ asked, all, judged }: Summaries, isLong: boolean): Check[] {
  const { delayMs, destinationArpMs, sourceArpMs, sourceForwardingMs, allMs } = judged;
  const checks = [
    {
      what: 'moves in which the processors kept their clock',
      measured: `${judged.moves} of ${all.moves}`,
      limit: `≥ ${asked}`,
      holds: judged.moves >= asked,
    },
    check('destination: first ARP to the node, median', destinationArpMs.median, DESTINATION_MEDIAN_MS),
    check('destination: first ARP to the node, p99', destinationArpMs.p99, DESTINATION_P99_MS),
    check('source: forwarding, p99', sourceForwardingMs.p99, delayMs + SOURCE_MS),
    check('source: first gratuitous ARP, p99', sourceArpMs.p99, delayMs + SOURCE_MS),
    check('all routers: forwarding, p99', allMs.p99, delayMs + ALL_MS),
  ];
  if (isLong)
    for (const [direction, lost] of [
      ['to the node', all.lostToNodeMs],
      ['from the node', all.lostFromNodeMs],
    ] as const)
      checks.push(
        check(
          `all moves: probes lost ${direction} beyond pause + delay, median`,
          lost.median,
          LOST_MEDIAN_MS,
        ),
        check(`all moves: probes lost ${direction} beyond pause + delay, p99`, lost.p99, LOST_P99_MS),
      );
  const { broken } = all;
  const none = { what: 'all moves: TCP connections that broke', limit: 'none', holds: broken.length === 0 };
  return [...checks, { ...none, measured: broken.length === 0 ? 'none' : broken.join('; ') }];
}

/**
 * Counted from the first announcement, although the lab needs a while for all. The median of those in which the processors
 * kept their clock is judged, all are shown.
 */
export function burstCheck({ delayMs, nodes }: BurstResult, bursts: readonly BurstResult[]): Check {
  const { median } = distributionOf(bursts.filter(isUndisturbed).map(({ allMs }) => allMs));
  const each = bursts
    .map((burst) => burst.allMs.toFixed(1) + (isUndisturbed(burst) ? '' : ' with a low clock'))
    .join(', ');
  const within = Math.max(...bursts.map(({ announcedMs }) => announcedMs)).toFixed(1);
  const what = `${nodes} nodes, announced within ${within} ms: all routers forward to all, median`;
  const judged = check(what, median, delayMs + BURST_MS);
  return { ...judged, measured: `${judged.measured} (${each})` };
}

export const summaryHead: readonly string[] = [
  'one-way delay, moves',
  'pause',
  'dest. ARP',
  'source fwd',
  'source ARP',
  'all fwd',
  'lost → node',
  'lost ← node',
  'gap → node',
  'TCP gap',
];

/** One row, and one of all moves where some were disturbed. */
export function summaryRows({ all, judged }: Summaries): string[][] {
  const { delayMs, moves } = judged;
  if (moves === all.moves) return [row(`${delayMs} ms, ${moves}`, judged)];
  return [row(`${delayMs} ms, ${moves} judged`, judged), row(`${delayMs} ms, all ${all.moves}`, all)];
}

function row(title: string, summary: Summary): string[] {
  return [
    title,
    inShort(summary.pauseMs),
    inShort(summary.destinationArpMs),
    inShort(summary.sourceForwardingMs),
    inShort(summary.sourceArpMs),
    inShort(summary.allMs),
    inShort(summary.lostToNodeMs),
    inShort(summary.lostFromNodeMs),
    inShort(summary.gapToNodeMs),
    inShort(summary.tcpGapMs),
  ];
}
