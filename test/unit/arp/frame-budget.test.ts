import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  FRAMES_OF_A_MAC,
  FRAMES_OF_NODES,
  FRAMES_OF_STRANGERS,
  FrameBudget,
} from '../../../src/arp/frame-budget.js';
import type { Mac } from '../../../src/net/mac.js';
import { SimClock } from '../../support/sim-clock.js';

const node = (n: number): Mac => (0x525400000000 + n) as Mac;
const made = (n: number): Mac => (0x020000000000 + n) as Mac;

function setUp() {
  const clock = new SimClock();
  const budget = new FrameBudget(clock);
  /** Frames that come evenly in a time; how many of them are taken. */
  const come = (perSecond: number, seconds: number, from: (i: number) => Mac, isNode: boolean): number => {
    let taken = 0;
    for (let i = 0; i < perSecond * seconds; i++) {
      if (budget.takes(from(i), isNode)) taken++;
      clock.advance(1_000 / perSecond);
    }
    return taken;
  };
  return { clock, budget, come };
}

test('fifty moves in a second beside a thousand hosts that chat lose no frame', () => {
  const { clock, budget } = setUp();
  const frames: { atMs: number; mac: Mac }[] = [];
  for (let s = 0; s < 60; s++)
    for (let n = 0; n < 1_000; n++) frames.push({ atMs: 1_000 * s + ((n * 37) % 1_000), mac: node(n) });
  // RARP, ARP and NA of 50 machines, five times, all within the tenth second; once spread, once at its start.
  for (let i = 0; i < 750; i++) frames.push({ atMs: 10_000 + i, mac: node(2_000 + (i % 50)) });
  for (let i = 0; i < 750; i++) frames.push({ atMs: 30_000, mac: node(2_000 + (i % 50)) });
  frames.sort((a, b) => a.atMs - b.atMs);
  for (const { atMs, mac } of frames) {
    clock.advance(atMs - clock.nowMs());
    assert.ok(budget.takes(mac, true), `at ${atMs} ms`);
  }
  assert.deepEqual(budget.counters(), { arp_frames_over_budget_lan: 0, arp_frames_over_budget_mac: 0 });
});

test('a thousand hosts without a record chat as well', () => {
  const { come } = setUp();
  assert.equal(
    come(1_000, 60, (i) => made(i % 1_000), false),
    60_000,
  );
});

test('one machine that scans a /16 gets its own budget and no more', () => {
  const { budget, come } = setUp();
  const taken = come(20_000, 4, () => node(1), true);
  const most = FRAMES_OF_A_MAC.burst + 4 * FRAMES_OF_A_MAC.perSecond;
  assert.ok(taken <= most + 1 && taken >= most - 1, `${taken}`);
  assert.equal(budget.counters().arp_frames_over_budget_mac, 80_000 - taken);
  assert.ok(budget.takes(node(2), true), 'another is not touched');
});

test('a flood from made-up senders does not displace a frame of a node', () => {
  const { clock, budget } = setUp();
  let strangers = 0;
  for (let ms = 0; ms < 3_000; ms++) {
    for (let i = 0; i < 50; i++) if (budget.takes(made(50 * ms + i), false)) strangers++;
    if (ms % 2 === 0) assert.ok(budget.takes(node(ms % 200), true));
    clock.advance(1);
  }
  const most = FRAMES_OF_STRANGERS.burst + 3 * FRAMES_OF_STRANGERS.perSecond;
  assert.ok(strangers <= most + 1 && strangers >= most - 1, `${strangers}`);
});

test('whatever comes, a LAN gets no more than both budgets', () => {
  const step = fc.record({ n: fc.nat(5_000), isNode: fc.boolean(), waitMs: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { clock, budget } = setUp();
      let taken = 0;
      for (const { n, isNode, waitMs } of steps) {
        for (let i = 0; i < 200; i++) if (budget.takes(node((n + i) % 6_000), isNode)) taken++;
        clock.advance(waitMs);
      }
      const perMs = (FRAMES_OF_NODES.perSecond + FRAMES_OF_STRANGERS.perSecond) / 1_000;
      assert.ok(taken <= FRAMES_OF_NODES.burst + FRAMES_OF_STRANGERS.burst + perMs * clock.nowMs() + 2);
      const counters = Object.values(budget.counters());
      assert.equal(taken + counters.reduce((sum, count) => sum + count, 0), 200 * steps.length);
    }),
    { numRuns: 50 },
  );
});
