/** The gateway machine itself takes part through a TUN port, beside a LAN or without one; nothing is left of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, isUnreachable, ping, untilKnownAt, withLab } from './support.js';

const someBytes = 3_000_000;
/** Fast enough that the kernel makes super-packets of it. */
const bytesPerSecond = 8_000_000;

async function carries(lab: Lab, from: string, to: string, address: string): Promise<void> {
  const stream = await TcpStream.open(lab, from, to, address, bytesPerSecond);
  await stream.progress(someBytes, 30_000);
  await stream.finish();
}

/** Routes that the kernel has through the TUN port. */
async function routesOf(lab: Lab, node: string): Promise<string[]> {
  const show = async (family: string): Promise<string[]> => {
    const { stdout } = await lab.attempt(node, ['ip', family, 'route', 'show', 'dev', 'vine0']);
    return stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);
  };
  return [...(await show('-4')), ...(await show('-6'))];
}

test('beside a LAN: the gateway machines reach each other, and both sites’ hosts', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tun: ['a'] }, async (lab) => {
    await waitFor('routes', async () => (await routesOf(lab, 'vr-a')).includes('10.2.0.0/24'));
    for (const [from, address] of [
      ['vr-a', '10.2.0.11'],
      ['vr-a', 'fd00:2::12'],
      ['b1', '10.1.0.1'],
      ['b2', 'fd00:1::1'],
      ['a1', '10.1.0.1'],
      ['vr-a', '10.1.0.12'],
    ] as const)
      await ping(lab, from, address);
    await carries(lab, 'vr-a', 'b1', '10.2.0.11');
    await carries(lab, 'b1', 'vr-a', 'fd00:1::1');
    assert.ok(await isUnreachable(lab, 'a1', '10.2.0.1'), 'site b has no TUN port, but its machine answers');
    const counters = await lab.daemon('b').counters();
    assert.ok((counters.drop_own_address_without_tun ?? 0) > 0, 'and that is not counted');
    const route = JSON.parse(await lab.vinectl('a', ['route', 'get', '10.1.0.1', '--json'])) as {
      to: string;
    };
    assert.equal(route.to, 'vine0');
  }),
);

test('beside a LAN: a node that moves away and one that visits', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tun: ['a', 'b'] }, async (lab) => {
    await untilKnownAt(lab, 'b', '10.1.0.9', 'a');
    await ping(lab, 'vr-a', '10.1.0.9');
    await lab.move('vm', 'b');
    await untilKnownAt(lab, 'a', '10.1.0.9', 'b');
    await waitFor('host route', async () => (await routesOf(lab, 'vr-a')).includes('10.1.0.9'));
    await ping(lab, 'vr-a', '10.1.0.9'); // away from here
    await ping(lab, 'vr-b', '10.1.0.9'); // visiting here
    await lab.move('vm', 'a');
    await untilKnownAt(lab, 'b', '10.1.0.9', 'a');
    await waitFor('host route gone', async () => !(await routesOf(lab, 'vr-a')).includes('10.1.0.9'));
    await ping(lab, 'vr-a', '10.1.0.9');
  }),
);

test('without a LAN: a machine that is its own router, until it is killed', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', withoutLan: ['a'], daemons: false }, async (lab) => {
    // Its LAN interface would have the very address that the TUN port is to have.
    for (const command of ['ip link set lan0 down', 'ip addr flush dev lan0'])
      await lab.exec('vr-a', command.split(' '));
    const before = await lab.exec('vr-a', ['ip', 'addr']);
    for (const site of ['a', 'b'] as const) lab.daemon(site).start();
    await lab.waitConnected();
    await ping(lab, 'vr-a', '10.2.0.11');
    await ping(lab, 'b2', '10.1.0.1');
    await ping(lab, 'vr-a', 'fd00:2::11');
    await carries(lab, 'b1', 'vr-a', '10.1.0.1');
    await carries(lab, 'vr-a', 'b2', 'fd00:2::12');
    await lab.daemon('a').kill('SIGKILL');
    const asBefore = async (): Promise<boolean> => (await lab.exec('vr-a', ['ip', 'addr'])) === before;
    await waitFor('no trace of it', asBefore);
    lab.daemon('a').start();
    await lab.waitConnected();
    await ping(lab, 'vr-a', '10.2.0.11');
    await lab.daemon('a').kill('SIGTERM');
    await waitFor('no trace of it', asBefore);
  }),
);
