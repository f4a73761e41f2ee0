/**
 * Machines on the LAN that advertise the pair's virtual router: they make nobody change its role, keep nobody from taking
 * over, and are told of.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { Pair } from '../lab/pair.js';
import { unlistedAddress } from '../lab/plan.js';
import { pause, waitFor } from '../lab/wait.js';
import { PairTraffic, withOutage, withoutLoss, withPair } from './pair-support.js';
import { cannotRun } from './support.js';

const program = new URL('../lab/traffic/advertise.js', import.meta.url).pathname;
const EVERY_MS = 20;
/** Several times what a takeover needs. */
const LONG_MS = 3_000;

interface Forgery {
  readonly source: string;
  readonly priority: number;
  readonly ttl: number;
}

/** Advertises from the LAN's unlisted host, until the answered function is called. */
async function advertise(lab: Lab, pair: Pair, forgery: Forgery): Promise<() => void> {
  const [lan] = (await pair.routers[0].role()).lans;
  assert.ok(lan);
  const words = [forgery.source, lan.vrid, forgery.priority, forgery.ttl, EVERY_MS, '10.1.0.3'].map(String);
  const child = lab.spawn('ax', [process.execPath, program, 'eth0', ...words]);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('close', () => reject(new Error(`advertise ended: ${said}`)));
  });
  return () => child.stdin.end();
}

const rolesOf = async (pair: Pair): Promise<unknown> =>
  (await Promise.all(pair.routers.map((daemon) => daemon.role()))).map(({ router, role, term }) => ({
    router,
    role,
    term,
  }));

const addressOf = (daemon: Daemon): string => `10.1.0.${daemon.router.lanHost}`;

for (const [title, from, priority, ttl] of [
  ['as the active router that steps down', 'active', 0, 255],
  ['as the active router, with the highest priority', 'active', 255, 255],
  ['as the standby, with the highest priority', 'standby', 255, 255],
  ['as the active router, from behind a router (TTL 254)', 'active', 255, 254],
] as const)
  test(`forged ${title}: no role changes, and a takeover comes all the same`, { skip: cannotRun }, (t) =>
    withPair(t, async (lab, pair) => {
      const traffic = await PairTraffic.open(lab);
      const roles = await pair.whole();
      const before = await rolesOf(pair);
      const stop = await advertise(lab, pair, { source: addressOf(roles[from]), priority, ttl });
      await withoutLoss(t, traffic, 'forged', () => pause(LONG_MS));
      assert.deepEqual(await rolesOf(pair), before);
      const { active, standby } = roles;
      if (ttl !== 255) {
        const counters: unknown = await standby.counters();
        assert.match(JSON.stringify(counters), /ip_ttl_errors":[1-9]/);
      }
      await withOutage(t, traffic, `${active.id} killed meanwhile`, async () => {
        await active.kill('SIGKILL');
        await pair.taken(standby);
      });
      stop();
      active.start();
      await pair.whole();
      await traffic.finish();
    }),
  );

test('a stranger with the same VRID is told of, and not fought', { skip: cannotRun }, (t) =>
  withPair(t, async (lab, pair) => {
    const traffic = await PairTraffic.open(lab);
    await pair.whole();
    const before = await rolesOf(pair);
    const stop = await advertise(lab, pair, { source: unlistedAddress, priority: 255, ttl: 255 });
    await withoutLoss(t, traffic, 'a stranger advertises', async () => {
      for (const daemon of pair.routers)
        await waitFor(`${daemon.id} tells of the stranger`, async () =>
          (await daemon.role()).lans[0]?.strangers.includes(unlistedAddress),
        );
      await pause(LONG_MS);
    });
    assert.deepEqual(await rolesOf(pair), before);
    const { status, stdout } = await pair.routers[0].vinectl(['doctor']);
    assert.notEqual(status, 0);
    assert.match(stdout, new RegExp(unlistedAddress.replaceAll('.', '\\.')));
    stop();
    await traffic.finish();
  }),
);
