import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clean, plain, table } from '../../../src/cli/show/text.js';
import {
  age,
  bytes,
  counted,
  duration,
  longDuration,
  milliseconds,
  preciseTime,
  time,
} from '../../../src/control/units.js';

test('durations change unit where two figures would do', () => {
  const cases: readonly (readonly [ms: number, shown: string, long: string])[] = [
    [-5, '0 s', '0 s'],
    [999, '0 s', '0 s'],
    [119_999, '119 s', '1 min 59 s'],
    [120_000, '2 min', '2 min 0 s'],
    [7_199_999, '119 min', '1 h 59 min'],
    [7_200_000, '2 h', '2 h 0 min'],
    [172_799_999, '47 h', '1 d 23 h'],
    [172_800_000, '2 d', '2 d 0 h'],
  ];
  for (const [ms, shown, long] of cases) assert.deepEqual([duration(ms), longDuration(ms)], [shown, long]);
});

test('bytes are IEC, and never 1024 of a unit', () => {
  const cases: readonly (readonly [count: number, shown: string])[] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [1024 * 1023, '1023.0 KiB'],
    [1.5 * 1024 ** 3, '1.5 GiB'],
    [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
  ];
  for (const [count, shown] of cases) assert.equal(bytes(count), shown);
});

test('one is not several', () => {
  assert.deepEqual(
    [0, 1, 2, 1_000].map((number) => counted(number, 'step')),
    ['0 steps', '1 step', '2 steps', '1,000 steps'],
  );
});

test('times are UTC; what is no time is shown as it is', () => {
  assert.equal(time('2026-03-01T13:00:00.999+01:00'), '2026-03-01 12:00:00Z');
  assert.equal(preciseTime('2026-03-01T13:00:00.999+01:00'), '2026-03-01 12:00:00.999Z');
  assert.equal(time('soon'), 'soon');
  assert.equal(age('soon', 0), 'soon');
  assert.equal(age(null, 0), 'never');
  assert.equal(age('1970-01-01T00:00:10Z', 0), '0 s ago');
  assert.equal(milliseconds(1), '0.001');
});

test('control characters, line ends and direction marks are made visible', () => {
  assert.equal(clean('a\x1b[31m\n\x7f\x9b\u202eb é→'), 'a\\x1b[31m\\x0a\\x7f\\x9b\\u202eb é→');
});

test('a table is as wide as its widest cells and ends without spaces', () => {
  const text = table(
    [
      { name: 'a', n: 5 },
      { name: 'long-name', n: 12345 },
    ],
    [
      { title: 'N', text: (row) => String(row.n), right: true },
      { title: 'NAME', text: (row) => row.name },
    ],
    plain,
    'none',
  );
  assert.equal(text, '    N  NAME\n    5  a\n12345  long-name\n');
  assert.equal(table([], [], plain, 'none'), 'none\n');
});
