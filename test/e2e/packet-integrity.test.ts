/** A random stream of packets is the same at both ends, whatever the interfaces on the way do for speed. */
import { test } from 'node:test';
import type { LabOptions } from '../lab/lab.js';
import { carryRandomStream } from './random-stream.js';
import { cannotRun, ping, withLab } from './support.js';

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
        const { packets, frames } = await carryRandomStream(lab, seed, name);
        t.diagnostic(`${name}: ${packets} packets in ${frames} frames`);
      }
    }),
  );
}
