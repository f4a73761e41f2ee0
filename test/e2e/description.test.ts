/** One signed description for three real routers: published at one, with all soon; bad ones refused; undone by lost peers. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { NetworkView } from '../../src/control/network-view.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { waitFor } from '../lab/wait.js';
import { type Admin, administrator, restartWithNetwork } from './description-support.js';
import { type GndtText, readGndt } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const SITES: readonly SiteLetter[] = ['a', 'b', 'c'];
const OTHERS = { a: ['vr-b', 'vr-c'], b: ['vr-a', 'vr-c'], c: ['vr-a', 'vr-b'] } as const;

/** All three with the network's key pinned, and version 1 from the first one. */
async function signedLab(lab: Lab): Promise<{ admin: Admin; gndt: GndtText }> {
  const admin = administrator(lab);
  const gndt = readGndt(lab.daemon('a'));
  const publicKey = await admin.init();
  await restartWithNetwork(
    SITES.map((site) => lab.daemon(site)),
    { publicKey },
  );
  for (const site of SITES) await lab.daemon(site).waitReady([...OTHERS[site]]);
  await admin.sign(gndt);
  await admin.network('publish', admin.gndt, '--no-wait');
  await allHave(lab, 1);
  return { admin, gndt };
}

const view = (lab: Lab, site: SiteLetter): Promise<NetworkView> =>
  lab.daemon(site).get<NetworkView>('/v1/network');

/** Until the next one may be published. */
async function stands(lab: Lab, version: number): Promise<void> {
  for (const site of SITES)
    await waitFor(
      `version ${version} stands at ${site}`,
      async () => (await view(lab, site)).trial === null,
      90_000,
    );
}

async function allHave(lab: Lab, version: number, limitMs = 10_000): Promise<void> {
  for (const site of SITES)
    await waitFor(
      `site ${site} has version ${version}`,
      async () => (await view(lab, site)).version === version,
      limitMs,
    );
}

test(
  'a description is published once and is with all; bad ones are refused, each with its reason',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'three-site' }, async (lab) => {
      const { admin, gndt } = await signedLab(lab);
      await ping(lab, 'a1', '10.2.0.11');
      await admin.sign({
        ...gndt,
        networks: [...gndt.networks, { vnet: 'blue', prefix: '10.77.0.0/24', router: 'vr-c' }],
      });
      const early = await admin.refused('publish', admin.gndt, '--no-wait');
      assert.match(early, /version 1 is on trial here: it stands in \d+ s/);
      await stands(lab, 1);
      const begunMs = Date.now();
      await admin.network('publish', admin.gndt, '--no-wait');
      await allHave(lab, 2);
      t.diagnostic(`published and with all three in ${Date.now() - begunMs} ms`);
      const rows = await lab.daemon('b').get<{ prefix: string }[]>('/v1/gndt');
      assert.ok(rows.some(({ prefix }) => prefix === '10.77.0.0/24'));
      assert.match(await admin.network('list'), /version 2, on trial/);
      // A bad one each.
      rmSync(`${admin.gndt}.sig`);
      assert.match(await admin.refused('publish', admin.gndt), /sign the file first/);
      writeFileSync(`${admin.gndt}.sig`, `${'A'.repeat(86)}==\n`);
      assert.match(await admin.refused('publish', admin.gndt), /signature does not hold/);
      await admin.network('show', '-o', admin.gndt);
      await admin.network('publish', admin.gndt, '--no-wait');
      await ping(lab, 'b1', '10.3.0.11');
      assert.equal((await view(lab, 'b')).version, 2);
      // After a start it is still there, and the trial goes on.
      await lab.daemon('b').kill();
      lab.daemon('b').start();
      await lab.daemon('b').waitReady([...OTHERS.b]);
      assert.equal((await view(lab, 'b')).version, 2);
      assert.notEqual((await view(lab, 'b')).trial, null);
      await stands(lab, 2);
      const cipher = { ...gndt, cipher: 'aes-256-gcm' } as GndtText;
      await admin.sign(cipher);
      assert.match(
        await admin.refused('publish', admin.gndt, '--no-wait'),
        /cipher.*cannot change while the router runs/s,
      );
    }),
);

test('one that cuts a router off is undone everywhere without a hand', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site' }, async (lab) => {
    const { admin, gndt } = await signedLab(lab);
    await stands(lab, 1);
    const cut = {
      ...gndt,
      routers: gndt.routers.filter(({ id }) => id !== 'vr-c'),
      networks: gndt.networks.filter(({ router }) => router !== 'vr-c'),
    };
    await admin.sign(cut);
    const begunMs = Date.now();
    await admin.network('publish', admin.gndt, '--no-wait');
    for (const site of ['a', 'b'] as const)
      await waitFor(`${site} has it`, async () => (await view(lab, site)).version === 2);
    await allHave(lab, 1, 90_000);
    t.diagnostic(`undone everywhere after ${Date.now() - begunMs} ms`);
    for (const site of ['a', 'b'] as const) {
      const { undone } = await view(lab, site);
      assert.match(undone[0]?.reason ?? '', /1 of 2 peers were lost for 60 s: vr-c/);
    }
    for (const site of SITES) await lab.daemon(site).waitReady([...OTHERS[site]], 30_000);
    await ping(lab, 'a1', '10.3.0.11');
    assert.match(await admin.refused('publish', admin.gndt, '--no-wait'), /version 2 was undone here/);
  }),
);
