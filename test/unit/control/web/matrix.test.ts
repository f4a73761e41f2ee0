/** The page's two maps of traffic: where each pair stands, and what is not in them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TrafficRowView, TrafficView } from '../../../../src/control/traffic-view.js';
import {
  cellAt,
  cellSentence,
  gapsOf,
  nodeMatrix,
  siteMatrix,
} from '../../../../src/control/web/model/matrix.js';
import type { GroupsView } from '../../../../src/control/web/views.js';
import { NOW } from '../fake-router.js';

const row = (
  source: string,
  destination: string,
  bytes: number,
  sites = 'ab',
  vnet = 'blue',
): TrafficRowView => ({
  vnet,
  source,
  destination,
  sourceSite: sites.charAt(0),
  destinationSite: sites.charAt(1),
  packets: 1,
  bytes,
  bytesPerSecond: bytes / 10,
});

const traffic = (rows: readonly TrafficRowView[], change: Partial<TrafficView> = {}): TrafficView => ({
  from: NOW,
  to: NOW,
  periods: 1,
  periodSeconds: 30,
  mode: 'ended',
  weight: 1,
  by: 'node',
  partial: false,
  missing: [],
  lacking: [],
  parts: [{ startedAt: NOW, seconds: 30, packets: 1, bytes: 1, truncated: false, shareOfBytes: 1, rows }],
  ...change,
});

test('sites by sites: vnets are summed, a silent site has its row', () => {
  const rows = [row('1', '2', 100), row('1', '2', 50, 'ab', 'red'), row('2', '1', 7, 'ba')];
  const matrix = siteMatrix(traffic(rows), ['c', 'a']);
  assert.deepEqual(matrix.names, ['a', 'b', 'c']);
  assert.equal(cellAt(matrix, 0, 1)?.bytes, 150);
  assert.equal(cellAt(matrix, 1, 0)?.bytesPerSecond, 0.7);
  assert.equal(cellAt(matrix, 2, 0), undefined);
  assert.equal(matrix.largest, 15);
});

const GROUPS: GroupsView = {
  from: NOW,
  to: NOW,
  periods: 20,
  partial: false,
  groups: [{ vnet: 'blue', nodes: ['10.0.0.3', '10.0.0.4', '10.0.0.9'] }],
  changingPeriods: 0,
  threshold: 0.5,
};

test('nodes by nodes: members of a group are beside each other and framed, then who talks most', () => {
  const rows = [
    row('10.0.0.1', '10.0.0.2', 500),
    row('10.0.0.3', '10.0.0.4', 10),
    row('10.0.0.5', '10.0.0.1', 900),
  ];
  const matrix = nodeMatrix(traffic(rows), GROUPS);
  assert.deepEqual(matrix.names, ['10.0.0.3', '10.0.0.4', '10.0.0.1', '10.0.0.5', '10.0.0.2']);
  assert.deepEqual(matrix.groups, [{ group: 1, first: 0, end: 2 }], 'who is silent now is not in the frame');
  assert.equal(cellAt(matrix, 0, 1)?.bytes, 10);
  assert.equal(cellAt(matrix, 3, 2)?.bytes, 900);
  assert.equal(matrix.cells.size, 3);
  assert.deepEqual(nodeMatrix(traffic([]), undefined).names, []);
});

test('the same address in two vnets is two nodes', () => {
  const rows = [row('10.0.0.1', '10.0.0.2', 1), row('10.0.0.1', '10.0.0.2', 2, 'ab', 'red')];
  assert.deepEqual(nodeMatrix(traffic(rows), undefined).names, [
    '10.0.0.1 (red)',
    '10.0.0.2 (red)',
    '10.0.0.1 (blue)',
    '10.0.0.2 (blue)',
  ]);
});

test('a matrix loses nothing of what the router has said', () => {
  const address = fc.integer({ min: 1, max: 12 }).map((n) => `10.0.0.${n}`);
  const rows = fc.array(fc.tuple(address, address, fc.integer({ min: 1, max: 1e9 })));
  fc.assert(
    fc.property(rows, (pairs) => {
      const { cells, names } = nodeMatrix(
        traffic(pairs.map(([from, to, bytes]) => row(from, to, bytes))),
        GROUPS,
      );
      const sum = [...cells.values()].reduce((total, { bytes }) => total + bytes, 0);
      assert.equal(
        sum,
        pairs.reduce((total, [, , bytes]) => total + bytes, 0),
      );
      assert.equal(new Set(names).size, names.length);
      for (const { row: from, column } of cells.values())
        assert.ok(from < names.length && column < names.length);
    }),
  );
});

test('what is not in the maps is said', () => {
  assert.deepEqual(gapsOf(traffic([]), traffic([])), []);
  const [part] = traffic([]).parts;
  assert.ok(part);
  const byNode = traffic([], {
    missing: ['vr-c'],
    lacking: [{ router: 'vr-b', periods: 2 }],
    parts: [{ ...part, truncated: true, shareOfBytes: 0.876, rows: [row('1', '2', 1), row('2', '1', 1)] }],
  });
  const bySite = traffic([], {
    missing: ['vr-c', 'vr-d'],
    parts: [{ ...part, truncated: true, shareOfBytes: 0.5, rows: [row('1', '2', 1)] }],
  });
  assert.deepEqual(gapsOf(bySite, byNode), [
    'No answer from vr-c, vr-d.',
    'Only a part of the time from vr-b.',
    'Sites by sites: shown are the 1 largest pair, with 50.0 % of the bytes.',
    'Nodes by nodes: shown are the 2 largest pairs, with 87.6 % of the bytes.',
  ]);
});

test('an empty cell is nothing where all pairs are known, else it is not among those that are', () => {
  const rows = [row('10.0.0.3', '10.0.0.4', 20_480)];
  const whole = nodeMatrix(traffic(rows), GROUPS);
  assert.equal(cellSentence(whole, 0, 1), '10.0.0.3 to 10.0.0.4: 2.0 KiB/s; both in group 1');
  assert.equal(cellSentence(whole, 1, 0), '10.0.0.4 to 10.0.0.3: nothing; both in group 1');
  assert.equal(cellSentence(whole, 2, 0), '');
  const [part] = traffic(rows).parts;
  assert.ok(part);
  const cut = nodeMatrix(traffic(rows, { parts: [{ ...part, truncated: true }] }), undefined);
  assert.equal(cellSentence(cut, 0, 1), '10.0.0.3 to 10.0.0.4: 2.0 KiB/s');
  assert.equal(cellSentence(cut, 1, 0), '10.0.0.4 to 10.0.0.3: not among the 1 largest pair');
});
