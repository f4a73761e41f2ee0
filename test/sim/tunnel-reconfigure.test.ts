/** Peers that come, go and change their keys while the tunnel runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouterEntry } from '../../src/tables/model.js';
import { type SimRouter, World } from './tunnel-world.js';

const ALL = ['vr-a', 'vr-b', 'vr-c'];
const DIGEST = new Uint8Array(32).fill(9);
const SELF = { version: '0.1.0', capabilities: [], gndtDigest: new Uint8Array(32), innerMtuBytes: 1_436 };
/** vr-a's numbers of the others, as a router hands them in: not their positions any more. */
const NUMBERS: Readonly<Record<string, number>> = { 'vr-a': 0, 'vr-b': 1, 'vr-c': 7 };

function reconfigure(
  router: SimRouter,
  routers: readonly RouterEntry[],
  digest = DIGEST,
  leastMinor = 0,
): void {
  const plan = router.tunnel.planPeers(routers.filter(({ id }) => id !== router.id));
  if (typeof plan === 'string') throw new Error(plan);
  router.tunnel.reconfigure(plan, digest, (id) => NUMBERS[id] ?? -1, leastMinor);
}

function worldOf(): { world: World; a: SimRouter; b: SimRouter; c: SimRouter } {
  const world = new World({ routers: ALL });
  // vr-c is not in the file of vr-a yet.
  const gndt = { ...world.gndt, routers: world.gndt.routers.filter(({ id }) => id !== 'vr-c') };
  const a = world.start('vr-a', { gndt });
  const b = world.start('vr-b');
  const c = world.start('vr-c');
  world.until('a and b up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1000);
  return { world, a, b, c };
}

test('a new peer comes up; the session with the other one goes on', () => {
  const { world, a, b, c } = worldOf();
  const handshake = a.tunnel.peers()[0]?.lastHandshakeWallMs;
  reconfigure(a, [...world.gndt.routers].reverse());
  assert.ok(a.sendPacket(1), 'no session any more');
  world.until('a and c up', () => a.stateOf('vr-c') === 'up' && c.stateOf('vr-a') === 'up', 12_000);
  assert.equal(a.tunnel.peers().find(({ id }) => id === 'vr-c')?.peer, 7);
  assert.equal(a.tunnel.peers().find(({ id }) => id === 'vr-b')?.lastHandshakeWallMs, handshake);
  assert.deepEqual(a.changes, ['up vr-b', 'up vr-c']);
  assert.equal(b.packets, 1);
});

test('peers that are up learn the new digest, and whether it is theirs', () => {
  const { world, a, b } = worldOf();
  assert.equal(b.tunnel.peers()[0]?.sameGndt, true);
  reconfigure(a, world.gndt.routers);
  world.clock.advance(200);
  assert.equal(b.tunnel.peers()[0]?.sameGndt, false);
  assert.equal(b.events.filter(({ event }) => event === 'peer_gndt_differs').length, 1);
  reconfigure(b, world.gndt.routers);
  world.clock.advance(200);
  assert.equal(a.tunnel.peers()[0]?.sameGndt, true);
  assert.equal(b.tunnel.peers()[0]?.sameGndt, true);
  assert.ok(!b.changes.includes('down vr-a'));
  assert.ok(!a.changes.includes('down vr-b'));
});

test('a peer that is removed is told, forgotten, and cannot come back', () => {
  const { world, a, b } = worldOf();
  reconfigure(a, []);
  assert.deepEqual(a.changes, ['up vr-b', 'down vr-b']);
  assert.deepEqual([a.tunnel.peers(), a.installedSessions, a.sendPacket(1)], [[], 0, false]);
  world.until('b knows', () => b.stateOf('vr-a') !== 'up', 500);
  world.clock.advance(30_000);
  assert.deepEqual([a.tunnel.peers(), a.installedSessions], [[], 0]);
  assert.ok(a.count('handshake_drop_unknown_key') > 0);
});

test('another key: the old session ends at once, and nobody with the old key gets a new one', () => {
  const { world, a, b } = worldOf();
  const other = world.gndt.routers.find(({ id }) => id === 'vr-c')?.publicKey ?? new Uint8Array(32);
  const routers = world.gndt.routers
    .filter(({ id }) => id !== 'vr-c')
    .map((entry) => (entry.id === 'vr-b' ? { ...entry, publicKey: other } : entry));
  reconfigure(a, routers);
  assert.deepEqual([a.changes, a.installedSessions], [['up vr-b', 'down vr-b'], 0]);
  world.clock.advance(20_000);
  assert.notEqual(a.stateOf('vr-b'), 'up');
  assert.notEqual(b.stateOf('vr-a'), 'up');
  reconfigure(
    a,
    world.gndt.routers.filter(({ id }) => id !== 'vr-c'),
  );
  world.until(
    'up with the right key',
    () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up',
    12_000,
  );
});

test('other endpoints: a session stays, a vain attempt turns to them at once', () => {
  const world = new World({ routers: ['vr-a', 'vr-b'] });
  const right = world.gndt.routers;
  const wrong = right.map((entry) => ({
    ...entry,
    endpoints: entry.endpoints.map((endpoint) => ({ ...endpoint, port: 9 })),
  }));
  const a = world.start('vr-a', { gndt: { ...world.gndt, routers: wrong } });
  const b = world.start('vr-b', {
    gndt: { ...world.gndt, routers: right.map((e) => ({ ...e, endpoints: [] })) },
  });
  world.clock.advance(40_000);
  assert.equal(a.stateOf('vr-b'), 'down');
  reconfigure(a, right);
  world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 300);
  reconfigure(a, wrong);
  world.clock.advance(10_000);
  assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
});

