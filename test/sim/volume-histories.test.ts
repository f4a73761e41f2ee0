/** 1,000 histories of a volume that moves (volume-world.ts). `VINE_SEED=n` plays one, `VINE_HISTORIES=n` as many as that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from './volume-sides.js';
import { statistics, World } from './volume-world.js';

const HISTORIES = 1_000;
/** Each planted fault is found in fewer. */
const TO_FIND = 1_000;
const FAULTS: readonly Fault[] = [
  'paper',
  'push-unflushed',
  'ack-unflushed',
  'give-not-kept',
  'late-write',
  'put-over-newer',
  'old-pushes',
];

test('a volume moves with all that was written, whatever is cut or killed meanwhile', (t) => {
  const only = process.env.VINE_SEED;
  const first = only === undefined ? 1 : Number(only);
  const last = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : first;
  for (let seed = first; seed <= last; seed++)
    try {
      new World(seed, 'none').play();
    } catch (error) {
      throw new Error(`history ${seed} (VINE_SEED=${seed} replays it)`, { cause: error });
    }
  t.diagnostic(`seeds ${first} to ${last}: ${JSON.stringify(statistics)}`);
});

for (const fault of FAULTS)
  test(`the histories find a fault that is planted: ${fault}`, (t) => {
    for (let seed = 1; seed <= TO_FIND; seed++)
      try {
        new World(seed, fault).play();
      } catch (error) {
        // What is found is what the fault does, not that nothing goes on.
        assert.ok(error instanceof Error && !error.message.includes('does not end'), String(error));
        t.diagnostic(`history ${seed}: ${error.message}`);
        return;
      }
    assert.fail(`not found in ${TO_FIND} histories`);
  });
