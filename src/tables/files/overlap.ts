/** Which prefixes of a list overlap. */
import type { Prefix } from '../../net/prefix.js';

export interface Overlap {
  /** Positions in the list; `later` is the greater one. */
  readonly earlier: number;
  readonly later: number;
}

/**
 * Two prefixes are nested or disjoint, never half overlapping. So in the order of their addresses, wider ones first,
 * those that hold the present one form a stack, and n log n steps find every prefix that lies in another: each is
 * reported once, with the narrowest that holds it.
 */
export function overlaps(prefixes: readonly Prefix[]): Overlap[] {
  const order = [...prefixes.entries()].sort(([i, a], [j, b]) => compare(a, b) || i - j);
  const holding: [number, Prefix][] = [];
  const found: Overlap[] = [];
  for (const [index, prefix] of order) {
    while (holding.length > 0 && !holding.at(-1)?.[1].covers(prefix)) holding.pop();
    const holder = holding.at(-1);
    if (holder !== undefined) {
      found.push({ earlier: Math.min(index, holder[0]), later: Math.max(index, holder[0]) });
    }
    holding.push([index, prefix]);
  }
  return found.sort((a, b) => a.later - b.later || a.earlier - b.earlier);
}

function compare(a: Prefix, b: Prefix): number {
  if (a.family !== b.family) return a.family - b.family;
  for (const [i, word] of a.address.words.entries()) {
    const difference = word - (b.address.words[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
