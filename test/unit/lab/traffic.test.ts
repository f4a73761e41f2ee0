import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GapMeter } from '../../lab/traffic/gap-meter.js';
import { firstDifference, patternBytes } from '../../lab/traffic/pattern.js';

test('the pattern is the same however it is cut', () => {
  const whole = patternBytes(1000, 4096);
  for (const cut of [1, 3, 1448, 4095]) {
    assert.deepEqual(patternBytes(1000, cut), whole.subarray(0, cut));
    assert.equal(firstDifference(1000 + cut, whole.subarray(cut)), undefined);
  }
});

test('a changed byte is found at its offset in the stream', () => {
  const bytes = patternBytes(5_000_000_000, 3000);
  bytes[2999] = (bytes[2999] ?? 0) ^ 1;
  assert.equal(firstDifference(5_000_000_000, bytes), 5_000_002_999);
});

test('a lost, doubled or swapped segment is found within a few bytes, wherever it is', () => {
  for (const at of [0, 1448, 1 << 20, 3 * 1448 * 1000]) {
    for (const shift of [-2896, -1448, -1, 1, 4, 1448, 65_536, 1 << 24]) {
      if (at + shift < 0) continue;
      const wrong = firstDifference(at, patternBytes(at + shift, 1448));
      assert.ok(wrong !== undefined && wrong - at < 16, `shift ${shift} at ${at}: ${wrong}`);
    }
  }
});

test('the gap meter: longest gap and its beginning', () => {
  const meter = new GapMeter();
  assert.deepEqual(meter.gap, { longestMs: 0, beganAtMs: 0 });
  for (const at of [10, 11, 15, 16, 18]) meter.arrived(at);
  assert.deepEqual(meter.gap, { longestMs: 4, beganAtMs: 11 });
});

test('the gap meter: a gap that is under way at the reset counts', () => {
  const meter = new GapMeter();
  for (const at of [0, 100, 101]) meter.arrived(at);
  meter.reset();
  meter.arrived(151);
  assert.deepEqual(meter.gap, { longestMs: 50, beganAtMs: 101 });
});
