import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Components } from '../../../src/traffic/groups/components.js';
import { groupsOf } from '../../../src/traffic/groups/groups.js';
import { HOLD_PERIODS, NO_GROUPS, nextGroups } from '../../../src/traffic/groups/steady.js';
import { findThreshold } from '../../../src/traffic/groups/threshold.js';
import { weightsOf } from '../../../src/traffic/groups/weights.js';
import type { PairTraffic, TrafficMatrix } from '../../../src/traffic/matrix.js';
import { Random } from '../../fuzz/random.js';
import { addressOf, bt4, cg8, ep8, ft8, lu8, matrixOf, mg8 } from './nas-patterns.js';

/** A run of class A takes about as long as a period. */
const SECONDS = 30;

const ranks = (...numbers: number[]): string[] => numbers.map(addressOf);
const found = (matrix: TrafficMatrix, options: Parameters<typeof groupsOf>[1] = {}): string[][] =>
  groupsOf(matrix, options).groups.map((group) => group.map(({ address }) => address));

test('LU.A.8: two groups of four', () => {
  assert.deepEqual(found(matrixOf(lu8(), SECONDS)), [ranks(0, 1, 2, 3), ranks(4, 5, 6, 7)]);
});

test('CG.A.8: two groups of four, by how often they speak', () => {
  const matrix = matrixOf(cg8(), SECONDS, true);
  assert.deepEqual(found(matrix, { measure: 'packets' }), [ranks(0, 1, 2, 3), ranks(4, 5, 6, 7)]);
  // Each exchange with the transposed process carries as many bytes as a sum within a row: by bytes all hang together.
  assert.deepEqual(found(matrix), [ranks(0, 1, 2, 3, 4, 5, 6, 7)]);
});

test('MG.A.8: one group', () => {
  assert.deepEqual(found(matrixOf(mg8(), SECONDS)), [ranks(0, 1, 2, 3, 4, 5, 6, 7)]);
});

test('EP.A.8: none', () => {
  assert.deepEqual(found(matrixOf(ep8(), SECONDS)), []);
});

test('FT.A.8 and BT.A.4: all with all', () => {
  assert.deepEqual(found(matrixOf(ft8(), SECONDS)), [ranks(0, 1, 2, 3, 4, 5, 6, 7)]);
  assert.deepEqual(found(matrixOf(bt4(), SECONDS)), [ranks(0, 1, 2, 3)]);
});

test('background of a thousandth, among all, changes no pattern', () => {
  const random = new Random(7);
  function* noise(): Generator<{ from: number; to: number; bytes: number; times: number }> {
    for (let from = 0; from < 8; from++)
      for (let to = 0; to < 8; to++)
        if (from !== to) yield { from, to, bytes: 100, times: 50 + random.below(300) };
  }
  assert.deepEqual(found(matrixOf([...lu8(), ...noise()], SECONDS)), [ranks(0, 1, 2, 3), ranks(4, 5, 6, 7)]);
  assert.deepEqual(found(matrixOf([...mg8(), ...noise()], SECONDS)).length, 1);
});

function pair(source: string, destination: string, bytes: number, vnet = 1): PairTraffic {
  const packets = Math.ceil(bytes / 1_000);
  return { vnet, source, destination, sourceSite: 'vr-a', destinationSite: 'vr-b', packets, bytes };
}

test('weights: both ways together, normalised; nobody outside, nobody with itself, nobody who hardly talks', () => {
  const pairs = [
    pair('10.1.0.1', '10.1.0.2', 30_000),
    pair('10.1.0.2', '10.1.0.1', 50_000),
    pair('10.1.0.3', '10.1.0.1', 40_000),
    pair('10.1.0.1', 'outside', 900_000),
    pair('10.1.0.4', '10.1.0.4', 900_000),
    pair('10.1.0.5', '10.1.0.6', 9_999),
    pair('10.1.0.5', '10.1.0.6', 20_000, 2),
  ];
  const weights = weightsOf(pairs, 10, 'bytes').map(({ a, b, weight }) => [
    a.vnet,
    a.address,
    b.address,
    weight,
  ]);
  assert.deepEqual(weights, [
    [1, '10.1.0.1', '10.1.0.2', 1],
    [1, '10.1.0.1', '10.1.0.3', 0.5],
    [2, '10.1.0.5', '10.1.0.6', 0.25],
  ]);
});

test('the threshold lies in the largest gap, unless all are of one kind', () => {
  assert.equal(findThreshold([1, 0.9, 0.3, 0.2]), 0.9);
  assert.equal(findThreshold([1, 0.5, 0.4, 0.1]), 1);
  assert.equal(findThreshold([1, 0.9, 0.8, 0.7]), 0.7, 'no gap of a fifth');
  assert.equal(findThreshold([1, 0.95, 0.009]), 0.95, 'background does not count, whatever its gap');
  assert.equal(findThreshold([1]), 1);
  assert.equal(findThreshold([]), 1);
});

test('a given threshold counts instead', () => {
  assert.deepEqual(found(matrixOf(lu8(), SECONDS), { threshold: 0.3 }).length, 1);
  assert.equal(groupsOf(matrixOf(lu8(), SECONDS), { threshold: 0.3 }).threshold, 0.3);
});

test('an empty matrix has no groups', () => {
  assert.deepEqual(groupsOf({ seconds: 30, pairs: [] }), { groups: [], threshold: 1 });
});

test('components: the same as by spreading colours', () => {
  const random = new Random(3);
  for (let round = 0; round < 200; round++) {
    const count = 1 + random.below(30);
    const edges = Array.from(
      { length: random.below(40) },
      () => [random.below(count), random.below(count)] as const,
    );
    const components = new Components(count);
    for (const [a, b] of edges) components.join(a, b);
    const colour = Array.from({ length: count }, (_, n) => n);
    for (let again = 0; again < count; again++)
      for (const [a, b] of edges) colour[a] = colour[b] = Math.min(colour[a] ?? 0, colour[b] ?? 0);
    for (let a = 0; a < count; a++)
      for (let b = 0; b < count; b++)
        assert.equal(components.find(a) === components.find(b), colour[a] === colour[b], `round ${round}`);
    for (const members of components.all()) assert.equal(components.sizeOf(members[0] ?? 0), members.length);
  }
});

test('a change is reported when it has held for three periods, not before', () => {
  const two = groupsOf(matrixOf(lu8(), SECONDS)).groups;
  const one = groupsOf(matrixOf(mg8(), SECONDS)).groups;
  assert.equal(HOLD_PERIODS, 3);
  let state = NO_GROUPS;
  const report = (groups: typeof two): number => {
    state = nextGroups(state, groups);
    return state.groups.length;
  };
  assert.deepEqual([two, two, two].map(report), [0, 0, 2]);
  assert.deepEqual(
    [one, one, two, one, one].map(report),
    [2, 2, 2, 2, 2],
    'an interrupted change begins anew',
  );
  assert.deepEqual([one, [], one, two, one, [], one].map(report), [1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([[], [], []].map(report), [1, 1, 0]);
});

test('groups are the same in whatever order they and their members come', () => {
  const [first = [], second = []] = groupsOf(matrixOf(lu8(), SECONDS)).groups;
  let state = NO_GROUPS;
  for (const groups of [
    [first, second],
    [second, first],
    [[...second].reverse(), [...first].reverse()],
  ])
    state = nextGroups(state, groups);
  assert.equal(state.groups.length, 2);
});
