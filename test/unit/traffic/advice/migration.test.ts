import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DOWNTIME_SECONDS,
  MOST_COPIES,
  MOST_ROUNDS,
  migrationCost,
} from '../../../../src/traffic/advice/migration.js';

const GIB = 2 ** 30;
const load = (memoryBytes: number, dirtyBytesPerSecond: number, diskBytes = 0) => ({
  memoryBytes,
  dirtyBytesPerSecond,
  diskBytes,
});

test('nothing is written: memory once, and no longer than that takes', () => {
  const cost = migrationCost(load(4 * GIB, 0), 125e6);
  assert.deepEqual(cost, {
    bytes: 4 * GIB,
    seconds: (4 * GIB) / 125e6,
    downtimeSeconds: 0,
    rounds: 2,
    converges: true,
  });
});

test('rounds: each sends what was written in the one before, until the rest fits into the downtime', () => {
  // 1 GB at 100 MB/s takes 10 s; at 20 MB/s written: 200 MB, 40 MB, 8 MB; 8 MB fit into 30 MB.
  const cost = migrationCost(load(1e9, 20e6), 100e6);
  assert.equal(Math.round(cost.bytes / 1e6), 1000 + 200 + 40 - 0 + 0 + (cost.rounds - 3) * 8);
  assert.equal(cost.rounds, 4);
  assert.ok(Math.abs(cost.downtimeSeconds - 0.08) < 1e-9 && cost.converges);
});

test('memory is written faster than it is sent: stopped after three copies, and said', () => {
  const cost = migrationCost(load(1e9, 200e6), 100e6);
  assert.equal(cost.converges, false);
  assert.ok(cost.bytes <= (MOST_COPIES + 1) * 1e9);
  assert.equal(cost.downtimeSeconds, 10, 'all of its memory has to be sent while it stands');
});

test('a slow convergence ends after the most rounds', () => {
  const cost = migrationCost(load(1e9, 64e6), 100e6);
  assert.ok(cost.rounds <= MOST_ROUNDS + 1);
  assert.ok(cost.downtimeSeconds <= DOWNTIME_SECONDS);
});

test('a disk that goes too is sent once', () => {
  assert.equal(migrationCost(load(1e9, 0, 20e9), 100e6).bytes, 21e9);
});

test('a small machine needs no rounds', () => {
  assert.deepEqual(migrationCost(load(1e6, 1e9), 125e6).rounds, 1);
});
