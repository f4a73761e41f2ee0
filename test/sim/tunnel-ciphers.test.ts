/** `"cipher": "auto"`: who agrees on what, and what a third party, loss and restarts make of it. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GndtConfig } from '../../src/tables/model.js';
import type { TunnelOptions } from '../../src/tunnel/tunnel.js';
import { MessageType } from '../../src/wireguard/messages.js';
import { type Datagram, type SimRouter, World, type WorldOptions } from './tunnel-world.js';

const AES = 'aes-256-gcm';
const CHACHA = 'chacha20-poly1305';
type Setting = GndtConfig['cipher'];

function worldOf(test: TestContext, options: Partial<WorldOptions> = {}): World {
  const world = new World({ routers: ['vr-a', 'vr-b'], ...options });
  test.diagnostic(`seed ${world.seed}`);
  return world;
}

function optionsOf(world: World, cipher: Setting, fastAes: boolean): Partial<TunnelOptions> {
  return { gndt: { ...world.gndt, cipher }, fastAes };
}

const start = (world: World, id: string, cipher: Setting = 'auto', fastAes = true): SimRouter =>
  world.start(id, optionsOf(world, cipher, fastAes));

function cipherOf(router: SimRouter): string | undefined {
  return router.tunnel.peers()[0]?.cipher;
}

const reasonOf = (router: SimRouter): string => router.tunnel.peers()[0]?.cipherReason ?? '';

function bothUse(a: SimRouter, b: SimRouter, cipher: string): boolean {
  return (
    a.stateOf(b.id) === 'up' && b.stateOf(a.id) === 'up' && [a, b].every((one) => cipherOf(one) === cipher)
  );
}

/** Each way one overlay packet in 50 ms, for so long. Answers how many of them did not arrive. */
function lostWhile(world: World, [a, b]: readonly [SimRouter, SimRouter], durationMs: number): number {
  const before = a.packets + b.packets;
  let sent = 0;
  for (let ms = 0; ms < durationMs; ms += 50) {
    sent += Number(a.sendPacket(1)) + Number(b.sendPacket(0));
    world.clock.advance(50);
  }
  world.clock.advance(100);
  assert.ok(sent >= (2 * durationMs) / 50, `${sent} packets were sent (seed ${world.seed})`);
  return sent - (a.packets + b.packets - before);
}

const isHandshake = ({ bytes }: Datagram): boolean => bytes[0] !== MessageType.transport;
const ciphersTold = (router: SimRouter): unknown[] =>
  router.events.flatMap((event) => (event.event === 'peer_cipher' ? [event.cipher, event.reason] : []));

describe('two routers with a fast AES', () => {
  it('change to it within a second of the first session, without losing a packet', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
    assert.deepEqual([cipherOf(a), cipherOf(b)], [CHACHA, CHACHA]);
    assert.equal(lostWhile(world, [a, b], 1_000), 0);
    assert.ok(bothUse(a, b, AES), `${cipherOf(a)}, ${cipherOf(b)} (seed ${world.seed})`);
    for (const router of [a, b]) {
      assert.equal(reasonOf(router), 'fast at both');
      assert.deepEqual(ciphersTold(router), [AES, 'fast at both']);
    }
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
  });

  it('renew sessions with it', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('changed', () => bothUse(a, b, AES), 2_000);
    assert.equal(lostWhile(world, [a, b], 400_000), 0);
    assert.ok(bothUse(a, b, AES));
    assert.ok(a.count('sessions_established') >= 5);
    assert.deepEqual([ciphersTold(a).length, ciphersTold(b).length], [2, 2]);
  });

  for (const loss of [0.1, 0.3])
    it(`change to it with ${100 * loss} % loss, duplicates and disorder`, (test) => {
      const world = worldOf(test, { weather: { loss, duplication: 0.1, jitterMs: 20 } });
      const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
      const tookMs = world.until('changed', () => bothUse(a, b, AES), 600_000);
      test.diagnostic(`after ${tookMs} ms`);
    });

  it('begin anew with ChaCha20-Poly1305 when one is restarted, and change again', (test) => {
    const world = worldOf(test);
    let [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('changed', () => bothUse(a, b, AES), 2_000);
    for (const round of ['a', 'b']) {
      const old = round === 'a' ? a : b;
      world.kill(old);
      world.clock.advance(500);
      const fresh = world.start(old.id, optionsOf(world, 'auto', true));
      if (round === 'a') a = fresh;
      else b = fresh;
      world.until(`changed after a restart of ${old.id}`, () => bothUse(a, b, AES), 3_000);
      world.clock.advance(3_000);
    }
  });

  it('find a restarted one that is not fast any more, and stay with ChaCha20-Poly1305', (test) => {
    const world = worldOf(test);
    const a = start(world, 'vr-a');
    let b = start(world, 'vr-b');
    world.until('changed', () => bothUse(a, b, AES), 2_000);
    world.kill(b);
    b = start(world, 'vr-b', 'auto', false);
    world.until('back', () => bothUse(a, b, CHACHA), 3_000);
    assert.equal(lostWhile(world, [a, b], 300_000), 0);
    assert.ok(bothUse(a, b, CHACHA));
    assert.equal(reasonOf(a), `the peer does not offer ${AES}`);
    assert.equal(reasonOf(b), `${AES} is not faster here`);
  });
});

