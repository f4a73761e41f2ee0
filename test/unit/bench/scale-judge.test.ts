import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distributionOf } from '../../../bench/lib/distribution.js';
import { type Cost, judge } from '../../../bench/scale/judge.js';

function cost(routers: number, nodes: number, changed: Partial<Cost> = {}): Cost {
  const others = routers - 1;
  return {
    routers,
    nodes,
    perNetwork: 100,
    beyondDelayMs: distributionOf([0, 2]),
    messagesPerMove: 2 * others,
    bytesPerMove: 227 * others,
    framesPerMove: 673,
    destinationUs: 1_000 + 40 * routers,
    claimUs: 60,
    bytesPerNode: 600,
    ...changed,
  };
}

const failed = (results: readonly Cost[]): string[] =>
  judge(results)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);

test('a cost that is linear in the routers, and the same for many nodes, holds', () => {
  assert.deepEqual(failed([cost(2, 1_000), cost(1_000, 1_000), cost(1_000, 100_000)]), []);
});

test('what grows with the nodes, or faster than the routers, does not hold', () => {
  const few = cost(100, 1_000);
  assert.deepEqual(failed([few, cost(100, 100_000, { messagesPerMove: 204 })]), [
    'messages a move, growth with nodes',
  ]);
  assert.deepEqual(failed([few, cost(100, 100_000, { bytesPerMove: 24_000 })]), [
    'bytes a move, growth with nodes',
  ]);
  assert.deepEqual(failed([few, cost(100, 100_000, { destinationUs: 21_000 })]), [
    'processor time at the destination, growth with nodes',
    'processor time at the destination, µs a move for each router beyond 5 ms',
  ]);
  assert.deepEqual(failed([cost(1_000, 1_000, { messagesPerMove: 999 * 3 })]), [
    'messages a move for each other router',
  ]);
  assert.deepEqual(failed([cost(1_000, 1_000, { beyondDelayMs: distributionOf([0, 11]) })]), [
    'last router forwards, ms after the farthest delay',
  ]);
});
