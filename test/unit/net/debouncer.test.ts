import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Debouncer } from '../../../src/net/debouncer.js';
import { SimClock } from '../../support/sim-clock.js';

function setUp() {
  const clock = new SimClock();
  const done: [string, number][] = [];
  const afterwards = new Debouncer(clock, 'afterwards', { quietMs: 5, longestMs: 50 });
  const hand = (name: string): void => {
    afterwards.touch();
    afterwards.later(() => done.push([name, clock.nowMs()]));
  };
  return { clock, done, afterwards, hand };
}

test('is done in order when nothing more has come for 5 ms', () => {
  const { clock, done, hand } = setUp();
  hand('a');
  clock.advance(4);
  hand('b');
  clock.advance(4);
  assert.deepEqual(done, []);
  clock.advance(1);
  assert.deepEqual(done, [
    ['a', 9],
    ['b', 9],
  ]);
  clock.advance(100);
  hand('c');
  clock.advance(5);
  assert.deepEqual(done.at(-1), ['c', 114]);
  assert.deepEqual(clock.waiting, []);
});

test('waits 50 ms at most, however long the burst goes on', () => {
  const { clock, done, hand } = setUp();
  for (let ms = 0; ms < 120; ms += 3) {
    hand(String(ms));
    clock.advance(3);
  }
  assert.deepEqual(done[0], ['0', 50]);
  assert(done.every(([name, atMs]) => atMs - Number(name) <= 50));
});

test('what waits is done at once when the router stops, and once', () => {
  const { clock, done, afterwards, hand } = setUp();
  hand('a');
  afterwards.flush();
  assert.deepEqual(done, [['a', 0]]);
  clock.advance(100);
  assert.equal(done.length, 1);
  assert.deepEqual(clock.waiting, []);
});
