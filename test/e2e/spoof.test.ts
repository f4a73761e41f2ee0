/**
 * A host of site b that says it is a node of site a, which is alive there: RARP and gratuitous ARP with the node's own
 * MAC, and gratuitous ARP with the liar's. The node stays where it is, and its connections go on.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CountersView, MigrationView } from '../../src/control/api.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { type Family, families, moverAddress } from './families.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 10;
const undoneWithinMs = 250;
const bytesBetween = 50_000;

type Lie = readonly [what: string, kind: 'rarp' | 'garp' | 'both', withItsMac: boolean];
const lies: readonly Lie[] = [
  ['RARP and gratuitous ARP with the node’s MAC', 'both', true],
  ['gratuitous ARP with the liar’s MAC', 'garp', false],
];

/** Resolves when the liar has said all: 0.8 s. */
async function lie(lab: Lab, [, kind, withItsMac]: Lie): Promise<void> {
  const { mac, ipv4, ipv6 } = lab.mover('vm');
  const identity = withItsMac ? [mac] : [];
  await lab.exec('b1', [`${projectRoot}build/lab-announce`, 'eth0', kind, ...identity, ipv4, ipv6]);
}

interface Watch {
  readonly probe: UdpProbe;
  readonly streams: readonly TcpStream[];
}

async function watch(lab: Lab, family: Family): Promise<Watch> {
  const address = moverAddress(lab, 'vm', family);
  const streams: TcpStream[] = [];
  for (const host of ['a1', 'b2', 'c1']) streams.push(await TcpStream.open(lab, host, 'vm', address));
  const probe = await UdpProbe.open(lab, 'c2', 'vm', address);
  await probe.mark();
  return { probe, streams };
}

async function endsWell(
  t: TestContext,
  lab: Lab,
  what: string,
  { probe, streams }: Watch,
  family: Family,
): Promise<number> {
  const address = moverAddress(lab, 'vm', family);
  for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'a');
  await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
  await probe.progress(200);
  const { lost, gap } = await probe.finish();
  const gaps = streams.map(({ name, gapMs }) => `${name} ${round(gapMs)} ms`).join(', ');
  for (const stream of streams) await stream.finish();
  t.diagnostic(`${what}: UDP 1 kHz lost ${lost}, gap ${round(gap.longestMs)} ms; TCP gaps: ${gaps}`);
  return lost;
}

/** From the false claim to its being undone, by the time lines of the routers; undefined when nothing was believed. */
async function timeToUndo(lab: Lab): Promise<number | undefined> {
  const claims = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
  const undoing = await lab.daemon('a').get<readonly MigrationView[]>('/v1/migrations');
  const began = claims.find(({ role }) => role === 'destination');
  const undone = undoing.find(({ role, to }) => role === 'destination' && to === 'vr-a');
  if (began === undefined || undone === undefined) return undefined;
  return Date.parse(undone.startedAt) - Date.parse(began.startedAt);
}

async function believedThenUndone(t: TestContext, lab: Lab, one: Lie): Promise<void> {
  const watched = new Map<Family, Watch>();
  for (const family of families) watched.set(family, await watch(lab, family));
  await lie(lab, one);
  for (const [family, what] of watched) await endsWell(t, lab, `${one[0]}, IPv${family}`, what, family);
  const undoMs = await timeToUndo(lab);
  t.diagnostic(
    `${one[0]}: ${undoMs === undefined ? 'never believed' : `undone ${undoMs} ms after the first frame`}`,
  );
  assert.ok(undoMs === undefined || undoMs < undoneWithinMs, `undone only after ${undoMs} ms`);
  await waitFor('an alarm is raised', async () => {
    const events = await lab.daemon('a').get<readonly { event: string }[]>('/v1/events');
    const others = await lab.daemon('b').get<readonly { event: string }[]>('/v1/events');
    return [...events, ...others].some(({ event }) => event === 'duplicate_address');
  });
}

for (const one of lies)
  test(`a lie is undone: ${one[0]}`, { skip: cannotRun }, (t) =>
    withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
      for (const family of families)
        for (const { letter } of lab.plan.sites)
          await untilKnownAt(lab, letter, moverAddress(lab, 'vm', family), 'a');
      await believedThenUndone(t, lab, one);
    }),
  );

test('strict: not one packet is diverted by any lie', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs, verify: 'strict' }, async (lab) => {
    for (const family of families)
      for (const { letter } of lab.plan.sites)
        await untilKnownAt(lab, letter, moverAddress(lab, 'vm', family), 'a');
    for (const one of lies) {
      const watched = new Map<Family, Watch>();
      for (const family of families) watched.set(family, await watch(lab, family));
      await lie(lab, one);
      for (const [family, what] of watched)
        assert.equal(await endsWell(t, lab, `strict, ${one[0]}, IPv${family}`, what, family), 0);
    }
  }),
);

test('strict: a machine elsewhere that answers every question in the node’s name', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs, verify: 'strict' }, async (lab) => {
    const { mac, ipv4, ipv6 } = lab.mover('vm');
    for (const family of families)
      for (const { letter } of lab.plan.sites)
        await untilKnownAt(lab, letter, moverAddress(lab, 'vm', family), 'a');
    const watched = new Map<Family, Watch>();
    for (const family of families) watched.set(family, await watch(lab, family));
    lab.addToLan('b', 'twin', mac, [`${ipv4}/24`, `${ipv6}/64`]);
    // It says something to a MAC that nobody has, so that it is heard and asked, time and again, and it answers.
    const nobody = ['10.1.0.77', 'lladdr', '02:00:00:00:99:99', 'dev', 'eth0', 'nud', 'permanent'];
    await lab.exec('twin', ['ip', 'neigh', 'add', ...nobody]);
    const pings = lab.attempt('twin', ['ping', '-n', '-i', '0.5', '-c', '20', '-W', '1', '10.1.0.77']);
    await waitFor('the twin to be asked and to answer', async () => {
      const counters = await lab.daemon('b').get<CountersView>('/v1/counters');
      return (counters.mobility_moves_proposed ?? 0) > 0;
    });
    await pings;
    for (const [family, what] of watched)
      assert.equal(await endsWell(t, lab, `a twin, IPv${family}`, what, family), 0);
    const moves = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
    assert.deepEqual(
      moves.filter(({ verdict }) => verdict === 'accepted'),
      [],
    );
  }),
);
