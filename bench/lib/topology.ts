/**
 * The two-site topology of the benchmarks, in network namespaces of its own:
 *
 *   ha 10.1.0.2 – ra (lan0 10.1.0.1, wan0 192.0.2.1) === veth, MTU 1500 === rb (wan0 192.0.2.2, lan0 10.2.0.1) – hb 10.2.0.2
 *
 * Whatever happens, nothing is left behind: `close` (also called when the process ends) ends what runs in the
 * namespaces, then removes these and the directory. What a killed run left is removed by the next one.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { entryOf, isAlive, type ProcessEntry, signal, startLogged, waitGone } from '../../test/lab/ledger.js';
import {
  CommandError,
  inNamespace,
  ipBatch,
  type Outcome,
  run,
  runSync,
  sleepSync,
} from '../../test/lab/shell.js';

export type Place = 'ha' | 'ra' | 'rb' | 'hb' | 'rc';

export const HOST_A = '10.1.0.2';
export const HOST_B = '10.2.0.2';
export const WAN_A = '192.0.2.1';
export const WAN_B = '192.0.2.2';
const PREFIX = 'vb';
const NAMESPACES = '/var/run/netns';
const KILL_LIMIT_MS = 3_000;
const SETTLE_LIMIT_MS = 5_000;

export interface TopologyOptions {
  /** The routers' kernels forward, for what needs it. */
  readonly forwarding: boolean;
  /** A third router's place, with links of its own to the other two (198.18.1.3 and 198.18.2.3). */
  readonly third: boolean;
  /** A letter, when there are several at once. */
  readonly letter?: string;
}

export class Topology {
  readonly directory = mkdtempSync(join('/tmp', `${PREFIX}-bench-`));
  readonly #name: string;
  readonly #processes: ProcessEntry[] = [];
  readonly #atExit = (): void => this.close();

