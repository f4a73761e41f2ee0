/** What `vinectl status` says of a worker's load. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkerLoads } from '../../../src/router/view/worker-loads.js';
import { SimClock } from '../../support/sim-clock.js';

test('a worker’s load is what it has had of a processor since the look before', () => {
  const clock = new SimClock();
  const seconds = new Map([
    [11, 5],
    [12, 1],
  ]);
  const loads = new WorkerLoads(clock, (thread) => seconds.get(thread) ?? 0);
  assert.deepEqual([loads.of('a', 11), loads.of('b', 12)], [0, 0]);
  clock.skip(2_000);
  seconds.set(11, 6.5).set(12, 1.002);
  assert.deepEqual([loads.of('a', 11), loads.of('b', 12)], [0.75, 0.001]);
  clock.skip(500);
  seconds.set(11, 7);
  assert.equal(loads.of('a', 11), 0.75, 'a look that comes too soon changes it');
  clock.skip(500);
  assert.equal(loads.of('a', 11), 0.5);
  // The kernel says a little more than the clock does; and nothing of a thread that has gone.
  clock.skip(1_000);
  seconds.set(11, 8.1);
  assert.equal(loads.of('a', 11), 1);
  clock.skip(1_000);
  assert.deepEqual([loads.of('a', 0), loads.of('c', 0)], [0, 0]);
});
