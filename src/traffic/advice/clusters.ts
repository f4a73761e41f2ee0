/**
 * Units that may be worth moving together: whoever is joined by the heaviest talk first, then by the next, so that clusters of
 * every strength come up. A node that talks with ten others of its group gains nothing by going alone.
 */
import { Components } from '../groups/components.js';
import type { Problem } from './problem.js';

/** Larger ones are not moved as a whole. */
export const MOST_TOGETHER = 64;

export function clustersOf({ units, talks }: Pick<Problem, 'units' | 'talks'>): (readonly number[])[] {
  const components = new Components(units.length);
  const members = units.map((_, unit) => [unit]);
  const clusters: (readonly number[])[] = [];
  for (const { a, b } of heaviestFirst(talks)) {
    const [one, other] = [components.find(a), components.find(b)];
    if (one === other || components.sizeOf(one) + components.sizeOf(other) > MOST_TOGETHER) continue;
    components.join(one, other);
    const joined = [...(members[one] ?? []), ...(members[other] ?? [])];
    members[components.find(a)] = joined;
    clusters.push(joined);
  }
  return clusters;
}

function heaviestFirst(talks: Problem['talks']): { a: number; b: number; bytes: number }[] {
  const sums = new Map<number, { a: number; b: number; bytes: number }>();
  for (const { from, to, bytesPerDay } of talks) {
    if (from === to) continue;
    const [a, b] = from < to ? [from, to] : [to, from];
    const key = a * 2 ** 24 + b;
    const sum = sums.get(key);
    if (sum === undefined) sums.set(key, { a, b, bytes: bytesPerDay });
    else sum.bytes += bytesPerDay;
  }
  return [...sums.values()].sort((one, other) => other.bytes - one.bytes);
}
