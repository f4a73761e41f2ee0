/** Messages that were cut, lengthened, changed or recorded: none of them moves a session, an endpoint or a peer. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { cookieFor, createCookieReply } from '../../src/wireguard/cookie.js';
import { createIdentity } from '../../src/wireguard/handshake.js';
import { MessageType, mac1Of } from '../../src/wireguard/messages.js';
import { type Datagram, type SimRouter, World } from './tunnel-world.js';

const ATTACKER = { address: Uint8Array.of(198, 51, 100, 7), port: 1 };
const TYPES = ['initiation', 'response', 'cookie', 'transport'] as const;

interface Scene {
  readonly world: World;
  readonly a: SimRouter;
  readonly b: SimRouter;
  /** One genuine message of each type from a to b or back, each recorded once its purpose was over. */
  readonly recorded: Readonly<Record<(typeof TYPES)[number], Datagram>>;
}

function sceneOf(test: TestContext): Scene {
  const world = new World({ routers: ['vr-a', 'vr-b'] });
  test.diagnostic(`seed ${world.seed}`);
  const a = world.start('vr-a');
  const b = world.start('vr-b');
  world.until('up', () => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up', 1_000);
  const find = (type: number): Datagram =>
    world.sent.find(({ bytes }) => bytes[0] === type) ?? assert.fail(`no message of type ${type}`);
  const initiation = find(MessageType.initiation);
  const cookie = {
    from: initiation.to,
    to: initiation.from,
    bytes: createCookieReply({
      receiver: new DataView(initiation.bytes.buffer).getUint32(4, true),
      mac1: mac1Of(initiation.bytes),
      cookie: cookieFor(new Uint8Array(32), initiation.from),
      // By someone who knows the keys, but for a handshake that is over.
      cookieKey: createIdentity('chacha20-poly1305', new Uint8Array(32).fill(3)).cookieKey,
      nonce: new Uint8Array(24),
    }),
  };
  const recorded = { initiation, response: find(2), cookie, transport: find(4) };
  return { world, a, b, recorded };
}

/** What an attacker must not be able to change. */
function stateOf({ a, b }: Scene): unknown {
  return [a, b].map((router) => [
    router.changes,
    router.count('sessions_established'),
    router.count('handshake_responses_sent'),
    router.installedSessions,
    router.packets,
    router.tunnel.peers().map(({ endpoint, state }) => [endpoint?.address.key, endpoint?.port, state]),
  ]);
}

/** Delivers the messages from the attacker's address and from the true one, and asserts that nothing came of them. */
function assertHarmless(
  scene: Scene,
  what: string,
  datagram: Datagram,
  messages: Iterable<Uint8Array>,
): void {
  const before = JSON.stringify(stateOf(scene));
  for (const bytes of messages) {
    for (const from of [ATTACKER, datagram.from]) scene.world.replay({ ...datagram, bytes }, from);
  }
  scene.world.clock.advance(100);
  assert.equal(JSON.stringify(stateOf(scene)), before, what);
}

function* bitFlips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    yield flipped;
  }
}

function* truncations(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
}

function* extensions(bytes: Uint8Array): Generator<Uint8Array> {
  for (const more of [1, 15, 16, 17, 1_000, 65_000]) {
    const longer = new Uint8Array(bytes.length + more);
    longer.set(bytes);
    yield longer;
  }
}

