/** A guest whose disk is a volume, which follows it through two couriers. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../src/courier/control.js';
import type { MoveView } from '../../src/courier/volume/move/view.js';
import { courierNode, SITES } from '../../test/e2e/courier-support.js';
import { projectRoot } from '../../test/lab/daemon.js';
import type { Lab } from '../../test/lab/lab.js';
import { waitFor } from '../../test/lab/wait.js';
import { DiskGuest } from './guest.js';

const PORT = 7711;
const PROGRAM = `${projectRoot}bin/vine-courier`;
const LIMIT_MS = 180_000;
/** A busy disk is slow, and not what is measured. */
const STALL_SECONDS = 120;

type Site = keyof typeof SITES;

export class Following {
  readonly #directory: string;
  readonly #couriers: ChildProcess[] = [];
  source!: DiskGuest;
  destination!: DiskGuest;

  private constructor(
    private readonly lab: Lab,
    private readonly name: string,
  ) {
    this.#directory = join(lab.directory, name);
  }

  /** @param name of this pair, once in a lab; resolves when the guest has booted at site a */
  static async start(lab: Lab, name: string, sizeMb: number): Promise<Following> {
    const pair = new Following(lab, name);
    mkdirSync(pair.#directory, { recursive: true });
    writeFileSync(pair.#path('token'), 'the couriers of a bench have this token');
    pair.#configure('a', sizeMb, { peers: { 'site-b': `tcp:${SITES.b.address}:${PORT}` } }, {});
    pair.#configure('b', sizeMb, { listen: `tcp:${SITES.b.address}:${PORT}` }, { receive: true });
    for (const site of ['b', 'a'] as const) await pair.#serve(site);
    pair.source = await DiskGuest.start(lab, SITES.a.host, `${name}-a`, pair.#disk('a'));
    return pair;
  }

  async move(): Promise<void> {
    await this.lab.exec(SITES.a.host, [
      ...[courierNode(), PROGRAM, 'disk', 'move', 'vm', '--to', 'site-b', '--background'],
      ...['--config', this.#path('a.json')],
    ]);
  }

  async view(site: Site): Promise<MoveView> {
    const text = await ask(this.#path(`${site}-control.sock`), '/v1/volumes');
    const [volume] = JSON.parse(text) as readonly { readonly move: MoveView | null }[];
    if (volume?.move == null) throw new Error(`no move at site ${site}`);
    return volume.move;
  }

  /** Until nothing further is pushed: what remains is written to all the time. */
  async pushed(): Promise<MoveView> {
    let [least, sinceMs] = [Number.POSITIVE_INFINITY, performance.now()];
    return waitFor(
      'what is seldom written is there',
      async () => {
        const view = await this.view('a');
        if (view.remaining < least) [least, sinceMs] = [view.remaining, performance.now()];
        return view.pushed > 0 && performance.now() - sinceMs > 1_000 && view;
      },
      LIMIT_MS,
    );
  }

  /** Resolves when it runs at site b. */
  async migrate(): Promise<void> {
    const incoming = this.#path('memory.sock');
    this.destination = await DiskGuest.start(
      this.lab,
      SITES.b.host,
      `${this.name}-b`,
      this.#disk('b'),
      incoming,
    );
    await this.source.migrate(incoming);
  }

  /** Until site a is not needed any more. */
  async released(): Promise<void> {
    const failure = (): string | undefined => /LAB-WRITER failed .*/.exec(this.destination.said)?.[0];
    const isReleased = async (): Promise<boolean> =>
      failure() !== undefined || (await this.view('a')).state === 'released';
    await waitFor('site a is not needed', isReleased, LIMIT_MS).catch(async (error: unknown) => {
      for (const site of ['a', 'b'] as const) console.error(`site ${site}`, await this.view(site));
      throw error;
    });
    if (failure() !== undefined) throw new Error(failure());
  }

  async quit(): Promise<void> {
    for (const guest of [this.source, this.destination]) await guest.quit();
    for (const courier of this.#couriers) courier.kill('SIGTERM');
  }

  #disk(site: Site): object {
    return { driver: 'nbd', export: 'vm', server: { type: 'unix', path: this.#path(`${site}-vm.sock`) } };
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #configure(site: Site, sizeMb: number, more: object, volume: object): void {
    const config = {
      ...{ name: `site-${site}`, tokenFile: 'token', control: this.#path(`${site}-control.sock`), ...more },
      store: { memoryMb: 256, directory: this.#path(`${site}-store`) },
      volumes: [
        {
          ...{
            name: 'vm',
            listen: `unix:${this.#path(`${site}-vm.sock`)}`,
            size: `${sizeMb}M`,
            stallSeconds: STALL_SECONDS,
          },
          ...{ directory: this.#path(`${site}-volume`), ...volume },
        },
      ],
    };
    writeFileSync(this.#path(`${site}.json`), JSON.stringify(config));
  }

  async #serve(site: Site): Promise<void> {
    const command = [courierNode(), PROGRAM, 'serve', '--config', this.#path(`${site}.json`)];
    const child = this.lab.spawn(SITES[site].host, command);
    this.#couriers.push(child);
    let log = '';
    child.stderr.on('data', (text: Buffer) => {
      log += text.toString();
      if (/ALARM|problem|error|cannot|not given/i.test(text.toString()))
        process.stderr.write(`courier ${site}: ${text}`);
    });
    await waitFor(`the courier at site ${site} is ready`, () => log.includes(': ready'), LIMIT_MS);
  }
}
