/** Volumes that move between two couriers: with qemu-io and nbdcopy at both ends, couriers that are killed, and a guest of QEMU that follows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { guestImage, kernelFile, missingForGuests, wroteLine } from '../lab/qemu/image.js';
import { Qmp } from '../lab/qemu/qmp.js';
import { waitFor } from '../lab/wait.js';
import { LIMIT_MS, missing, SIZE, succeed } from './courier-disks-support.js';
import { MoveWorld } from './courier-moves-support.js';

const cannotRun = missing('qemu-io', 'qemu-img', 'nbdcopy');

test('a volume moves while it is written to, the WAN is cut and both couriers are killed: it is what was written', {
  skip: cannotRun,
}, async (t) => {
  const world = await MoveWorld.start(t);
  const shadow = world.path('shadow.img');
  await succeed('qemu-img', 'create', '-q', '-f', 'raw', shadow, String(SIZE));
  let at = world.uri('a');
  const both = async (...commands: readonly string[]): Promise<void> => {
    await world.io(at, ...commands, 'flush');
    await world.io(shadow, ...commands, 'flush');
  };
  await both('write -P 1 0 20M', 'write -P 2 30M 5M', 'write -P 3 63M 1M', 'write -z 2M 1M');
  const moved = await world.disk('a', 'move', 'vm', '--to', 'b', '--background');
  assert.equal(moved.status, 0, moved.stderr);
  await both('write -P 4 40M 3M', 'write -P 5 1M 64k', 'write -P 6 1M 64k', 'discard 31M 300k');
  world.wan.cut();
  await both('write -P 7 41M 512', 'write -P 8 1M 64k');
  await world.kill('b');
  await world.serve('b');
  world.wan.mend();
  await both('write -P 9 1M 64k', 'write -P 10 20M 4M');
  await world.kill('a');
  await world.serve('a');
  await both('write -P 11 50M 2M', ...[1, 2, 3, 4].map((round) => `write -P ${20 + round} 50M 1M`));
  await world.state('b', 'receiving');
  at = world.uri('b');
  await both('write -P 12 50M 100k', 'write -P 13 10M 256k', 'write -P 14 11M 512');
  await world.kill('b');
  await world.serve('b');
  await both('write -P 15 19M 128k', 'discard 51M 512k');
  await world.kill('a');
  await world.serve('a');
  await world.state('b', 'done');
  await world.state('a', 'released');
  const copy = world.path('copy.img');
  await succeed('nbdcopy', at, copy);
  await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', copy, shadow);
  const late = await world.disk('a', 'status');
  assert.match(late.stdout, /vm to b: released/);
});

test('whoever interrupts the progress of a move interrupts nothing else; a move is given up by its own verb', {
  skip: cannotRun,
}, async (t) => {
  const world = await MoveWorld.start(t);
  await world.io(world.uri('a'), 'write -P 1 0 2M', 'flush');
  const [command = '', ...words] = world.words('a', 'move', 'vm', '--to', 'b');
  const child = world.spawn(command, ...words);
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await waitFor('all is pushed', () => said.includes('8 there, 0 remain'), LIMIT_MS);
  const over = once(child, 'exit');
  child.kill('SIGINT');
  assert.deepEqual(await over, [0, null]);
  assert.match(said, /the move of vm goes on/);
  assert.equal((await world.status('a')).move?.state, 'pushing');
  const again = await world.disk('a', 'move', 'vm', '--to', 'b');
  assert.equal(again.status, 1);
  assert.match(again.stderr, /on its way to b already/);
  assert.equal((await world.disk('a', 'abandon', 'vm')).status, 0);
  await waitFor('nothing is there', async () => (await world.status('b')).modifiedChunks === 0, LIMIT_MS);
  await world.io(world.uri('a'), 'read -P 1 0 2M', 'write -P 2 0 1M');
  const following = world.disk('a', 'move', 'vm', '--to', 'b', '--complete-first', '0');
  await waitFor('all is pushed', async () => (await world.status('a')).move?.remaining === 0, LIMIT_MS);
  assert.equal((await world.disk('b', 'take', 'vm')).status, 0);
  const { status, stderr } = await following;
  assert.equal(status, 0, stderr);
  assert.match(stderr, /this one is not needed any more/);
  await world.io(world.uri('b'), 'read -P 2 0 1M', 'read -P 1 1M 1M');
});

/** A guest with its volume as its disk; or where it is to go. */
async function machine(world: MoveWorld, site: 'a' | 'b', incoming?: string): Promise<Qmp> {
  const control = world.path(`${site}-qmp.sock`);
  const words =
    'console=ttyS0 edd=off quiet panic=-1 lab.ip=10.9.9.9/24 lab.ip6=fd09::9/64 lab.default= lab.routes= lab.echo=7 lab.write=0.2';
  const server = `server.type=unix,server.path=${world.socket(site)}`;
  world.spawn(
    '/usr/bin/qemu-system-x86_64',
    ...['-machine', 'pc,accel=tcg', '-m', '96', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-serial', `file:${world.path(`${site}-console`)}`, '-qmp', `unix:${control},server=on,wait=off`],
    ...['-kernel', kernelFile, '-initrd', guestImage(), '-append', words],
    ...['-blockdev', `driver=nbd,node-name=disk,export=vm,${server},discard=unmap`],
    ...['-device', 'virtio-blk-pci,drive=disk'],
    ...(incoming === undefined ? [] : ['-incoming', `unix:${incoming}`]),
  );
  return waitFor(`QEMU ${site} answers`, () => existsSync(control) && Qmp.open(control), LIMIT_MS);
}

/** How often the guest has written and flushed, as it says. */
function writes(world: MoveWorld, site: 'a' | 'b'): number {
  const console = world.path(`${site}-console`);
  const said = existsSync(console) ? readFileSync(console, 'utf8') : '';
  return Number([...said.matchAll(new RegExp(`${wroteLine} ([0-9]+)`, 'g'))].at(-1)?.[1] ?? 0);
}

async function reaches(qmp: Qmp, wanted: string): Promise<void> {
  await waitFor(
    `the migration is ${wanted}`,
    async () => (await qmp.execute<{ status?: string }>('query-migrate')).status === wanted,
    LIMIT_MS,
  );
}

test('a guest of QEMU that writes moves twice: first in vain, then with its volume', {
  skip: cannotRun || missing('qemu-system-x86_64') || (missingForGuests() ?? false),
}, async (t) => {
  const world = await MoveWorld.start(t);
  const source = await machine(world, 'a');
  await waitFor('the guest writes', () => writes(world, 'a') > 3, LIMIT_MS);
  assert.equal((await world.disk('a', 'move', 'vm', '--to', 'b', '--background')).status, 0);
  await world.state('b', 'receiving');
  // A destination that dies before the guest is there: nothing has changed for it.
  const failed = await machine(world, 'b', world.path('first.sock'));
  await failed.execute('quit').catch(() => undefined);
  failed.close();
  const before = writes(world, 'a');
  await waitFor('the guest goes on writing', () => writes(world, 'a') > before + 2, LIMIT_MS);
  assert.equal((await world.status('b')).move?.state, 'receiving');
  const destination = await machine(world, 'b', world.path('second.sock'));
  // It arrives standing still, as it leaves: so both sides can be compared before control has come.
  await source.execute('stop');
  await succeed('nbdcopy', world.uri('a'), world.path('a.img'));
  await source.execute('migrate', { uri: `unix:${world.path('second.sock')}` });
  await reaches(source, 'completed');
  const written = writes(world, 'a');
  await succeed('nbdcopy', world.uri('b'), world.path('b.img'));
  await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', world.path('a.img'), world.path('b.img'));
  assert.equal((await world.status('b')).move?.state, 'receiving');
  await destination.execute('cont');
  await waitFor('it writes at the other site', () => writes(world, 'b') > written + 3, LIMIT_MS);
  await world.state('a', 'released');
  await waitFor('and goes on', () => writes(world, 'b') > written + 6, LIMIT_MS);
  const { move } = await world.status('b');
  t.diagnostic(`${written} writes of 128 KiB before; ${JSON.stringify(move)}`);
  assert.doesNotMatch(world.logs.a, /ALARM/);
  assert.doesNotMatch(world.logs.b, /control was not given/);
  for (const one of [source, destination]) {
    await one.execute('quit').catch(() => undefined);
    one.close();
  }
});
