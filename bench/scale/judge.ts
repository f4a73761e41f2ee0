/** What a move may cost: the same however many nodes there are, and a small constant for each router more. */
import type { Distribution } from '../lib/distribution.js';

export interface Cost {
  readonly routers: number;
  readonly nodes: number;
  readonly perNetwork: number;
  /** Of each move: the last router forwards, after the one-way delay to the farthest. */
  readonly beyondDelayMs: Distribution;
  readonly messagesPerMove: number;
  readonly bytesPerMove: number;
  readonly framesPerMove: number;
  readonly destinationUs: number;
  readonly claimUs: number;
  readonly bytesPerNode: number;
}

export interface Judgement {
  readonly what: string;
  /** The worst that was measured, and the most that is allowed, in the unit that `what` names. */
  readonly worst: number;
  readonly atMost: number;
  readonly holds: boolean;
}

/** Beyond the farthest one-way delay, docs/mobility.md; processors take no time here, so it is what waiting adds. */
const CONVERGENCE_MS = 10;
/** A claim and its answer, for each other router; digests of the same time are in the measure. */
const MESSAGES_A_ROUTER = 2.1;
const BYTES_A_ROUTER = 260;
/** Six rounds of one announcement for each node of its network, and what the other side's LAN is told. */
const FRAMES_A_NEIGHBOUR = 8;
const BYTES_A_NODE = 1_200;
/** Counts of messages and bytes with many nodes, and with few; sequence numbers and addresses get longer. */
const GROWTH_WITH_NODES = 1.02;
/**
 * Of processor time, which other work on the machine disturbs, and which grows with the neighbours in a network (few
 * nodes among many routers have none): an order of magnitude, where nodes are a hundred times as many.
 */
const TIME_GROWTH_WITH_NODES = 4;
const US_A_ROUTER = 150;
const US_BASE = 5_000;

export function judge(results: readonly Cost[]): Judgement[] {
  const worst = (of: (cost: Cost) => number): number => Math.max(...results.map(of));
  const limit = (what: string, atMost: number, value: number): Judgement => {
    return { what, worst: value, atMost, holds: value <= atMost };
  };
  return [
    limit(
      'last router forwards, ms after the farthest delay',
      CONVERGENCE_MS,
      worst(({ beyondDelayMs }) => beyondDelayMs.max),
    ),
    limit(
      'messages a move for each other router',
      MESSAGES_A_ROUTER,
      worst(({ messagesPerMove, routers }) => messagesPerMove / (routers - 1)),
    ),
    limit(
      'bytes a move for each other router',
      BYTES_A_ROUTER,
      worst(({ bytesPerMove, routers }) => bytesPerMove / (routers - 1)),
    ),
    limit(
      'messages a move, growth with nodes',
      GROWTH_WITH_NODES,
      growth(results, (c) => c.messagesPerMove),
    ),
    limit(
      'bytes a move, growth with nodes',
      GROWTH_WITH_NODES,
      growth(results, (c) => c.bytesPerMove),
    ),
    limit(
      'ARP frames a move for each node of its network',
      FRAMES_A_NEIGHBOUR,
      worst(({ framesPerMove, perNetwork }) => framesPerMove / perNetwork),
    ),
    limit(
      'processor time at the destination, growth with nodes',
      TIME_GROWTH_WITH_NODES,
      growth(results, (c) => c.destinationUs),
    ),
    limit(
      'processor time at the destination, µs a move for each router beyond 5 ms',
      US_A_ROUTER,
      worst(({ destinationUs, routers }) => Math.max(0, destinationUs - US_BASE) / routers),
    ),
    limit(
      'memory, bytes a node',
      BYTES_A_NODE,
      worst(({ bytesPerNode }) => bytesPerNode),
    ),
  ];
}

/** The most by which any number of nodes costs more than the fewest nodes do, among as many routers. */
function growth(results: readonly Cost[], of: (cost: Cost) => number): number {
  const ratios = results.map((result) => {
    const same = results.filter(({ routers }) => routers === result.routers);
    const fewest = same.reduce((least, other) => (other.nodes < least.nodes ? other : least));
    return of(result) / of(fewest);
  });
  return Math.max(...ratios);
}
