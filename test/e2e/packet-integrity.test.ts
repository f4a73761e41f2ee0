/** A random stream of packets is the same at both ends, whatever the interfaces on the way do for speed. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Lab, LabOptions } from '../lab/lab.js';
import { essence, flowOf, randomStream, routed, siteAtoB } from '../support/flow-packets.js';
import { faultsOf } from '../support/ip-packet.js';
import { cannotRun, ping, withLab } from './support.js';

const COUNT = 240;
const PROGRAM = new URL('../lab/traffic/packets.js', import.meta.url).pathname;
const PATH = [
  ['a1', 'eth0'],
  ['vr-a', 'lan0'],
  ['vr-a', 'wan0'],
  ['vr-b', 'wan0'],
  ['vr-b', 'lan0'],
  ['b1', 'eth0'],
] as const;

/** Each is switched off alone, then all; the last ones are off by default and switched on. */
const SETTINGS: readonly (readonly string[])[] = [
  [],
  ['rx', 'off'],
  ['sg', 'off'],
  ['tso', 'off'],
  ['gso', 'off'],
  ['gro', 'off'],
  ['tx', 'off'],
  ['tx-udp-segmentation', 'off'],
  ['tx', 'off', 'rx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'],
  ['gro', 'on'],
  ['gro', 'on', 'rx-udp-gro-forwarding', 'on'],
];
const DEFAULTS = ['rx', 'on', 'tx', 'on', 'sg', 'on', 'tso', 'on', 'gso', 'on', 'gro', 'off'];

interface Arrived {
  readonly frames: number;
  readonly hex: readonly string[];
}

for (const cipher of ['chacha20-poly1305', 'aes-256-gcm'] as const) {
  const options: LabOptions = { topology: 'two-site', cipher };
  test(`${cipher}: packets arrive bit by bit, with every offload on and off`, { skip: cannotRun }, (t) =>
    withLab(t, options, async (lab) => {
      await ping(lab, 'a1', '10.2.0.11');
      await ping(lab, 'a1', 'fd00:2::11');
      const settings = cipher === 'aes-256-gcm' ? SETTINGS.slice(0, 1) : SETTINGS;
      for (const [seed, setting] of settings.entries()) {
        for (const [node, name] of PATH) {
          await lab.exec(node, ['ethtool', '-K', name, ...DEFAULTS]);
          if (setting.length > 0) await lab.exec(node, ['ethtool', '-K', name, ...setting]);
        }
        const name = setting.join(' ') || 'defaults';
        const { frames, hex } = await carry(lab, seed);
        compare(randomStream(seed, COUNT, siteAtoB).map(routed), hex.map(bytesOf), name);
        t.diagnostic(`${name}: ${COUNT} packets in ${frames} frames`);
      }
    }),
  );
}

async function carry(lab: Lab, seed: number): Promise<Arrived> {
  const mac = (await lab.exec('vr-a', ['cat', '/sys/class/net/lan0/address'])).trim();
  const receiver = lab.spawn('b1', [process.execPath, PROGRAM, 'receive', 'eth0', `${COUNT}`]);
  let said = '';
  receiver.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for await (const line of createInterface({ input: receiver.stdout })) {
    if (line === 'ready') {
      await lab.exec('a1', [process.execPath, PROGRAM, 'send', 'eth0', mac, `${seed}`, `${COUNT}`]);
    } else {
      return JSON.parse(line) as Arrived;
    }
  }
  throw new Error(`the receiver ended without a report: ${said}`);
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** Every packet once, byte for byte, its checksums as right or wrong as they were, in the order of its flow. */
function compare(sent: readonly Uint8Array[], arrived: readonly Uint8Array[], name: string): void {
  const [before, after] = [grouped(sent), grouped(arrived)];
  for (const [flow, packets] of before) {
    const same = after.get(flow) ?? [];
    assert.deepEqual(same.map(essence), packets.map(essence), `${name}: flow ${flow}`);
    assert.deepEqual(same.map(faultsOf), packets.map(faultsOf), `${name}: checksums of flow ${flow}`);
  }
  assert.equal(arrived.length, sent.length, name);
}

function grouped(packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const flows = new Map<string, Uint8Array[]>();
  for (const packet of packets) flows.set(flowOf(packet), [...(flows.get(flowOf(packet)) ?? []), packet]);
  return flows;
}
