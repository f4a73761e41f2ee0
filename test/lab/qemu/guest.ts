/**
 * A real virtual machine in a lab: QEMU without hardware acceleration (TCG runs everywhere; where KVM is offered inside
 * a VM, a guest may hang at boot), its network card a tap on a site's switch, moved by a real live migration.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { namespaceOf } from '../build.js';
import type { Lab } from '../lab.js';
import { epochMs } from '../mover.js';
import { lanBridge, type SiteLetter, subnetOf, switchName } from '../plan.js';
import { ipBatch } from '../shell.js';
import { waitFor } from '../wait.js';
import {
  commandLine,
  doneLine,
  type GuestTask,
  guestImage,
  guestMemory,
  kernelFile,
  missingForGuests,
  readyLine,
} from './image.js';
import { Migration } from './migration.js';
import { Qmp } from './qmp.js';

const bootLimitMs = 60_000;
const migrationLimitMs = 60_000;
const stepLimitMs = 10_000;
const orderLimitMs = 60_000;

export interface GuestOptions extends GuestTask {
  /** False: only the hypervisor announces (RARP), not the guest (gratuitous ARP). Default true. */
  readonly guestAnnounce?: boolean;
  /** The hypervisor's program with its first arguments. Default: the machine's own QEMU. */
  readonly emulator?: readonly string[];
  /** It does what `order` says. */
  readonly takesOrders?: boolean;
}

/** Between the two hypervisors stands somebody else. */
export interface Through {
  /** Where the source migrates to, as QEMU writes it. */
  readonly uri: string;
  /** The Unix socket at which the destination waits. */
  readonly incoming: string;
  /** The source waits until the destination says that it has all (QEMU's capability `return-path`). */
  readonly returnPath?: boolean;
  /** The guest stands still at the destination until it is told to go on, as libvirt has it (QEMU's `-S`). */
  readonly paused?: boolean;
}

export interface MigrationResult {
  /** How long the guest stood still, as the hypervisor measured it. */
  readonly downtimeMs: number;
  readonly totalMs: number;
  /** Unix milliseconds when the source reported completion. */
  readonly completedAtMs: number;
}

interface QueryMigrate {
  readonly status?: string;
  readonly downtime?: number;
  readonly 'total-time'?: number;
  readonly 'error-desc'?: string;
}

/** One QEMU process: the guest runs in one, or is on its way into one. */
class Machine {
  readonly tap: string;
  private readonly directory: string;
  private qmp: Qmp | undefined;

  constructor(
    private readonly lab: Lab,
    readonly site: SiteLetter,
    private readonly number: number,
    private readonly through?: Through,
  ) {
    this.tap = `q${number}`;
    this.directory = join(lab.directory, `qemu-${number}`);
  }

  get incoming(): string {
    return this.through?.incoming ?? join(this.directory, 'incoming.sock');
  }

  private get console(): string {
    return join(this.directory, 'console.log');
  }

  /** @param isOpen false: the switch's port does not forward yet, as a real one that listens first (STP) */
  async start(options: GuestOptions, incoming: boolean, isOpen = true): Promise<void> {
    const node = switchName(this.site);
    mkdirSync(this.directory, { recursive: true });
    ipBatch(namespaceOf(this.lab.name, node), [
      `tuntap add dev ${this.tap} mode tap`,
      `link set ${this.tap} master ${lanBridge}`,
      `link set ${this.tap} up`,
      ...(isOpen ? [] : [`link set ${this.tap} nomaster`]),
    ]);
    this.lab.start(
      `qemu-${this.number}`,
      node,
      this.command(options, incoming),
      join(this.directory, 'qemu.log'),
    );
    const socket = join(this.directory, 'qmp.sock');
    const listening = () =>
      existsSync(socket) && (!incoming || existsSync(this.incoming)) && Qmp.open(socket);
    this.qmp = await waitFor(`QEMU at site ${this.site} answers`, listening, stepLimitMs);
  }

  private command(options: GuestOptions, incoming: boolean): string[] {
    const announce = options.guestAnnounce === false ? 'off' : 'on';
    return [
      ...(options.emulator ?? ['qemu-system-x86_64']),
      ...[
        '-machine',
        'pc,accel=tcg',
        '-m',
        guestMemory,
        '-nodefaults',
        '-no-user-config',
        '-display',
        'none',
      ],
      ...[
        '-serial',
        `file:${this.console}`,
        '-qmp',
        `unix:${join(this.directory, 'qmp.sock')},server=on,wait=off`,
      ],
      ...[
        '-kernel',
        kernelFile,
        '-initrd',
        guestImage(),
        '-append',
        commandLine(options, options.takesOrders),
      ],
      ...(options.takesOrders === true
        ? ['-serial', `unix:${join(this.directory, 'orders.sock')},server=on,wait=off`]
        : []),
      ...['-netdev', `tap,id=n0,ifname=${this.tap},script=no,downscript=no`],
      ...['-device', `virtio-net-pci,netdev=n0,mac=${options.mac},guest_announce=${announce}`],
      ...(incoming ? ['-incoming', `unix:${this.incoming}`] : []),
      ...(this.through?.paused === true ? ['-S'] : []),
    ];
  }

