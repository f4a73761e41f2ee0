/** A site that has a name of its own: everything names the site, and goes to its router. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DirectoryView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const SITE = 'site-b';

/** `gndt.json` of every router, changed. */
function nameSite(lab: Lab): void {
  for (const { letter } of lab.plan.sites) {
    const file = join(lab.daemon(letter).directory, 'gndt.json');
    const gndt = JSON.parse(readFileSync(file, 'utf8'));
    gndt.sites = [{ id: SITE, routers: ['vr-b'] }];
    writeFileSync(file, JSON.stringify(gndt));
  }
}

async function untilAt(lab: Lab, asked: 'a' | 'b', ip: string, site: string): Promise<void> {
  await waitFor(`router ${asked} knows ${ip} to be at ${site}`, async () =>
    (await lab.daemon(asked).get<readonly DirectoryView[]>('/v1/directory')).some(
      (record) => record.ip === ip && record.router === site && record.state === 'here',
    ),
  );
}

test('traffic, a move there and back, a restart', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    nameSite(lab);
    for (const letter of ['a', 'b'] as const) lab.daemon(letter).start();
    await lab.waitConnected();
    for (const address of ['10.2.0.11', 'fd00:2::11']) await ping(lab, 'a1', address);
    const vm = lab.mover('vm');
    await untilAt(lab, 'b', vm.ipv4, 'vr-a');
    const stream = await TcpStream.open(lab, 'a1', 'vm', vm.ipv4, 200_000);
    await stream.mark();
    await lab.move('vm', 'b');
    for (const asked of ['a', 'b'] as const) await untilAt(lab, asked, vm.ipv4, SITE);
    await stream.progress(60_000);
    await lab.daemon('b').kill('SIGKILL');
    lab.daemon('b').start();
    await lab.waitConnected();
    await stream.progress(60_000);
    const route = await lab.vinectl('a', ['route', 'get', '10.2.0.11']);
    assert.match(route, /site-b/);
    await lab.move('vm', 'a');
    for (const asked of ['a', 'b'] as const) await untilAt(lab, asked, vm.ipv4, 'vr-a');
    await stream.progress(60_000);
    await stream.finish();
  });
});

test('another site gets and loses a second router by a reload; one of its own needs a restart', {
  skip: cannotRun,
}, async (t) => {
  await withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    nameSite(lab);
    for (const letter of ['a', 'b'] as const) lab.daemon(letter).start();
    await lab.waitConnected();
    const vm = lab.mover('vm');
    await lab.move('vm', 'b');
    await untilAt(lab, 'a', vm.ipv4, SITE);
    const stream = await TcpStream.open(lab, 'a1', 'vm', vm.ipv4, 200_000);
    const one = readConfig(lab.daemon('a'), 'gndt') as { routers: object[] };
    const publicKey = randomBytes(32).toString('base64');
    const two = {
      ...one,
      routers: [...one.routers, { id: 'vr-b2', publicKey, endpoints: ['udp://192.0.2.77:7700'] }],
      sites: [{ id: SITE, routers: ['vr-b', 'vr-b2'] }],
    };
    for (const letter of ['a', 'b'] as const) writeConfig(lab.daemon(letter), 'gndt', two);
    await stream.mark();
    assert.equal(
      await lab.vinectl('a', ['reload']),
      `+ router vr-b2  publicKey: ${publicKey}; endpoints: udp://192.0.2.77:7700\n~ site site-b  routers: vr-b → vr-b, vr-b2\n2 changes applied\n`,
    );
    const refused = await lab.daemon('b').vinectl(['reload']);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /gndt\.json: sites: who serves this router's own site cannot change while the router runs; restart it/,
    );
    const sites = (await lab.daemon('a').peers()).map(({ id, site, active }) => [id, site, active]);
    assert.deepEqual(sites, [
      ['vr-b', SITE, true],
      ['vr-b2', SITE, false],
    ]);
    await stream.progress(60_000);
    for (const letter of ['a', 'b'] as const) writeConfig(lab.daemon(letter), 'gndt', one);
    await lab.vinectl('a', ['reload']);
    assert.deepEqual(
      (await lab.daemon('a').peers()).map(({ id }) => id),
      ['vr-b'],
    );
    await stream.progress(60_000);
    await stream.finish();
    await untilAt(lab, 'a', vm.ipv4, SITE);
  });
});
