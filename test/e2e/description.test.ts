/** One signed description for three real routers: published at one, with all soon; bad ones refused; undone by lost peers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { NetworkView } from '../../src/control/network-view.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { waitFor } from '../lab/wait.js';
import { type GndtText, readConfig, readGndt, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const SITES: readonly SiteLetter[] = ['a', 'b', 'c'];
const OTHERS = { a: ['vr-b', 'vr-c'], b: ['vr-a', 'vr-c'], c: ['vr-a', 'vr-b'] } as const;

interface Admin {
  readonly gndt: string;
  /** Runs `vinectl network …` on the administrator's machine. */
  network(...argv: string[]): Promise<string>;
  refused(...argv: string[]): Promise<string>;
  /** Writes and signs it. */
  sign(gndt: GndtText, ...more: string[]): Promise<void>;
}

const run = promisify(execFile);

function administrator(lab: Lab): Admin {
  const directory = join(lab.daemon('a').directory, 'administrator');
  const gndt = join(directory, 'gndt.json');
  const key = join(directory, 'network.key');
  const network = async (...argv: string[]): Promise<string> =>
    (await run(`${projectRoot}bin/vinectl`, ['--socket', lab.daemon('a').socket, 'network', ...argv])).stdout;
  let version = 0;
  return {
    gndt,
    network,
    refused: async (...argv) => {
      const failed: { code?: number; stderr?: string } = await network(...argv).then(
        () => assert.fail(`${argv.join(' ')} was not refused`),
        (error: unknown) => error as object,
      );
      assert.equal(failed.code, 1, failed.stderr);
      return failed.stderr ?? '';
    },
    sign: async (text, ...more) => {
      writeFileSync(gndt, JSON.stringify({ ...text, version: version++ || undefined }, undefined, 2));
      await network('sign', gndt, '--key', key, ...more);
    },
  };
}

/** All three with the network's key pinned, and version 1 from the first one. */
async function signedLab(lab: Lab): Promise<{ admin: Admin; gndt: GndtText }> {
  const admin = administrator(lab);
  const gndt = readGndt(lab.daemon('a'));
  const directory = join(lab.daemon('a').directory, 'administrator');
  const made = JSON.parse(await admin.network('init', directory, '--json')) as { publicKey: string };
  for (const site of SITES) {
    const daemon = lab.daemon(site);
    await daemon.kill();
    writeConfig(daemon, 'router', {
      ...readConfig(daemon, 'router'),
      network: { publicKey: made.publicKey },
    });
    daemon.start();
  }
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
