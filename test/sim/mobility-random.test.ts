/** See histories.ts. `VINE_SEED=n` plays one history, `VINE_HISTORIES=n` as many as that. */
import { test } from 'node:test';
import { playHistory, statistics } from './histories.js';

const FIRST_SEED = 1;
const HISTORIES = 10_000;

test('any history of moves, loss, partition and crashes ends in agreement with the truth', (t) => {
  const only = process.env.VINE_SEED;
  const first = only === undefined ? FIRST_SEED : Number(only);
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
