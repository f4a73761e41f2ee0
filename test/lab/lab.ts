/**
 * A lab: sites, routers, hosts and nodes that move, on one machine (plan.ts has the picture). Tests hold one as an
 * object; `scripts/lab` finds it again by its name. Whoever made it, `down` leaves nothing behind.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { addHost, construct, demolish, type NatKind, namespaceOf, namespacesOf } from './build.js';
import { type ConfigurationOptions, writeConfigurations } from './configuration.js';
import { Daemon } from './daemon.js';
import {
  checkName,
  entryOf,
  isAlive,
  knownLabs,
  type LabState,
  labDirectory,
  type ProcessEntry,
  processesInside,
  readState,
  removeState,
  signal,
  startLogged,
  waitGone,
  writeState,
} from './ledger.js';
import { type MoveOptions, type MoveTimes, replug } from './mover.js';
import {
  type MoverPlan,
  type Plan,
  planOf,
  type SiteLetter,
  siteName,
  switchName,
  type Topology,
} from './plan.js';
import { CommandError, inNamespace, type Outcome, run, spawnPiped } from './shell.js';
import { watchMainThread } from './stall.js';
import { setWan, type WanPlace, type WanSettings, wanStatus } from './wan.js';

export interface LabOptions extends ConfigurationOptions {
  readonly topology: Topology;
  /** Default: one of its own for each process. */
  readonly name?: string;
  /** Nodes that can move besides `vm`: `vm20`, `vm21` … */
  readonly moreVms?: number;
  /** What the NAT boxes of topology `nat` are like; default: hard. */
  readonly nat?: NatKind;
  /** One-way. */
  readonly wanDelayMs?: number;
  /** False: topology and configuration only. */
  readonly daemons?: boolean;
  /** True: the lab stays when this process ends. */
  readonly keep?: boolean;
}

const stopLimitMs = 2_000;
const killLimitMs = 3_000;
let labsOfThisProcess = 0;

export class Lab {
  readonly plan: Plan;
  private readonly added = new Set<string>();
  /** By the routers' ids. */
  readonly routers: ReadonlyMap<string, Daemon>;
  private readonly takeDown = (): void => this.downSync();
  private readonly interrupted = (): void => process.exit(130); // the exit handler takes it down

  private constructor(private state: LabState) {
    this.plan = planOf(state.topology, state.moreVms);
    const started = new Map(state.processes.map((entry) => [entry.what, entry]));
    this.routers = new Map(
      this.plan.routers.map((router) => [
        router.id,
        new Daemon(
          router,
          namespaceOf(state.name, router.id),
          labDirectory(state.name),
          (entry) => this.record(entry),
          started.get(`vined-${router.tag}`),
        ),
      ]),
    );
  }

  /** Builds it, starts the daemons and waits until all are connected. On any failure nothing is left behind. */
  static async up(options: LabOptions): Promise<Lab> {
    const name = checkName(options.name ?? `t${process.pid.toString(36)}${labsOfThisProcess++}`);
    if (namespacesOf(name).length > 0 || readState(name) !== undefined)
      throw new Error(`lab "${name}" is up already; scripts/lab down --name ${name}`);
    const lab = new Lab({
      name,
      topology: options.topology,
      moreVms: options.moreVms ?? 0,
      daemons: options.daemons ?? true,
      wrongKey: options.wrongKey ?? [],
      owner: options.keep === true ? undefined : entryOf('owner', process.pid),
      processes: [],
      places: {},
    });
    lab.guard();
    watchMainThread();
    try {
      await lab.build(options);
    } catch (error) {
      lab.downSync();
      throw error;
    }
    if (options.keep === true) lab.release();
    return lab;
  }

  /** One that is up. */
  static attach(name: string): Lab {
    const state = readState(checkName(name));
    if (state === undefined) throw new Error(`no lab "${name}" is up`);
    return new Lab(state);
  }

