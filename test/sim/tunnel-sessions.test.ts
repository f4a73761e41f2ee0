import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { MessageType } from '../../src/wireguard/messages.js';
import { type SimRouter, World, type WorldOptions } from './tunnel-world.js';

function worldOf(test: TestContext, options: Partial<WorldOptions> = {}): World {
  const world = new World({ routers: ['vr-a', 'vr-b'], ...options });
  test.diagnostic(`seed ${world.seed}`);
  return world;
}

function bothUp(a: SimRouter, b: SimRouter): boolean {
  return a.stateOf(b.id) === 'up' && b.stateOf(a.id) === 'up';
}

describe('two tunnels come up', () => {
  it('within a few round trips on a good network', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    const tookMs = world.until('up', () => bothUp(a, b), 1_000);
    assert.ok(tookMs < 100, `${tookMs} ms`);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    world.clock.advance(5_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    const [state] = a.tunnel.peers();
    assert.equal(state?.version, '0.1.0');
    assert.equal(state?.innerMtuBytes, 1436);
    assert.equal(state?.sameGndt, true);
    assert.equal(state?.endpoint?.address.key, '192.0.2.2');
    assert.ok(
      state?.rttMs !== undefined && state.rttMs >= 20 && state.rttMs <= 24.1,
      `RTT ${state?.rttMs} ms`,
    );
    assert.ok(a.sendPacket(1) && b.sendPacket(0));
    world.clock.advance(50);
    assert.deepEqual([a.packets, b.packets], [1, 1]);
  });

  it('over IPv6', (test) => {
    const world = worldOf(test, { ipv6: true });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 100);
    assert.equal(a.tunnel.peers()[0]?.endpoint?.address.key, '2001:db8::2');
  });

  it('not with different ciphers, and each side that is called says why, once', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b', { gndt: { ...world.gndt, cipher: 'aes-256-gcm' } });
    world.clock.advance(60_000);
    assert.deepEqual([a.stateOf('vr-b'), b.stateOf('vr-a')], ['down', 'down']);
    assert.match(a.reasonFor('vr-b'), /says cipher aes-256-gcm, this router's says chacha20-poly1305/);
    assert.match(b.reasonFor('vr-a'), /says cipher chacha20-poly1305, this router's says aes-256-gcm/);
    for (const { events } of [a, b])
      assert.deepEqual(
        events.map(({ event }) => event),
        ['peer_refused'],
      );
    assert.ok(a.count('handshake_drop_other_cipher') > 1);
  });

  it('when only one knows the other’s endpoint', (test) => {
    const world = worldOf(test, { withoutEndpoint: ['vr-a'] });
    const b = world.start('vr-b');
    assert.equal(b.stateOf('vr-a'), 'down');
    assert.match(b.reasonFor('vr-a'), /has no endpoint/);
    const a = world.start('vr-a');
    world.until('up', () => bothUp(a, b), 200);
  });

  it('under 30 % loss, with duplicates and reordering, and stay up', (test) => {
    for (let run = 0; run < 20; run++) {
      const world = worldOf(test, { weather: { loss: 0.3, duplication: 0.1, delayMs: 20, jitterMs: 30 } });
      const a = world.start('vr-a');
      const b = world.start('vr-b');
      const tookMs = world.until('up', () => bothUp(a, b), 20_000);
      test.diagnostic(`up after ${tookMs} ms`);
      world.clock.advance(60_000);
      assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']], `seed ${world.seed}`);
    }
  });

  it('when the round trip is longer than the first retries', (test) => {
    const world = worldOf(test, { weather: { delayMs: 400, jitterMs: 0 } });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 6_000);
    world.clock.advance(30_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
  });

  it('with three routers, nearest first', (test) => {
    const world = worldOf(test, { routers: ['vr-a', 'vr-b', 'vr-c'] });
    const a = world.start('vr-a');
    const c = world.start('vr-c');
    world.until('up', () => bothUp(a, c), 500);
    world.weather.delayMs = 40;
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b) && bothUp(b, c), 1_000);
    assert.deepEqual(a.tunnel.upPeers(), ['vr-c', 'vr-b']);
  });
});

describe('a preshared key', () => {
  const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
  const start = (world: World, ours: Uint8Array | undefined, theirs: Uint8Array | undefined) => [
    world.start('vr-a', ours === undefined ? {} : { presharedKeys: new Map([['vr-b', ours]]) }),
    world.start('vr-b', theirs === undefined ? {} : { presharedKeys: new Map([['vr-a', theirs]]) }),
  ];

  it('that both have is no hindrance', (test) => {
    const world = worldOf(test);
    const [a, b] = start(world, key(1), key(1));
    assert.ok(a !== undefined && b !== undefined);
    world.until('up', () => bothUp(a, b), 500);
  });

  for (const [what, theirs] of [
    ['another', key(2)],
    ['none', undefined],
  ] as const) {
    it(`that meets ${what} keeps the two apart`, (test) => {
      const world = worldOf(test);
      const [a, b] = start(world, key(1), theirs);
      assert.ok(a !== undefined && b !== undefined);
      world.clock.advance(30_000);
      assert.deepEqual([a.changes, b.changes], [[], []]);
      assert.ok(a.count('handshake_drop_not_authentic') + b.count('handshake_drop_not_authentic') > 0);
    });
  }
});

