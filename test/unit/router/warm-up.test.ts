import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmUp } from '../../../src/router/life/warm-up.js';

test('the warm-up makes moves that are complete', () => {
  assert.equal(warmUp(1_767_225_600_000), 50);
});
