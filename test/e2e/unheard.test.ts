/**
 * Addresses that nobody has heard of follow their machine: a dual-stack node announces by RARP alone, and its IPv6 address
 * has spoken to nobody, or to hosts of its own LAN only. And a drill: a machine that moves again and again loses nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectoryView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { moverAddress, whoDoesNotReach } from './families.js';
import { cannotRun, ping, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 20;

async function isKnown(lab: Lab, address: string): Promise<boolean> {
  const records = await lab.daemon('a').get<readonly DirectoryView[]>('/v1/directory');
  return records.some(({ ip, state }) => ip === address && state === 'here');
}

/** An address that lndt.json lists, and that nobody has had so far. */
async function addAddress(lab: Lab): Promise<string> {
  const address = moverAddress(lab, 'vm', 6).replace(/[^:]+$/, '99');
  await lab.exec('vm', ['ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad']);
  return address;
}

test('an IPv6 address that has never spoken follows its machine', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    const ipv4 = moverAddress(lab, 'vm', 4);
    await untilKnownAt(lab, 'b', ipv4, 'a');
    const address = await addAddress(lab);
    await lab.move('vm', 'b', { announce: 'rarp' });
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, ipv4, 'b');
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'b');
    assert.deepEqual(await whoDoesNotReach(lab, address), []);
    assert.deepEqual(await whoDoesNotReach(lab, ipv4), []);
  });
});

test('one that has spoken to its own LAN only is known, and follows', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    const address = await addAddress(lab);
    assert.equal(await isKnown(lab, address), false);
    await ping(lab, 'a1', address);
    await waitFor('the router of site a has heard of it', () => isKnown(lab, address));
    await lab.move('vm', 'b', { announce: 'rarp' });
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'b');
    assert.deepEqual(await whoDoesNotReach(lab, address), []);
  });
});

test('a host of the old LAN that has it in its cache: found by the MAC', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    const ipv4 = moverAddress(lab, 'vm', 4);
    await untilKnownAt(lab, 'b', ipv4, 'a');
    await lab.move('vm', 'b', { announce: 'rarp' });
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, ipv4, 'b');
    // After it has been asked for its addresses.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const address = await addAddress(lab);
    const { mac } = lab.mover('vm');
    await lab.exec('a1', [
      'ip',
      'neigh',
      'replace',
      address,
      'lladdr',
      mac,
      'dev',
      'eth0',
      'nud',
      'permanent',
    ]);
    const pings = lab.attempt('a1', ['ping', '-n', '-i', '0.2', '-c', '25', address]);
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'b');
    assert.equal((await pings).status, 0);
  });
});

test('a drill of twelve moves: all followed, one connection', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    const address = moverAddress(lab, 'vm', 4);
    await untilKnownAt(lab, 'b', address, 'a');
    const stream = await TcpStream.open(lab, 'a1', 'vm', address, 200_000);
    const gaps: string[] = [];
    for (let move = 0; move < 12; move++) {
      const to = (['b', 'c', 'a'] as const)[move % 3] ?? 'a';
      await stream.mark();
      await lab.move('vm', to, { announce: 'both' });
      for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, to);
      await stream.progress(60_000);
      gaps.push(round(stream.gapMs));
    }
    t.diagnostic(`gaps: ${gaps.join(', ')} ms`);
    await stream.finish();
    for (const { letter } of lab.plan.sites) {
      const records = await lab.daemon(letter).get<readonly DirectoryView[]>('/v1/directory');
      assert(records.every(({ frozen }) => !frozen));
    }
  });
});
