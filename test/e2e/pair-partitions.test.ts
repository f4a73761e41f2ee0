/** The two routers of a site do not hear each other on the LAN; the LAN falls in two halves, with the WAN and without. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { joinLan, separateOnLan, splitLan } from '../lab/links.js';
import { strike } from '../lab/pair.js';
import { pause } from '../lab/wait.js';
import { PairTraffic, withoutLoss, withPair } from './pair-support.js';
import { cannotRun, ping } from './support.js';

/** Several times what a takeover needs. */
const LONG_MS = 3_000;

test(
  'deaf to each other on the LAN, both WANs alive: nobody takes over, nothing is lost',
  { skip: cannotRun },
  (t) =>
    withPair(t, async (lab, pair) => {
      const traffic = await PairTraffic.open(lab);
      const { active } = await pair.whole();
      const { term } = await active.role();
      const ids = pair.routers.map(({ id }) => id);
      await withoutLoss(t, traffic, 'deaf, and healed', async () => {
        separateOnLan(lab, ids, true);
        await pause(LONG_MS);
        separateOnLan(lab, ids, false);
        await pause(LONG_MS);
      });
      const after = await pair.whole();
      assert.equal(after.active, active);
      assert.equal((await active.role()).term, term);
      await traffic.finish();
    }),
);

test(
  'the LAN in two halves: one router serves its half; without its WAN, each its own; healed',
  { skip: cannotRun },
  (t) =>
    withPair(t, async (lab, pair) => {
      const { active, standby } = await pair.whole();
      // The first host stays with the active router.
      const half = [standby.id, 'a2'];
      splitLan(lab, 'a', half);
      await pause(LONG_MS);
      assert.equal((await active.role()).role, 'active');
      assert.equal((await standby.role()).role, 'standby', 'they hear each other in the session');
      await ping(lab, 'a1', '10.2.0.11');
      const heal = await strike(lab, active, 'wan');
      await pair.taken(standby);
      await ping(lab, 'a2', '10.2.0.11');
      await ping(lab, 'b1', '10.1.0.12');
      // Each half has its own.
      assert.equal((await active.role()).role, 'active');
      for (const host of ['a1', 'a2']) await ping(lab, host, '10.1.0.3');
      await heal();
      joinLan(lab, 'a', half);
      const healedMs = performance.now();
      await pair.whole();
      t.diagnostic(`whole ${Math.round(performance.now() - healedMs)} ms after it was healed`);
      for (const host of ['a1', 'a2']) {
        await ping(lab, host, '10.2.0.11');
        await ping(lab, host, 'fd00:2::11');
      }
    }),
);

test(
  'the whole site is without its WAN: one stays active, and serves on when it is back',
  { skip: cannotRun },
  (t) =>
    withPair(t, async (lab, pair) => {
      const ids = pair.routers.map(({ router }) => router.tag);
      const cut = async (isCut: boolean): Promise<void> => {
        for (const tag of ids) {
          await lab.wan({ from: tag, cut: isCut });
          await lab.wan({ to: tag, cut: isCut });
        }
      };
      await cut(true);
      await pause(LONG_MS);
      const roles = (await Promise.all(pair.routers.map((daemon) => daemon.role()))).map(({ role }) => role);
      assert.deepEqual(roles.sort(), ['active', 'standby'], 'their heartbeats on the LAN go on');
      await cut(false);
      await pair.whole();
      for (const host of ['a1', 'a2']) await ping(lab, host, '10.2.0.11');
    }),
);

/** What the router sends of the tunnel reaches the other one nowhere, not by its LAN either. */
async function cutSession(lab: Lab, daemon: Daemon, other: Daemon): Promise<void> {
  const rule = (text: string): Promise<unknown> => lab.exec(daemon.id, ['nft', ...text.split(' ')]);
  const { lanHost, wanHost } = other.router;
  await rule('add table inet lab_cut');
  await rule('add chain inet lab_cut in { type filter hook input priority 0 ; }');
  for (const address of [`192.0.2.${wanHost}`, `10.1.0.${lanHost}`])
    await rule(`add rule inet lab_cut in ip saddr ${address} meta l4proto udp drop`);
  await rule('add rule inet lab_cut in ip6 saddr fd00:1::/64 meta l4proto udp drop');
}

test(
  'no session between the two, both WANs alive and lossy: nobody takes over; one that stood still leaves the LAN to the other',
  { skip: cannotRun },
  (t) =>
    withPair(t, async (lab, pair) => {
      const { active, standby } = await pair.whole();
      await cutSession(lab, active, standby);
      await cutSession(lab, standby, active);
      await lab.wan({ lossPercent: 5, jitterMs: 20 });
      await pause(5 * LONG_MS);
      assert.equal((await active.role()).role, 'active');
      assert.equal((await standby.role()).role, 'standby');
      await lab.wan({ lossPercent: 0, jitterMs: 0 });
      active.suspend();
      await pair.taken(standby);
      active.resume();
      await pause(LONG_MS);
      assert.equal((await active.role()).role, 'standby');
      assert.equal((await standby.role()).role, 'active');
      for (const { id } of pair.routers) await lab.exec(id, ['nft', 'delete', 'table', 'inet', 'lab_cut']);
      assert.equal((await pair.whole()).active, standby);
      await ping(lab, 'b1', '10.1.0.11');
    }),
);
