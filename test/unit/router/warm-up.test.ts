import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmUp } from '../../../src/router/life/warm-up.js';

test('the warm-up makes moves that are complete, and in each visit but the first question of it is answered at once', () => {
  assert.deepEqual(warmUp(1_767_225_600_000), { claimed: 50, answered: 2 * 25 * 3 });
});
