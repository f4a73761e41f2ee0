/** A site that has a name of its own: everything names the site, and goes to its router. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DirectoryView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
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
