/** When the processors were slow, and that what was measured then is not judged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowWithin, parseLow, united } from '../../../bench/lib/clock.js';
import { burstCheck, checksOf, summariesOf } from '../../../bench/migration/budget.js';
import type { BurstResult, MeasuredMove } from '../../../bench/migration/series.js';

const low = (fromMs: number, untilMs: number, factor = 10) => ({ fromMs, untilMs, factor });

test('lines of lab-clock', () => {
  assert.deepEqual(parseLow('low 1 1795856751874.398 1795856751916.411 11.2'), {
    fromMs: 1795856751874.398,
    untilMs: 1795856751916.411,
    factor: 11.2,
  });
  assert.equal(parseLow('usual 1 1472'), undefined);
  assert.equal(parseLow('unusable 3'), undefined);
  assert.equal(parseLow('low 1 2 3'), undefined);
});

test('several processors are slow when one is', () => {
  assert.deepEqual(united([low(30, 40), low(10, 20, 3), low(15, 25, 8), low(38, 39)]), [
    low(10, 25, 8),
    low(30, 40),
  ]);
  assert.deepEqual(united([]), []);
});

test('the part of a window in which one was slow', () => {
  const lows = [low(10, 20), low(15, 30), low(50, 60)];
  assert.equal(lowWithin(lows, 0, 100), 30);
  assert.equal(lowWithin(lows, 25, 55), 10);
  assert.equal(lowWithin(lows, 30, 50), 0);
  assert.equal(lowWithin(lows, 12, 14), 2);
});

const nothing = { lost: 0, lostMs: 0, gapMs: 0 };
const move = (ms: number, lowClockMs: number, lostMs = 0): MeasuredMove => ({
  to: 'b',
  isHome: false,
  pauseMs: 20,
  destinationArpMs: ms,
  ownForwardingMs: ms,
  ownArpMs: ms,
  sourceArpMs: ms,
  sourceForwardingMs: ms,
  allMs: ms,
  toNode: { ...nothing, lostMs },
  fromNode: nothing,
  tcpGapMs: 0,
  lowClockMs,
});

test('times are judged by undisturbed moves, losses by all', () => {
  const moves = [move(1, 0), move(4, 0), move(30, 7, 25)];
  const summaries = summariesOf({ delayMs: 0, moves, broken: [] }, 2);
  assert.deepEqual([summaries.all.moves, summaries.judged.moves], [3, 2]);
  const failed = checksOf(summaries, true)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);
  assert.deepEqual(failed, ['all moves: probes lost to the node beyond pause + delay, p99']);
});

test('too few undisturbed moves hold nothing', () => {
  const summaries = summariesOf({ delayMs: 0, moves: [move(1, 0), move(1, 3)], broken: [] }, 2);
  const checks = checksOf(summaries, false);
  assert.deepEqual(
    checks.filter(({ holds }) => !holds).map(({ measured, limit }) => [measured, limit]),
    [['1 of 2', '≥ 2']],
  );
  const none = summariesOf({ delayMs: 0, moves: [move(1, 3)], broken: [] }, 1);
  assert.ok(checksOf(none, false).some(({ what, holds }) => what.startsWith('source') && !holds));
});

test('bursts: the median of the undisturbed ones, all shown', () => {
  const burst = (allMs: number, lowClockMs: number): BurstResult => ({
    delayMs: 5,
    nodes: 50,
    announcedMs: 3,
    destinationMs: allMs,
    sourceMs: allMs,
    allMs,
    lowClockMs,
  });
  const bursts = [burst(90, 12), burst(50, 0), burst(54, 0), burst(56, 0)];
  const { holds, measured } = burstCheck(burst(0, 0), bursts);
  assert.equal(holds, true);
  assert.equal(measured, '54.00 ms (90.0 with a low clock, 50.0, 54.0, 56.0)');
  assert.equal(burstCheck(burst(0, 0), [burst(40, 1)]).holds, false);
});
