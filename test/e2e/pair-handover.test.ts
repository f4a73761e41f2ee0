/** What an operator does with a pair, under traffic: not a packet may be lost or doubled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PairTraffic, withoutLoss, withPair } from './pair-support.js';
import { cannotRun } from './support.js';

const HAND_OVERS = 4;

test('hand-overs by hand, from either side', { skip: cannotRun }, (t) =>
  withPair(t, async (lab, pair) => {
    const traffic = await PairTraffic.open(lab);
    for (let i = 0; i < HAND_OVERS; i++)
      await withoutLoss(t, traffic, `hand-over ${i + 1}`, async () => void (await pair.handOver()));
    const { active, standby } = await pair.whole();
    await withoutLoss(t, traffic, 'taken over by the order of the other one', async () => {
      const { status, stderr } = await standby.vinectl(['role', 'active']);
      assert.equal(status, 0, stderr);
      assert.equal((await pair.whole()).active, standby);
    });
    await withoutLoss(t, traffic, 'an order that changes nothing', async () => {
      const { status, stderr } = await active.vinectl(['role', 'standby']);
      assert.equal(status, 0, stderr);
      assert.equal((await pair.whole()).active, standby);
    });
    await traffic.finish();
  }),
);

test('a clean stop of the active router, and its return', { skip: cannotRun }, (t) =>
  withPair(t, async (lab, pair) => {
    const traffic = await PairTraffic.open(lab);
    const { active, standby } = await pair.whole();
    await withoutLoss(t, traffic, `${active.id} stops`, async () => {
      await active.kill('SIGTERM', 10_000);
      assert.equal((await pair.taken(standby)).role, 'active');
    });
    await withoutLoss(t, traffic, `${active.id} is back`, async () => {
      active.start();
      assert.equal((await pair.whole()).active, standby);
    });
    await traffic.finish();
  }),
);

test('an upgrade of both', { skip: cannotRun }, (t) =>
  withPair(t, async (lab, pair) => {
    const traffic = await PairTraffic.open(lab);
    const { active: first, standby: second } = await pair.whole();
    await withoutLoss(t, traffic, 'the whole upgrade', async () => {
      for (const daemon of [second, first]) {
        if ((await pair.whole()).active === daemon) await pair.handOver();
        await daemon.kill('SIGTERM', 10_000);
        daemon.start();
        await pair.whole();
      }
    });
    assert.equal((await pair.whole()).active, second);
    await traffic.finish();
  }),
);

test('an order that cannot be obeyed is refused in words', { skip: cannotRun }, (t) =>
  withPair(t, async (_lab, pair) => {
    const { active, standby } = await pair.whole();
    await standby.kill('SIGKILL');
    const { status, stdout, stderr } = await active.vinectl(['role', 'standby']);
    assert.notEqual(status, 0, 'it handed over to nobody');
    assert.ok((stdout + stderr).trim().length > 0);
    assert.equal((await active.role()).role, 'active');
    standby.start();
    await pair.whole();
  }),
);
