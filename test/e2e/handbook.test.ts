/**
 * A newcomer follows docs/handbook.md from its chapter "By hand" on: every block that is marked with a machine is run there,
 * literally and in order. The chapters before it are in short-way.test.ts.
 * Gateways are machines with a fresh Debian root and its systemd (test/lab/machine), hosts the lab's; the hypervisors' live
 * migration is the lab's move of a node. While blocks of the word `unbroken` are run, machines talk, and what may be lost is counted.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { bootGateways, type Gateways } from '../lab/machine/gateways.js';
import type { CommandBlock } from '../lab/machine/handbook.js';
import { type Machine, noMachine } from '../lab/machine/machine.js';
import { laterPackage } from '../lab/machine/package.js';
import type { ProbeReport } from '../lab/traffic/reports.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { gatewayName, handbookParts, Reader } from './handbook-support.js';
import { round, withLab } from './support.js';

const vm = '10.1.0.9';
const bytesBetween = 200_000;
const migration = 'virsh migrate --live vm qemu+ssh://hypervisor-b/system';
/** What the page promises of an upgrade; it is measured each time. */
const longestUpgradeMs = 10_000;
/** Packets of those who talk meanwhile, each way. */
const perSecond = 200;

/** Of the packages that are upgraded to; they have one more each. */
const firstRelease = 99;

/** Who talks while an operator works; `mayLose`: packets in all. */
const ways = [
  { from: 'a1', to: 'b1', address: '10.2.0.11', mayLose: 0 },
  { from: 'b1', to: 'a1', address: 'fd00:1::11', mayLose: 0 },
  // It is away: a second router that becomes active for the first time hears of that one round trip later.
  { from: 'a1', to: 'vm', address: 'fd00:1::9', mayLose: perSecond / 2 },
  { from: 'vm', to: 'a1', address: '10.1.0.11', mayLose: perSecond / 2 },
];

/** A machine that sends to a gateway address talks with one of another site, and with one of its own that is there. */
class Conversation {
  readonly #probes: readonly UdpProbe[];

  private constructor(probes: readonly UdpProbe[]) {
    this.#probes = probes;
  }

  static async open(lab: Lab): Promise<Conversation> {
    const probes: UdpProbe[] = [];
    for (const { from, to, address } of ways)
      probes.push(await UdpProbe.open(lab, from, to, address, perSecond));
    return new Conversation(probes);
  }

  /** So far. */
  toString(): string {
    return said(this.#probes.map(({ report }) => report)).join('; ');
  }

  /** When all that was sent until now should have arrived. Rejects when it has not. */
  async finish(): Promise<string> {
    for (const probe of this.#probes) await probe.progress(perSecond);
    const reports = await Promise.all(this.#probes.map((probe) => probe.finish()));
    const words = said(reports);
    for (const [i, { lost, duplicated }] of reports.entries())
      assert.ok(lost <= (ways[i]?.mayLose ?? 0) && duplicated === 0, words[i]);
    return words.join('; ');
  }
}

function said(reports: readonly ProbeReport[]): string[] {
  return reports.map((report, i) => `${ways[i]?.from} to ${ways[i]?.to}: ${told(report)}`);
}

function told({ lost, duplicated, reordered, received, gap }: ProbeReport): string {
  return `${lost} of ${received + lost} lost, ${duplicated} doubled, ${reordered} late, longest gap ${round(gap.longestMs)} ms`;
}

/** An operator at three sites, with the page in hand. */
class Newcomer extends Reader {
  readonly #t: TestContext;
  readonly #gateways: Gateways;
  readonly #streams: TcpStream[] = [];
  #release = firstRelease;
  #conversation: Conversation | undefined;

  constructor(t: TestContext, lab: Lab, gateways: Gateways) {
    super(lab, gateways);
    this.#t = t;
    this.#gateways = gateways;
  }

  override async follow(block: CommandBlock): Promise<void> {
    const isUnbroken = block.words.includes('unbroken');
    if (isUnbroken) this.#conversation ??= await Conversation.open(this.lab);
    else await this.#endConversation();
    await super.follow(block);
    if (isUnbroken) this.#t.diagnostic(`line ${block.line}: ${this.#conversation}`);
  }

  /** What the blocks of the word `unbroken` did has interrupted nobody. */
  async #endConversation(): Promise<void> {
    const conversation = this.#conversation;
    this.#conversation = undefined;
    if (conversation !== undefined) this.#t.diagnostic(`in all: ${await conversation.finish()}`);
  }

  protected override async at(place: string, block: CommandBlock): Promise<void> {
    if (place.startsWith('hypervisor-')) await this.#migrate(block);
    else if (block.words.includes('upgrade')) await this.#upgrade(place, block);
    else await super.at(place, block);
  }

  /** The connections that the page speaks of go on from here to the end. */
  async #migrate(block: CommandBlock): Promise<void> {
    assert.equal(block.text, migration, 'the lab’s move stands for another command');
    this.#streams.push(await TcpStream.open(this.lab, 'a1', 'vm', vm));
    this.#streams.push(await TcpStream.open(this.lab, 'b1', 'vm', vm));
    await this.#progress();
    await this.lab.move('vm', 'b');
    await this.#progress();
  }

  async #progress(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.progress(bytesBetween)));
  }

  async #upgrade(place: string, block: CommandBlock): Promise<void> {
    const machine = this.gateway(place);
    const release = this.#release++;
    const later = basename(
      laterPackage(this.#gateways.packageFile, join(this.#gateways.files, 'later'), release),
    );
    await machine.sh(`rm vine-router_*.deb; cp /media/files/later/${later} /root/`);
    if (this.#conversation === undefined) await this.#measureUpgrade(place, machine, block);
    else await machine.sh(block.text);
    const version = (await machine.sh('dpkg-query -W vine-router')).trim();
    assert.ok(version.endsWith(`-${release}`), version);
    await this.#progress();
  }

  async #measureUpgrade(place: string, machine: Machine, block: CommandBlock): Promise<void> {
    const probe = await UdpProbe.open(this.lab, 'a1', 'b1', '10.2.0.11');
    await probe.mark();
    await machine.sh(block.text);
    await probe.progress(500);
    const { gap, lost } = await probe.finish();
    this.#t.diagnostic(`upgrade of ${place}: ${round(gap.longestMs)} ms without packets, ${lost} lost`);
    assert.ok(gap.longestMs < longestUpgradeMs, `${round(gap.longestMs)} ms`);
  }

  /** Not a byte of the connections is lost, doubled or changed. */
  async finish(): Promise<void> {
    await this.#endConversation();
    assert.ok(this.#streams.length > 0, 'the page migrates nothing');
    await this.#progress();
    for (const stream of this.#streams) await stream.finish();
  }
}

test(
  'the handbook’s commands by hand, from empty machines to the end of the page',
  { skip: noMachine('bookworm') },
  (t) =>
    withLab(t, { topology: 'spare', daemons: false, wanDelayMs: 5 }, async (lab) => {
      const { byHand } = handbookParts();
      assert.ok(byHand.length > 20, `${byHand.length} blocks found`);
      // What the page takes for granted: machines with the package in /root.
      const gateways = await bootGateways(lab, { nameOf: gatewayName });
      mkdirSync(join(gateways.files, 'later'));
      const newcomer = new Newcomer(t, lab, gateways);
      try {
        for (const block of byHand) await newcomer.follow(block);
        await newcomer.finish();
        t.diagnostic(`${newcomer.done} blocks`);
      } catch (error) {
        t.diagnostic(await gateways.report());
        throw error;
      }
    }),
);
