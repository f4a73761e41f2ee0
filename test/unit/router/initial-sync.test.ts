import assert from 'node:assert/strict';
import { it } from 'node:test';
import { InitialSync } from '../../../src/router/life/initial-sync.js';
import { SimClock } from '../../support/sim-clock.js';

/** Whether the wait has ended, now. */
async function hasEnded(hearing: InitialSync): Promise<boolean> {
  return Promise.race([hearing.done.then(() => true), new Promise<false>((no) => setImmediate(no, false))]);
}

it('waits for every peer, and a moment for its records', async () => {
  const clock = new SimClock();
  const hearing = new InitialSync(clock, 2);
  hearing.peerUp('vr-b');
  clock.advance(1_000);
  assert.equal(await hasEnded(hearing), false);
  hearing.peerUp('vr-c');
  clock.advance(299);
  assert.equal(await hasEnded(hearing), false);
  clock.advance(1);
  assert.equal(await hasEnded(hearing), true);
});

it('does not take a peer that comes up twice for two', async () => {
  const clock = new SimClock();
  const hearing = new InitialSync(clock, 2);
  hearing.peerUp('vr-b');
  hearing.peerUp('vr-b');
  clock.advance(1_000);
  assert.equal(await hasEnded(hearing), false);
});

it('waits two seconds at most, and not at all when there is nobody', async () => {
  const clock = new SimClock();
  const hearing = new InitialSync(clock, 1);
  clock.advance(1_999);
  assert.equal(await hasEnded(hearing), false);
  clock.advance(1);
  assert.equal(await hasEnded(hearing), true);
  assert.equal(await hasEnded(new InitialSync(clock, 0)), true);
});
