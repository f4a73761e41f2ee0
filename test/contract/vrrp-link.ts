/** A LAN with two machines: this namespace's interface `near`, and `far` in another one, where peers and strangers run. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Ip } from '../../src/net/ip.js';
import { linkOf } from '../../src/router/machine/vrrp/link.js';
import { waitFor } from '../lab/wait.js';
import { ip } from './namespace.js';

export interface HeardByPeer {
  readonly source: string;
  readonly vrid: number;
  readonly priority: number;
  readonly maxIntervalCs: number;
  readonly addresses: readonly string[];
}

export type PeerCommand =
  | { readonly send: Omit<HeardByPeer, 'source'> }
  /** A whole Ethernet frame in hexadecimal digits. */
  | { readonly frames: string; readonly times: number }
  | { readonly close: true };

export type PeerReport =
  | { readonly ready: true }
  | { readonly heard: HeardByPeer }
  | { readonly condition: string }
  | { readonly counters: Readonly<Record<string, number>> };

/** Addresses of both families: the two machines, and what a virtual router would have. */
export const NEAR = { 4: Ip.of('10.1.0.2'), 6: Ip.of('fe80::2') } as const;
export const FAR = { 4: Ip.of('10.1.0.3'), 6: Ip.of('fe80::3') } as const;
export const VIRTUAL = {
  4: [Ip.of('10.1.0.1')],
  6: [Ip.of('fe80::1'), Ip.of('fd00:1::1')],
} as const;

export class TwoMachines {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async open(): Promise<TwoMachines> {
    // It says when it is in its namespace.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo in; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (holder.stdout !== null) await once(holder.stdout, 'data');
    const machines = new TwoMachines(holder);
    machines.far('ip', 'link', 'set', 'lo', 'up');
    return machines;
  }

  /** Makes the link, with addresses. Settles when both families are ready at both ends. */
  async connect(): Promise<void> {
    ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', `${this.#holder.pid}`);
    const here = (...words: string[]): void => ip(...words);
    const there = (...words: string[]): void => this.far('ip', ...words);
    for (const [name, run, addresses] of [
      ['near', here, NEAR],
      ['far', there, FAR],
    ] as const) {
      run('link', 'set', name, 'addrgenmode', 'none');
      run('link', 'set', name, 'up');
      run('address', 'add', `${addresses[4]}/24`, 'dev', name);
      run('address', 'add', `${addresses[6]}/64`, 'dev', name, 'nodad');
    }
    await waitFor('the link', () => linkOf('near', 6).is === 'up' && this.#isFarReady());
  }

  disconnect(): void {
    ip('link', 'delete', 'near');
  }

  /** Runs a command on the other machine. */
  far(...words: readonly string[]): void {
    execFileSync('nsenter', [...this.#into(), ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Starts a program on the other machine. */
  start(command: readonly string[]): ChildProcess {
    return spawn('nsenter', [...this.#into(), ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  close(): void {
    this.#holder.kill();
  }

  #isFarReady(): boolean {
    this.far('grep', '-Eq', '\\sfar\\s.*333300000001', '/proc/self/net/dev_mcast');
    return true;
  }

  #into(): readonly string[] {
    return [`--net=/proc/${this.#holder.pid}/ns/net`];
  }
}

/** Our own socket on the other machine. */
export class Peer {
  readonly heard: HeardByPeer[] = [];
  readonly conditions: string[] = [];
  #counters: Readonly<Record<string, number>> | undefined;
  #isReady = false;
  #said = '';
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    if (process.stdout !== null)
      createInterface({ input: process.stdout }).on('line', (line) => this.#take(JSON.parse(line)));
  }

  static async open(machines: TwoMachines, source: Ip, vrid: number): Promise<Peer> {
    const script = fileURLToPath(new URL('vrrp-peer.js', import.meta.url));
    const peer = new Peer(machines.start([process.execPath, script, 'far', source.key, `${vrid}`]));
    await waitFor('the peer', () => {
      if (peer.#process.exitCode !== null) throw new Error(peer.#said);
      return peer.#isReady;
    });
    return peer;
  }

  tell(command: PeerCommand): void {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** Its counters at the end. */
  async close(): Promise<Readonly<Record<string, number>>> {
    const ended = once(this.#process, 'close');
    this.tell({ close: true });
    await ended;
    if (this.#counters === undefined) throw new Error(`the peer ended without a word: ${this.#said}`);
    return this.#counters;
  }

  #take(report: PeerReport): void {
    if ('ready' in report) this.#isReady = true;
    if ('heard' in report) this.heard.push(report.heard);
    if ('condition' in report) this.conditions.push(report.condition);
    if ('counters' in report) this.#counters = report.counters;
  }
}
