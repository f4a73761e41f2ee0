/** QEMU mirrors a disk through couriers while it is written to: by an NBD client, and by a guest that then moves with its memory. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import type { JobView } from '../../src/courier/job/job.js';
import {
  guestImage,
  guestMemory,
  kernelFile,
  missingForGuests,
  readyLine,
  wroteLine,
} from '../lab/qemu/image.js';
import { laterQemu, missingLaterQemu } from '../lab/qemu/later.js';
import { Qmp } from '../lab/qemu/qmp.js';
import { waitFor } from '../lab/wait.js';
import {
  BLOCK,
  cannotRun,
  LIMIT_MS,
  MIB,
  makeImage,
  missing,
  say,
  succeed,
  World,
} from './courier-disks-support.js';

const EMULATORS = [
  ['7.2', ['/usr/bin/qemu-system-x86_64'], missing('qemu-system-x86_64')],
  ['10', laterQemu(), missingLaterQemu() ?? false],
] as const;

/** QEMU without a guest: its block layer has the source, serves it to a writer, and mirrors it. */
async function mirrorer(world: World, emulator: readonly string[], source: string): Promise<Qmp> {
  const control = world.path('qmp.sock');
  const [program = '', ...first] = emulator;
  world.spawn(
    program,
    ...[...first, '-machine', 'none', '-nodefaults', '-display', 'none', '-S'],
    ...['-qmp', `unix:${control},server=on,wait=off`],
  );
  const qmp = await waitFor('QEMU answers', () => existsSync(control) && Qmp.open(control), LIMIT_MS);
  const file = { driver: 'file', filename: source };
  await qmp.execute('blockdev-add', { 'node-name': 'source', driver: 'raw', file, discard: 'unmap' });
  await qmp.execute('nbd-server-start', {
    addr: { type: 'unix', data: { path: world.path('guest.sock') } },
  });
  const exported = { type: 'nbd', id: 'guest', 'node-name': 'source', name: 'guest', writable: true };
  await qmp.execute('block-export-add', exported);
  return qmp;
}

interface BlockJob {
  readonly device: string;
  readonly ready: boolean;
}

async function mirror(world: World, qmp: Qmp): Promise<void> {
  const server = { type: 'unix', path: world.path('disk.sock') };
  await qmp.execute('blockdev-add', { 'node-name': 'courier', driver: 'nbd', server, export: 'disk' });
  await qmp.execute('blockdev-mirror', {
    ...{ 'job-id': 'mirror', device: 'source', target: 'courier', sync: 'full' },
  });
}

async function job(qmp: Qmp): Promise<BlockJob | undefined> {
  const jobs = await qmp.execute<readonly BlockJob[]>('query-block-jobs');
  return jobs.find(({ device }) => device === 'mirror');
}

async function isReady(qmp: Qmp): Promise<void> {
  await waitFor('the mirror is ready', async () => (await job(qmp))?.ready === true, LIMIT_MS);
}

/** Of a mirror that is ready: resolves when both are alike. */
async function end(qmp: Qmp): Promise<void> {
  await qmp.execute('block-job-cancel', { device: 'mirror' });
  await waitFor('the job is over', async () => (await job(qmp)) === undefined, LIMIT_MS);
}

