/** An ordinary WireGuard client on a node of the lab: Debian's wireguard-go and wg, configured by `vinectl node add`. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';

/** The first that is missing, as a reason to skip; false when all are there. */
export async function withoutWireguard(): Promise<string | false> {
  for (const program of ['wireguard-go', 'wg', 'wg-quick']) {
    const { status } = await run(['sh', '-c', `command -v ${program}`]);
    if (status !== 0) return `needs ${program}: apt-get install wireguard-go wireguard-tools`;
  }
  return existsSync('/dev/net/tun') ? false : 'needs /dev/net/tun';
}

/**
 * Adds a client to every site's gndt.json by `vinectl node add --write` at the site that it connects to. Answers its
 * wg-quick configuration.
 */
export async function addClient(
  lab: Lab,
  via: SiteLetter,
  ip: string,
  more: readonly string[] = [],
): Promise<string> {
  const { directory } = lab.daemon(via);
  const args = ['node', 'add', '--vnet', 'blue', '--ip', ip, '--write', directory, ...more];
  const configuration = await lab.vinectl(via, args);
  for (const { letter } of lab.plan.sites) {
    const other = lab.daemon(letter).directory;
    if (letter !== via) copyFileSync(join(directory, 'gndt.json'), join(other, 'gndt.json'));
  }
  return configuration;
}

export class WireguardClient {
  private child: ChildProcessWithoutNullStreams | undefined;
  /** All that wireguard-go has said. */
  log = '';

  /** @param interfaceName its control socket has this name for the whole machine, so it must be nobody else's */
  constructor(
    private readonly lab: Lab,
    readonly node: string,
    private readonly interfaceName: string,
    private readonly configuration: string,
  ) {}

  private get socket(): string {
    return `/var/run/wireguard/${this.interfaceName}.sock`;
  }

  /** As `wg-quick up` does it, but for the system's own WireGuard, which is never used. */
  async start(): Promise<void> {
    const { lab, node, interfaceName } = this;
    const child = lab.spawn(node, ['env', 'LOG_LEVEL=verbose', 'wireguard-go', '-f', interfaceName]);
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    await waitFor('wireguard-go listening', () => existsSync(this.socket), 10_000);
    const file = join(lab.directory, `${interfaceName}.conf`);
    writeFileSync(file, this.configuration, { mode: 0o600 });
    const stripped = await run(['wg-quick', 'strip', file]);
    writeFileSync(file, stripped.stdout, { mode: 0o600 });
    await this.wg('setconf', interfaceName, file);
    const setting = (name: string): string =>
      new RegExp(`^${name} = (.*)$`, 'm').exec(this.configuration)?.[1] ?? '';
    await lab.exec(node, ['ip', 'address', 'add', setting('Address'), 'dev', interfaceName]);
    await lab.exec(node, ['ip', 'link', 'set', interfaceName, 'mtu', setting('MTU'), 'up']);
    for (const prefix of setting('AllowedIPs').split(', '))
      await lab.exec(node, ['ip', 'route', 'add', prefix, 'dev', interfaceName]);
  }

  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    rmSync(this.socket, { force: true });
  }

  /** `wg set INTERFACE …` */
  async set(...words: readonly string[]): Promise<void> {
    await this.wg('set', this.interfaceName, ...words);
  }

  async show(what: string): Promise<string> {
    return this.lab.exec(this.node, ['wg', 'show', this.interfaceName, what]);
  }

  /** How often its log has a line. */
  count(line: string): number {
    return this.log.split(line).length - 1;
  }

  private async wg(...words: readonly string[]): Promise<void> {
    await this.lab.exec(this.node, ['wg', ...words]);
  }
}
