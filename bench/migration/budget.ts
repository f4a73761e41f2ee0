/** The time budget of a move (docs/mobility.md), held against what was measured. */
import { type Distribution, distributionOf, inShort } from '../lib/distribution.js';
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

export function summarise({ delayMs, moves, broken }: SeriesResult): Summary {
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
export function checksOf(summary: Summary, isLong: boolean): Check[] {
  const { delayMs, destinationArpMs, sourceArpMs, sourceForwardingMs, allMs } = summary;
  const checks = [
    check('destination: first ARP to the node, median', destinationArpMs.median, 2),
    check('destination: first ARP to the node, p99', destinationArpMs.p99, 5),
    check('source: forwarding, p99', sourceForwardingMs.p99, delayMs + 5),
    check('source: first gratuitous ARP, p99', sourceArpMs.p99, delayMs + 5),
    check('all routers: forwarding, p99', allMs.p99, delayMs + 10),
  ];
  if (isLong)
    for (const [direction, lost] of [
      ['to the node', summary.lostToNodeMs],
      ['from the node', summary.lostFromNodeMs],
    ] as const)
      checks.push(
        check(`probes lost ${direction} beyond pause + delay, median`, lost.median, 5),
        check(`probes lost ${direction} beyond pause + delay, p99`, lost.p99, 20),
      );
  const { broken } = summary;
  const none = { what: 'TCP connections that broke', limit: 'none', holds: broken.length === 0 };
  return [...checks, { ...none, measured: broken.length === 0 ? 'none' : broken.join('; ') }];
}

/** Counted from the first announcement, although the lab needs a while for all. The median is judged, all are shown. */
export function burstCheck({ delayMs, nodes }: BurstResult, bursts: readonly BurstResult[]): Check {
  const { median } = distributionOf(bursts.map(({ allMs }) => allMs));
  const each = bursts.map(({ allMs }) => allMs.toFixed(1)).join(', ');
  const within = Math.max(...bursts.map(({ announcedMs }) => announcedMs)).toFixed(1);
  const what = `${nodes} nodes, announced within ${within} ms: all routers forward to all, median`;
  const judged = check(what, median, delayMs + 50);
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

export function summaryRow(summary: Summary): string[] {
  const { delayMs, moves } = summary;
  return [
    `${delayMs} ms, ${moves}`,
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
