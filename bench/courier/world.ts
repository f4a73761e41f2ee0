/** Two sites whose guests move plainly over the WAN, or through couriers. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JobView } from '../../src/courier/job/job.js';
import { LabCouriers, SITES } from '../../test/e2e/courier-support.js';
import { Lab } from '../../test/lab/lab.js';
import { Guest, type MigrationResult, type Through } from '../../test/lab/qemu/guest.js';
import { waitFor } from '../../test/lab/wait.js';

export const WAN = { delayMs: 20, rateMbit: 100 };
/** Of the first relay; the others follow. */
const FIRST_PORT = 7720;
const RELAY = new URL('../../test/lab/relay.js', import.meta.url).pathname;

export type Way = 'plain' | 'courier';
type Site = 'a' | 'b';

export interface Moved {
  /** From the first guest's start to the last one's end. */
  readonly seconds: number;
  readonly downtimeMs: readonly number[];
  /** Of the hypervisors' streams. */
  readonly streamBytes: number;
  /** In both directions; of plain migration the stream's own, without what TCP adds. */
  readonly wanBytes: number;
}

export interface MovedByCouriers extends Moved {
  /** What was left when pages had become references, before compression. */
  readonly instructionBytes: number;
  readonly codec: string;
  readonly pages: number;
  readonly pagesNew: number;
  readonly pagesReferenced: number;
  readonly pagesAskedFor: number;
  readonly identical: boolean;
}

/** Carries one guest's plain migrations in one direction: a process at each site, as kernel TCP would without a router's help. */
class Relay {
  #said = '';
  readonly #processes: ChildProcessWithoutNullStreams[] = [];

  constructor(
    private readonly lab: Lab,
    readonly through: Through,
  ) {}

  static async start(lab: Lab, vm: string, from: Site, port: number): Promise<Relay> {
    const to = from === 'a' ? 'b' : 'a';
    const directory = join(lab.directory, 'plain');
    mkdirSync(directory, { recursive: true });
    const uri = `unix:${join(directory, `${from}-to-${vm}.sock`)}`;
    const incoming = join(directory, `${to}-for-${vm}.sock`);
    const relay = new Relay(lab, { uri, incoming, returnPath: true });
    const wan = `tcp:${SITES[to].address}:${port}`;
    relay.#run(to, wan, `unix:${incoming}`, () => undefined);
    relay.#run(from, uri, wan, (text) => {
      relay.#said += text;
    });
    await waitFor('the relay is ready', () => relay.#said.includes('ready'));
    return relay;
  }

  /** Of all connections that have ended, each in both directions. */
  get bytes(): readonly { readonly there: number; readonly back: number }[] {
    return [...this.#said.matchAll(/(\d+) there, (\d+) back/g)].map(([, there, back]) => {
      return { there: Number(there), back: Number(back) };
    });
  }

  #run(site: Site, from: string, to: string, heard: (text: string) => void): void {
    const child = this.lab.spawn(SITES[site].host, [process.execPath, RELAY, from, to]);
    child.stdout.on('data', (text: Buffer) => heard(text.toString()));
    child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
    this.#processes.push(child);
  }
}

export class World {
  private constructor(
    readonly lab: Lab,
    private readonly vms: readonly string[],
    private readonly couriers: LabCouriers,
    private readonly relays: ReadonlyMap<string, Relay>,
    private readonly guests: readonly Guest[],
  ) {}

  /** Its guests are at site a. */
  static async with<Value>(
    count: number,
    node: string,
    body: (world: World) => Promise<Value>,
  ): Promise<Value> {
    const lab = await Lab.up({ topology: 'two-site' });
    try {
      const vms = Array.from({ length: count }, (_, number) => `vm${number}`);
      const couriers = await LabCouriers.start(lab, vms, node);
      const relays = new Map<string, Relay>();
      for (const [number, vm] of vms.entries())
        for (const from of ['a', 'b'] as const)
          relays.set(vm + from, await Relay.start(lab, vm, from, FIRST_PORT + 2 * number));
      await lab.wan(WAN);
      const guests = await bootAll(lab, vms);
      const world = new World(lab, vms, couriers, relays, guests);
      return await body(world).catch((error: unknown) => {
        for (const site of ['a', 'b'] as const) console.error(couriers.log(site).slice(-3_000));
        throw error;
      });
    } finally {
      await lab.down();
    }
  }

