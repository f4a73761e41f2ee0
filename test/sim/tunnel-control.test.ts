import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { mac } from '../../src/net/mac.js';
import type { ClaimMessage } from '../../src/protocol/table-message.js';
import type { NodeRecord } from '../../src/tables/model.js';
import { MessageType } from '../../src/wireguard/messages.js';
import { type SimRouter, World, type WorldOptions } from './tunnel-world.js';

function worldOf(test: TestContext, options: Partial<WorldOptions> = {}): World {
  const world = new World({ routers: ['vr-a', 'vr-b'], ...options });
  test.diagnostic(`seed ${world.seed}`);
  return world;
}

function pairUp(world: World): { a: SimRouter; b: SimRouter } {
  const a = world.start('vr-a');
  const b = world.start('vr-b');
  world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 30_000);
  return { a, b };
}

function record(seq: number): NodeRecord {
  const ip = Ip.v4(0x0a010000 + seq);
  return { vnet: 1, ip, mac: mac('52:54:00:00:00:09'), router: 'vr-a', seq, state: 'here', stamp: seq };
}

function claim(claimId: number): ClaimMessage {
  const records = [record(claimId)];
  const move = {
    vnet: 1,
    mac: mac('52:54:00:00:00:09'),
    records,
    trigger: 'rarp',
    sinceDetectionUs: 300,
  } as const;
  return { type: 'claim', claimId, moves: [move] };
}

function claimIds(router: SimRouter): number[] {
  return router.messages.flatMap(({ message }) => (message.type === 'claim' ? [message.claimId] : []));
}

describe('a message', () => {
  it('is there after one network delay', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const { a, b } = pairUp(world);
    world.clock.advance(3_000);
    a.tunnel.send('vr-b', claim(1));
    assert.equal(
      world.until('delivered', () => b.messages.length > 0, 100),
      10,
    );
    assert.deepEqual(b.messages, [{ from: 'vr-a', message: claim(1) }]);
    const sent = a.count('control_retransmitted');
    world.clock.advance(2_000);
    assert.equal(a.count('control_retransmitted'), sent, 'sent again although acknowledged');
    assert.equal(a.tunnel.peers()[0]?.pendingMessages, 0);
  });

  it('is delivered exactly once under 30 % loss, duplication and reordering', (test) => {
    const world = worldOf(test, { weather: { loss: 0.3, duplication: 0.2, jitterMs: 40 } });
    const { a, b } = pairUp(world);
    for (let id = 1; id <= 300; id++) {
      a.tunnel.send('vr-b', claim(id));
      b.tunnel.send('vr-a', claim(1_000 + id));
      world.clock.advance(7);
    }
    world.clock.advance(20_000);
    const ascending = (x: number, y: number): number => x - y;
    const expected = Array.from({ length: 300 }, (_, index) => index + 1);
    assert.deepEqual(claimIds(b).sort(ascending), expected, `seed ${world.seed}`);
    assert.deepEqual(
      claimIds(a).sort(ascending),
      expected.map((id) => 1_000 + id),
      `seed ${world.seed}`,
    );
    assert.equal(a.tunnel.peers()[0]?.pendingMessages, 0);
    assert.ok(b.count('control_duplicates') > 0);
  });

  it('larger than a datagram arrives in parts', (test) => {
    const world = worldOf(test, { weather: { loss: 0.1 } });
    const { a, b } = pairUp(world);
    const records = Array.from({ length: 10_000 }, (_, index) => record(index + 1));
    a.tunnel.send('vr-b', { type: 'records', records });
    world.clock.advance(20_000);
    const received = b.messages.flatMap(({ message }) => (message.type === 'records' ? message.records : []));
    assert.deepEqual(
      received.map(({ seq }) => seq).sort((x, y) => x - y),
      records.map(({ seq }) => seq),
      `seed ${world.seed}`,
    );
    // Longer ones are the probes of the path's MTU: a handful, whatever the size of the table.
    const longer = world.sent.filter(({ bytes }) => bytes.length > 1_200 + 48).length;
    assert.ok(longer < 60, `${longer} of ${world.sent.length} datagrams are longer than they should be`);
  });

  it('overtakes a full table when it is a claim', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const { a, b } = pairUp(world);
    const records = Array.from({ length: 20_000 }, (_, index) => record(index + 1));
    a.tunnel.send('vr-b', { type: 'records', records });
    a.tunnel.send('vr-b', claim(1));
    world.clock.advance(10);
    assert.deepEqual(claimIds(b), [1]);
  });

  it('to a peer that is not up is dropped and counted', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    a.tunnel.send('vr-b', claim(1));
    a.tunnel.send('vr-x', claim(1));
    assert.equal(a.count('control_dropped_peer_not_up'), 2);
  });

  it('that its sender’s former self sent long ago is not taken for one of the new self', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const { a, b } = pairUp(world);
    world.weather.delayMs = 2_000;
    a.tunnel.send('vr-b', claim(1));
    world.kill(a);
    world.weather.delayMs = 10;
    const again = world.start('vr-a');
    world.until('up', () => b.changes.length === 3, 1_000);
    world.clock.advance(2_000);
    assert.deepEqual(claimIds(b), []);
    assert.equal(b.count('control_drop_other_epoch'), 1);
    again.tunnel.send('vr-b', claim(2));
    world.clock.advance(100);
    assert.deepEqual(claimIds(b), [2]);
  });

  it('that was on the way when the peer restarted is not taken for a new one', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const { a, b } = pairUp(world);
    a.tunnel.send('vr-b', claim(1));
    world.kill(b);
    world.clock.advance(100);
    const again = world.start('vr-b');
    world.until('up', () => a.changes.length === 3, 1_000);
    a.tunnel.send('vr-b', claim(2));
    world.clock.advance(2_000);
    assert.deepEqual(claimIds(again), [2]);
    assert.equal(a.tunnel.peers()[0]?.pendingMessages, 0);
  });
});