describe('where one does not want it', () => {
  for (const [setting, fast, reason] of [
    ['auto', false, `${AES} is not faster here`],
    ['chacha20-poly1305', true, 'gndt.json says so'],
  ] as const)
    it(`${setting}${fast ? '' : ', slow'}: ChaCha20-Poly1305, and that is no error`, (test) => {
      const world = worldOf(test);
      const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b', setting, fast)];
      world.until('up', () => bothUse(a, b, CHACHA), 1_000);
      assert.equal(lostWhile(world, [a, b], 300_000), 0);
      assert.ok(bothUse(a, b, CHACHA));
      assert.equal(reasonOf(a), `the peer does not offer ${AES}`);
      assert.equal(reasonOf(b), reason);
      assert.equal(a.count('handshake_drop_other_cipher') + b.count('handshake_drop_other_cipher'), 0);
      assert.deepEqual([...ciphersTold(a), ...ciphersTold(b)], []);
      assert.equal([...a.events, ...b.events].filter(({ event }) => event === 'peer_refused').length, 0);
    });

  it('one that uses nothing else is obeyed, also by a slow one', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a', 'auto', false), start(world, 'vr-b', AES, false)];
    world.until('up', () => bothUse(a, b, AES), 20_000);
    world.clock.advance(400_000);
    assert.ok(bothUse(a, b, AES));
    assert.equal(reasonOf(a), 'the peer uses nothing else');
    assert.equal(a.changes.length, 1);
  });
});

describe('a third party', () => {
  it('that lets no handshake pass after the first does not stop data while the session lasts, and all comes when it goes', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
    world.cut = isHandshake;
    assert.equal(lostWhile(world, [a, b], 100_000), 0);
    assert.ok(bothUse(a, b, CHACHA));
    assert.equal([a, b].filter((one) => reasonOf(one) === `no answer to handshakes with ${AES}`).length, 1);
    assert.deepEqual([...ciphersTold(a), ...ciphersTold(b)], [CHACHA, `no answer to handshakes with ${AES}`]);
    world.cut = () => false;
    world.until('changed', () => bothUse(a, b, AES), 60_000);
  });

  it('that knows which handshakes are for a change, and blocks those for ever, only keeps what there was', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
    // Beside a session the first calls of an attempt are those with the agreed cipher.
    let inARow = 0;
    let lastMs = 0;
    world.cut = (datagram) => {
      if (datagram.bytes[0] !== MessageType.initiation) return false;
      const nowMs = world.clock.nowMs();
      inARow = nowMs - lastMs > 30_000 ? 1 : inARow + 1;
      lastMs = nowMs;
      return inARow <= (nowMs < 60_000 ? 5 : 2);
    };
    assert.equal(lostWhile(world, [a, b], 900_000), 0);
    assert.ok(bothUse(a, b, CHACHA));
    assert.deepEqual([a.changes, b.changes], [['up vr-b'], ['up vr-a']]);
    world.cut = () => false;
    world.until('changed', () => bothUse(a, b, AES), 200_000);
  });

  it('that plays old handshakes of both ciphers again changes nothing', (test) => {
    const world = worldOf(test);
    const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
    world.until('changed', () => bothUse(a, b, AES), 2_000);
    const old = world.sent.filter(isHandshake);
    assert.ok(old.filter(({ bytes }) => bytes[0] === MessageType.initiation).length >= 2);
    const before = a.count('sessions_established') + b.count('sessions_established');
    for (let round = 0; round < 20; round++) {
      for (const datagram of old) {
        world.replay(datagram, { address: Uint8Array.of(198, 51, 100, 7), port: 999 });
        world.clock.advance(30);
      }
    }
    assert.ok(bothUse(a, b, AES));
    assert.equal(a.count('sessions_established') + b.count('sessions_established'), before);
    assert.ok(a.count('handshake_drop_replayed') + b.count('handshake_drop_replayed') > 20);
    assert.equal(lostWhile(world, [a, b], 1_000), 0);
  });
});

it('both calling at once, again and again, ends with AES-256-GCM at both', (test) => {
  const world = worldOf(test, { weather: { delayMs: 40, jitterMs: 0 } });
  const [a, b] = [start(world, 'vr-a'), start(world, 'vr-b')];
  world.until('changed', () => bothUse(a, b, AES), 12_000);
  assert.equal(lostWhile(world, [a, b], 400_000), 0);
  assert.ok(bothUse(a, b, AES));
});

it('many of mixed kinds find the right cipher for each pair', (test) => {
  const routers = ['vr-0', 'vr-1', 'vr-2', 'vr-3', 'vr-4', 'vr-5'];
  const world = worldOf(test, { routers, weather: { loss: 0.05, delayMs: 15, jitterMs: 10 } });
  const isFast = (i: number): boolean => i % 2 === 0;
  const settings: readonly Setting[] = ['auto', 'auto', 'auto', 'auto', 'auto', CHACHA];
  const all = routers.map((id, i) => start(world, id, settings[i] ?? 'auto', isFast(i)));
  const wanted = (i: number, j: number): string => (isFast(i) && isFast(j) ? AES : CHACHA);
  const isRight = (): boolean =>
    all.every((router, i) =>
      router.tunnel.peers().every(({ peer, state, cipher }) => state === 'up' && cipher === wanted(i, peer)),
    );
  world.until('all pairs', isRight, 300_000);
  world.clock.advance(130_000);
  world.until('all pairs after renewals', isRight, 300_000);
});
