/** One router's `vined`: started in the gateway machine's namespace, asked through its control socket. */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { CountersView, DirectoryView, PeerView, StatusView } from '../../src/control/api.js';
import type { RoleView } from '../../src/control/role-view.js';
import { controlSocket, logFile, routerDirectory } from './configuration.js';
import { isAlive, type ProcessEntry, signal, startLogged } from './ledger.js';
import type { RouterPlan, SiteLetter } from './plan.js';
import { type Outcome, run } from './shell.js';
import { waitFor } from './wait.js';

/** The checkout's top: this file is dist/test/lab/daemon.js. */
export const projectRoot = new URL('../../../', import.meta.url).pathname;

const startLimitMs = 60_000;
const askLimitMs = 3_000;
/** A large directory takes its time. */
const answerLimitMs = 20_000;

/**
 * GET over a Unix socket; rejects for any status but 200, when nothing comes for 3 s, and when the answer has not ended
 * within the limit or ends too early.
 */
export function getJson<T>(socketPath: string, path: string, limitMs = answerLimitMs): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (why: unknown): void => reject(new Error(`GET ${path}: ${String(why)}`, { cause: why }));
    const options = { socketPath, path, timeout: Math.min(askLimitMs, limitMs) };
    const asking = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('error', fail);
      response.once('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as T);
        else fail(`${response.statusCode} ${text}`);
      });
    });
    const giveUp = (): void => {
      fail('no answer');
      asking.destroy();
    };
    const timer = setTimeout(giveUp, limitMs);
    asking.once('timeout', giveUp);
    asking.once('close', () => clearTimeout(timer));
    asking.once('error', fail).end();
  });
}

export class Daemon {
  private process: ProcessEntry | undefined;

  constructor(
    readonly router: RouterPlan,
    private readonly namespace: string,
    private readonly labDirectory: string,
    private readonly onStart: (entry: ProcessEntry) => void,
    known: ProcessEntry | undefined,
  ) {
    this.process = known;
  }

  get id(): string {
    return this.router.id;
  }

  get site(): SiteLetter {
    return this.router.site.letter;
  }

  get directory(): string {
    return routerDirectory(this.labDirectory, this.router.tag);
  }

  get socket(): string {
    return controlSocket(this.labDirectory, this.router.tag);
  }

  get logFile(): string {
    return logFile(this.labDirectory, this.router.tag);
  }

  get pid(): number | undefined {
    return this.running ? this.process?.pid : undefined;
  }

  get running(): boolean {
    return this.process !== undefined && isAlive(this.process);
  }

  /**
   * @param prefix a program that runs another one in its own place (setpriv, env), with its arguments
   * @param more command-line arguments besides `--config`
   */
  start(prefix: readonly string[] = [], more: readonly string[] = []): void {
    if (this.running) throw new Error(`vined of ${this.id} is running`);
    const command = [...prefix, `${projectRoot}bin/vined`, '--config', this.directory, ...more];
    this.process = startLogged(`vined-${this.router.tag}`, this.namespace, command, this.logFile);
    this.onStart(this.process);
  }

  get<T>(path: string): Promise<T> {
    return getJson<T>(this.socket, path);
  }

  status(): Promise<StatusView> {
    return this.get<StatusView>('/v1/status');
  }

  peers(): Promise<readonly PeerView[]> {
    return this.get<readonly PeerView[]>('/v1/peers');
  }

  counters(): Promise<CountersView> {
    return this.get<CountersView>('/v1/counters');
  }

  role(): Promise<RoleView> {
    return this.get<RoleView>('/v1/role');
  }

  /** Until it says that it is ready and the named peers are up. Rejects at once when it ends instead. */
  async waitReady(peers: readonly string[], limitMs = startLimitMs): Promise<void> {
    try {
      await waitFor(
        `vined of ${this.id} ready, with peers ${peers.join(', ')}`,
        async () => !this.running || ((await this.status()).ready && (await this.hasPeers(peers))),
        limitMs,
      );
      if (!this.running) throw new Error(`vined of ${this.id} ended`);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.logTail()}`, { cause: error });
    }
  }

  private async hasPeers(wanted: readonly string[]): Promise<boolean> {
    const up = (await this.peers()).filter((peer) => peer.state === 'up').map((peer) => peer.id);
    return wanted.every((id) => up.includes(id));
  }

  /** Until it knows the node to be at a router, its own or another. */
  async waitKnows(ip: string, router: string, limitMs?: number): Promise<void> {
    await waitFor(
      `vined of ${this.id} knows ${ip} to be at ${router}`,
      async () =>
        (await this.get<readonly DirectoryView[]>('/v1/directory')).some(
          (record) => record.ip === ip && record.router === router && record.state === 'here',
        ),
      limitMs,
    );
  }

  /** Sends a signal and waits until the process is gone; answers how long that took. */
  async kill(name: NodeJS.Signals = 'SIGTERM', limitMs = 5_000): Promise<number> {
    const { process } = this;
    if (process === undefined || !isAlive(process)) throw new Error(`vined of ${this.id} is not running`);
    const sent = performance.now();
    signal(process.pid, name);
    await waitFor(`vined of ${this.id} gone after ${name}`, () => !isAlive(process), limitMs);
    return performance.now() - sent;
  }

  /** Stops it where it is: nothing of it goes on, and its machine knows nothing of that. */
  suspend(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  private signal(name: NodeJS.Signals): void {
    const { pid } = this;
    if (pid === undefined) throw new Error(`vined of ${this.id} is not running`);
    signal(pid, name);
  }

  vinectl(args: readonly string[], timeoutMs = 10_000): Promise<Outcome> {
    return run([`${projectRoot}bin/vinectl`, '--socket', this.socket, ...args], { timeoutMs });
  }

  /** The last lines of its log, for a failing test's report. */
  logTail(lines = 25): string {
    const file = this.logFile;
    if (!existsSync(file)) return '';
    const tail = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines);
    return [`--- vined of ${this.id}, last lines of its log`, ...tail].join('\n');
  }
}