  constructor(options: TopologyOptions) {
    this.#name = `${PREFIX}${process.pid}${options.letter ?? ''}`;
    process.once('exit', this.#atExit);
    try {
      this.#build(options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  namespace(place: Place): string {
    return `${this.#name}-${place}`;
  }

  /** Runs `ip` in a place, one command per line; the first that fails throws. */
  ip(place: Place, ...lines: readonly string[]): void {
    ipBatch(this.namespace(place), lines);
  }

  /** Routes the other site's network over a device at both routers, optionally by a next hop. */
  routes(device: string, viaAtA?: string, viaAtB?: string): void {
    const via = (hop: string | undefined): string => (hop === undefined ? '' : ` via ${hop}`);
    this.ip('ra', `route add 10.2.0.0/24 dev ${device}${via(viaAtA)}`);
    this.ip('rb', `route add 10.1.0.0/24 dev ${device}${via(viaAtB)}`);
  }

  /** Runs to the end; rejects with `CommandError` unless it ends with 0. */
  async exec(place: Place, command: readonly string[], timeoutMs = 60_000): Promise<string> {
    const outcome = await this.attempt(place, command, timeoutMs);
    if (outcome.status !== 0) throw new CommandError([place, ...command], outcome);
    return outcome.stdout;
  }

  attempt(place: Place, command: readonly string[], timeoutMs = 60_000): Promise<Outcome> {
    return run(inNamespace(this.namespace(place), command), { timeoutMs });
  }

  /** Starts a program that runs until `close`; what it writes is in `log`. */
  start(place: Place, what: string, command: readonly string[]): ProcessEntry {
    const entry = startLogged(what, this.namespace(place), command, this.logFile(what));
    this.#processes.push(entry);
    return entry;
  }

  logFile(what: string): string {
    return join(this.directory, `${what}.log`);
  }

  /** The last lines of all logs, for a failure's message. */
  logs(lines = 8): string {
    return readdirSync(this.directory)
      .filter((file) => file.endsWith('.log'))
      .map((file) => {
        const text = readFileSync(join(this.directory, file), 'utf8').trimEnd().split('\n').slice(-lines);
        return [`--- ${file}`, ...text].join('\n');
      })
      .join('\n');
  }

  /** May be called again. */
  close(): void {
    process.off('exit', this.#atExit);
    for (const entry of this.#processes.filter(isAlive)) signal(entry.pid, 'SIGTERM');
    waitGone(this.#processes, 1_500);
    removeNamespaces(this.#name);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #build({ forwarding, third }: TopologyOptions): void {
    sweep();
    const places: Place[] = ['ha', 'ra', 'rb', 'hb', ...(third ? (['rc'] as const) : [])];
    for (const place of places) {
      runSync(['ip', 'netns', 'add', this.namespace(place)]);
      const settings = ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0'];
      settings.push('net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.default.router_solicitations=0');
      if (place.startsWith('r')) settings.push(`net.ipv4.ip_forward=${forwarding ? 1 : 0}`);
      runSync(inNamespace(this.namespace(place), ['sysctl', '-q', '-w', ...settings]));
    }
    this.#link('ha', 'eth0', 'ra', 'lan0');
    this.#link('hb', 'eth0', 'rb', 'lan0');
    this.#link('ra', 'wan0', 'rb', 'wan0');
    this.#end('ha', 'eth0', `${HOST_A}/24`);
    this.#end('hb', 'eth0', `${HOST_B}/24`);
    this.#end('ra', 'lan0', '10.1.0.1/24');
    this.#end('rb', 'lan0', '10.2.0.1/24');
    this.#end('ra', 'wan0', `${WAN_A}/24`);
    this.#end('rb', 'wan0', `${WAN_B}/24`);
    if (third) this.#addThird();
    this.#waitUntilUp(places);
    this.ip('ha', 'route add default via 10.1.0.1');
    this.ip('hb', 'route add default via 10.2.0.1');
  }

  /** The kernel tells an interface late, up to a second, that its other end is up. */
  #waitUntilUp(places: readonly Place[]): void {
    const isUp = (place: Place): boolean =>
      !/state (LOWERLAYERDOWN|DOWN)/.test(
        runSync(['ip', '-n', this.namespace(place), '-o', 'link', 'show', 'up']),
      );
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    while (!places.every(isUp)) {
      if (performance.now() > deadline) throw new Error('the interfaces of the topology do not come up');
      sleepSync(20);
    }
  }

  #addThird(): void {
    for (const [place, number, address] of [
      ['ra', 1, WAN_A],
      ['rb', 2, WAN_B],
    ] as const) {
      this.#link(place, 'wan1', 'rc', `wan${number}`);
      this.#end(place, 'wan1', `198.18.${number}.1/24`);
      this.#end('rc', `wan${number}`, `198.18.${number}.3/24`);
      this.ip('rc', `route add ${address}/32 via 198.18.${number}.1`);
    }
  }

  #link(a: Place, interfaceA: string, b: Place, interfaceB: string): void {
    ipBatch(undefined, [
      `link add ${interfaceA} netns ${this.namespace(a)} type veth peer name ${interfaceB} netns ${this.namespace(b)}`,
    ]);
  }

  #end(place: Place, name: string, address: string): void {
    this.ip(place, 'link set lo up', `addr add ${address} dev ${name}`, `link set ${name} up`);
  }
}

/** Ends what runs in the namespaces of one run, and removes these. */
function removeNamespaces(name: string): void {
  if (!existsSync(NAMESPACES)) return;
  const namespaces = readdirSync(NAMESPACES).filter((entry) => entry.startsWith(`${name}-`));
  const inside = namespaces
    .flatMap((namespace) => runSync(['ip', 'netns', 'pids', namespace]).split('\n'))
    .filter((pid) => pid !== '')
    .map((pid) => entryOf('inside', Number(pid)));
  for (const { pid } of inside) signal(pid, 'SIGKILL');
  waitGone(inside, KILL_LIMIT_MS);
  for (const namespace of namespaces) runSync(['ip', 'netns', 'del', namespace]);
}

/** Removes what runs whose process is gone have left. */
function sweep(): void {
  if (!existsSync(NAMESPACES)) return;
  const names = readdirSync(NAMESPACES).flatMap((entry) => /^vb(\d+)[a-z]?-/.exec(entry)?.[1] ?? []);
  for (const pid of new Set(names)) {
    if (!existsSync(`/proc/${pid}`))
      for (const letter of ['', ...'ab']) removeNamespaces(`${PREFIX}${pid}${letter}`);
  }
}
