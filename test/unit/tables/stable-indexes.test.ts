import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { QUARANTINE_MS, StableIndexes } from '../../../src/tables/stable-indexes.js';

function take(indexes: StableIndexes, names: readonly string[], nowMs: number): number[] | undefined {
  const plan = indexes.plan(names, nowMs);
  if (plan === undefined) return undefined;
  indexes.adopt(plan, nowMs);
  return names.map((name) => indexes.get(name));
}

test('the first names get their positions, and keep them whatever comes, goes or changes places', () => {
  const indexes = new StableIndexes(8);
  assert.deepEqual(take(indexes, ['a', 'b', 'c'], 0), [0, 1, 2]);
  assert.deepEqual(take(indexes, ['d', 'c', 'a'], 1), [3, 2, 0]);
  assert.equal(indexes.get('b'), -1);
});

test('a number rests before another name gets it; a millisecond earlier it does not', () => {
  const indexes = new StableIndexes(2);
  take(indexes, ['a', 'b'], 0);
  assert.deepEqual(take(indexes, ['b'], 1000), [1]);
  assert.equal(take(indexes, ['b', 'c'], 1000 + QUARANTINE_MS - 1), undefined);
  assert.deepEqual(take(indexes, ['b', 'c'], 1000 + QUARANTINE_MS), [1, 0]);
});

test('a name that comes back at once does not get its former number either: it may be another router', () => {
  const indexes = new StableIndexes(4);
  take(indexes, ['a', 'b'], 0);
  take(indexes, ['b'], 0);
  assert.deepEqual(take(indexes, ['a', 'b'], 1), [2, 1]);
});

test('a plan changes nothing until it is adopted', () => {
  const indexes = new StableIndexes(4);
  take(indexes, ['a'], 0);
  indexes.plan(['b', 'c'], 5);
  assert.deepEqual([indexes.get('a'), indexes.get('b')], [0, -1]);
});

test('never two names with one number, never a number that is resting, whatever happens', () => {
  const step = fc.record({
    names: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 6 }),
    waitMs: fc.constantFrom(0, 1, QUARANTINE_MS / 2, QUARANTINE_MS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const indexes = new StableIndexes(8);
      const owner = new Map<number, { name: string; untilMs: number }>();
      let nowMs = 0;
      let held: ReadonlyMap<string, number> = new Map();
      for (const { names, waitMs } of steps) {
        nowMs += waitMs;
        const got = take(indexes, names, nowMs);
        if (got === undefined) continue;
        const now = new Map<string, number>(names.map((name, i) => [name, got[i] ?? -1]));
        assert.equal(new Set(got).size, names.length);
        for (const [name, index] of now) {
          const kept = held.get(name);
          if (kept !== undefined) assert.equal(index, kept);
          else assert.ok(nowMs - (owner.get(index)?.untilMs ?? -Infinity) >= QUARANTINE_MS);
        }
        for (const [name, index] of held) if (!now.has(name)) owner.set(index, { name, untilMs: nowMs });
        held = now;
      }
    }),
  );
});
