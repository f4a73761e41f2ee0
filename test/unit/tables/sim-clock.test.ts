import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '../../support/sim-clock.js';

test('timers fire in order of due time, then in the order they were set', () => {
  const clock = new SimClock();
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name}@${clock.nowMs()}`);
  clock.after('late', 20, note('late'));
  clock.after('first', 10, note('first'));
  clock.after('second', 10, note('second'));
  clock.advance(9.5);
  assert.deepEqual(fired, []);
  clock.advance(0.5);
  assert.deepEqual(fired, ['first@10', 'second@10']);
  clock.advance(100);
  assert.deepEqual(fired, ['first@10', 'second@10', 'late@20']);
  assert.equal(clock.nowMs(), 110);
});

test('a timer set by a timer fires in the same advance when it falls due', () => {
  const clock = new SimClock();
  const times: number[] = [];
  const tick = (): void => {
    times.push(clock.nowMs());
    clock.after('tick', 100, tick);
  };
  clock.after('tick', 0, tick);
  assert.deepEqual(times, [], 'never inside the caller');
  clock.advance(250);
  assert.deepEqual(times, [0, 100, 200]);
  assert.deepEqual(clock.waiting, ['tick']);
});

test('a cancelled timer does not fire; cancelling twice or too late is harmless', () => {
  const clock = new SimClock();
  let fired = 0;
  const cancelled = clock.after('a', 5, () => fired++);
  const kept = clock.after('b', 5, () => fired++);
  cancelled.cancel();
  cancelled.cancel();
  clock.advance(10);
  kept.cancel();
  assert.equal(fired, 1);
  assert.equal(clock.advanceToNext(), false);
});

test('the wall clock can step back while time goes on', () => {
  const clock = new SimClock(5_000, 100);
  clock.advance(10);
  clock.stepWall(-1_000);
  assert.equal(clock.wallMs(), 4_010);
  assert.equal(clock.nowMs(), 110);
});
