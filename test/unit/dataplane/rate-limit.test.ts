import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimit } from '../../../src/dataplane/rate-limit.js';

test('one report a second for one subject', () => {
  let nowMs = 0;
  const limit = new RateLimit(() => nowMs);
  assert.equal(limit.allow('a'), true);
  nowMs = 999;
  assert.equal(limit.allow('a'), false);
  assert.equal(limit.allow('b'), true);
  nowMs = 1_000;
  assert.equal(limit.allow('a'), true);
});

test('a flood of subjects loses reports: the control thread gets no more than it can work on', () => {
  let nowMs = 0;
  const limit = new RateLimit(() => nowMs);
  const allowed = (from: number): number => {
    let count = 0;
    for (let subject = from; subject < from + 100_000; subject++) count += Number(limit.allow(`${subject}`));
    return count;
  };
  assert.equal(allowed(0), 1_024);
  nowMs = 500;
  assert.equal(allowed(100_000), 0);
  nowMs = 1_000;
  assert.equal(limit.allow('0'), true, 'one of those that were reported a second ago');
  assert.equal(allowed(200_000), 1_023);
});
