/** What the failover bench makes of its records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bothActiveMs,
  outageDistribution,
  parsePortRuns,
  probeWindow,
} from '../../../bench/failover/figures.js';
import { shuffled } from '../../../bench/failover/order.js';
import { checksOf, type Switch } from '../../../bench/failover/report.js';
import { randomOf } from '../../support/sim-lan-wan.js';

/** A packet a millisecond from 0 on, each 5 ms under way. */
const arrival = (number: number, delayMs = 5) => ({ number, sentMs: number, receivedMs: number + delayMs });
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => arrival(from + i));

test('an outage: its length, and how many packets it cost', () => {
  const window = probeWindow([...range(0, 100), ...range(400, 500)], 0, 500);
  assert.deepEqual(window, { received: 200, lost: 300, duplicated: 0, reordered: 0, gapMs: 301 });
});

test('packets that were sent before the window, or after it, do not count', () => {
  const window = probeWindow([...range(0, 100), ...range(400, 600)], 400, 500);
  assert.deepEqual(window, { received: 100, lost: 0, duplicated: 0, reordered: 0, gapMs: 1 });
});

test('duplicated and reordered packets are not lost, and one that is both is counted once', () => {
  const [a, b, c, d] = range(0, 4);
  assert.ok(a && b && c && d);
  const late = { ...b, receivedMs: c.receivedMs + 0.5 };
  assert.deepEqual(probeWindow([a, c, late, d, { ...a, receivedMs: d.receivedMs }], 0, 4), {
    received: 4,
    lost: 0,
    duplicated: 1,
    reordered: 1,
    gapMs: 2,
  });
});

test('a window in which nothing arrived says nothing, and reaches no limit', () => {
  const { received, lost, gapMs } = probeWindow([], 0, 100);
  assert.deepEqual([received, lost, gapMs], [0, Number.NaN, Number.NaN]);
  const one = aSwitch({ outageMs: gapMs });
  const failing = checksOf({ faults: ['kill'], switches: [one], handOvers: [], problems: [] })
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);
  assert.deepEqual(failing, ['kill -9, SIGSTOP: outage, p95', 'kill -9, SIGSTOP: outage, p99']);
});

test('runs of the ports: the line that is half written waits', () => {
  assert.deepEqual(parsePortRuns('vr-a1 1000 3000 2\nvr-a2 4000 4000 1\nvr-a1 50'), [
    { port: 'vr-a1', fromMs: 1, untilMs: 3, frames: 2 },
    { port: 'vr-a2', fromMs: 4, untilMs: 4, frames: 1 },
  ]);
});

const run = (port: string, fromMs: number, untilMs: number) => ({ port, fromMs, untilMs, frames: 2 });

test('two active: the time in which both ports brought frames, however they took turns', () => {
  const clean = [run('vr-a1', 0, 100), run('vr-a2', 300, 900)];
  assert.equal(bothActiveMs(clean, 0, 1000), 0);
  const inTurns = [
    run('vr-a1', 0, 100),
    run('vr-a2', 101, 110),
    run('vr-a1', 111, 140),
    run('vr-a2', 141, 900),
  ];
  assert.equal(bothActiveMs(inTurns, 0, 1000), 140 - 101);
  assert.equal(bothActiveMs(inTurns, 0, 120), 120 - 101);
  // Somebody who was silent for long was not active.
  const again = [run('vr-a1', 0, 100), run('vr-a2', 200, 900), run('vr-a1', 400, 410)];
  assert.equal(bothActiveMs(again, 0, 1000), 10);
});

test('the distribution of outages', () => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(outageDistribution(values), { count: 100, p50: 50, p95: 95, p99: 99, max: 100 });
});

test('as many faults of each kind, in an order that a seed replays', () => {
  const kinds = ['kill', 'stop', 'lan', 'wan'];
  const order = shuffled(kinds, 10, randomOf(7));
  assert.deepEqual(
    kinds.map((kind) => order.filter((one) => one === kind).length),
    [3, 3, 2, 2],
  );
  assert.deepEqual(shuffled(kinds, 10, randomOf(7)), order);
  assert.notDeepEqual(shuffled(kinds, 10, randomOf(8)), order);
});

function aSwitch(change: Partial<Switch>): Switch {
  const window = { received: 1, lost: 0, duplicated: 0, reordered: 0, gapMs: 1 };
  return {
    ...{ fault: 'kill', struck: 'vr-a1', windowMs: 1_000, outageMs: 300, servedMs: 290 },
    ...{ toPair: window, fromPair: window, healingMs: 3_000, healingGapMs: 1, healingLost: 0 },
    ...{ healingDuplicated: 0, bothActiveMs: 0, resets: 0, longestStallMs: 600, lowClockMs: 0 },
    ...change,
  };
}

test('each limit fails by itself: process and link, a broken connection, a hand-over that lost a packet', () => {
  const handOver = {
    ...{ from: 'vr-a1', tookMs: 100, lost: 0, duplicated: 0, reordered: 0, gapMs: 2 },
    ...{ bothActiveMs: 20, resets: 0 },
  };
  const good = {
    faults: ['kill', 'lan'],
    switches: [aSwitch({}), aSwitch({ fault: 'lan', outageMs: 1_600 })],
    handOvers: [handOver],
    problems: [],
  };
  const failing = (measured: Parameters<typeof checksOf>[0]): string[] =>
    checksOf(measured)
      .filter(({ holds }) => !holds)
      .map(({ what }) => what);
  assert.deepEqual(failing(good), []);
  const slow = {
    ...good,
    switches: [aSwitch({ outageMs: 701 }), aSwitch({ fault: 'lan', outageMs: 2_001 })],
  };
  assert.deepEqual(failing(slow), [
    'kill -9, SIGSTOP: outage, p95',
    'link cut: outage, p95',
    'link cut: outage, p99',
  ]);
  assert.deepEqual(failing({ ...good, switches: [aSwitch({ resets: 1, bothActiveMs: 1_001 })] }), [
    'connections broken by a switch',
    'two active on the LAN at a switch',
  ]);
  const lossy = { ...good, handOvers: [{ ...handOver, lost: 1, duplicated: 1 }], problems: ['switch 3'] };
  assert.deepEqual(failing(lossy), [
    'hand-overs: packets lost',
    'hand-overs: packets duplicated',
    'switches that could not be measured',
  ]);
});
