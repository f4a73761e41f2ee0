import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Following } from '../../../src/pair/following.js';
import { MAX_TERM, TERM_STEP } from '../../../src/pair/heartbeat.js';

const PAIR = ['vr-1', 'vr-2'];
const told = (following: Following, router: string, term: number, nowMs = 0): string =>
  following.told('one', PAIR, router, term, nowMs);

test('the higher term counts; of two with the same one the router that is first in the list', () => {
  const following = new Following();
  assert.equal(told(following, 'vr-2', 1), 'follow');
  assert.equal(told(following, 'vr-2', 1), 'known');
  assert.equal(told(following, 'vr-1', 1), 'follow');
  assert.equal(told(following, 'vr-2', 1), 'refused');
  assert.equal(following.activeOf('one'), 'vr-1');
  assert.equal(told(following, 'vr-2', 2), 'follow');
  assert.equal(told(following, 'vr-1', 1), 'refused');
  assert.deepEqual([following.termOf('one'), following.activeOf('one')], [2, 'vr-2']);
});

test('the active router that has lost its disk is told the term that it had', () => {
  const following = new Following([['one', 7, 'vr-1']]);
  assert.equal(told(following, 'vr-1', 1), 'refused');
  assert.deepEqual([following.termOf('one'), following.activeOf('one')], [7, 'vr-1']);
  assert.equal(told(following, 'vr-1', 8), 'known');
});

test('a term that no honest router would say is not taken', () => {
  const following = new Following();
  assert.equal(told(following, 'vr-1', 2 ** 32 + 1), 'out-of-range');
  assert.equal(following.termOf('one'), 0);
  assert.equal(told(following, 'vr-1', 5), 'follow');
  assert.equal(told(following, 'vr-2', 5 + TERM_STEP + 1), 'out-of-range');
  assert.equal(told(following, 'vr-2', 5 + TERM_STEP), 'follow');
  const late = new Following([['one', MAX_TERM, 'vr-1']]);
  assert.equal(told(late, 'vr-2', MAX_TERM + 1), 'out-of-range');
});

test('how long ago each was heard as active, also the one that was given up', () => {
  const following = new Following();
  assert.equal(following.heardAgoMs('one', 'vr-1', 0), undefined);
  told(following, 'vr-1', 1, 100);
  told(following, 'vr-2', 2, 300);
  // What is refused was not heard as the active one.
  told(following, 'vr-1', 1, 350);
  assert.equal(following.heardAgoMs('one', 'vr-1', 400), 300);
  assert.equal(following.heardAgoMs('one', 'vr-2', 400), 100);
  assert.equal(following.heardAgoMs('two', 'vr-2', 400), undefined);
});

test('what is saved comes back; sites and routers that are gone do not', () => {
  const following = new Following();
  told(following, 'vr-1', 4);
  following.told('two', ['vr-3', 'vr-4'], 'vr-4', 9, 0);
  following.keepOnly(
    new Map([
      ['one', PAIR],
      ['two', ['vr-3', 'vr-5']],
    ]),
  );
  assert.deepEqual([...following.terms()], [['one', 4, 'vr-1']]);
  const again = new Following(following.terms());
  assert.deepEqual([again.termOf('one'), again.activeOf('one')], [4, 'vr-1']);
  assert.equal(again.heardAgoMs('one', 'vr-1', 0), undefined);
});
