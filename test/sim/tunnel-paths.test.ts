/** Routers that cannot simply call each other: NAT, relays, and paths that come and go. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { Tunnel } from '../../src/tunnel/tunnel.js';
import { type Datagram, type SimRouter, World, type WorldOptions } from './tunnel-world.js';

const NAMES = ['vr-a', 'vr-b', 'vr-c'] as const;
const C = NAMES.indexOf('vr-c');
const codec = new ControlCodec();

/** vr-c is reachable by all. */
function start(test: TestContext, options: Partial<WorldOptions>) {
  const world = new World({ routers: NAMES, ...options });
  test.diagnostic(`seed ${world.seed}`);
  const [a, b, c] = NAMES.map((id) => world.start(id));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three routers');
  return { world, a, b, c };
}

const transportTo = (router: SimRouter, id: string): string =>
  router.tunnel.peers().find((peer) => peer.id === id)?.transport ?? '';

function connected(a: SimRouter, b: SimRouter): boolean {
  return a.stateOf(b.id) === 'up' && b.stateOf(a.id) === 'up';
}

const both = (a: SimRouter, b: SimRouter, transport: string): boolean =>
  connected(a, b) && transportTo(a, b.id) === transport && transportTo(b, a.id) === transport;

/** Everything that goes straight between the NAT boxes of vr-a and vr-b is lost. */
function straight({ from, to }: Datagram): boolean {
  const host = ({ address }: { address: Uint8Array }): string => [...address].join('.');
  const boxes = ['203.0.113.1', '203.0.113.2'];
  return boxes.includes(host(from)) && boxes.includes(host(to));
}

const isC = ({ address }: { address: Uint8Array }): boolean => address[0] === 192 && address[3] === 3;
const isD = ({ address }: { address: Uint8Array }): boolean => address[0] === 192 && address[3] === 4;

/** The epoch of the last control message from that peer: what an insider who is the peer would go on with. */
function epochFrom(tunnel: Tunnel, peer: number): () => number {
  let epoch = 0;
  const received = tunnel.controlReceived.bind(tunnel);
  tunnel.controlReceived = (from, payload, source) => {
    const decoded = codec.decode(payload);
    if (from === peer && typeof decoded !== 'string') epoch = decoded.envelope.epoch;
    received(from, payload, source);
  };
  return () => epoch;
}

describe('two routers behind NAT', () => {
  it('find a straight way through what a third router saw', (test) => {
    const { world, a, b, c } = start(test, { nat: { 'vr-a': 'easy', 'vr-b': 'easy' } });
    const tookMs = world.until('direct', () => both(a, b, 'udp'), 5_000);
    assert.ok(tookMs < 3_000, `${tookMs} ms`);
    assert.equal(a.tunnel.peers()[0]?.endpoint?.address.key, '203.0.113.2');
    world.clock.advance(200_000);
    assert.deepEqual(
      [a.changes, b.changes].map((all) => all.filter((x) => x.startsWith('down'))),
      [[], []],
    );
    assert.ok(a.sendPacket(1));
    world.clock.advance(50);
    assert.equal(b.packets, 1);
    assert.equal(c.relayedBytes, 0);
  });

  it('also under 20 % loss, and over IPv6', (test) => {
    const { world, a, b } = start(test, {
      nat: { 'vr-a': 'easy', 'vr-b': 'easy' },
      weather: { loss: 0.2, duplication: 0.1, jitterMs: 20 },
      ipv6: true,
    });
    world.until('direct', () => both(a, b, 'udp'), 60_000);
  });

  it('go through a relay when there is no straight way; it forwards what it cannot read', (test) => {
    const { world, a, b, c } = start(test, { nat: { 'vr-a': 'hard', 'vr-b': 'hard' }, relays: ['vr-c'] });
    world.until('relayed', () => both(a, b, 'relay'), 5_000);
    const [state] = a.tunnel.peers();
    assert.equal(state?.relay, 'vr-c');
    assert.equal(state?.endpoint, undefined);
    assert.ok(a.sendPacket(1) && b.sendPacket(0));
    world.clock.advance(100);
    assert.deepEqual([a.packets, b.packets, c.packets], [1, 1, 0]);
    assert.ok(c.relayedBytes > 0);
    world.clock.advance(400_000);
    assert.ok(both(a, b, 'relay'), 'the relayed session did not outlive its keys');
    assert.deepEqual(
      a.changes.filter((change) => change.startsWith('down')),
      [],
    );
  });

  it('stay apart without one, and say so', (test) => {
    const { world, a, b } = start(test, { nat: { 'vr-a': 'hard', 'vr-b': 'hard' } });
    world.clock.advance(30_000);
    assert.ok(!connected(a, b));
    assert.match(a.reasonFor('vr-b'), /no answer from 203\.0\.113\.2/);
  });

  it('one easy and one hard: through the relay', (test) => {
    const { world, a, b } = start(test, { nat: { 'vr-a': 'easy', 'vr-b': 'hard' }, relays: ['vr-c'] });
    world.until('connected', () => connected(a, b), 5_000);
  });
});