  /** Each guest does it; all at once. */
  async order(line: string): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.order(line)));
  }

  async plain(from: Site): Promise<Moved> {
    const relays = this.vms.map((vm) => this.#relay(vm, from));
    const before = relays.map(({ bytes }) => bytes.length);
    const { results, seconds } = await this.#move(from, (number) => relays[number]?.through);
    const all = await waitFor('the relays have seen the end', () => {
      const bytes = relays.map((relay, number) => relay.bytes[before[number] ?? 0]);
      return bytes.every((one) => one !== undefined) && bytes;
    });
    const sum = (of: 'there' | 'back'): number => all.reduce((total, one) => total + (one?.[of] ?? 0), 0);
    const streamBytes = sum('there');
    return { seconds, downtimeMs: downtimes(results), streamBytes, wanBytes: streamBytes + sum('back') };
  }

  async courier(from: Site): Promise<MovedByCouriers> {
    const before = (await this.couriers.ask<readonly JobView[]>(from, 'jobs')).length;
    const { results, seconds } = await this.#move(from, (number) => {
      return { ...this.couriers.through(this.vms[number] ?? '', from), returnPath: true };
    });
    const jobs = await this.couriers.allOver(from, before, this.guests.length);
    const sum = (of: (job: JobView) => number): number => jobs.reduce((total, job) => total + of(job), 0);
    return {
      ...{ seconds, downtimeMs: downtimes(results) },
      ...{
        streamBytes: sum((job) => job.streamBytes),
        instructionBytes: sum((job) => job.instructionBytes),
      },
      wanBytes: sum((job) => job.wanBytesSent + job.wanBytesReceived),
      codec: [...new Set(jobs.map((job) => job.codec))].join(' '),
      ...{ pages: sum((job) => job.pages), pagesNew: sum((job) => job.pagesNew) },
      pagesReferenced: sum((job) => job.pagesReferenced),
      pagesAskedFor: sum((job) => job.pagesAskedFor),
      identical: jobs.every((job) => job.identical === true && job.state === 'complete'),
    };
  }

  #relay(vm: string, from: Site): Relay {
    const relay = this.relays.get(vm + from);
    if (relay === undefined) throw new Error(`no relay for ${vm} at site ${from}`);
    return relay;
  }

  /** All at once. */
  async #move(
    from: Site,
    through: (number: number) => Through | undefined,
  ): Promise<{ readonly results: readonly MigrationResult[]; readonly seconds: number }> {
    const startMs = performance.now();
    const to = from === 'a' ? 'b' : 'a';
    const results = await Promise.all(
      this.guests.map((guest, number) => guest.migrate(to, false, through(number))),
    );
    return { results, seconds: Math.round(performance.now() - startMs) / 1000 };
  }
}

function downtimes(results: readonly MigrationResult[]): number[] {
  return results.map(({ downtimeMs }) => downtimeMs);
}

function bootAll(lab: Lab, vms: readonly string[]): Promise<Guest[]> {
  const task = Guest.task(lab);
  // Nobody talks with them: they must only differ.
  const own = (number: number): Pick<typeof task, 'mac' | 'ipv4' | 'ipv6'> => ({
    mac: task.mac.replace(/..$/, (0x50 + number).toString(16)),
    ipv4: task.ipv4.replace(/\.\d+\//, `.${150 + number}/`),
    ipv6: task.ipv6.replace(/:[0-9a-f]+\//, `:${150 + number}/`),
  });
  return Promise.all(
    vms.map((_, number) => Guest.boot(lab, 'a', { ...task, ...own(number), takesOrders: true })),
  );
}
