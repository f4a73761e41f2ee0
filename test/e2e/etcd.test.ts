/** Debian's etcd beside a running vined: what is put there is with all routers; killed, the last one stays and spreads on. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NetworkView } from '../../src/control/network-view.js';
import { noEtcd } from '../contract/etcd-server.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { waitFor } from '../lab/wait.js';
import { administrator, restartWithNetwork } from './description-support.js';
import { type GndtText, readConfig, readGndt, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const url = 'http://127.0.0.1:2379';
const sites: readonly SiteLetter[] = ['a', 'b'];

/** On the machine of router a, which alone reaches it. */
async function startEtcd(lab: Lab): Promise<ChildProcess> {
  const options = {
    'data-dir': join(lab.directory, 'etcd'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': 'http://127.0.0.1:2380',
    'log-level': 'error',
    logger: 'zap',
  };
  const child = lab.spawn('vr-a', [
    '/usr/bin/etcd',
    ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
  ]);
  for (const stream of [child.stdout, child.stderr]) stream.resume();
  await waitFor('etcd answers', async () => {
    assert.equal(child.exitCode, null, 'etcd has ended');
    const { stdout } = await lab.attempt('vr-a', ['curl', '-sS', '--max-time', '1', `${url}/health`]);
    return stdout.includes('true');
  });
  return child;
}

const view = (lab: Lab, site: SiteLetter): Promise<NetworkView> =>
  lab.daemon(site).get<NetworkView>('/v1/network');

async function allHave(lab: Lab, version: number): Promise<void> {
  for (const site of sites)
    await waitFor(`${site} has version ${version}`, async () => (await view(lab, site)).version === version);
}

const withNetwork = (gndt: GndtText, prefix: string): GndtText => ({
  ...gndt,
  networks: [...gndt.networks, { vnet: 'blue', prefix, router: 'vr-b' }],
});

test(
  'an etcd beside one router has the description for both; without it the last one stays',
  {
    skip: cannotRun || noEtcd,
  },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      const admin = administrator(lab);
      const [a, b] = [lab.daemon('a'), lab.daemon('b')];
      const gndt = readGndt(a);
      const publicKey = await admin.init();
      const etcd = await startEtcd(lab);
      const metrics = { listen: '127.0.0.1:9770' };
      writeConfig(a, 'router', { ...readConfig(a, 'router'), metrics });
      await restartWithNetwork([a], { publicKey, etcd: [url] });
      await restartWithNetwork([b], { publicKey });
      await a.waitReady(['vr-b']);
      await b.waitReady(['vr-a']);
      const publish = (...argv: string[]): Promise<string> =>
        lab.exec('vr-a', [
          ...[`${projectRoot}bin/vinectl`, '--socket', a.socket, 'network', 'publish', admin.gndt, ...argv],
        ]);
      const scrape = (): Promise<string> =>
        lab.exec('vr-a', ['curl', '-sS', '--fail', 'http://127.0.0.1:9770/metrics']);

      await admin.sign(withNetwork(gndt, '10.77.0.0/24'));
      const begunMs = performance.now();
      await publish('--etcd', '--config', a.directory);
      await allHave(lab, 1);
      t.diagnostic(`with both ${Math.round(performance.now() - begunMs)} ms after it was put into the etcd`);
      const rows = await b.get<{ prefix: string }[]>('/v1/gndt');
      assert.ok(rows.some(({ prefix }) => prefix === '10.77.0.0/24'));
      assert.match(await scrape(), /^vine_etcd_reached 1$/m);
      assert.match(await scrape(), /^vine_description_version 1$/m);
      await ping(lab, 'a1', '10.2.0.11');

      etcd.kill('SIGKILL');
      await waitFor('its loss is told', async () => (await view(lab, 'a')).etcd?.reached === false);
      assert.match(await lab.vinectl('a', ['status']), /no etcd answers/);
      assert.match(await scrape(), /^vine_etcd_reached 0$/m);
      assert.equal((await view(lab, 'a')).version, 1);
      await ping(lab, 'b1', '10.1.0.11');
      // Also over a restart, with nobody to ask.
      await a.kill();
      a.start();
      await a.waitReady(['vr-b']);
      assert.equal((await view(lab, 'a')).version, 1);
      // What is published without it spreads as ever. At b, where nothing is on trial when the trial of a began anew.
      await waitFor('version 1 stands at b', async () => (await view(lab, 'b')).trial === null, 90_000);
      await admin.sign(withNetwork(gndt, '10.78.0.0/24'));
      await lab.exec('vr-b', [
        ...[`${projectRoot}bin/vinectl`, '--socket', b.socket, 'network', 'publish', admin.gndt, '--no-wait'],
      ]);
      await allHave(lab, 2);

      // It comes back with version 1, which does not count any more.
      const again = await startEtcd(lab);
      await waitFor('what it has is refused', async () => {
        const { etcd: seen } = await view(lab, 'a');
        return seen?.reached === true && seen.refusal !== null;
      });
      assert.match(
        (await view(lab, 'a')).etcd?.refusal ?? '',
        /it is version 1, and this router has version 2/,
      );
      await allHave(lab, 2);
      again.kill('SIGKILL');
    }),
);