describe('a path', () => {
  it('moves from the relay to a straight one when that works, and back, and nothing goes down', (test) => {
    const { world, a, b } = start(test, { nat: { 'vr-a': 'easy', 'vr-b': 'easy' }, relays: ['vr-c'] });
    world.cut = straight;
    world.until('relayed', () => both(a, b, 'relay'), 5_000);
    world.cut = () => false;
    world.until('direct', () => both(a, b, 'udp'), 70_000);
    world.cut = straight;
    const tookMs = world.until('relayed again', () => both(a, b, 'relay'), 10_000);
    assert.ok(tookMs < 6_000, `${tookMs} ms`);
    assert.ok(a.sendPacket(1));
    world.clock.advance(100);
    assert.equal(b.packets, 1);
    for (const router of [a, b])
      assert.deepEqual(
        router.changes.filter((change) => change.startsWith('down')),
        [],
      );
    assert.deepEqual(
      a.events.flatMap((event) => (event.event === 'peer_path' ? [event.path.split(' ')[0]] : [])).at(-1),
      'relay',
    );
  });

  it('does not flap: hours with a good straight path change nothing', (test) => {
    const { world, a } = start(test, { nat: { 'vr-a': 'easy', 'vr-b': 'easy' }, relays: ['vr-c'] });
    world.clock.advance(20_000);
    const before = a.events.length;
    world.clock.advance(1_000_000);
    assert.equal(a.events.length, before);
  });

  it('survives its NAT box forgetting everything', (test) => {
    const { world, a, b } = start(test, { nat: { 'vr-a': 'easy', 'vr-b': 'easy' }, relays: ['vr-c'] });
    world.until('direct', () => both(a, b, 'udp'), 10_000);
    world.nat(0)?.forget();
    world.clock.advance(30_000);
    assert.ok(both(a, b, 'udp'));
    assert.deepEqual(
      b.changes.filter((change) => change.startsWith('down')),
      [],
    );
  });

  it('by way of a relay that dies is given up, and taken up with another', (test) => {
    const world = new World({
      routers: [...NAMES, 'vr-d'],
      nat: { 'vr-a': 'hard', 'vr-b': 'hard' },
      relays: ['vr-c', 'vr-d'],
    });
    test.diagnostic(`seed ${world.seed}`);
    const [a, b, c] = [...NAMES, 'vr-d'].map((id) => world.start(id));
    if (a === undefined || b === undefined || c === undefined) throw new Error('routers');
    world.until('relayed', () => both(a, b, 'relay'), 5_000);
    const used = a.tunnel.peers()[0]?.relay;
    const victim = used === 'vr-c' ? c : undefined;
    world.cut = ({ from, to }) =>
      [from, to].some(({ address }) => address[3] === (victim === undefined ? 4 : 3) && address[0] === 192);
    const other = victim === undefined ? 'vr-c' : 'vr-d';
    world.until('the other relay', () => a.tunnel.peers()[0]?.relay === other && connected(a, b), 30_000);
    world.clock.advance(5_000);
    assert.ok(a.sendPacket(1));
    world.clock.advance(100);
    assert.equal(b.packets, 1);
  });

  it('goes by the relay by which the way is clearly shorter, and stays there', (test) => {
    const world = new World({
      routers: [...NAMES, 'vr-d'],
      nat: { 'vr-a': 'hard', 'vr-b': 'hard' },
      relays: ['vr-c', 'vr-d'],
    });
    test.diagnostic(`seed ${world.seed}`);
    // vr-c is on another continent.
    world.farther = ({ from, to }) => ([from, to].some(isC) ? 60 : 0);
    const [a, b] = [...NAMES, 'vr-d'].map((id) => world.start(id));
    if (a === undefined || b === undefined) throw new Error('routers');
    const relayOf = (router: SimRouter, id: string): string | undefined =>
      router.tunnel.peers().find((peer) => peer.id === id)?.relay;
    const byNearest = (): boolean => relayOf(a, 'vr-b') === 'vr-d' && relayOf(b, 'vr-a') === 'vr-d';
    world.until('relayed', () => both(a, b, 'relay'), 5_000);
    // As the routers found each other by chance.
    world.cut = ({ from, to }) => [from, to].some(isD);
    world.until(
      'by the far one',
      () => relayOf(a, 'vr-b') === 'vr-c' && relayOf(b, 'vr-a') === 'vr-c',
      60_000,
    );
    world.cut = () => false;
    const tookMs = world.until('by the nearest', byNearest, 600_000);
    test.diagnostic(`after ${tookMs / 1_000} s`);
    assert.ok(connected(a, b));
    for (let minute = 0; minute < 20; minute++) {
      world.clock.advance(60_000);
      assert.ok(byNearest(), `another one after ${minute} minutes`);
    }
    const ways = a.tunnel.peers().find(({ id }) => id === 'vr-d');
    assert.ok(ways?.coordinate !== undefined && ways.coordinate.error < 0.5);
  });

  it('is not changed by what an insider says of it, nor are strangers flooded on his word', (test) => {
    const { world, a, c } = start(test, {});
    const epochOfC = epochFrom(a.tunnel, C);
    world.until('up', () => a.stateOf('vr-b') === 'up' && a.stateOf('vr-c') === 'up', 1_000);
    const before = world.sent.length;
    const stranger = Ip.of('198.51.100.1');
    for (let port = 1; port <= 1_000; port++) {
      const body = { type: 'seen', router: 'vr-b', ip: stranger, port } as const;
      const envelope = { id: 0, acks: [], epoch: epochOfC(), ackEpoch: 0, oldest: 0, body };
      a.tunnel.controlReceived(C, codec.encode(envelope));
    }
    assert.equal(a.count('control_received_seen'), 1_000);
    assert.equal(a.count('control_drop_other_epoch'), 0);
    world.clock.advance(60_000);
    assert.equal(transportTo(a, 'vr-b'), 'udp');
    const flood = world.sent.slice(before).filter(({ to }) => to.address[0] === 198);
    assert.ok(flood.length <= 16 * 12, `${flood.length} messages to a stranger`);
    assert.equal(c.stateOf('vr-a'), 'up');
  });
});