describe('strangers get nothing', () => {
  it('a router with another key than gndt.json says', (test) => {
    const world = worldOf(test, { wrongKeys: ['vr-b'] });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.clock.advance(60_000);
    assert.ok(b.count('handshake_drop_bad_mac1') > 3, 'a calls the key that b has not');
    assert.ok(a.count('handshake_drop_unknown_key') > 3, 'b calls with the key that a does not know');
    const types = new Set(world.sent.map(({ bytes }) => bytes[0]));
    assert.deepEqual([...types], [MessageType.initiation], 'something was answered');
    assert.deepEqual([a.changes, b.changes], [[], []]);
    assert.equal(a.stateOf('vr-b'), 'down');
    assert.match(a.reasonFor('vr-b'), /no answer from 192\.0\.2\.2:7700 to \d+ calls/);
  });

  it('one who replays an initiation, from anywhere', (test) => {
    const world = worldOf(test);
    const { a, b } = pairUp(world);
    world.clock.advance(500);
    const initiation = world.sent.find(
      ({ to, bytes }) => bytes[0] === MessageType.initiation && to.address.at(-1) === 2,
    );
    assert.ok(initiation);
    const responses = (): number =>
      world.sent.filter(({ bytes }) => bytes[0] === MessageType.response).length;
    const before = responses();
    world.replay(initiation);
    world.clock.advance(50);
    world.replay(initiation, { address: Uint8Array.of(198, 51, 100, 7), port: 1 });
    world.clock.advance(50);
    assert.equal(b.count('handshake_drop_replayed'), 2);
    assert.equal(responses(), before);
    assert.equal(b.tunnel.peers()[0]?.endpoint?.address.key, '192.0.2.1');
    assert.deepEqual(a.changes, ['up vr-b']);
  });

  it('one who sends garbage, cut messages, or answers nobody waits for', (test) => {
    const world = worldOf(test);
    const { a, b } = pairUp(world);
    const before = world.sent.length;
    const drops = (name: string): number =>
      a.count(`handshake_drop_${name}`) + b.count(`handshake_drop_${name}`);
    const unasked = drops('no_handshake');
    const response = world.sent.find(({ bytes }) => bytes[0] === MessageType.response);
    assert.ok(response);
    const from = { address: Uint8Array.of(198, 51, 100, 7), port: 1 };
    for (const router of [a, b]) {
      router.tunnel.handshakeReceived(new Uint8Array(0), from);
      router.tunnel.handshakeReceived(new Uint8Array(148).fill(9), from);
      router.tunnel.handshakeReceived(Uint8Array.of(1, 0, 0, 0), from);
      router.tunnel.handshakeReceived(Uint8Array.of(1, 0, 1, 0), from);
      router.tunnel.handshakeReceived(new Uint8Array(64).fill(3, 0, 1), from);
      router.tunnel.handshakeReceived(response.bytes, from);
    }
    assert.equal(world.sent.length, before);
    for (const reason of ['too_short', 'unknown_type', 'bad_length', 'reserved_not_zero']) {
      assert.equal(drops(reason), 2, reason);
    }
    // The recorded response is meant for one of the two, whose handshake is over; to the other it is a stranger's.
    // Nobody has sent what the cookie replies are answers to.
    assert.equal(drops('no_handshake') - unasked, 1 + 2);
    assert.equal(drops('bad_mac1'), 1);
  });

  it('one who uses another router’s key under another name', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const renamed = {
      ...world.gndt,
      routers: world.gndt.routers.map((entry) => (entry.id === 'vr-b' ? { ...entry, id: 'vr-z' } : entry)),
    };
    const z = world.start('vr-b', { gndt: renamed, self: 'vr-z' });
    world.clock.advance(2_000);
    assert.equal(a.stateOf('vr-b'), 'refused');
    assert.match(a.reasonFor('vr-b'), /the key of vr-b is used by a router that calls itself vr-z/);
    assert.equal(z.stateOf('vr-a'), 'refused');
    assert.match(z.reasonFor('vr-a'), /the key of vr-b is used by a router that calls itself vr-z/);
  });
});

