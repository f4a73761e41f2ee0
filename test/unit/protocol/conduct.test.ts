import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conduct } from '../../../src/protocol/conduct.js';
import { SimClock } from '../../support/sim-clock.js';

test('a refusal now and then is forgiven; who goes on misbehaves, pays more, and is forgiven when it has stopped', () => {
  const clock = new SimClock();
  const conduct = new Conduct(clock);
  const changes: string[] = [];
  conduct.subscribe((peer) => changes.push(`${peer} ${conduct.price(peer)}`));
  for (let i = 0; i < 200; i++) {
    conduct.refused('vr-a', 'has', 'unasked');
    clock.advance(1_000);
  }
  assert.deepEqual(conduct.view('vr-a'), { refusals: 200, misbehaving: false });
  for (let i = 0; i < 51; i++) conduct.refused('vr-a', 'has', 'unasked');
  assert.equal(conduct.isMisbehaving('vr-a'), true);
  assert(conduct.price('vr-a') > 1);
  assert.equal(conduct.price('vr-b'), 1);
  clock.advance(20_000);
  assert.equal(conduct.isMisbehaving('vr-a'), true);
  clock.advance(22_000);
  assert.equal(conduct.isMisbehaving('vr-a'), false);
  assert.equal(conduct.price('vr-a'), 1);
  assert.deepEqual(changes, ['vr-a 8', 'vr-a 1']);
});

test('however much was refused, five minutes of good conduct are enough', () => {
  const clock = new SimClock();
  const conduct = new Conduct(clock);
  for (let i = 0; i < 100_000; i++) conduct.refused('vr-a', 'claim', 'not-allowed');
  clock.advance(300_000);
  assert.equal(conduct.isMisbehaving('vr-a'), false);
});

test('a summary has what was refused since the one before; members that are gone are forgotten', () => {
  const conduct = new Conduct(new SimClock());
  conduct.refused('vr-a', 'has', 'unasked');
  conduct.refused('vr-a', 'has', 'unasked');
  conduct.refused('vr-b', 'stale', 'unasked');
  assert.deepEqual(conduct.takeSummaries(), [
    { peer: 'vr-a', misbehaving: false, refusals: { 'has unasked': 2 } },
    { peer: 'vr-b', misbehaving: false, refusals: { 'stale unasked': 1 } },
  ]);
  assert.deepEqual(conduct.takeSummaries(), []);
  conduct.keepOnly(new Set(['vr-b']));
  assert.deepEqual(conduct.view('vr-a'), { refusals: 0, misbehaving: false });
});
