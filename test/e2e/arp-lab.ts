/** One LAN of namespaces: a host, a node, and an end that stays in this process's namespace and plays the VR. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openCapture } from '../../src/arp/capture.js';
import { loadNative } from '../../src/dataplane/native.js';
import type { Clock } from '../../src/net/clock.js';
import { type Mac, mac } from '../../src/net/mac.js';

export const whySkipped = process.getuid?.() === 0 ? false : 'needs root: creates network namespaces';

export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (_name, delayMs, action) => {
    const timeout = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

export const HOST_MAC = mac('02:00:00:00:00:01');
export const NODE_MAC = mac('02:00:00:00:00:09');
export const VR_MAC = mac('02:00:00:00:00:fe');

/** Runs a program; its standard output. Throws with its standard error. */
export function run(...command: readonly string[]): string {
  const [program = '', ...rest] = command;
  return execFileSync(program, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Polls until `probe` gives a value. */
export async function until<T>(what: string, probe: () => T | undefined, timeoutMs = 10_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = probe();
    if (value !== undefined) return value;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/**
 * Bridge and two machines in namespaces; `vrInterface` is the VR's end, here. Machines: `host` (10.1.0.2, fd00::2)
 * and `node` (10.1.0.9, fd00::9), both without a route to anywhere else.
 */
export class ArpLab {
  readonly #prefix = `arp${process.pid}`;
  readonly vrInterface = `arp${process.pid}v`;
  readonly bridge = `${this.#prefix}br`;
  readonly host = `${this.#prefix}h`;
  readonly node = `${this.#prefix}n`;

  up(): void {
    for (const name of [this.bridge, this.host, this.node]) {
      run('ip', 'netns', 'add', name);
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    }
    run('ip', '-n', this.bridge, 'link', 'add', 'name', 'br0', 'type', 'bridge');
    run('ip', '-n', this.bridge, 'link', 'set', 'br0', 'up');
    this.#machine(this.host, '02:00:00:00:00:01', '2');
    this.#machine(this.node, '02:00:00:00:00:09', '9');
    run(
      'ip',
      'link',
      'add',
      'name',
      this.vrInterface,
      'type',
      'veth',
      'peer',
      'name',
      'vr',
      'netns',
      this.bridge,
    );
    run('sysctl', '-qw', `net.ipv6.conf.${this.vrInterface}.disable_ipv6=1`);
    run('ip', 'link', 'set', this.vrInterface, 'address', '02:00:00:00:00:fe', 'up');
    run('ip', '-n', this.bridge, 'link', 'set', 'vr', 'master', 'br0', 'up');
  }

  down(): void {
    const quietly = (...command: string[]): void => {
      try {
        run(...command);
      } catch {
        // It was never made, or went with its peer.
      }
    };
    quietly('ip', 'link', 'del', this.vrInterface);
    for (const name of [this.host, this.node, this.bridge]) quietly('ip', 'netns', 'del', name);
  }

  in(namespace: string, ...command: readonly string[]): string {
    return run('ip', 'netns', 'exec', namespace, ...command);
  }

  /** MAC and state of a machine's neighbour entry, undefined when it has none. */
  neighbour(namespace: string, ip: string): { mac: Mac; state: string } | undefined {
    const line = run('ip', '-n', namespace, 'neigh', 'show', 'to', ip, 'dev', 'eth0');
    const found = /lladdr (\S+) (?:router )?(?:extern_learn )?([A-Z]+)/.exec(line);
    return found?.[1] === undefined ? undefined : { mac: mac(found[1]), state: found[2] ?? '' };
  }

  /** A fresh entry for the node in the host's cache, learned by really asking. */
  async learn(ip: string): Promise<void> {
    run('ip', '-n', this.host, 'neigh', 'flush', 'dev', 'eth0');
    assert.ok(await this.pings(this.host, ip), `${ip} answers`);
  }

  /** One echo request; true when it is answered. Frames are captured meanwhile. */
  async pings(namespace: string, ip: string, withinS = 10): Promise<boolean> {
    const command = ['netns', 'exec', namespace, 'ping', '-n', '-q', '-c', '1', '-W', String(withinS), ip];
    return promisify(execFile)('ip', command).then(
      () => true,
      () => false,
    );
  }

  openCapture(onFrame: (bytes: Uint8Array, atMs: number) => void, clock = realClock) {
    return openCapture(this.vrInterface, onFrame, { pcap: loadNative(), ownMacs: [VR_MAC], clock });
  }

  #machine(name: string, address: string, last: string): void {
    run(
      'ip',
      '-n',
      this.bridge,
      'link',
      'add',
      'name',
      name,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      name,
    );
    this.in(
      name,
      'sysctl',
      '-qw',
      'net.ipv6.conf.eth0.accept_dad=0',
      'net.ipv6.conf.eth0.router_solicitations=0',
    );
    run('ip', '-n', name, 'link', 'set', 'eth0', 'address', address, 'up');
    run('ip', '-n', name, 'addr', 'add', `10.1.0.${last}/24`, 'dev', 'eth0');
    run('ip', '-n', name, 'addr', 'add', `fd00::${last}/64`, 'dev', 'eth0', 'nodad');
    run('ip', '-n', this.bridge, 'link', 'set', name, 'master', 'br0', 'up');
  }
}
