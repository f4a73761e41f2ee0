/** A guest with a disk, and nothing else, that a program in it writes to; it moves by its memory alone. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Lab } from '../../test/lab/lab.js';
import { guestImage, kernelFile, readyLine } from '../../test/lab/qemu/image.js';
import { Qmp } from '../../test/lab/qemu/qmp.js';
import { waitFor } from '../../test/lab/wait.js';

const LIMIT_MS = 60_000;
const LOOK_MS = 50;
const WORDS =
  'console=ttyS0 edd=off quiet panic=-1 lab.ip=10.9.9.9/24 lab.ip6=fd09::9/64 lab.default= lab.routes= lab.echo=7 lab.orders';

/** What the writer has written so far, by when this was seen here. */
interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export class DiskGuest {
  readonly #samples: Sample[] = [];
  readonly #looking: NodeJS.Timeout;
  #qmp!: Qmp;

  private constructor(private readonly directory: string) {
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#looking.unref();
  }

  /**
   * Resolves when it has booted, or waits for its memory.
   * @param disk the value of `-blockdev`, as JSON; the node is `disk`
   * @param incoming a Unix socket
   */
  static async start(
    lab: Lab,
    host: string,
    name: string,
    disk: object,
    incoming?: string,
  ): Promise<DiskGuest> {
    const directory = join(lab.directory, `disk-guest-${name}`);
    mkdirSync(directory, { recursive: true });
    const guest = new DiskGuest(directory);
    const command = [
      ...['qemu-system-x86_64', '-machine', 'pc,accel=tcg', '-m', '192', '-nodefaults', '-no-user-config'],
      ...['-display', 'none', '-serial', `file:${guest.#console}`],
      ...['-qmp', `unix:${guest.#control},server=on,wait=off`],
      ...['-serial', `unix:${guest.#orders},server=on,wait=off`],
      ...['-kernel', kernelFile, '-initrd', guestImage(), '-append', WORDS],
      ...['-blockdev', JSON.stringify({ 'node-name': 'disk', discard: 'unmap', ...disk })],
      ...['-device', 'virtio-blk-pci,drive=disk'],
      ...(incoming === undefined ? [] : ['-incoming', `unix:${incoming}`]),
    ];
    lab.start(`disk-guest-${name}`, host, command, join(directory, 'qemu.log'));
    const answers = () => existsSync(guest.#control) && Qmp.open(guest.#control);
    guest.#qmp = await waitFor(`QEMU ${name} answers`, answers, LIMIT_MS);
    if (incoming === undefined)
      await waitFor('the guest has booted', () => guest.said.includes(readyLine), LIMIT_MS);
    return guest;
  }

  get qmp(): Qmp {
    return this.#qmp;
  }

  get said(): string {
    return existsSync(this.#console) ? readFileSync(this.#console, 'utf8') : '';
  }

  /** A line of shell. It may go on when this resolves. */
  async order(line: string): Promise<void> {
    const socket = connect(this.#orders);
    await new Promise<void>((done, failed) => socket.once('connect', done).once('error', failed));
    await new Promise<void>((done) => socket.end(`${line}\n`, done));
  }

  /** By what the writer said, MB/s (10^6) between two moments of performance.now(). */
  rate(fromMs: number, toMs: number): number {
    const within = this.#samples.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    const [first, last] = [within[0], within.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return (last.bytes - first.bytes) / 1e3 / (last.atMs - first.atMs);
  }

  /** So many bytes, as the writer says at its end that all is there; rejects when it is not. */
  async same(): Promise<number> {
    const line = await waitFor(
      'the writer compares',
      () => /LAB-WRITER (?:same|differs|failed) .*/.exec(this.said)?.[0],
      LIMIT_MS,
    );
    const same = /same (\d+)/.exec(line);
    if (same === null) throw new Error(line);
    return Number(same[1]);
  }

  /** Live migration of its memory to where `incoming` is; resolves when it runs there. */
  async migrate(incoming: string, beforeSwitch?: () => Promise<void>): Promise<void> {
    const pausing = beforeSwitch !== undefined;
    const capabilities = [
      { capability: 'return-path', state: true },
      { capability: 'pause-before-switchover', state: pausing },
    ];
    await this.#qmp.execute('migrate-set-capabilities', { capabilities });
    await this.#qmp.execute('migrate', { uri: `unix:${incoming}` });
    if (pausing) {
      await this.#reaches('pre-switchover');
      await beforeSwitch();
      await this.#qmp.execute('migrate-continue', { state: 'pre-switchover' });
    }
    await this.#reaches('completed');
  }

  /** Without asking the guest. */
  async quit(): Promise<void> {
    clearInterval(this.#looking);
    await this.#qmp.execute('quit').catch(() => undefined);
    this.#qmp.close();
  }

  async #reaches(wanted: string): Promise<void> {
    await waitFor(
      `the migration is in state ${wanted}`,
      async () => {
        const { status, ...rest } = await this.#qmp.execute<{ status?: string }>('query-migrate');
        if (status === 'failed') throw new Error(JSON.stringify(rest));
        return status === wanted;
      },
      LIMIT_MS,
    );
  }

  get #console(): string {
    return join(this.directory, 'console.log');
  }

  get #control(): string {
    return join(this.directory, 'qmp.sock');
  }

  get #orders(): string {
    return join(this.directory, 'orders.sock');
  }

  #look(): void {
    const bytes = Number([...this.said.matchAll(/LAB-WRITER wrote (\d+)/g)].at(-1)?.[1] ?? 0);
    if (bytes > (this.#samples.at(-1)?.bytes ?? 0)) this.#samples.push({ atMs: performance.now(), bytes });
  }
}