describe('a message that is not genuine does nothing', () => {
  for (const type of TYPES) {
    it(`${type}: replayed, ten times, also from elsewhere`, (test) => {
      const scene = sceneOf(test);
      const datagram = scene.recorded[type];
      assertHarmless(
        scene,
        'replayed',
        datagram,
        Array.from({ length: 10 }, () => datagram.bytes),
      );
    });

    it(`${type}: cut to every shorter length, and lengthened`, (test) => {
      const scene = sceneOf(test);
      const datagram = scene.recorded[type];
      assertHarmless(scene, 'truncated', datagram, truncations(datagram.bytes));
      assertHarmless(scene, 'oversized', datagram, extensions(datagram.bytes));
    });

    it(`${type}: every single bit changed`, (test) => {
      const scene = sceneOf(test);
      const datagram = scene.recorded[type];
      assertHarmless(scene, 'bit-flipped', datagram, bitFlips(datagram.bytes));
    });
  }

  for (const type of ['initiation', 'response'] as const) {
    it(`${type}: every bit changed of one that has not arrived yet; the genuine one still works`, (test) => {
      // Only a can call, so that there is one handshake to look at.
      const world = new World({ routers: ['vr-a', 'vr-b'], withoutEndpoint: ['vr-a'] });
      test.diagnostic(`seed ${world.seed}`);
      const held: Datagram[] = [];
      world.cut = (datagram) => {
        const isIt = datagram.bytes[0] === MessageType[type] && held.length === 0;
        if (isIt) held.push(datagram);
        return isIt;
      };
      const b = world.start('vr-b');
      const a = world.start('vr-a');
      world.until('held', () => held.length === 1, 2_000);
      const [datagram] = held;
      assert.ok(datagram);
      const before = a.count('sessions_established') + b.count('sessions_established');
      const responses = a.count('handshake_responses_sent') + b.count('handshake_responses_sent');
      // mac2 is not looked at while nobody is under load: the last 16 bytes may be anything.
      const changed = [...bitFlips(datagram.bytes)].slice(0, (datagram.bytes.length - 16) * 8);
      for (const bytes of changed) world.replay({ ...datagram, bytes });
      world.clock.advance(20);
      assert.equal(a.count('sessions_established') + b.count('sessions_established'), before);
      assert.equal(a.count('handshake_responses_sent') + b.count('handshake_responses_sent'), responses);
      world.replay(datagram);
      world.until('up', () => a.stateOf(b.id) === 'up' && b.stateOf(a.id) === 'up', 10_000);
    });
  }
});

describe('a cookie', () => {
  it('that the peer gives under load goes into the next initiation, until it is old', (test) => {
    const world = new World({ routers: ['vr-a', 'vr-b'] });
    test.diagnostic(`seed ${world.seed}`);
    const secret = new Uint8Array(32).fill(9);
    const { cookieKey } = createIdentity('chacha20-poly1305', world.privateKey('vr-b'));
    const a = world.start('vr-a');
    const first = world.sent[0] ?? assert.fail();
    const cookie = cookieFor(secret, first.from);
    const reply = (mac1: Uint8Array, key = cookieKey): Datagram => ({
      from: first.to,
      to: first.from,
      bytes: createCookieReply({
        receiver: new DataView(first.bytes.buffer).getUint32(4, true),
        mac1,
        cookie,
        cookieKey: key,
        nonce: world.random.bytes(24),
      }),
    });
    world.replay(reply(new Uint8Array(16)));
    world.replay(reply(mac1Of(first.bytes), new Uint8Array(32)));
    world.clock.advance(20);
    assert.equal(a.count('handshake_drop_not_authentic'), 2);
    world.replay(reply(mac1Of(first.bytes)));
    world.clock.advance(20);
    assert.equal(a.count('handshake_cookies_received'), 1);
    world.replay(reply(mac1Of(first.bytes)));
    world.clock.advance(20);
    assert.equal(a.count('handshake_drop_no_handshake'), 1, 'one message, one cookie');
    const mac2Of = (datagram: Datagram | undefined): string =>
      Buffer.from(datagram?.bytes.subarray(-16) ?? []).toString('hex');
    assert.equal(mac2Of(first), '00'.repeat(16));
    world.until('next initiation', () => world.sent.length === 2, 1_000);
    assert.notEqual(mac2Of(world.sent[1]), '00'.repeat(16));
    world.clock.advance(130_000);
    assert.equal(mac2Of(world.sent.at(-1)), '00'.repeat(16));
  });
});
