/** A name server in a lab's WAN (dnsmasq), and who asks it: a namespace's own `/etc/resolv.conf` and `/etc/hosts` (ip-netns(8)). */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.js';
import { waitFor } from './wait.js';

const ADDRESS = '192.0.2.53';
export const DOMAIN = 'vine.test';
/** glibc's own are 5 s and two attempts; a silent server then takes three seconds for a name. */
const OPTIONS = 'options timeout:1 attempts:3';

export class NameServer {
  readonly #lab: Lab;
  readonly #hosts: string;
  readonly #ofNamespaces: string[] = [];
  #server: ChildProcess | undefined;

  /** @param asking the nodes whose programs ask it; those that run already do not notice */
  constructor(lab: Lab, asking: readonly string[]) {
    this.#lab = lab;
    this.#hosts = join(lab.directory, 'name-server.hosts');
    lab.addToWan('dns', [`${ADDRESS}/24`]);
    for (const node of asking) {
      const directory = join('/etc/netns', lab.namespace(node));
      mkdirSync(directory, { recursive: true });
      this.#ofNamespaces.push(directory);
      writeFileSync(join(directory, 'resolv.conf'), `nameserver ${ADDRESS}\n${OPTIONS}\n`);
      writeFileSync(join(directory, 'hosts'), '127.0.0.1 localhost\n');
    }
  }

  /** What it answers from now on; empty: there is no such name. */
  say(names: Readonly<Record<string, readonly string[]>>): void {
    const lines = Object.entries(names).flatMap(([name, list]) =>
      list.map((ip) => `${ip} ${name}.${DOMAIN}`),
    );
    writeFileSync(this.#hosts, `${lines.join('\n')}\n`);
    this.#server?.kill('SIGHUP');
  }

  /** Writes a node's /etc/hosts. In place: it is mounted there. */
  hosts(node: string, lines: readonly string[]): void {
    const text = ['127.0.0.1 localhost', ...lines, ''].join('\n');
    writeFileSync(join('/etc/netns', this.#lab.namespace(node), 'hosts'), text);
  }

  async start(): Promise<void> {
    const server = this.#lab.spawn('dns', [
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file='],
      ...['--no-resolv', '--no-hosts', `--addn-hosts=${this.#hosts}`, `--local=/${DOMAIN}/`],
      ...['--log-facility=-', '--log-queries'],
    ]);
    this.#server = server;
    let text = '';
    server.stderr.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-4_000);
    });
    await waitFor('the name server answers', () => {
      if (server.exitCode !== null) throw new Error(`dnsmasq ended: ${text}`);
      return text.includes('started');
    });
  }

  /** It takes questions, and says nothing. */
  suspend(): void {
    this.#server?.kill('SIGSTOP');
  }

  resume(): void {
    this.#server?.kill('SIGCONT');
  }

  /** Questions to it are refused by its machine. */
  async end(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  /** What is outside the lab's own directory. */
  async down(): Promise<void> {
    await this.end();
    for (const directory of this.#ofNamespaces) rmSync(directory, { recursive: true, force: true });
  }
}