test('a key that can give no secret is found before anything has changed', () => {
  const { world, a } = worldOf();
  const bad = world.gndt.routers.map((entry) => ({ ...entry, publicKey: new Uint8Array(32) }));
  assert.equal(
    a.tunnel.planPeers(bad.filter(({ id }) => id !== 'vr-a')),
    'the public key of router vr-b is of low order',
  );
  assert.equal(a.stateOf('vr-b'), 'up');
});

test('pings tell the round trip, and by how much the clock of the other is ahead', () => {
  const { world, a } = worldOf();
  const rtts: number[] = [];
  assert.equal(
    a.tunnel.ping('vr-b', (rttMs) => rtts.push(rttMs)),
    true,
  );
  world.clock.advance(100);
  assert.ok(rtts.length === 1 && (rtts[0] ?? 0) >= 20 && (rtts[0] ?? 0) <= 24.1, `${rtts}`);
  assert.equal(
    a.tunnel.ping('vr-c', () => assert.fail('it is no peer')),
    false,
  );
  const offset = a.tunnel.peers()[0]?.clockOffsetMs;
  assert.ok(offset !== undefined && Math.abs(offset) < 2.1, `${offset}`);
  // Both routers of the simulation have one clock: set forward while a pong is on its way, it is the other that is off.
  world.clock.advance(890);
  a.tunnel.ping('vr-b', () => undefined);
  world.clock.advance(15);
  world.clock.stepWall(-5000);
  world.clock.advance(15);
  const after = a.tunnel.peers()[0]?.clockOffsetMs;
  assert.ok(after !== undefined && Math.abs(after - 5000) < 3, `${after}`);
});

test('a reload that brings the first site of two routers ends with peers that know none; one without it takes them back', () => {
  const world = new World({ routers: ALL });
  const a = world.start('vr-a');
  const old = world.start('vr-b', { description: { ...SELF, protocolMinor: 0 } });
  const c = world.start('vr-c');
  const allUp = (): boolean => ['vr-b', 'vr-c'].every((id) => a.stateOf(id) === 'up');
  world.until('up', allUp, 1_000);
  reconfigure(a, world.gndt.routers, DIGEST, 1);
  assert.equal(a.stateOf('vr-b'), 'refused');
  assert.equal(a.reasonFor('vr-b'), 'vr-b runs a version that knows no sites of two routers: upgrade it');
  world.clock.advance(2_000);
  assert.equal(old.stateOf('vr-a'), 'refused');
  assert.match(old.reasonFor('vr-a'), /vr-b runs a version that knows no sites of two routers: upgrade it/);
  assert.deepEqual(a.changes.slice(2), ['down vr-b']);
  assert.deepEqual([a.stateOf('vr-c'), c.changes.includes('down vr-a')], ['up', false]);
  reconfigure(a, world.gndt.routers);
  world.until('up again', allUp, 130_000);
});