describe('another major protocol version', () => {
  it('is refused with a reason at both ends, also under loss, and rarely tried again', (test) => {
    for (const loss of [0, 0.3]) {
      const world = worldOf(test, { weather: { loss } });
      const a = world.start('vr-a');
      const b = world.start('vr-b', {}, 2);
      world.until(
        'refused',
        () => a.stateOf('vr-b') === 'refused' && b.stateOf('vr-a') === 'refused',
        150_000,
      );
      world.clock.advance(2_000);
      assert.match(
        a.reasonFor('vr-b'),
        /protocol 2.*protocol 1|speaks protocol 2, vr-a speaks 1|speaks protocol 1, vr-b speaks 2/,
      );
      assert.match(b.reasonFor('vr-a'), /speaks protocol 1, vr-b speaks 2|speaks protocol 2, vr-a speaks 1/);
      assert.deepEqual([a.changes, b.changes], [[], []]);
      assert.equal(a.installedSessions + b.installedSessions, 0);
      const before = world.sent.length;
      world.clock.advance(50_000);
      assert.ok(world.sent.length - before < 60, `${world.sent.length - before} datagrams in 50 s`);
      assert.ok(a.events.some(({ event }) => event === 'peer_refused'));
    }
  });

  it('is forgotten when the peer is upgraded', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const old = world.start('vr-b', {}, 2);
    world.until('refused', () => a.stateOf('vr-b') === 'refused', 1_000);
    world.clock.advance(5_000);
    world.kill(old);
    const b = world.start('vr-b');
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
    assert.equal(a.reasonFor('vr-b'), '');
  });
});

describe('a minor protocol version that knows no sites of two routers', () => {
  const site = { id: 'site-b', routers: ['vr-b', 'vr-c'] };
  const old = {
    description: {
      version: '0.1.0',
      capabilities: [],
      gndtDigest: new Uint8Array(32),
      innerMtuBytes: 1_436,
      protocolMinor: 0,
    },
  };

  it('is refused with a reason where there is such a site, also under loss', (test) => {
    for (const loss of [0, 0.3]) {
      const world = worldOf(test, { weather: { loss } });
      const a = world.start('vr-a', { gndt: { ...world.gndt, sites: [site] } });
      const b = world.start('vr-b', old);
      const refused = (): boolean => a.stateOf('vr-b') === 'refused' && b.stateOf('vr-a') === 'refused';
      world.until('refused', refused, 150_000);
      const reason = /vr-b runs a version that knows no sites of two routers: upgrade it/;
      assert.match(a.reasonFor('vr-b'), reason);
      assert.match(b.reasonFor('vr-a'), reason);
      assert.deepEqual(a.changes, []);
      assert.ok(a.events.some(({ event }) => event === 'peer_refused'));
    }
  });

  it('is welcome where sites have one router each', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a', { gndt: { ...world.gndt, sites: [{ id: 'site-b', routers: ['vr-b'] }] } });
    const b = world.start('vr-b', old);
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
  });

  it('is not that of this program', (test) => {
    const world = worldOf(test);
    const gndt = { ...world.gndt, sites: [site] };
    const a = world.start('vr-a', { gndt });
    const b = world.start('vr-b', { gndt });
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
  });
});

describe('clocks', () => {
  it('of a restarted peer that is behind keep it out only until it is called', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const { a, b } = pairUp(world);
    world.kill(b);
    world.clock.stepWall(-3_600_000);
    const again = world.start('vr-b');
    world.clock.advance(100);
    assert.ok(a.count('handshake_drop_replayed') > 0);
    world.until('up', () => again.stateOf('vr-a') === 'up' && a.changes.length === 3, 30_000);
    assert.deepEqual(a.changes, ['up vr-b', 'down vr-b', 'up vr-b']);
  });

  it('set back while running do not hinder a renewal', (test) => {
    const world = worldOf(test);
    const { a, b } = pairUp(world);
    world.clock.stepWall(-3_600_000);
    world.clock.advance(400_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
  });
});
