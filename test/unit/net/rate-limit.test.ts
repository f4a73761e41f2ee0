import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedRateLimit, onceIn, RateLimit } from '../../../src/net/rate-limit.js';

function clockOf(): { clock: { nowMs: () => number }; advance: (ms: number) => void } {
  let ms = 1_000;
  return { clock: { nowMs: () => ms }, advance: (by) => (ms += by) };
}

test('a burst at once, then the rate', () => {
  const { clock, advance } = clockOf();
  const limit = new RateLimit(clock, { perSecond: 10, burst: 3 });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.take()),
    ['taken', 'taken', 'taken', 'too-soon'],
  );
  advance(99);
  assert.equal(limit.take(), 'too-soon');
  advance(1);
  assert.equal(limit.take(), 'taken');
  assert.equal(limit.take(), 'too-soon');
  advance(10_000);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.take()),
    ['taken', 'taken', 'taken', 'too-soon'],
  );
});

test('what costs more than the burst is too large, and takes nothing', () => {
  const { clock } = clockOf();
  const limit = new RateLimit(clock, { perSecond: 10, burst: 3 });
  assert.equal(limit.take(4), 'too-large');
  assert.equal(limit.take(3), 'taken');
  assert.equal(limit.take(3), 'too-soon');
});

test('once in an interval, each subject for itself', () => {
  const { clock, advance } = clockOf();
  const limit = new KeyedRateLimit(clock, onceIn(1_000));
  assert.equal(limit.allow('a'), true);
  assert.equal(limit.allow('a'), false);
  assert.equal(limit.remainingMs('a'), 1_000);
  assert.equal(limit.allow('b'), true);
  advance(999);
  assert.equal(limit.allow('a'), false);
  advance(1);
  assert.equal(limit.remainingMs('a'), 0);
  assert.equal(limit.allow('a'), true);
});

test('made-up subjects get no more than their places; those who have paid make room', () => {
  const { clock, advance } = clockOf();
  const limit = new KeyedRateLimit(clock, onceIn(1_000), 3);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => limit.allow(key)),
    [true, true, true, false],
  );
  advance(1_000);
  assert.equal(limit.allow('d'), true);
  assert.equal(limit.size, 3);
});

test('one that is exhausted pays for its whole burst, and has a place', () => {
  const { clock, advance } = clockOf();
  const limit = new KeyedRateLimit(clock, onceIn(5_000), 2);
  limit.exhaust('a');
  limit.exhaust('b');
  limit.exhaust('c');
  assert.equal(limit.size, 2);
  assert.equal(limit.remainingMs('c'), 5_000);
  assert.equal(limit.remainingMs('a'), 0);
  advance(5_000);
  assert.equal(limit.allow('c'), true);
});