  /** The port forwards from now on. */
  open(): void {
    ipBatch(namespaceOf(this.lab.name, switchName(this.site)), [`link set ${this.tap} master ${lanBridge}`]);
  }

  async waitBooted(): Promise<void> {
    const booted = () => existsSync(this.console) && readFileSync(this.console, 'utf8').includes(readyLine);
    await waitFor('the guest has booted', booted, bootLimitMs);
  }

  get said(): string {
    return readFileSync(this.console, 'utf8');
  }

  /** Resolves when it is done. */
  async order(line: string): Promise<void> {
    const done = (): number => this.said.split(doneLine).length;
    const before = done();
    const socket = connect(join(this.directory, 'orders.sock'));
    await once(socket, 'connect');
    socket.end(`${line}\n`);
    await waitFor(`the guest has done: ${line}`, () => done() > before, orderLimitMs);
  }

  get control(): Qmp {
    if (this.qmp === undefined) throw new Error('QEMU has not been started');
    return this.qmp;
  }

  /** Ends the process and takes its tap away, as the hypervisor's switch does. */
  async quit(): Promise<void> {
    // It may close the socket before it answers.
    await this.control.execute('quit').catch(() => undefined);
    this.control.close();
    ipBatch(namespaceOf(this.lab.name, switchName(this.site)), [`link del ${this.tap}`]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Guest {
  private static started = 0;

  private constructor(
    private readonly lab: Lab,
    private readonly options: GuestOptions,
    private machine: Machine,
  ) {}

  /** What is missing on this machine; undefined: guests can be run. */
  static missing(): string | undefined {
    return missingForGuests();
  }

  /** The address that site a's LNDT keeps for a guest, with the routes that all hosts there have. */
  static task(lab: Lab): GuestTask {
    const { mac, ipv4, ipv6 } = lab.plan.guest;
    const large = subnetOf(lab.plan.topology) === '10.0.0.0/8';
    return {
      mac,
      ipv4: `${ipv4}/${large ? 8 : 24}`,
      ipv6: `${ipv6}/64`,
      routes: large ? [] : ['10.0.0.0/8,10.1.0.1'],
      defaultGateway: '10.1.0.254',
      echoPort: 7,
    };
  }

  /** Resolves when it has booted and serves. */
  static async boot(lab: Lab, site: SiteLetter, options: GuestOptions): Promise<Guest> {
    const machine = new Machine(lab, site, Guest.started++);
    await machine.start(options, false);
    await machine.waitBooted();
    return new Guest(lab, options, machine);
  }

  get site(): SiteLetter {
    return this.machine.site;
  }

  /**
   * Live migration; resolves when it runs at `to` and the process that it left is gone.
   * @param closed the port at `to` does not forward before `openPort`: whatever is announced is lost
   */
  async migrate(to: SiteLetter, closed = false, through?: Through): Promise<MigrationResult> {
    const destination = new Machine(this.lab, to, Guest.started++, through);
    await destination.start(this.options, true, !closed);
    const source = this.machine;
    if (through?.returnPath === true) {
      const capabilities = [{ capability: 'return-path', state: true }];
      await source.control.execute('migrate-set-capabilities', { capabilities });
    }
    await source.control.execute('migrate', { uri: through?.uri ?? `unix:${destination.incoming}` });
    const done = await waitFor(
      'the live migration is over',
      async () => {
        const state = await source.control.execute<QueryMigrate>('query-migrate');
        return (state.status === 'completed' || state.status === 'failed') && state;
      },
      migrationLimitMs,
    );
    if (done.status === 'failed')
      throw new Error(`migration failed: ${done['error-desc'] ?? 'no reason given'}`);
    const completedAtMs = epochMs();
    this.machine = destination;
    await source.quit();
    return { downtimeMs: done.downtime ?? 0, totalMs: done['total-time'] ?? 0, completedAtMs };
  }

  /** On its console, since it runs in this process. */
  get said(): string {
    return this.machine.said;
  }

  /** A line of shell, of a guest that takes orders; resolves when it is done. */
  order(line: string): Promise<void> {
    return this.machine.order(line);
  }

  /** Begins a live migration whose end others decide: both processes stay until then. */
  async begin(to: SiteLetter, through: Through): Promise<Migration> {
    const destination = new Machine(this.lab, to, Guest.started++, through);
    await destination.start(this.options, true);
    return new Migration(this.machine, destination, through.uri, () => {
      this.machine = destination;
    });
  }

  /** After `migrate` to a port that was closed. */
  openPort(): void {
    this.machine.open();
  }

  stop(): Promise<void> {
    return this.machine.quit();
  }
}
