/**
 * A newcomer follows docs/handbook.md: every block that is marked with a machine is run there, literally and in order.
 * Gateways are machines with a fresh Debian root (test/lab/machine), hosts the lab's; the hypervisors' live migration is
 * the lab's move of a node.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { type CommandBlock, commandBlocks, fillIn } from '../lab/machine/handbook.js';
import { Machine, noMachines } from '../lab/machine/machine.js';
import { buildPackage, laterPackage } from '../lab/machine/package.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { round, withLab } from './support.js';

const page = readFileSync(join(projectRoot, 'docs/handbook.md'), 'utf8');
const vm = '10.1.0.9';
const repeatLimitMs = 30_000;
const bytesBetween = 200_000;
const migration = 'virsh migrate --live vm qemu+ssh://hypervisor-b/system';
/** What the page promises of an upgrade; it is measured each time. */
const longestUpgradeMs = 10_000;

/** An operator at three sites, with the page in hand. */
class Newcomer {
  readonly #t: TestContext;
  readonly #lab: Lab;
  readonly #gateways: ReadonlyMap<string, Machine>;
  readonly #noted = new Map<string, string>();
  readonly #streams: TcpStream[] = [];
  readonly #laterPackage: string;
  done = 0;

  constructor(t: TestContext, lab: Lab, gateways: ReadonlyMap<string, Machine>, later: string) {
    this.#t = t;
    this.#lab = lab;
    this.#gateways = gateways;
    this.#laterPackage = later;
  }

  async follow(block: CommandBlock): Promise<void> {
    for (const place of block.machines) {
      try {
        await this.#at(place, block);
      } catch (error) {
        throw new Error(`handbook.md, line ${block.line}, on ${place}`, { cause: error });
      }
    }
    this.done++;
  }

  async #at(place: string, block: CommandBlock): Promise<void> {
    if (place.startsWith('hypervisor-')) return this.#migrate(block);
    if (block.words.includes('upgrade')) return this.#upgrade(place, block);
    const text = fillIn(block.text, this.#noted);
    const { until, prints } = block;
    if (until !== undefined) {
      let last = '';
      const seen = async (): Promise<boolean> => {
        last = await this.#run(place, text);
        return until.test(last);
      };
      await waitFor(`${place} shows ${until}`, seen, repeatLimitMs).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${last}`);
      });
      return;
    }
    const printed = (await this.#run(place, text)).trim();
    if (prints === undefined) return;
    assert.match(printed, /^[A-Za-z0-9+/]{43}=$/, `${prints} is no public key`);
    this.#noted.set(prints, printed);
  }

  #run(place: string, text: string): Promise<string> {
    const machine = this.#gateways.get(place);
    if (machine !== undefined) return machine.sh(text);
    const node = place.replace(/^host-/, '');
    return this.#lab.exec(node, ['bash', '-euo', 'pipefail', '-c', text]);
  }

  /** The connections that the page speaks of go on from here to the end. */
  async #migrate(block: CommandBlock): Promise<void> {
    assert.equal(block.text, migration, 'the lab’s move stands for another command');
    this.#streams.push(await TcpStream.open(this.#lab, 'a1', 'vm', vm));
    this.#streams.push(await TcpStream.open(this.#lab, 'b1', 'vm', vm));
    await this.#progress();
    await this.#lab.move('vm', 'b');
    await this.#progress();
  }

  async #progress(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.progress(bytesBetween)));
  }

  async #upgrade(place: string, block: CommandBlock): Promise<void> {
    const machine = this.#gateways.get(place);
    assert.ok(machine !== undefined);
    await machine.sh(`rm vine-router_*.deb; cp /media/files/later/${this.#laterPackage} /root/`);
    const probe = await UdpProbe.open(this.#lab, 'a1', 'b1', '10.2.0.11');
    await probe.mark();
    await machine.sh(block.text);
    await probe.progress(500);
    const { gap, lost } = await probe.finish();
    this.#t.diagnostic(`upgrade of ${place}: ${round(gap.longestMs)} ms without packets, ${lost} lost`);
    assert.ok(gap.longestMs < longestUpgradeMs, `${round(gap.longestMs)} ms`);
    assert.match(await machine.sh('dpkg-query -W vine-router'), /-99$/m);
    await this.#progress();
  }

  /** Not a byte of the connections is lost, doubled or changed. */
  async finish(): Promise<void> {
    assert.ok(this.#streams.length > 0, 'the page migrates nothing');
    await this.#progress();
    for (const stream of this.#streams) await stream.finish();
  }
}

/** What the page takes for granted: three machines with the package in /root. */
async function startGateways(lab: Lab): Promise<{ gateways: Map<string, Machine>; later: string }> {
  const files = join(lab.directory, 'files');
  mkdirSync(join(files, 'later'), { recursive: true });
  const first = buildPackage();
  copyFileSync(first, join(files, basename(first)));
  const later = basename(laterPackage(first, join(files, 'later')));
  const gateways = new Map<string, Machine>();
  for (const { letter } of lab.plan.sites) {
    const namespace = lab.namespace(`vr-${letter}`);
    const machine = await Machine.start({ name: `gateway-${letter}`, namespace, files });
    gateways.set(machine.name, machine);
    await machine.sh('cp /media/files/*.deb /root/');
  }
  return { gateways, later };
}

test('the handbook’s commands, from empty machines to the end of the page', { skip: noMachines }, (t) =>
  withLab(t, { topology: 'three-site', daemons: false, wanDelayMs: 5 }, async (lab) => {
    const blocks = commandBlocks(page);
    assert.ok(blocks.length > 20, `${blocks.length} blocks found`);
    const { gateways, later } = await startGateways(lab);
    const newcomer = new Newcomer(t, lab, gateways, later);
    try {
      for (const block of blocks) await newcomer.follow(block);
      await newcomer.finish();
      t.diagnostic(`${newcomer.done} blocks`);
    } catch (error) {
      for (const machine of gateways.values()) t.diagnostic(await machine.log());
      throw error;
    } finally {
      for (const machine of gateways.values()) machine.stop();
      rmSync(join(lab.directory, 'files'), { recursive: true });
    }
  }),
);