  /** Takes down what is left of labs whose owner died. */
  static sweep(): string[] {
    const left = knownLabs().filter((name) => {
      const owner = readState(name)?.owner;
      return owner !== undefined && !isAlive(owner);
    });
    for (const name of left) Lab.attach(name).downSync();
    return left;
  }

  get name(): string {
    return this.state.name;
  }

  get directory(): string {
    return labDirectory(this.name);
  }

  get places(): Readonly<Record<string, SiteLetter>> {
    return this.state.places;
  }

  private async build(options: LabOptions): Promise<void> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const places = Object.fromEntries(this.plan.movers.map((mover) => [mover.name, mover.home]));
    this.update({ places });
    construct(this.name, this.plan, options.nat ?? 'hard');
    writeConfigurations(this.directory, this.plan, options);
    if (options.wanDelayMs !== undefined && options.wanDelayMs > 0)
      await this.wan({ delayMs: options.wanDelayMs });
    if (!this.state.daemons) return;
    for (const daemon of this.routers.values()) daemon.start();
    await this.waitConnected();
  }

  /** Until all routers see all others whose keys they know. */
  async waitConnected(): Promise<void> {
    const all = [...this.routers.values()];
    const isTrusted = ({ site }: Daemon): boolean => !this.state.wrongKey.includes(site);
    await Promise.all(
      all.map((daemon) => {
        const peers = isTrusted(daemon) ? all.filter((other) => other !== daemon && isTrusted(other)) : [];
        return daemon.waitReady(peers.map(({ id }) => id));
      }),
    );
  }

  private update(change: Partial<LabState>): void {
    this.state = { ...this.state, ...change };
    writeState(this.state);
  }

  private record(entry: ProcessEntry): void {
    const others = this.state.processes.filter((other) => other.what !== entry.what);
    this.update({ processes: [...others, entry] });
  }

  /** Takes a process that others have started for its own: it ends with the lab at the latest. */
  adopt(what: string, pid: number | undefined): void {
    if (pid === undefined) throw new Error(`${what} did not start`);
    this.record(entryOf(what, pid));
  }

  /** Plugs another machine into the WAN, as long as that is a bridge (unshaped). `addresses` with mask. */
  addToWan(node: string, addresses: readonly string[]): void {
    addHost(this.name, { node, interface: 'eth0', addresses }, 'wan');
    this.added.add(node);
  }

  /** Plugs another machine into a site's switch. */
  addToLan(site: SiteLetter, node: string, mac: string, addresses: readonly string[]): void {
    addHost(this.name, { node, interface: 'eth0', mac, addresses }, switchName(site));
    this.added.add(node);
  }

  /** The namespace of a node; throws for one that the lab has not. */
  namespace(node: string): string {
    if (!this.added.has(node) && !this.plan.nodes.some(({ name }) => name === node))
      throw new Error(`no node "${node}"; there are: ${this.plan.nodes.map(({ name }) => name).join(' ')}`);
    return namespaceOf(this.name, node);
  }

  /** Runs a program on a node. Rejects with `CommandError` unless it ends with 0. */
  async exec(
    node: string,
    command: readonly string[],
    options: { timeoutMs?: number } = {},
  ): Promise<string> {
    const outcome = await this.attempt(node, command, options);
    if (outcome.status !== 0) throw new CommandError([node, ...command], outcome);
    return outcome.stdout;
  }

  /** The same, for programs that may fail. */
  attempt(node: string, command: readonly string[], options: { timeoutMs?: number } = {}): Promise<Outcome> {
    return run(inNamespace(this.namespace(node), command), options);
  }

  /** Starts a program on a node, with pipes. It ends with the lab at the latest. */
  spawn(node: string, command: readonly string[]): ChildProcessWithoutNullStreams {
    return spawnPiped(this.namespace(node), command);
  }

  /** Starts a program on a node with its output in a file; it outlives this process if the lab does. */
  start(what: string, node: string, command: readonly string[], logFile: string): void {
    this.record(startLogged(what, this.namespace(node), command, logFile));
  }

  mover(name: string): MoverPlan {
    const mover = this.plan.movers.find((candidate) => candidate.name === name);
    if (mover === undefined)
      throw new Error(`"${name}" cannot move; can: ${this.plan.movers.map((m) => m.name).join(' ')}`);
    return mover;
  }

  /** Resolves when it is plugged in at `to` and the announcer has been started; announces as QEMU by default. */
  async move(name: string, to: SiteLetter, options: MoveOptions = {}): Promise<MoveTimes> {
    const mover = this.mover(name);
    const from = this.state.places[name];
    if (from === undefined || !this.plan.sites.some(({ letter }) => letter === to))
      throw new Error(`no site "${to}" in this lab`);
    const times = await replug(this.name, mover, from, to, options);
    this.update({ places: { ...this.state.places, [name]: to } });
    return times;
  }

  /** Of a site that has one router. */
  daemon(site: SiteLetter): Daemon {
    const [daemon, second] = this.routersOf(site);
    if (daemon === undefined) throw new Error(`no site "${site}" in this lab`);
    if (second !== undefined) throw new Error(`site ${site} has two routers: ${daemon.id} and ${second.id}`);
    return daemon;
  }

  /** By id, or by tag: the site's letter, with a number where the site has two. */
  router(name: string): Daemon {
    const all = [...this.routers.values()];
    const daemon = all.find(({ router }) => router.id === name || router.tag === name);
    if (daemon === undefined)
      throw new Error(`no router "${name}"; there are: ${all.map(({ id }) => id).join(' ')}`);
    return daemon;
  }

  routersOf(site: SiteLetter): readonly Daemon[] {
    return [...this.routers.values()].filter((daemon) => daemon.site === site);
  }

  /** By what records name the site. */
  siteName(site: SiteLetter): string {
    return siteName(this.plan.topology, site);
  }

  /** Output of `vinectl` asked of a site's router. Rejects with `CommandError` unless it ends with 0. */
  async vinectl(site: SiteLetter, args: readonly string[], timeoutMs?: number): Promise<string> {
    const outcome = await this.daemon(site).vinectl(args, timeoutMs);
    if (outcome.status !== 0) throw new CommandError(['vinectl', ...args], outcome);
    return outcome.stdout;
  }

  private get wanPlace(): WanPlace {
    return {
      lab: this.name,
      directory: this.directory,
      plan: this.plan,
      onStart: (entry) => this.record(entry),
    };
  }

  wan(settings: WanSettings): Promise<void> {
    return setWan(this.wanPlace, settings);
  }

  wanStatus(): Promise<string> {
    return wanStatus(this.wanPlace);
  }

  /** The logs' last lines, for a failure's report. */
  report(): string {
    return [...this.routers.values()].map((daemon) => daemon.logTail()).join('\n');
  }

  /** Takes the lab down when this process ends, however it does. */
  private guard(): void {
    process.once('exit', this.takeDown);
    process.once('SIGINT', this.interrupted);
    process.once('SIGTERM', this.interrupted);
    process.once('SIGHUP', this.interrupted);
  }

  private release(): void {
    process.off('exit', this.takeDown);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, this.interrupted);
  }

  async down(): Promise<void> {
    this.downSync();
  }

  /** Daemons first and in peace; then whatever runs in the namespaces; then these; then the directory. */
  downSync(): void {
    this.release();
    for (const { pid } of this.state.processes.filter(isAlive)) signal(pid, 'SIGTERM');
    waitGone(
      this.state.processes.filter(({ what }) => what.startsWith('vined')),
      stopLimitMs,
    );
    const left = [...this.state.processes.filter(isAlive), ...processesInside(this.name)];
    for (const { pid } of left) signal(pid, 'SIGKILL');
    waitGone(left, killLimitMs);
    demolish(this.name);
    removeState(this.name);
  }
}
