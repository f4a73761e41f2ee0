/** What QEMU's users have today: blockdev-mirror to the destination's NBD server, over the WAN. */
import { join } from 'node:path';
import { SITES } from '../../test/e2e/courier-support.js';
import type { Lab } from '../../test/lab/lab.js';
import { run } from '../../test/lab/shell.js';
import { waitFor } from '../../test/lab/wait.js';
import { DiskGuest } from './guest.js';

const PORT = '10809';
const LIMIT_MS = 180_000;

interface BlockJob {
  readonly device: string;
  readonly ready: boolean;
}

/** A guest at site a whose raw disk is mirrored to the QEMU that waits at site b. */
export class Mirrored {
  private constructor(
    readonly source: DiskGuest,
    readonly destination: DiskGuest,
    private readonly incoming: string,
  ) {}

  /** @param name of this pair, once in a lab */
  static async start(lab: Lab, name: string, sizeMb: number): Promise<Mirrored> {
    const file = (site: string): string => join(lab.directory, `${name}-${site}.img`);
    for (const site of ['a', 'b']) {
      const { status, stderr } = await run(['truncate', '-s', `${sizeMb}M`, file(site)]);
      if (status !== 0) throw new Error(stderr);
    }
    const disk = (site: string): object => {
      return { driver: 'raw', file: { driver: 'file', filename: file(site), discard: 'unmap' } };
    };
    const incoming = join(lab.directory, `${name}.sock`);
    const source = await DiskGuest.start(lab, SITES.a.host, `${name}-a`, disk('a'));
    const destination = await DiskGuest.start(lab, SITES.b.host, `${name}-b`, disk('b'), incoming);
    await destination.qmp.execute('nbd-server-start', {
      addr: { type: 'inet', data: { host: SITES.b.address, port: PORT } },
    });
    const exported = { type: 'nbd', id: 'disk', 'node-name': 'disk', name: 'disk', writable: true };
    await destination.qmp.execute('block-export-add', exported);
    const server = { type: 'inet', host: SITES.b.address, port: PORT };
    await source.qmp.execute('blockdev-add', {
      ...{ 'node-name': 'target', driver: 'nbd', server, export: 'disk' },
    });
    return new Mirrored(source, destination, incoming);
  }

  async begin(mode: 'background' | 'write-blocking'): Promise<void> {
    await this.source.qmp.execute('blockdev-mirror', {
      ...{ 'job-id': 'mirror', device: 'disk', target: 'target', sync: 'top', 'copy-mode': mode },
    });
  }

  /** Within so long; false: it is not. */
  async isReady(limitMs: number): Promise<boolean> {
    const ready = waitFor('the mirror is ready', async () => (await this.#job())?.ready === true, limitMs);
    return ready.then(
      () => true,
      () => false,
    );
  }

  /** Of a mirror that is ready. Resolves when the guest runs at site b. */
  async migrate(): Promise<void> {
    await this.source.migrate(this.incoming, async () => {
      await this.#end(false);
      await this.source.qmp.execute('blockdev-del', { 'node-name': 'target' });
      await this.destination.qmp.execute('block-export-del', { id: 'disk' });
      await this.destination.qmp.execute('nbd-server-stop');
    });
  }

  /** Ready or not, and with the disks unlike. */
  cancel(): Promise<void> {
    return this.#end(true);
  }

  async quit(): Promise<void> {
    for (const guest of [this.source, this.destination]) await guest.quit();
  }

  /** Without `force` a mirror that is ready waits until both disks are alike, which a guest that writes may keep from coming. */
  async #end(force: boolean): Promise<void> {
    await this.source.qmp.execute('block-job-cancel', { device: 'mirror', force });
    await waitFor('the job is over', async () => (await this.#job()) === undefined, LIMIT_MS);
  }

  async #job(): Promise<BlockJob | undefined> {
    const jobs = await this.source.qmp.execute<readonly BlockJob[]>('query-block-jobs');
    return jobs.find(({ device }) => device === 'mirror');
  }
}
