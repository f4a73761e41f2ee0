/**
 * 10,000 histories (see histories.ts) in four files, so that two run at a time and none for too long. `VINE_SEED=n`
 * plays one history, `VINE_HISTORIES=n` as many as that in each file.
 */
import { test } from 'node:test';
import { playHistory, statistics } from './histories.js';

const HISTORIES = 2_500;

/** @param part which of the four, from 0 */
export function testRandomHistories(part: number): void {
  test('any history of moves, loss, partition and crashes ends in agreement with the truth', (t) => {
    const only = process.env.VINE_SEED;
    const first = only === undefined ? 1 + part * HISTORIES : Number(only);
    const count = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : 1;
    for (let seed = first; seed < first + count; seed++) {
      try {
        playHistory(seed);
      } catch (error) {
        throw new Error(`history ${seed} (VINE_SEED=${seed} replays it)`, { cause: error });
      }
    }
    t.diagnostic(`seeds ${first} to ${first + count - 1}: ${JSON.stringify(statistics)}`);
  });
}
