import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Overhearing } from '../../../src/router/lan/overhearing.js';
import { SimClock } from '../../support/sim-clock.js';

test('frames between others are taken until they are too many, and tried again after a minute', () => {
  const clock = new SimClock();
  const said: string[] = [];
  let frames = 0;
  const overhearing = new Overhearing({
    clock,
    plane: { counters: () => ({ frames_to_others: frames }) },
    rescue: { overhear: (on) => void said.push(`${clock.nowMs()} ${on}`) },
  });
  const startMs = clock.nowMs();
  overhearing.start();
  for (let second = 0; second < 5; second++) {
    frames += 5_000;
    clock.advance(1_000);
  }
  frames += 5_001;
  clock.advance(1_000);
  assert.deepEqual(said, [`${startMs} true`, `${startMs + 6_000} false`]);
  // Those that come for nodes that are away count for nothing meanwhile.
  frames += 1_000_000;
  clock.advance(60_000);
  assert.equal(said.at(-1), `${startMs + 66_000} true`);
  clock.advance(10_000);
  assert.equal(said.length, 3);
  overhearing.stop();
  frames += 1_000_000;
  clock.advance(100_000);
  assert.equal(said.length, 3);
});
