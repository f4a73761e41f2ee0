import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completenessOf, type PairTraffic, type TrafficMatrix } from '../../../src/traffic/matrix.js';

const pair: PairTraffic = {
  vnet: 1,
  source: '10.1.0.1',
  destination: '10.2.0.1',
  sourceSite: 'a',
  destinationSite: 'b',
  packets: 3,
  bytes: 300,
};
const whole: TrafficMatrix = {
  seconds: 30,
  pairs: [pair],
  rest: [],
  unattributed: { packets: 0, bytes: 0 },
  missing: [],
};

test('a matrix of everything is whole, and so is one of nothing', () => {
  const complete = { partial: false, truncated: false, shareOfBytes: 1 };
  assert.deepEqual(completenessOf(whole), complete);
  assert.deepEqual(completenessOf({ ...whole, pairs: [] }), complete);
});

test('a router that is missing makes it partial', () => {
  assert.equal(completenessOf({ ...whole, missing: ['c'] }).partial, true);
});

test('what has no pair counts against its share', () => {
  const rest = [{ vnet: 1, sourceSite: 'a', destinationSite: 'b', packets: 1, bytes: 50 }];
  const less = completenessOf({ ...whole, rest, unattributed: { packets: 1, bytes: 50 } });
  assert.deepEqual(less, { partial: false, truncated: true, shareOfBytes: 0.75 });
});
