/** A node moves during four TCP connections: with its old LAN, its new LAN, a third site, and the outside world. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { MigrationView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { type Family, families, hostAddress, moverAddress } from './families.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 10;
const bytesBetween = 200_000;
/** Far above what a move takes, far below what a human or an application calls an outage. */
const longestBlackoutMs = 1_500;

async function untilAllKnowAt(lab: Lab, vm: string, at: SiteLetter): Promise<void> {
  for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, vm, at);
}

/** The move with all connections under way; answers how long the probe's packets did not arrive. */
async function moveUnderWay(
  t: TestContext,
  lab: Lab,
  vm: string,
  streams: readonly TcpStream[],
  to: SiteLetter,
): Promise<void> {
  const probe = await UdpProbe.open(lab, 'a1', 'vm', vm);
  await probe.mark();
  for (const stream of streams) await stream.mark();
  const before = await Promise.all(streams.map((stream) => stream.retransmissions()));
  await lab.move('vm', to, { announce: 'rarp' });
  await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
  await untilAllKnowAt(lab, vm, to);
  await probe.progress(200);
  const { gap, lost } = await probe.finish();
  t.diagnostic(`to site ${to}: UDP 1 kHz a1 → vm: blackout ${round(gap.longestMs)} ms, ${lost} packets lost`);
  for (const [i, stream] of streams.entries()) {
    const again = (await stream.retransmissions()) - (before[i] ?? 0);
    t.diagnostic(
      `to site ${to}: TCP ${stream.name}: longest gap ${round(stream.gapMs)} ms, ${again} retransmissions`,
    );
  }
  assert.ok(gap.longestMs < longestBlackoutMs, `the blackout was ${round(gap.longestMs)} ms`);
}

async function fourConnections(t: TestContext, lab: Lab, family: Family): Promise<void> {
  const vm = moverAddress(lab, 'vm', family);
  await untilAllKnowAt(lab, vm, 'a');
  const streams: TcpStream[] = [];
  for (const host of ['a1', 'b1', 'c1', 'outside']) streams.push(await TcpStream.open(lab, host, 'vm', vm));
  await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
  await moveUnderWay(t, lab, vm, streams, 'b');
  await waitFor('the claim is accepted', async () => {
    const moves = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
    const move = moves.find(({ ips, to }) => ips.includes(vm) && to === 'vr-b');
    assert.equal(move?.from, 'vr-a');
    assert.equal(move?.role, 'destination');
    return move?.verdict === 'accepted';
  });
  await moveUnderWay(t, lab, vm, streams, 'a');
  for (const stream of streams) await stream.finish(); // throws when a byte is lost, doubled or changed
  const routes = JSON.parse(await lab.vinectl('c', ['gndt', '--json'])) as {
    kind: string;
    prefix: string;
  }[];
  assert.ok(!routes.some(({ kind }) => kind === 'host'), 'a host route is left for a node that is at home');
}

test('four connections go on while their node moves, and moves home again', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    for (const family of families) await t.test(`IPv${family}`, (t) => fourConnections(t, lab, family));
  }),
);

async function newConnections(lab: Lab, family: Family): Promise<void> {
  const vm = moverAddress(lab, 'vm', family);
  for (const to of ['a2', 'b2', 'outside']) {
    const stream = await TcpStream.open(lab, 'vm', to, hostAddress(lab, to, family));
    await stream.progress(bytesBetween);
    await stream.finish();
    const back = await TcpStream.open(lab, to, 'vm', vm);
    await back.progress(bytesBetween);
    await back.finish();
  }
}

test('a node opens new connections from where it is: old LAN, new LAN, outside', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs }, async (lab) => {
    const vm = lab.mover('vm').ipv4;
    await untilKnownAt(lab, 'b', vm, 'a');
    await lab.move('vm', 'b', { announce: 'both' });
    await untilKnownAt(lab, 'a', vm, 'b');
    for (const family of families) await t.test(`IPv${family}`, () => newConnections(lab, family));
  }),
);
