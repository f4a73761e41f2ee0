/** How strongly nodes talk with each other: the matrix both ways together, normalised by its largest entry. */
import type { VnetId } from '../../tables/model.js';
import { OUTSIDE, type PairTraffic } from '../matrix.js';

/** What a pair is weighed by. Bytes say what a link carries, packets how often two speak. */
export type Measure = 'bytes' | 'packets';

export interface TalkingNode {
  readonly vnet: VnetId;
  /** As in the matrix. */
  readonly address: string;
}

export interface Weight {
  readonly a: TalkingNode;
  readonly b: TalkingNode;
  /** Over 0, 1 at most. */
  readonly weight: number;
}

/** Less than this a second, both ways together, is no talk: keep-alives, name look-ups, clocks. */
export const LEAST_BYTES_PER_SECOND = 1_000;

export const keyOf = ({ vnet, address }: TalkingNode): string => `${vnet} ${address}`;

/**
 * Pairs whose ends are both nodes, the strongest first; pairs that hardly talk are left out before the rest is normalised, so
 * that a quiet network has no groups.
 * @param seconds the time that `pairs` are of
 */
export function weightsOf(pairs: Iterable<PairTraffic>, seconds: number, measure: Measure): Weight[] {
  const sums = new Map<string, { a: TalkingNode; b: TalkingNode; bytes: number; packets: number }>();
  for (const { vnet, source, destination, bytes, packets } of pairs) {
    if (source === destination || source === OUTSIDE || destination === OUTSIDE) continue;
    const [first, second] = source < destination ? [source, destination] : [destination, source];
    const key = `${vnet} ${first} ${second}`;
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { a: { vnet, address: first }, b: { vnet, address: second }, bytes, packets });
    } else {
      sum.bytes += bytes;
      sum.packets += packets;
    }
  }
  const talking = [...sums.values()].filter(({ bytes }) => bytes >= LEAST_BYTES_PER_SECOND * seconds);
  const largest = talking.reduce((most, sum) => Math.max(most, sum[measure]), 0);
  return talking
    .map(({ a, b, [measure]: value }) => ({ a, b, weight: value / largest }))
    .filter(({ weight }) => weight > 0)
    .sort((one, other) => other.weight - one.weight);
}
