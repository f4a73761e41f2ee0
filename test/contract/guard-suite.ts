/**
 * What every packet engine does with handshake messages: mac1, mac2, cookie replies. The keys are one set for the whole
 * process, so this suite comes last.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { Action, D, DESCRIPTOR_WORDS, Kind } from '../../src/dataplane/engine.js';
import { cookieFor, openCookieReply } from '../../src/wireguard/cookie.js';
import { decodeMessage, MessageType, mac1Of } from '../../src/wireguard/messages.js';
import { mac } from '../../src/wireguard/primitives.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { openMessage } from '../support/transport-message.js';
import { type Described, openPair, type Pair } from './rig.js';
import { LOOPBACK, type RawSocket, type World } from './world.js';

const PROVEN = 4;

function keys() {
  return { mac1Key: randomBytes(32), cookieKey: randomBytes(32), cookieSecret: randomBytes(32) };
}

/** A handshake message of that type with random contents and right macs. */
function handshake(type: 1 | 2, mac1Key: Uint8Array, cookie?: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(randomBytes(type === 1 ? 148 : 92));
  bytes.set([type, 0, 0, 0]);
  bytes.set(mac(mac1Key, bytes.subarray(0, bytes.length - 32)), bytes.length - 32);
  const mac2 = cookie === undefined ? new Uint8Array(16) : mac(cookie, bytes.subarray(0, bytes.length - 16));
  bytes.set(mac2, bytes.length - 16);
  return bytes;
}

export function guardSuite(world: World): void {
  const withPair = async (family: 4 | 6, body: (pair: Pair, raw: RawSocket) => Promise<void>) => {
    const pair = openPair(world, { family });
    const raw = await world.openRaw(family);
    try {
      await body(pair, raw);
    } finally {
      raw.close();
      pair.close();
    }
  };
  const one = (described: readonly Described[]): Described => {
    const [first] = described;
    assert.ok(first !== undefined && described.length === 1, `${described.length} descriptors`);
    return first;
  };

  for (const family of [4, 6] as const) {
    it(`lets mac1 decide and mac2 tell over IPv${family}`, () =>
      withPair(family, async ({ b }, raw) => {
        const guard = keys();
        world.addon.setHandshakeGuard(guard);
        for (const type of [1, 2] as const) {
          await raw.send(handshake(type, randomBytes(32)), b.udp.port);
          await raw.send(handshake(type, guard.mac1Key), b.udp.port);
          const plain = one(b.rig.receive(1));
          assert.deepEqual([plain.kind, plain.sessionFlags, plain.bytes[0]], [Kind.handshake, 0, type]);
          const cookie = cookieFor(guard.cookieSecret, { address: LOOPBACK[family], port: raw.port });
          await raw.send(handshake(type, guard.mac1Key, cookie), b.udp.port);
          assert.equal(one(b.rig.receive(1)).sessionFlags, PROVEN);
          // The cookie of another port, and of a secret that is gone.
          const other = cookieFor(guard.cookieSecret, { address: LOOPBACK[family], port: raw.port ^ 1 });
          await raw.send(handshake(type, guard.mac1Key, other), b.udp.port);
          assert.equal(one(b.rig.receive(1)).sessionFlags, 0);
          world.addon.setHandshakeGuard({ ...guard, cookieSecret: randomBytes(32) });
          await raw.send(handshake(type, guard.mac1Key, cookie), b.udp.port);
          assert.equal(one(b.rig.receive(1)).sessionFlags, 0);
          world.addon.setHandshakeGuard(guard);
        }
        assert.equal(b.rig.counter('handshakesBadMac1'), 2);
      }));

    it(`gives cookies that @noble/ciphers opens, over IPv${family}`, () =>
      withPair(family, async ({ b }, raw) => {
        const guard = keys();
        world.addon.setHandshakeGuard(guard);
        for (const type of [1, 2] as const) {
          const message = handshake(type, guard.mac1Key);
          await raw.send(message, b.udp.port);
          assert.equal(b.rig.receive(1).length, 1);
          b.rig.engine.descriptors[0 * DESCRIPTOR_WORDS + D.action] = Action.cookie;
          b.rig.engine.send(0, 1);
          const reply = decodeMessage((await raw.next()).bytes);
          assert.ok(typeof reply !== 'string' && reply.type === MessageType.cookie);
          assert.equal(reply.receiver, Buffer.from(message).readUInt32LE(4));
          assert.deepEqual(
            openCookieReply(guard.cookieKey, mac1Of(message), reply),
            cookieFor(guard.cookieSecret, { address: LOOPBACK[family], port: raw.port }),
          );
          assert.equal(openCookieReply(guard.cookieKey, randomBytes(16), reply), undefined);
        }
        assert.equal(b.rig.counter('cookieRepliesSent'), 2);
      }));
  }

  it('passes cookie replies up, and answers none with a cookie', () =>
    withPair(4, async ({ b }, raw) => {
      world.addon.setHandshakeGuard(keys());
      await raw.send(Uint8Array.from([3, 0, 0, 0, ...randomBytes(60)]), b.udp.port);
      assert.equal(one(b.rig.receive(1)).sessionFlags, 0);
      b.rig.engine.descriptors[D.action] = Action.cookie;
      b.rig.engine.send(0, 1);
      assert.deepEqual([b.rig.counter('cookieRepliesSent'), b.rig.counter('tunnelSendErrors')], [0, 1]);
    }));

  it('refuses keys of a wrong length', () => {
    assert.throws(() => world.addon.setHandshakeGuard({ ...keys(), cookieKey: randomBytes(31) }));
  });

  it('seals a packet for a WireGuard client without an overlay header', () =>
    withPair(4, async ({ a }, raw) => {
      world.addon.setPeerEndpoint(a.peer, a.udp.fd, LOOPBACK[4], raw.port);
      const packet = udpPacket({ family: 4, payload: pattern(70) });
      a.rig.send(packet, { action: Action.bare, to: a.peer, mtu: 1420 });
      const opened = openMessage(a.keys.cipher, a.keys.sendKey, (await raw.next()).bytes);
      assert.ok(opened !== undefined);
      assert.equal(opened.length % 16, 0);
      assert.deepEqual(opened.subarray(0, packet.length), Uint8Array.from(packet));
      assert.ok(opened.subarray(packet.length).every((byte) => byte === 0));
    }));
}
