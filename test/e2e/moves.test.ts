/**
 * Ways that nodes take: home again, onward to a third site, two that swap places, twenty at once; in classic and
 * single-large-subnet mode, IPv4 and IPv6. Connections from every site stay open all the time.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { DirectoryView, GndtView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import type { Announcement } from '../lab/mover.js';
import { routerName, type SiteLetter, type Topology } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { type Family, moverAddress } from './families.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

interface Mode {
  readonly topology: Topology;
  readonly families: readonly Family[];
}

const modes: readonly Mode[] = [
  { topology: 'three-site', families: [4, 6] },
  { topology: 'large-subnet-three', families: [4] },
  { topology: 'large-subnet-6', families: [6] },
];
const wanDelayMs = 10;
const bytesBetween = 60_000;
const bytesPerSecond = 200_000;
const many = Array.from({ length: 20 }, (_, i) => `vm${20 + i}`);

async function untilAllKnow(lab: Lab, node: string, family: Family, at: SiteLetter): Promise<void> {
  const ip = moverAddress(lab, node, family);
  for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, ip, at);
}

/** Moves nodes at the same time, and waits until all routers know and all streams have gone on. */
async function moveAll(
  lab: Lab,
  moves: readonly (readonly [node: string, to: SiteLetter])[],
  family: Family,
  announce: Announcement,
  streams: readonly TcpStream[],
): Promise<void> {
  for (const stream of streams) await stream.mark();
  await Promise.all(moves.map(([node, to]) => lab.move(node, to, { announce })));
  for (const [node, to] of moves) await untilAllKnow(lab, node, family, to);
  await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
}

function report(t: TestContext, what: string, streams: readonly TcpStream[]): void {
  t.diagnostic(`${what}: ${streams.map(({ name, gapMs }) => `${name} ${round(gapMs)} ms`).join(', ')}`);
}

async function noHostRoutes(lab: Lab): Promise<void> {
  for (const { letter } of lab.plan.sites) {
    const routes = await lab.daemon(letter).get<readonly GndtView[]>('/v1/gndt');
    const left = routes.filter(({ kind }) => kind === 'host');
    assert.deepEqual(left, [], `router of site ${letter}: host routes for nodes that are at home`);
  }
}

async function onwardAndHome(t: TestContext, lab: Lab, family: Family): Promise<void> {
  const address = moverAddress(lab, 'vm', family);
  await untilAllKnow(lab, 'vm', family, 'a');
  const streams: TcpStream[] = [];
  for (const host of ['a1', 'b1', 'c1'])
    streams.push(await TcpStream.open(lab, host, 'vm', address, bytesPerSecond));
  for (const [to, announce] of [
    ['b', 'rarp'],
    ['c', 'garp'],
    ['a', 'rarp'],
    ['c', 'both'],
    ['a', 'garp'],
  ] as const) {
    await moveAll(lab, [['vm', to]], family, announce, streams);
    report(t, `to ${to} by ${announce}`, streams);
  }
  for (const stream of streams) await stream.finish();
  await noHostRoutes(lab);
}

async function swap(t: TestContext, lab: Lab, family: Family): Promise<void> {
  const [vm, vmb] = [moverAddress(lab, 'vm', family), moverAddress(lab, 'vmb', family)];
  await untilAllKnow(lab, 'vmb', family, 'b');
  const streams = [
    await TcpStream.open(lab, 'a1', 'vm', vm, bytesPerSecond),
    await TcpStream.open(lab, 'b1', 'vmb', vmb, bytesPerSecond),
    await TcpStream.open(lab, 'vm', 'vmb', vmb, bytesPerSecond),
  ];
  const apart: [string, SiteLetter][] = [
    ['vm', 'b'],
    ['vmb', 'a'],
  ];
  const home: [string, SiteLetter][] = [
    ['vm', 'a'],
    ['vmb', 'b'],
  ];
  await moveAll(lab, apart, family, 'rarp', streams);
  report(t, 'swapped', streams);
  await moveAll(lab, home, family, 'rarp', streams);
  report(t, 'and back', streams);
  for (const stream of streams) await stream.finish();
  await noHostRoutes(lab);
}

/** Site to which the n-th of the many goes. */
const placeOf = (n: number): SiteLetter => (n % 2 === 0 ? 'b' : 'c');

async function untilAllAre(lab: Lab, at: (n: number) => SiteLetter, family: Family): Promise<void> {
  for (const { letter } of lab.plan.sites)
    await waitFor(`router of site ${letter} knows where the twenty are`, async () => {
      const records = await lab.daemon(letter).get<readonly DirectoryView[]>('/v1/directory');
      const places = new Map(records.map(({ ip, router }) => [ip, router]));
      return many.every((node, n) => places.get(moverAddress(lab, node, family)) === routerName(at(n)));
    });
}

/** Pings all of them at once from one host. */
async function reachesAll(lab: Lab, from: string, family: Family): Promise<void> {
  const addresses = many.map((node) => moverAddress(lab, node, family));
  const one = 'ping -q -n -c 3 -i 0.2 -W 2 "$ip" >/dev/null || echo "$ip"';
  const script = `for ip in ${addresses.join(' ')}; do (${one}) & done; wait`;
  assert.equal(await lab.exec(from, ['sh', '-c', script]), '', `${from} does not reach these`);
}

async function twenty(t: TestContext, lab: Lab, family: Family): Promise<void> {
  await untilAllAre(lab, () => 'a', family);
  const streams: TcpStream[] = [];
  for (const [from, node] of [
    ['a1', 'vm20'],
    ['b1', 'vm21'],
    ['c1', 'vm39'],
  ] as const)
    streams.push(await TcpStream.open(lab, from, node, moverAddress(lab, node, family), bytesPerSecond));
  for (const at of [placeOf, (): SiteLetter => 'a']) {
    for (const stream of streams) await stream.mark();
    const started = performance.now();
    await Promise.all(many.map((node, n) => lab.move(node, at(n))));
    const tookMs = performance.now() - started;
    await untilAllAre(lab, at, family);
    const knownMs = performance.now() - started;
    await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
    for (const from of ['a1', 'b1', 'c1']) await reachesAll(lab, from, family);
    t.diagnostic(`twenty moved in ${round(tookMs)} ms, all known after ${round(knownMs)} ms`);
    report(t, 'longest gaps', streams);
  }
  for (const stream of streams) await stream.finish();
  await noHostRoutes(lab);
}

for (const { topology, families } of modes)
  test(`ways of nodes: ${topology}`, { skip: cannotRun }, (t) =>
    withLab(t, { topology, wanDelayMs, moreVms: many.length, maxMoves: 100 }, async (lab) => {
      for (const family of families) {
        await t.test(`IPv${family}: onward to a third site, home again`, (t) =>
          onwardAndHome(t, lab, family),
        );
        await t.test(`IPv${family}: two nodes swap sites, and back`, (t) => swap(t, lab, family));
        await t.test(`IPv${family}: twenty nodes at once, and home again`, (t) => twenty(t, lab, family));
      }
    }),
  );