describe('a session is renewed', () => {
  it('without a loss of packets or of the link, and keys do not pile up', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    const before = a.count('sessions_established');
    for (let ms = 0; ms < 400_000; ms += 50) {
      assert.ok(a.sendPacket(1) && b.sendPacket(0), `at ${ms} ms (seed ${world.seed})`);
      world.clock.advance(50);
    }
    world.clock.advance(100);
    assert.deepEqual([a.packets, b.packets], [8_000, 8_000]);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    assert.ok(a.count('sessions_established') >= before + 3);
    assert.ok(a.count('sessions_established') <= before + 5, `${a.count('sessions_established')} sessions`);
    assert.ok(a.installedSessions <= 3 && b.installedSessions <= 3);
  });

  it('under 30 % loss', (test) => {
    const world = worldOf(test, { weather: { loss: 0.3 } });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 20_000);
    world.clock.advance(600_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']], `seed ${world.seed}`);
  });

  it('by the responder when the initiator does not', (test) => {
    const world = worldOf(test, { withoutEndpoint: ['vr-a'] });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    world.cut = ({ from, bytes }) => bytes[0] === MessageType.initiation && from === a.address;
    world.clock.advance(200_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    assert.ok(b.count('handshake_initiations_sent') >= 1);
  });

  it('also with times that a lab has shortened', (test) => {
    const world = worldOf(test);
    const times = { rekeyAfterMs: 2_000, rejectAfterMs: 60_000, rekeyTimeoutMs: 500, keepaliveMs: 1_000 };
    const a = world.start('vr-a', { times });
    const b = world.start('vr-b', { times });
    world.until('up', () => bothUp(a, b), 500);
    world.clock.advance(60_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    assert.ok(a.count('sessions_established') >= 20);
    assert.ok(a.installedSessions <= 3 && b.installedSessions <= 3, 'old sessions are kept');
  });
});

describe('when both call at once', () => {
  it('one call is answered and the other given up', (test) => {
    const world = worldOf(test, { weather: { jitterMs: 0 } });
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.clock.advance(10_000);
    assert.deepEqual([a.count('sessions_established'), b.count('sessions_established')], [1, 1]);
    assert.equal(a.count('handshake_drop_no_handshake') + b.count('handshake_drop_no_handshake'), 1);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
  });

  it('they agree on one session', (test) => {
    for (let run = 0; run < 20; run++) {
      const world = worldOf(test, { weather: { jitterMs: 15 } });
      const a = world.start('vr-a');
      const b = world.start('vr-b');
      world.until('up', () => bothUp(a, b), 500);
      const upMs = world.clock.nowMs();
      world.clock.advance(5_000);
      assert.ok(a.count('sessions_established') <= 2, `seed ${world.seed}`);
      assert.ok(b.count('sessions_established') <= 2, `seed ${world.seed}`);
      const initiations = world.sent.filter(({ bytes }) => bytes[0] === MessageType.initiation);
      assert.ok(
        initiations.length <= 3,
        `${initiations.length} initiations, up at ${upMs} (seed ${world.seed})`,
      );
      assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
      assert.ok(a.sendPacket(1) && b.sendPacket(0));
      world.clock.advance(100);
      assert.deepEqual([a.packets, b.packets], [1, 1]);
    }
  });
});

describe('a router that goes away', () => {
  it('and is restarted after kill -9 is up again within seconds, either side', (test) => {
    for (const loss of [0, 0.2]) {
      const world = worldOf(test, { weather: { loss } });
      let a = world.start('vr-a');
      let b = world.start('vr-b');
      world.until('up', () => bothUp(a, b), 20_000);
      world.kill(a);
      world.clock.advance(500);
      a = world.start('vr-a');
      const first = world.until(
        'up after the restart of a',
        () => a.stateOf('vr-b') === 'up' && b.changes.length === 3,
        10_000,
      );
      assert.deepEqual(b.changes, ['up vr-a', 'down vr-a', 'up vr-a']);
      world.clock.advance(3_000);
      world.kill(b);
      b = world.start('vr-b');
      const second = world.until(
        'up after the restart of b',
        () => b.stateOf('vr-a') === 'up' && a.changes.length === 3,
        10_000,
      );
      assert.deepEqual(a.changes, ['up vr-b', 'down vr-b', 'up vr-b']);
      test.diagnostic(`up again after ${first} ms and ${second} ms`);
      if (loss === 0) assert.ok(first < 300 && second < 300);
    }
  });

  for (const kind of ['easy', 'hard'] as const)
    it(`and is restarted calls a peer behind a NAT (${kind}) that nobody else knows where it is`, (test) => {
      const world = worldOf(test, { nat: { 'vr-b': kind } });
      let a = world.start('vr-a');
      const b = world.start('vr-b');
      world.until('up', () => bothUp(a, b), 20_000);
      world.clock.advance(5_000);
      for (let round = 0; round < 2; round++) {
        world.kill(a);
        world.clock.advance(500);
        a = world.restart(a);
        const tookMs = world.until('up after the restart of a', () => a.stateOf('vr-b') === 'up', 20_000);
        test.diagnostic(`up again after ${tookMs} ms`);
        assert.ok(tookMs < 300, `${tookMs} ms (seed ${world.seed})`);
        world.clock.advance(2_000);
      }
      assert.deepEqual(b.changes.slice(1), ['down vr-a', 'up vr-a', 'down vr-a', 'up vr-a']);
    });

  it('is called where it was for two minutes when the file names no endpoint of it', (test) => {
    const world = worldOf(test, { nat: { 'vr-b': 'easy' } });
    const first = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(first, b), 20_000);
    world.clock.advance(2_000);
    for (const router of [first, b]) world.kill(router);
    const a = world.restart(first);
    world.clock.advance(130_000);
    const calls = a.count('handshake_initiations_sent');
    assert.ok(calls > 20 && calls < 40, `${calls} calls (seed ${world.seed})`);
    world.clock.advance(3_600_000);
    assert.equal(a.count('handshake_initiations_sent'), calls);
    assert.deepEqual(
      [a.stateOf('vr-b'), a.reasonFor('vr-b')],
      ['down', 'has no endpoint: waiting for it to call'],
    );
    world.start('vr-b');
    world.until('up', () => a.stateOf('vr-b') === 'up', 1_000);
  });

  it('with an endpoint in the file, or behind a relay, is not remembered', (test) => {
    const world = worldOf(test, {
      routers: ['vr-a', 'vr-b', 'vr-r'],
      nat: { 'vr-a': 'hard', 'vr-b': 'hard' },
      relays: ['vr-r'],
    });
    const [a, b] = [world.start('vr-a'), world.start('vr-b')];
    const relay = world.start('vr-r');
    world.until('up', () => bothUp(a, b) && relay.stateOf('vr-a') === 'up', 30_000);
    world.clock.advance(5_000);
    assert.equal(a.tunnel.peers().find(({ id }) => id === 'vr-b')?.transport, 'relay');
    assert.deepEqual([a.heard.size, b.heard.size, relay.heard.size], [0, 0, 2]);
  });

  it('silently is noticed, called, and up soon after it is back', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    world.cut = () => true;
    world.clock.advance(9_000);
    assert.deepEqual(a.changes, ['up vr-b']);
    world.clock.advance(4_000);
    assert.deepEqual(a.changes, ['up vr-b', 'down vr-b']);
    assert.equal(a.stateOf('vr-b'), 'down');
    assert.match(a.reasonFor('vr-b'), /nothing heard for 1\d s/);
    assert.equal(a.installedSessions, 0);
    world.clock.advance(100_000);
    assert.ok(a.events.some(({ event }) => event === 'peer_unanswered'));
    world.cut = () => false;
    world.until('up', () => bothUp(a, b), 7_000);
    assert.deepEqual(a.changes, ['up vr-b', 'down vr-b', 'up vr-b']);
  });

  it('for less than the limit costs nothing', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    world.cut = () => true;
    world.clock.advance(8_000);
    world.cut = () => false;
    world.clock.advance(20_000);
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
  });

  it('in good order is down at once', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    a.tunnel.stop('vined is stopping');
    assert.equal(a.installedSessions, 0);
    world.clock.advance(20);
    assert.deepEqual(b.changes, ['up vr-a', 'down vr-a']);
    assert.match(b.reasonFor('vr-a'), /the peer has stopped: vined is stopping/);
    assert.equal(b.installedSessions, 0);
    assert.equal(
      world.clock.waiting.some((name) => name.startsWith('control')),
      false,
    );
    const again = world.start('vr-a');
    world.until('up', () => bothUp(again, b), 500);
  });

  it('leaves no timer behind after stop', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    a.tunnel.stop('done');
    b.tunnel.stop('done');
    world.clock.advance(100);
    assert.deepEqual(world.clock.waiting, []);
  });
});

describe('a router that roams', () => {
  it('is answered where it is now', (test) => {
    const world = worldOf(test);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.until('up', () => bothUp(a, b), 500);
    const { sent } = world;
    world.clock.advance(1_500);
    const last = sent.findLast(({ from, bytes }) => from === a.address && bytes[0] === MessageType.transport);
    assert.ok(last);
    const elsewhere = { address: Uint8Array.of(198, 51, 100, 7), port: 999 };
    // A recorded message from elsewhere is a replay, and moves nothing.
    world.replay(last, elsewhere);
    world.clock.advance(50);
    assert.equal(b.tunnel.peers()[0]?.endpoint?.address.key, '192.0.2.1');
    assert.equal(b.engineReplays, 1);
  });
});
