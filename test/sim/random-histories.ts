/**
 * 10,000 histories (see histories.ts) in four files, so that two run at a time and none for too long. `VINE_SEED=n`
 * plays one history, `VINE_HISTORIES=n` as many as that in each file.
 */
import { test } from 'node:test';
import { playHistory, statistics } from './histories.js';
import { HONEST, testKnown } from './known-failures.js';

const HISTORIES = 2_500;

/** @param part which of the four, from 0 */
export function testRandomHistories(part: number): void {
  const only = process.env.VINE_SEED;
  const first = only === undefined ? 1 + part * HISTORIES : Number(only);
  const count = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : 1;
  const last = first + count - 1;
  // Whoever asks for one history wants to see how it fails.
  const known = only === undefined ? HONEST : new Set<number>();

  test('any history of moves, loss, partition and crashes ends in agreement with the truth', (t) => {
    for (let seed = first; seed <= last; seed++) {
      if (known.has(seed)) continue;
      try {
        playHistory(seed);
      } catch (error) {
        throw new Error(`history ${seed} (VINE_SEED=${seed} replays it)`, { cause: error });
      }
    }
    t.diagnostic(`seeds ${first} to ${last}: ${JSON.stringify(statistics)}`);
  });
  testKnown(known, first, last, playHistory);
}
