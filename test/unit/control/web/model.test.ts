/** What the page shows, made from the router's answers: functions without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DirectoryView, GndtView, MigrationView } from '../../../../src/control/api.js';
import { BYTE_STEPS, timeLabels, timeRange } from '../../../../src/control/web/model/axes.js';
import { SHADES, shadeOf } from '../../../../src/control/web/model/heat.js';
import { History } from '../../../../src/control/web/model/history.js';
import { Lines } from '../../../../src/control/web/model/lines.js';
import { movePoints, moveSentence, newestFirst, stepBars } from '../../../../src/control/web/model/moves.js';
import {
  filterNodes,
  nodeRows,
  pageOf,
  sortNodes,
  stateOf,
} from '../../../../src/control/web/model/nodes.js';
import { ratesOf, routerRows, totalOf } from '../../../../src/control/web/model/peers.js';
import { FakeRouter, NOW } from '../fake-router.js';

const ROUTER = new FakeRouter();

test('rates are what has grown by the time that it took', () => {
  const peer = (id: string, bytesSent: number, bytesReceived: number) => ({ id, bytesSent, bytesReceived });
  const before = { atMs: 1_000, peers: [peer('b', 100, 50), peer('c', 900, 0), peer('gone', 1, 1)] };
  const now = { atMs: 3_000, peers: [peer('b', 300, 50), peer('c', 40, 10), peer('new', 99, 99)] };
  const rates = ratesOf(before, now);
  assert.deepEqual(Object.fromEntries(rates), {
    b: { sentPerSecond: 100, receivedPerSecond: 0 },
    // It was started anew, and has sent 40 since.
    c: { sentPerSecond: 20, receivedPerSecond: 5 },
  });
  assert.deepEqual(totalOf(rates.values()), { sentPerSecond: 120, receivedPerSecond: 5 });
  assert.equal(ratesOf(undefined, now).size, 0);
  assert.equal(ratesOf(now, { ...now, atMs: 3_000 }).size, 0, 'no time has passed');
});

test('this router stands before the others, each with its site', () => {
  const [b, c] = ROUTER.peers();
  assert.ok(b !== undefined && c !== undefined);
  const peers = [
    { ...c, site: 'south', relay: 'vr-b' },
    { ...b, site: null },
  ];
  const rows = routerRows(
    ROUTER.status(),
    peers,
    new Map([['vr-b', { sentPerSecond: 1, receivedPerSecond: 2 }]]),
  );
  assert.deepEqual(
    rows.map(({ site, id, state, transport, rate }) => [site, id, state, transport, rate?.receivedPerSecond]),
    [
      ['vr-a', 'vr-a', 'this router', '', 2],
      ['south', 'vr-c', 'down', 'by way of vr-b', undefined],
      ['vr-b', 'vr-b', 'up', 'udp', 2],
    ],
  );
});

test('labels of a time axis are UTC and as precise as they are apart', () => {
  const times = [Date.UTC(2026, 10, 30, 23, 59, 5) / 1_000, Date.UTC(2026, 11, 1) / 1_000];
  assert.deepEqual(timeLabels(times, 5), ['23:59:05', '00:00:00']);
  assert.deepEqual(timeLabels(times, 60), ['23:59', '00:00']);
  assert.deepEqual(timeLabels(times, 86_400), ['11-30', '12-01']);
});

test('a time axis shows all there is, and no less than it is to', () => {
  assert.deepEqual(timeRange(1_000, 1_600, 60), [1_000, 1_600]);
  assert.deepEqual(timeRange(1_000, 1_010, 60), [950, 1_010]);
  assert.deepEqual(timeRange(1_000, 1_000, 60), [940, 1_000]);
  assert.deepEqual(timeRange(null, null, 60), [-60, 0]);
});

test('steps of an axis of bytes are round in KiB and MiB', () => {
  for (const round of [1, 512, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 50]) assert.ok(BYTE_STEPS.includes(round));
  assert.deepEqual(
    BYTE_STEPS,
    [...BYTE_STEPS].sort((one, other) => one - other),
  );
});

test('a history keeps the last points', () => {
  const history = new History(2, 3);
  for (const n of [1, 2, 3, 4]) history.add(n * 1000, n, -n);
  assert.deepEqual(history.columns, [
    [2, 3, 4],
    [2, 3, 4],
    [-2, -3, -4],
  ]);
});

test('shades go by powers of ten', () => {
  assert.equal(shadeOf(0, 100), 0);
  assert.equal(shadeOf(100, 100), SHADES);
  assert.equal(shadeOf(99, 100), SHADES);
  assert.equal(shadeOf(1, 100), SHADES / 2);
  assert.equal(shadeOf(1e-9, 100), 1, 'a little is not nothing');
  assert.equal(shadeOf(1, 0), 0);
});

const move = (change: Partial<MigrationView>): MigrationView => ({
  vnet: 'blue',
  ips: ['10.1.0.9'],
  mac: '52:54:00:00:00:09',
  from: 'vr-a',
  to: 'vr-b',
  role: 'observer',
  trigger: 'rarp',
  seq: 2,
  verdict: 'accepted',
  reason: '',
  blackoutUs: 1_500,
  startedAt: NOW,
  startedUnixMs: 1_000,
  steps: [],
  ...change,
});

test('moves: the newest first, points in the order of time', () => {
  const moves = [
    move({ startedUnixMs: 2_000 }),
    move({ startedUnixMs: 3_000, blackoutUs: null }),
    move({ blackoutUs: 0 }),
  ];
  assert.deepEqual(
    newestFirst(moves).map(({ startedUnixMs }) => startedUnixMs),
    [3_000, 2_000, 1_000],
  );
  assert.deepEqual(movePoints(moves), [
    [1, 2, 3],
    [0.1, 1.5, null],
    [null, null, 0.1],
  ]);
  assert.equal(
    moveSentence(move({ from: null, ips: ['10.1.0.9', 'fd00::9'] })),
    '10.1.0.9, fd00::9 moved to vr-b: accepted.',
  );
});

test('steps: each from where the one before it ended', () => {
  const steps = [
    { step: 'claimed', atUs: 1_000 },
    { step: 'announced', atUs: 0 },
    { step: 'redirected', atUs: 4_000 },
  ];
  assert.deepEqual(stepBars({ steps }), [
    { step: 'announced', atMs: 0, from: 0, to: 0 },
    { step: 'claimed', atMs: 1, from: 0, to: 0.25 },
    { step: 'redirected', atMs: 4, from: 0.25, to: 1 },
  ]);
  assert.deepEqual(stepBars({ steps: [] }), []);
});

const record = (ip: string, change: Partial<DirectoryView> = {}): DirectoryView => ({
  vnet: 'blue',
  ip,
  mac: '52:54:00:00:00:09',
  router: 'vr-a',
  seq: 1,
  state: 'here',
  frozen: false,
  missing: false,
  stampedAt: NOW,
  ...change,
});

const hostRoute = (prefix: string, home: string): GndtView => ({
  vnet: 'blue',
  prefix,
  router: 'vr-b',
  kind: 'host',
  gateway: null,
  home,
  seq: 2,
});

test('nodes: those that are somewhere, and whose home is elsewhere', () => {
  const rows = nodeRows(
    [
      record('10.1.0.9', { router: 'vr-b' }),
      record('fd00::9', { frozen: true, missing: true }),
      record('10.1.0.8', { state: 'withdrawn' }),
    ],
    [hostRoute('10.1.0.9/32', 'vr-a'), hostRoute('fd00::8/128', 'vr-a')],
  );
  assert.deepEqual(
    rows.map((one) => [one.ip, one.home, stateOf(one)]),
    [
      ['10.1.0.9', 'vr-a', 'visiting'],
      ['fd00::9', null, 'missing, frozen, home'],
    ],
  );
  assert.deepEqual(filterNodes(rows, ' VISITING  vr-a '), [rows[0]]);
  assert.deepEqual(filterNodes(rows, 'fd00 visiting'), []);
  assert.equal(filterNodes(rows, ' '), rows);
});

test('addresses are sorted as numbers, IPv4 before IPv6', () => {
  const ips = ['fd00::10', '10.1.0.10', 'fd00::9', '10.1.0.9', 'fd00:0:1::1', '9.255.0.1', '::1'];
  const rows = nodeRows(
    ips.map((ip) => record(ip)),
    [],
  );
  const sorted = (descending: boolean): string[] =>
    sortNodes(rows, { column: 'ip', descending }).map(({ ip }) => ip);
  const rising = ['9.255.0.1', '10.1.0.9', '10.1.0.10', '::1', 'fd00::9', 'fd00::10', 'fd00:0:1::1'];
  assert.deepEqual(sorted(false), rising);
  assert.deepEqual(sorted(true), [...rising].reverse());
  assert.deepEqual(
    sortNodes(rows, { column: 'router', descending: true }).map(({ ip }) => ip),
    rising,
    'equals by address',
  );
});

test('pages: every row once, whatever page is asked for', () => {
  const rows = Array.from({ length: 120 }, (_, n) => n);
  assert.deepEqual(
    [0, 1, 2].flatMap((page) => pageOf(rows, page, 50).rows),
    rows,
  );
  const { rows: last, ...place } = pageOf(rows, 99, 50);
  assert.deepEqual([last.length, place], [20, { first: 101, last: 120, count: 120, page: 2, pages: 3 }]);
  assert.deepEqual(pageOf([], 3, 50), { rows: [], first: 0, last: 0, count: 0, page: 0, pages: 1 });
  assert.equal(pageOf(rows, -1, 50).page, 0);
});

test('a stream has the same lines however it is cut', () => {
  const text = '{"a":1}\n{"b":"ü"}\n\n{"c":3}\n';
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), text.length];
      const lines = new Lines();
      const found = places.flatMap((place, i) => lines.push(text.slice(places[i - 1] ?? 0, place)));
      assert.deepEqual(found, ['{"a":1}', '{"b":"ü"}', '', '{"c":3}']);
    }),
  );
});
