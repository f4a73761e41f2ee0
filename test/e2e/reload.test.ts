/** Live reload at running routers: what an operator does with it, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { type GndtText, post, readConfig, readGndt, writeConfig } from './reload-support.js';
import { cannotRun, isUnreachable, ping, withLab } from './support.js';

function without(gndt: GndtText, router: string): GndtText {
  return {
    ...gndt,
    routers: gndt.routers.filter(({ id }) => id !== router),
    networks: gndt.networks.filter((network) => network.router !== router),
  };
}

/** How many records site a's router has of another. */
async function recordsOf(lab: Lab, router: string): Promise<number> {
  const records = await lab.daemon('a').get<{ router: string }[]>('/v1/directory');
  return records.filter((record) => record.router === router).length;
}

async function reloadAll(lab: Lab, sites: readonly ('a' | 'b')[], gndt: GndtText): Promise<void> {
  for (const site of sites) {
    writeConfig(lab.daemon(site), 'gndt', gndt);
    await lab.vinectl(site, ['reload']);
  }
}

test('a site is removed and added again; others do not notice', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site' }, async (lab) => {
    const all = readGndt(lab.daemon('a'));
    await ping(lab, 'a1', '10.3.0.11');
    assert.ok((await recordsOf(lab, 'vr-c')) > 0);
    await reloadAll(lab, ['a', 'b'], without(all, 'vr-c'));
    assert.equal(await recordsOf(lab, 'vr-c'), 0, 'what the removed router has said is still known');
    assert.ok(await isUnreachable(lab, 'a1', '10.3.0.11'), 'the removed site is reached');
    assert.ok(await isUnreachable(lab, 'c1', '10.1.0.11'), 'the removed site reaches another');
    await ping(lab, 'a1', '10.2.0.11');
    await reloadAll(lab, ['a', 'b'], { ...all, routers: [...all.routers].reverse() });
    await waitFor('vr-c is up again', async () =>
      (await lab.daemon('a').peers()).some(({ id, state }) => id === 'vr-c' && state === 'up'),
    );
    await ping(lab, 'a1', '10.3.0.11');
    await ping(lab, 'c1', 'fd00:2::11');
  }),
);

test('nodes, gateways and settings change live; SIGHUP does it too', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const daemon = lab.daemon('a');
    assert.ok(await isUnreachable(lab, 'ax', '10.2.0.11'));
    const lndt = readConfig(daemon, 'lndt') as { nodes: object[] };
    writeConfig(daemon, 'lndt', { nodes: [...lndt.nodes, { vnet: 'blue', ip: '10.1.0.66' }] });
    const dry = await lab.vinectl('a', ['reload', '--dry-run']);
    assert.equal(dry, '+ node blue 10.1.0.66\n1 change, nothing applied (dry run)\n');
    assert.ok(await isUnreachable(lab, 'ax', '10.2.0.11'), 'a dry run has done it');
    if (daemon.pid === undefined) throw new Error('vined is gone');
    process.kill(daemon.pid, 'SIGHUP');
    await waitFor('the node is listed', async () =>
      (await daemon.get<{ node: string; state: string }[]>('/v1/lndt')).some(
        ({ node, state }) => node === '10.1.0.66' && state === 'static',
      ),
    );
    await ping(lab, 'ax', '10.2.0.11');
    writeConfig(daemon, 'lndt', lndt);
    await lab.vinectl('a', ['reload']);
    assert.ok(await isUnreachable(lab, 'ax', '10.2.0.11'), 'it is reached although it is listed no more');
    const router = readConfig(daemon, 'router');
    writeConfig(daemon, 'router', { ...router, log: { level: 'debug' }, mobility: { verify: 'off' } });
    assert.equal(
      await lab.vinectl('a', ['reload']),
      '~ log.level  info → debug\n~ mobility.verify  optimistic → off\n2 changes applied\n',
    );
  }),
);

test('what is wrong or fixed is refused, and nothing has changed', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const daemon = lab.daemon('a');
    const gndt = readGndt(daemon);
    const router = readConfig(daemon, 'router');
    writeConfig(daemon, 'gndt', { ...gndt, networks: [{ ...gndt.networks[0], prefix: '10.1.0.9/24' }] });
    const broken = await daemon.vinectl(['reload']);
    assert.deepEqual([broken.status, broken.stdout], [1, '']);
    assert.match(broken.stderr, /^vinectl: gndt\.json: networks\[0\]\.prefix: /);
    writeConfig(daemon, 'gndt', without(gndt, 'vr-b'));
    writeConfig(daemon, 'router', {
      ...router,
      stateDir: '/tmp/elsewhere',
      lans: [{ interface: 'wan0', vnet: 'blue' }],
    });
    const fixed = await daemon.vinectl(['reload']);
    assert.equal(fixed.status, 1);
    assert.match(fixed.stderr, /router\.json: lans: its LAN interfaces cannot change while the router runs/);
    assert.match(fixed.stderr, /router\.json: stateDir: the state directory cannot change/);
    const { status, body } = await post(daemon, '/v1/reload');
    assert.deepEqual([status, (body.errors as unknown[]).length], [409, 2]);
    await ping(lab, 'a1', '10.2.0.11');
    const events = await daemon.get<{ event: string }[]>('/v1/events');
    assert.equal(events.filter(({ event }) => event === 'reload_refused').length, 3);
  }),
);

test('an operator who locks himself out is let in again', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const daemon = lab.daemon('a');
    const gndt = readGndt(daemon);
    writeConfig(daemon, 'gndt', without(gndt, 'vr-b'));
    await lab.vinectl('a', ['reload', '--confirm', '2']);
    assert.deepEqual(await daemon.peers(), []);
    await waitFor('the other site is back', async () => (await daemon.peers())[0]?.state === 'up');
    await ping(lab, 'a1', '10.2.0.11');
    assert.match((await daemon.status()).warnings.join('\n'), /a reload was not confirmed in time/);
    writeConfig(daemon, 'gndt', { ...gndt, networks: [...gndt.networks].reverse() });
    await lab.vinectl('a', ['reload', '--confirm', '2']);
    await lab.vinectl('a', ['confirm']);
    assert.deepEqual(
      (await daemon.status()).warnings.filter((warning) => /reload/.test(warning)),
      [],
    );
  }),
);
