/** What of a repetition counts, and when too little does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lowWithin } from '../../../bench/lib/clock.js';
import {
  AFTERMATH_MS,
  figuresOf,
  type Pinged,
  type Repetition,
  type Stretch,
  tooFew,
} from '../../../bench/lib/undisturbed.js';

const low = (fromMs: number, untilMs: number) => ({ fromMs, untilMs, factor: 10 });

const transfer = (fromMs: number, untilMs: number, tcp1Mbit: number): Stretch => ({
  kind: 'stretch',
  fromMs,
  untilMs,
  figures: { tcp1Mbit },
});

/** One millisecond each, sent at these times. */
const pings = (...sentMs: readonly number[]): Pinged => ({
  kind: 'pings',
  pings: sentMs.map((at, i) => ({ sentMs: at, answeredMs: at + 1, ms: i + 1 })),
  figuresOf: (ms) => ({ rttFloodMaxMs: Math.max(...ms) }),
});

test('a transfer counts when no processor was slow in it', () => {
  const repetition: Repetition = [transfer(100, 200, 5)];
  assert.deepEqual(figuresOf(repetition, []), { tcp1Mbit: 5 });
  assert.deepEqual(figuresOf(repetition, [low(50, 100), low(200, 300)]), { tcp1Mbit: 5 });
  assert.deepEqual(figuresOf(repetition, [low(50, 101)]), {});
  assert.deepEqual(figuresOf(repetition, [low(120, 121)]), {});
  assert.deepEqual(figuresOf(repetition, [low(50, 300)]), {});
});

test('that is the rule of moves: slow for no time at all', () => {
  const times = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(times, fc.array(times), ([from, lasts], slow) => {
      const lows = slow.map(([at, ms]) => low(at, at + ms));
      const counts = figuresOf([transfer(from, from + lasts, 1)], lows).tcp1Mbit !== undefined;
      assert.equal(counts, lowWithin(lows, from, from + lasts) === 0);
    }),
  );
});

test('pings count one by one, and not soon after the clock was low', () => {
  const repetition: Repetition = [pings(0, 1000, 2000, 3000)];
  assert.deepEqual(figuresOf(repetition, []), { rttFloodMaxMs: 4 });
  assert.deepEqual(figuresOf(repetition, [low(3000, 3020)]), { rttFloodMaxMs: 3 });
  assert.deepEqual(figuresOf(repetition, [low(2940, 3000 - AFTERMATH_MS)]), { rttFloodMaxMs: 4 });
  assert.deepEqual(figuresOf(repetition, [low(2940, 3001 - AFTERMATH_MS)]), { rttFloodMaxMs: 3 });
});

test('with less than half of its pings a repetition has no figure', () => {
  const repetition: Repetition = [pings(0, 1000, 2000, 3000)];
  assert.deepEqual(figuresOf(repetition, [low(1900, 3100)]), { rttFloodMaxMs: 2 });
  assert.deepEqual(figuresOf(repetition, [low(900, 3100)]), {});
});

test('what does not depend on the clock always counts; a figure that is undefined is none', () => {
  const repetition: Repetition = [
    { kind: 'timeless', figures: { rssMb: 100 } },
    { ...transfer(0, 10, 1), figures: { tcp1Mbit: 1, cpuPerGb: undefined } },
  ];
  assert.deepEqual(figuresOf(repetition, [low(0, 10)]), { rssMb: 100 });
  assert.deepEqual(Object.keys(figuresOf(repetition, [])), ['rssMb', 'tcp1Mbit']);
});

test('too few are left only when the clock left some out', () => {
  const repetitions: Repetition[] = [
    [transfer(0, 100, 1), pings(0, 50)],
    [transfer(1000, 1100, 2), pings(1000, 1050)],
    [{ ...transfer(2000, 2100, 3), figures: {} }, pings(2000, 2050)],
  ];
  assert.deepEqual(tooFew(repetitions, [], 3), []);
  assert.deepEqual(tooFew(repetitions, [low(0, 1)], 2), ['tcp1Mbit']);
  assert.deepEqual(tooFew(repetitions, [low(0, 1)], 1), []);
  assert.deepEqual(tooFew(repetitions, [low(0, 1), low(990, 1100)], 3), ['tcp1Mbit', 'rttFloodMaxMs']);
});
