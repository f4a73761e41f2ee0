/** Groups: nodes that talk mostly with each other. Cut the normalised matrix at a threshold; what hangs together is one. */
import type { TrafficMatrix } from '../matrix.js';
import { Components } from './components.js';
import { findThreshold } from './threshold.js';
import { keyOf, type Measure, type TalkingNode, type Weight, weightsOf } from './weights.js';

export interface Grouping {
  /** Each of two nodes or more, by vnet and address; the largest first. */
  readonly groups: readonly (readonly TalkingNode[])[];
  /** Pairs of this share of the strongest one, or more, count. */
  readonly threshold: number;
}

export interface GroupOptions {
  /** Over 0, 1 at most; undefined: found from the matrix. */
  readonly threshold?: number | undefined;
  /** `bytes` when left out. */
  readonly measure?: Measure | undefined;
}

export function groupsOf(
  matrix: Pick<TrafficMatrix, 'pairs' | 'seconds'>,
  options: GroupOptions = {},
): Grouping {
  const weights = weightsOf(matrix.pairs, matrix.seconds, options.measure ?? 'bytes');
  const threshold = options.threshold ?? findThreshold(weights.map(({ weight }) => weight));
  return { groups: connected(weights.filter(({ weight }) => weight >= threshold)), threshold };
}

function connected(weights: readonly Weight[]): TalkingNode[][] {
  const nodes = new Map<string, TalkingNode>();
  for (const { a, b } of weights) nodes.set(keyOf(a), a).set(keyOf(b), b);
  const sorted = [...nodes.values()].sort(compareNodes);
  const numbers = new Map(sorted.map((node, n) => [keyOf(node), n]));
  const components = new Components(sorted.length);
  for (const { a, b } of weights) components.join(numbers.get(keyOf(a)) ?? 0, numbers.get(keyOf(b)) ?? 0);
  const groups = components.all().map((members) => members.map((n) => sorted[n] as TalkingNode));
  return groups.sort((one, other) => other.length - one.length);
}

function compareNodes(one: TalkingNode, other: TalkingNode): number {
  if (one.vnet !== other.vnet) return one.vnet - other.vnet;
  return one.address < other.address ? -1 : Number(one.address > other.address);
}
