import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, secondsOf } from '../../../bench/lib/with-and-without.js';

/** As iperf3 -J --bidir writes them: one interval a second, starts a little off. */
const intervals = (mbit: (second: number) => number, seconds: number) =>
  Array.from({ length: seconds }, (_, second) => ({
    sum: { start: second + 0.0003, bits_per_second: mbit(second) * 0.5e6 },
    sum_bidir_reverse: { bits_per_second: mbit(second) * 0.5e6 },
  }));

test('phases of eight seconds take turns, the first second of each is left out', () => {
  const seconds = secondsOf({ intervals: intervals(() => 100, 40) }, 4);
  assert.deepEqual(
    seconds.map(({ second }) => second),
    Array.from({ length: 32 }, (_, second) => second).filter((second) => second % 8 !== 0),
  );
  assert.deepEqual(
    seconds.filter(({ updates }) => updates).map(({ second }) => Math.floor(second / 8)),
    [...Array<number>(7).fill(0), ...Array<number>(7).fill(2)],
  );
});

test('both directions count, and the ratio is of medians', () => {
  const mbit = (second: number): number => (second === 3 ? 1 : second % 16 < 8 ? 900 : 1000);
  const cores = { routers: { with: 1.3, without: 1.2 }, source: { with: 0.2, without: 0 } };
  const cost = compare(secondsOf({ intervals: intervals(mbit, 32) }, 4), 4, cores, 2);
  assert.equal(cost.withMbit, 900);
  assert.equal(cost.withoutMbit, 1000);
  assert.equal(cost.ratio, 0.9);
  // Of two processors 1.8 are left beside the source: the rate of each is what it is without.
  assert.ok(Math.abs(cost.ratioWithoutSource - 1) < 1e-9);
});