/** A guest with a disk that it writes to, without a network; or where it is to go. Resolves when QEMU answers. */
async function machine(
  world: World,
  emulator: readonly string[],
  name: string,
  image: string,
  incoming?: string,
): Promise<Qmp> {
  const [program = '', ...first] = emulator;
  const control = world.path(`${name}-qmp.sock`);
  const words =
    'console=ttyS0 edd=off quiet panic=-1 lab.ip=10.9.9.9/24 lab.ip6=fd09::9/64 lab.default= lab.routes= lab.echo=7 lab.write=0.2';
  world.spawn(
    program,
    ...first,
    ...['-machine', 'pc,accel=tcg', '-m', guestMemory, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-serial', `file:${world.path(`${name}-console`)}`, '-qmp', `unix:${control},server=on,wait=off`],
    ...['-kernel', kernelFile, '-initrd', guestImage(), '-append', words],
    ...['-blockdev', `driver=file,node-name=file,filename=${image},discard=unmap`],
    ...['-blockdev', 'driver=raw,node-name=source,file=file,discard=unmap'],
    ...['-device', 'virtio-blk-pci,drive=source'],
    ...(incoming === undefined ? [] : ['-incoming', `unix:${incoming}`]),
  );
  return waitFor(`QEMU ${name} answers`, () => existsSync(control) && Qmp.open(control), LIMIT_MS);
}

/** How often the guest has written and flushed, as it says. */
function writes(world: World, name: string): number {
  const console = world.path(`${name}-console`);
  const said = existsSync(console) ? readFileSync(console, 'utf8') : '';
  return Number([...said.matchAll(new RegExp(`${wroteLine} ([0-9]+)`, 'g'))].at(-1)?.[1] ?? 0);
}

for (const [version, emulator, gone] of EMULATORS) {
  test(`QEMU ${version} mirrors a disk that is written to, over a WAN that is cut: the destination is the same at the switch`, {
    skip: cannotRun || gone,
  }, async (t) => {
    const world = await World.start(t);
    const source = world.path('source.img');
    const allocated = makeImage(source);
    const qmp = await mirrorer(world, emulator, source);
    await mirror(world, qmp);
    const guest = `nbd+unix:///guest?socket=${world.path('guest.sock')}`;
    let wrote = 0;
    /** What a guest does: blocks here and there, and now and then a flush. */
    const write = async (round: number): Promise<void> => {
      const at = Array.from({ length: 10 }, (_, index) => ((round * 37 + index * 101) % 1000) * BLOCK);
      const commands = at.flatMap((offset, index) => [
        ...['-c', `write -P ${1 + ((round + index) % 250)} ${offset} ${index % 3 === 0 ? 4096 : BLOCK}`],
      ]);
      await succeed('qemu-io', '-f', 'raw', ...commands, '-c', 'flush', guest);
      wrote += 10 * BLOCK;
    };
    for (let round = 0; round < 5; round++) await write(round);
    await waitFor(
      'a part is there',
      async () => ((await world.running())?.bytesWritten ?? 0) > 5 * MIB,
      LIMIT_MS,
    );
    world.wan.cut();
    for (let round = 5; round < 8; round++) await write(round);
    world.wan.mend();
    for (let round = 8; round < 12; round++) await write(round);
    await isReady(qmp);
    // The switch: nobody writes any more, and the job says when all is there.
    await qmp.execute('block-export-del', { id: 'guest', mode: 'hard' });
    await end(qmp);
    await world.same(source);
    await qmp.execute('blockdev-del', { 'node-name': 'courier' });
    const view = await world.over();
    say(t, view, allocated + wrote);
    assert.equal(view.state, 'complete', view.reason);
    assert.ok(view.resumed >= 1);
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
    assert.equal(digest(source), digest(world.path('target.img')));
    const wan = view.wanBytesSent + view.wanBytesReceived;
    assert.ok(wan <= 1.2 * statSync(source).blocks * 512, `${wan} bytes on the WAN`);
    qmp.close();
  });

  test(`a guest of QEMU ${version} that writes to its disk moves with disk and memory through couriers, and goes on writing`, {
    skip: cannotRun || gone || (missingForGuests() ?? false),
  }, async (t) => {
    let destination: Qmp | undefined;
    const world = await World.start(t, 'raw', async (begun) => {
      destination = await machine(begun, emulator, 'b', begun.path('target.img'), begun.path('for-vm.sock'));
      await destination.execute('nbd-server-start', {
        addr: { type: 'unix', data: { path: begun.path('nbd.sock') } },
      });
      const exported = { type: 'nbd', id: 'disk', 'node-name': 'source', name: '', writable: true };
      await destination.execute('block-export-add', exported);
    });
    if (destination === undefined) throw new Error('there is no destination');
    const source = world.path('source.img');
    const allocated = makeImage(source);
    const qmp = await machine(world, emulator, 'a', source);
    await waitFor('the guest writes', () => writes(world, 'a') > 3, LIMIT_MS);
    assert.ok(readFileSync(world.path('a-console'), 'utf8').includes(readyLine));
    await mirror(world, qmp);
    await isReady(qmp);
    const before = writes(world, 'a');
    await waitFor('it goes on writing', () => writes(world, 'a') > before + 5, LIMIT_MS);
    const capabilities = ['pause-before-switchover', 'return-path'].map((capability) => ({
      capability,
      state: true,
    }));
    await qmp.execute('migrate-set-capabilities', { capabilities });
    await qmp.execute('migrate', { uri: `unix:${world.path('to-vm.sock')}` });
    const status = async (): Promise<string | undefined> =>
      (await qmp.execute<{ status?: string }>('query-migrate')).status;
    const reaches = (wanted: string): Promise<unknown> =>
      waitFor(
        `the migration is in state ${wanted}`,
        async () => {
          const is = await status();
          assert.notEqual(is, 'failed');
          return is === wanted;
        },
        LIMIT_MS,
      );
    await reaches('pre-switchover');
    await end(qmp);
    await world.same(source);
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
    assert.equal(digest(source), digest(world.path('target.img')));
    const written = writes(world, 'a');
    await qmp.execute('blockdev-del', { 'node-name': 'courier' });
    const view = await world.over();
    say(t, view, allocated);
    assert.equal(view.state, 'complete', view.reason);
    await destination.execute('block-export-del', { id: 'disk' });
    await destination.execute('nbd-server-stop');
    await qmp.execute('migrate-continue', { state: 'pre-switchover' });
    await reaches('completed');
    await waitFor('the guest writes at the other site', () => writes(world, 'b') > written + 3, LIMIT_MS);
    const jobs = JSON.parse(await world.ask('a', 'jobs')) as readonly JobView[];
    assert.deepEqual([jobs.at(-1)?.state, jobs.at(-1)?.identical], ['complete', true]);
    const wan = view.wanBytesSent + view.wanBytesReceived;
    const takes = statSync(source).blocks * 512;
    t.diagnostic(`${written} writes of 128 KiB; the image takes ${takes} bytes, on the WAN ${wan}`);
    assert.ok(wan <= 1.2 * takes, `${wan} bytes on the WAN`);
    for (const one of [qmp, destination]) one.close();
  });
}
