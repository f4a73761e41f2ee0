/**
 * A node moves while neighbours have it in their caches for good, and it has them: no ARP changes these entries. Their
 * frames to MACs that are elsewhere are taken by the routers.
 */
import { type TestContext, test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { type Family, families, hostAddress, moverAddress } from './families.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 10;
const bytesBetween = 200_000;

interface Entry {
  readonly on: string;
  readonly address: string;
  readonly mac: string;
}

async function macOf(lab: Lab, node: string): Promise<string> {
  const [link] = JSON.parse(await lab.exec(node, ['ip', '-j', 'link', 'show', 'eth0'])) as {
    address: string;
  }[];
  if (link === undefined) throw new Error(`${node} has no eth0`);
  return link.address;
}

async function setEntries(lab: Lab, entries: readonly Entry[], kind: 'permanent' | 'stale'): Promise<void> {
  for (const { on, address, mac } of entries) {
    await lab.exec(on, ['ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', 'eth0', 'nud', kind]);
  }
}

/** What the old LAN's hosts have of the node, and the node of them: its gateway too. */
async function entriesOf(lab: Lab, family: Family): Promise<{ hosts: Entry[]; node: Entry[] }> {
  const vm = { address: moverAddress(lab, 'vm', family), mac: lab.mover('vm').mac };
  const gateway = family === 4 ? '10.1.0.254' : 'fd00:1::254';
  const a1 = hostAddress(lab, 'a1', family);
  return {
    hosts: ['a1', 'gw-a'].map((on) => ({ on, ...vm })),
    node: [
      { on: 'vm', address: a1, mac: await macOf(lab, 'a1') },
      { on: 'vm', address: gateway, mac: await macOf(lab, 'gw-a') },
    ],
  };
}

async function moveUnderWay(
  t: TestContext,
  lab: Lab,
  vm: string,
  streams: readonly TcpStream[],
  to: SiteLetter,
): Promise<void> {
  for (const stream of streams) await stream.mark();
  await lab.move('vm', to, { announce: 'rarp' });
  await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
  for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, vm, to);
  const gaps = streams.map((stream) => `${stream.name} ${round(stream.gapMs)} ms`);
  t.diagnostic(`to site ${to}: longest gaps: ${gaps.join(', ')}`);
}

test('connections go on though neighbour entries are permanent', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs, maxMoves: 1000 }, async (lab) => {
    for (const family of families) {
      const vm = moverAddress(lab, 'vm', family);
      const { hosts, node } = await entriesOf(lab, family);
      for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, vm, 'a');
      for (const [where, entries] of [
        ["on the old LAN's hosts", hosts],
        ['on the node', node],
        ['on both', [...hosts, ...node]],
      ] as const) {
        await t.test(`IPv${family}, ${where}`, async (t) => {
          const streams: TcpStream[] = [];
          for (const host of ['a1', 'b1', 'c1', 'outside'])
            streams.push(await TcpStream.open(lab, host, 'vm', vm));
          await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
          await setEntries(lab, entries, 'permanent');
          await moveUnderWay(t, lab, vm, streams, 'b');
          await moveUnderWay(t, lab, vm, streams, 'a');
          for (const stream of streams) await stream.finish();
          await setEntries(lab, entries, 'stale');
        });
      }
    }
  }),
);
