/** Things to count. */
import { Ip } from '../../../src/net/ip.js';
import type { CountedPair } from '../../../src/traffic/counted.js';
import type { Random } from '../../fuzz/random.js';

export function pair(index: number, bytes: number, more: Partial<CountedPair> = {}): CountedPair {
  return {
    vnet: 1,
    source: Ip.v4(0x0a010000 + index),
    destination: Ip.v4(0x0a020000 + index),
    sourceSite: 'site-a',
    destinationSite: 'site-b',
    packets: 1,
    bytes,
    ...more,
  };
}

/** Pair i of those that follow Zipf's law: the first has the most. */
export function zipf(random: Random, pairs: number): number {
  // The inverse of the harmonic numbers, by their logarithm.
  return Math.min(pairs - 1, Math.floor(pairs ** (random.below(1_000_000) / 1_000_000)) - 1);
}
