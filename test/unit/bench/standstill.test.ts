import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Standstill } from '../../../bench/lib/standstill.js';

test('a step that takes too long is named, once; one in time is not', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const said: string[] = [];
  const standstill = new Standstill(60_000, (message) => said.push(message));
  t.mock.timers.tick(59_999);
  standstill.reached('move 1');
  t.mock.timers.tick(59_999);
  standstill.reached('move 2');
  t.mock.timers.tick(59_999);
  assert.deepEqual(said, []);
  t.mock.timers.tick(1);
  assert.deepEqual(said, ['nothing more for 60 s after: move 2']);
  t.mock.timers.tick(600_000);
  assert.equal(said.length, 1);
});

test('a run that has ended is not watched', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const standstill = new Standstill(60_000, (message) => assert.fail(message));
  standstill.end();
  t.mock.timers.tick(60_000);
});
