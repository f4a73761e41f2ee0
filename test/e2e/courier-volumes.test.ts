/** Volumes of a courier, with the programs that speak NBD on a Debian: nbdinfo, nbdcopy, qemu-img, qemu-io. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { VolumeView } from '../../src/courier/volume/volumes.js';
import { projectRoot } from '../lab/daemon.js';
import { run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { LIMIT_MS, MIB, makeImage, missing, SIZE, succeed } from './courier-disks-support.js';
import { courierNode } from './courier-support.js';

const skip = missing('qemu-img', 'qemu-io', 'nbdinfo', 'nbdcopy');
const program = `${projectRoot}bin/vine-courier`;

class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-volumes-'));
  #courier: ChildProcess | undefined;

  static async start(t: TestContext, volume: object): Promise<World> {
    const world = new World();
    t.after(() => world.#stop());
    writeFileSync(world.path('token'), 'the courier of a test has this token');
    const config = {
      ...{ name: 'a', tokenFile: 'token', control: world.path('control.sock') },
      store: { memoryMb: 16, directory: world.path('store') },
      volumes: [
        { name: 'vm', listen: `unix:${world.path('vm.sock')}`, directory: world.path('vm'), ...volume },
      ],
    };
    writeFileSync(world.path('courier.json'), JSON.stringify(config));
    await world.serve();
    return world;
  }

  get uri(): string {
    return `nbd+unix:///vm?socket=${this.path('vm.sock')}`;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async serve(): Promise<void> {
    const child = spawn(courierNode(), [program, 'serve', '--config', this.path('courier.json')], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#courier = child;
    let log = '';
    child.stderr.on('data', (text: Buffer) => {
      log += text.toString();
    });
    await waitFor('the courier is ready', () => log.includes(': ready'), LIMIT_MS);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#courier;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async view(): Promise<VolumeView> {
    const said = await this.say('disk', 'status', '--json');
    const [view] = JSON.parse(said) as VolumeView[];
    if (view === undefined) throw new Error('no volume');
    return view;
  }

  say(...words: readonly string[]): Promise<string> {
    return succeed(courierNode(), program, ...words, '--config', this.path('courier.json'));
  }

  async same(image: string): Promise<void> {
    await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, this.uri);
  }

  async #stop(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

test('nbdinfo, nbdcopy, qemu-img and qemu-io on a volume: the same as on a file, and holes stay holes', {
  skip,
}, async (t) => {
  const world = await World.start(t, { size: SIZE });
  const info = JSON.parse(await succeed('nbdinfo', '--json', world.uri)) as Record<string, unknown>;
  assert.equal(info.structured, true);
  const [shown] = info.exports as Record<string, unknown>[];
  assert.equal(shown?.['export-size'], SIZE);
  for (const can of [
    'can_flush',
    'can_fua',
    'can_multi_conn',
    'can_trim',
    'can_zero',
    'can_df',
    'can_fast_zero',
  ])
    assert.equal(shown?.[can], true, can);
  assert.match(await succeed('nbdinfo', '--list', world.uri), /export="vm"/);
  assert.match(await succeed('nbdinfo', '--map', world.uri), new RegExp(`^ *0 +${SIZE} +3 +hole,zero$`, 'm'));
  const source = world.path('source.img');
  const allocated = makeImage(source);
  await succeed('nbdcopy', source, world.uri);
  await world.same(source);
  const taken = statSync(world.path('vm/data')).blocks * 512;
  assert.ok(taken <= 1.3 * allocated + MIB, `${taken} bytes are allocated for ${allocated}`);
  const map = JSON.parse(await succeed('qemu-img', 'map', '-f', 'raw', '--output=json', world.uri)) as {
    length: number;
    data: boolean;
  }[];
  const data = map.reduce((sum, part) => sum + (part.data ? part.length : 0), 0);
  assert.ok(data <= 1.3 * allocated + MIB, `${data} bytes are data`);
  // The same work on a file.
  const words = [
    'write -P 0x22 1000 511',
    'write -z 512k 1M',
    'write -f -P 0x33 5M 64k',
    'write -zu 5M 4k',
    'flush',
  ];
  words.push('write -P 0 2M 128k', 'discard 2560k 64k', 'write -P 0x44 2500k 60k', 'aio_write -P 0x55 8M 4M');
  words.push('aio_flush', 'read -P 0x22 1000 511', 'read -P 0x55 8M 4M', 'read -P 0 512k 1M');
  const work = words.flatMap((word) => ['-c', word]);
  for (const image of [source, world.uri])
    await succeed('qemu-io', '-f', 'raw', '-t', 'writeback', '-d', 'unmap', ...work, image);
  await world.same(source);
  // Out again, as qcow2, by several connections.
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', world.uri, world.path('out.qcow2'));
  await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', source, world.path('out.qcow2'));
  await succeed('nbdcopy', '--connections=4', world.uri, world.path('out.img'));
  await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', source, world.path('out.img'));
  const view = await world.view();
  assert.equal(view.problem, null);
  assert.equal(view.sizeBytes, SIZE);
  assert.ok(view.modifiedBytes > 0.7 * allocated);
  assert.match(await world.say('disk', 'status'), /^VOLUME .*\nvm +default +64\.0 MiB/);
});

test('a volume on a base: killed while it is written, it has what was flushed, and the base is what it was', {
  skip,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'courier-base-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const base = join(directory, 'base.img');
  makeImage(base);
  const shadow = join(directory, 'shadow.img');
  await succeed('cp', '--sparse=always', base, shadow);
  const world = await World.start(t, { base: { file: base } });
  await world.same(base);
  assert.equal((await world.view()).modifiedChunks, 0);
  const words = [
    'write -P 0x11 100k 4k',
    'write -P 0x12 300k 900k',
    'write -z 20M 1M',
    'write -P 0x13 63M 1M',
    'flush',
  ];
  const work = words.flatMap((word) => ['-c', word]);
  for (const image of [shadow, world.uri])
    await succeed('qemu-io', '-f', 'raw', '-t', 'writeback', ...work, image);
  await world.same(shadow);
  // Beyond what was flushed it may have anything; only this range is written to.
  const more = run(
    ['qemu-img', 'bench', '-f', 'raw', '-w', '-c', '200000', '-s', '4k', '-o', '40M', world.uri],
    {
      timeoutMs: LIMIT_MS,
    },
  );
  await waitFor('it is being written to', async () => (await world.view()).modifiedChunks > 30, LIMIT_MS);
  await world.end('SIGKILL');
  assert.notEqual((await more).status, 0);
  await world.serve();
  for (const image of [shadow, world.uri])
    await succeed('qemu-io', '-f', 'raw', '-c', 'write -P 0x14 40M 23M', '-c', 'flush', image);
  await world.same(shadow);
  await world.end('SIGTERM');
  assert.match(
    await world.say('disk', 'check', 'vm'),
    /^vm: [0-9]+ of [0-9]+ modified chunks have a checksum/,
  );
  // A base that is another one is not served.
  writeFileSync(base, randomBytes(MIB));
  await world.serve();
  assert.match((await world.view()).problem ?? '', /another base image|has 67108864 bytes/);
  assert.ok(
    !existsSync(world.path('vm.sock')) ||
      (await run(['nbdinfo', world.uri], { timeoutMs: 5_000 })).status !== 0,
  );
});
