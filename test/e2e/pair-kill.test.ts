/**
 * A site's active router is killed, or stands still for good or for a while, under traffic: the other one takes over, and
 * no connection breaks. VINE_PAIR_ROUNDS: how often (default 2); a hundred times is `scripts/bench failover`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { strike } from '../lab/pair.js';
import { PairTraffic, withOutage, withPair } from './pair-support.js';
import { cannotRun } from './support.js';

const rounds = Number(process.env.VINE_PAIR_ROUNDS ?? 2);

for (const fault of ['kill', 'stop'] as const)
  test(`${fault === 'kill' ? 'kill -9' : 'SIGSTOP for good'}, ${rounds} times`, { skip: cannotRun }, (t) =>
    withPair(t, async (lab, pair) => {
      const traffic = await PairTraffic.open(lab);
      for (let round = 0; round < rounds; round++) {
        const { active, standby } = await pair.whole();
        const { term } = await standby.role();
        let undo = async (): Promise<void> => {};
        await withOutage(t, traffic, `${fault} of ${active.id}`, async () => {
          undo = await strike(lab, active, fault);
          const taken = await pair.taken(standby);
          assert.equal(taken.term, term + 1);
        });
        await withOutage(t, traffic, `${active.id} comes back`, async () => {
          await undo();
          const after = await pair.whole();
          assert.equal(after.active, standby, 'it took its role back by itself');
        });
      }
      await traffic.finish();
    }),
  );

test('an active router that stood still for a while wakes up as the second one', { skip: cannotRun }, (t) =>
  withPair(t, async (lab, pair) => {
    const traffic = await PairTraffic.open(lab);
    const { active, standby } = await pair.whole();
    await withOutage(t, traffic, 'it stands still', async () => {
      active.suspend();
      await pair.taken(standby);
    });
    await withOutage(t, traffic, 'it goes on', async () => {
      active.resume();
      assert.equal((await pair.whole()).active, standby);
    });
    await traffic.finish();
  }),
);
