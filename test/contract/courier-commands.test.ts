/** Real QEMU is sent through two couriers by nothing but the commands that `vinectl courier send` and `receive` print. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Step } from '../../src/courier/commands.js';
import { ask } from '../../src/courier/control.js';
import type { DiskView } from '../../src/courier/disk/view.js';
import type { JobView } from '../../src/courier/job/job.js';
import { projectRoot } from '../lab/daemon.js';
import { Qmp } from '../lab/qemu/qmp.js';
import { waitFor } from '../lab/wait.js';
import { vinectl } from '../unit/cli/harness.js';

const QEMU = '/usr/bin/qemu-system-x86_64';
const missing = existsSync(QEMU) ? false : 'qemu-system-x86 is not installed: run scripts/setup --tests';
const TOKEN = 'a token that has more than thirty-two characters';
const DISK_BYTES = 1 << 20;
const LIMIT_MS = 20_000;

class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-commands-'));
  readonly #children: ChildProcess[] = [];

  /** Two couriers, each a process of its own. */
  static async start(t: TestContext): Promise<World> {
    const world = new World();
    t.after(() => world.#stop());
    const [a, b] = await Promise.all([freePort(), freePort()]);
    writeFileSync(world.path('token'), TOKEN);
    const unix = (name: string): string => `unix:${world.path(name)}`;
    await world.#courier('a', {
      peers: { b: `tcp:127.0.0.1:${b}` },
      send: [{ listen: unix('to-vm.sock'), peer: 'b', destination: 'vm' }],
      disks: [{ listen: unix('to-disk.sock'), peer: 'b', destination: 'vm-disk' }],
    });
    await world.#courier('b', {
      listen: `tcp:127.0.0.1:${b}`,
      peers: { a: `tcp:127.0.0.1:${a}` },
      receive: { vm: { connect: unix('for-vm.sock') } },
      receiveDisks: { 'vm-disk': { connect: unix('for-disk.sock'), export: 'disk' } },
    });
    return world;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#children.push(child);
    return child;
  }

  async #courier(name: string, more: object): Promise<void> {
    const control = this.path(`${name}.sock`);
    const store = { memoryMb: 16, directory: this.path(`${name}-store`) };
    writeFileSync(
      this.path(`${name}.json`),
      JSON.stringify({ name, control, tokenFile: 'token', store, ...more }),
    );
    const child = spawn(
      process.execPath,
      [`${projectRoot}bin/vine-courier`, 'serve', '--config', this.path(`${name}.json`)],
      { stdio: 'ignore' },
    );
    this.#children.push(child);
    await waitFor(`courier ${name} serves`, () => existsSync(control), LIMIT_MS);
  }

  /** A machine without a guest in it: it stands still, and has memory, devices and a disk all the same. */
  async machine(name: string, ...more: readonly string[]): Promise<Qmp> {
    const control = this.path(`${name}-qmp.sock`);
    this.spawn(QEMU, [
      ...['-machine', 'pc,accel=tcg', '-m', '32', '-nodefaults', '-no-user-config', '-display', 'none', '-S'],
      ...['-qmp', `unix:${control},server=on,wait=off`],
      ...['-blockdev', `driver=file,node-name=file,filename=${this.path(`${name}.img`)}`],
      ...['-blockdev', 'driver=raw,node-name=disk0,file=file'],
      ...['-device', 'virtio-blk-pci,drive=disk0', ...more],
    ]);
    return waitFor(`QEMU ${name} answers`, () => existsSync(control) && Qmp.open(control), LIMIT_MS);
  }

  async steps(site: string, ...args: readonly string[]): Promise<Step[]> {
    const asked = ['courier', ...args, '--config', this.path(`${site}.json`), '--json'];
    const { status, out, err } = await vinectl(asked);
    assert.equal(status, 0, err);
    return JSON.parse(out).steps;
  }

  async view<View>(site: string, what: 'jobs' | 'disks'): Promise<View> {
    return JSON.parse(await ask(this.path(`${site}.sock`), `/v1/${what}`)) as View;
  }

  async #stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function run(qmp: Qmp, step: Step): Promise<void> {
  assert.equal(step.by, 'qmp');
  for (const line of step.commands) {
    const { execute, arguments: args } = JSON.parse(line) as { execute: string; arguments?: object };
    await qmp.execute(execute, args);
  }
}

/** What the step says has to come. */
async function waitUntil(world: World, qmp: Qmp, { until }: Step): Promise<void> {
  const wanted = /^query-migrate says "([a-z-]+)"/.exec(until)?.[1];
  const jobs = async (): Promise<readonly { device: string; ready: boolean }[]> =>
    qmp.execute('query-block-jobs');
  if (wanted !== undefined)
    await waitFor(
      until,
      async () => {
        const { status } = await qmp.execute<{ status?: string }>('query-migrate');
        assert.notEqual(status, 'failed');
        return status === wanted;
      },
      LIMIT_MS,
    );
  else if (until.includes('BLOCK_JOB_READY'))
    await waitFor(until, async () => (await jobs()).some(({ ready }) => ready), LIMIT_MS);
  else if (until.includes('BLOCK_JOB_COMPLETED'))
    await waitFor(until, async () => (await jobs()).length === 0, LIMIT_MS);
  else if (until.includes('"vinectl courier disks" says "complete"'))
    await waitFor(
      until,
      async () =>
        (await world.view<readonly DiskView[]>('a', 'disks')).every(({ state }) => state === 'complete'),
      LIMIT_MS,
    );
  else assert.equal(until, '');
}

test('a machine with its disk goes from QEMU to QEMU by the printed commands', {
  skip: missing,
}, async (t) => {
  const world = await World.start(t);
  const image = Buffer.alloc(DISK_BYTES, 'what the disk has on it ');
  writeFileSync(world.path('source.img'), image);
  writeFileSync(world.path('target.img'), Buffer.alloc(DISK_BYTES));
  const sent = await world.steps('a', 'send', '--vm', 'vm', '--to', 'b');
  const there = await world.steps('b', 'receive', '--vm', 'vm');
  const [waits] = there.splice(0, 1);
  const words = waits?.commands[0]?.split(' ') ?? [];
  const source = await world.machine('source');
  const target = await world.machine('target', ...words);
  for (const qmp of [source, target]) t.after(() => qmp.close());
  for (const step of sent.slice(1)) {
    // With what courier b knows instead of <…>.
    const known = step.at === 'b' ? there.shift() : step;
    assert.ok(known);
    assert.equal(known.commands.length, step.commands.length);
    const qmp = step.at === 'a' ? source : target;
    await run(qmp, known);
    await waitUntil(world, qmp, known);
    if (step.what.startsWith('end the mirror'))
      assert.deepEqual(readFileSync(world.path('target.img')), image);
  }
  assert.deepEqual(there, []);
  const [job] = await world.view<readonly JobView[]>('a', 'jobs');
  assert.deepEqual([job?.destination, job?.passedBecause], ['vm', 'device state']);
  await waitFor(
    'the courier says so, too',
    async () => (await world.view<readonly JobView[]>('a', 'jobs'))[0]?.identical === true,
    LIMIT_MS,
  );
  const [disk] = await world.view<readonly DiskView[]>('a', 'disks');
  assert.deepEqual([disk?.state, disk?.bytesWritten], ['complete', DISK_BYTES], disk?.reason);
  const { status } = await target.execute<{ status: string }>('query-status');
  assert.equal(status, 'running');
});
