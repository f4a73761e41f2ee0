/** What every packet engine does for peers that are reached by way of another. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { Action, RELAY_HEADER_BYTES, type SessionKeys } from '../../src/dataplane/engine.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { sealMessage } from '../support/transport-message.js';
import { newIndex, newPeer, openPair, type Pair, peerStat, Rig } from './rig.js';
import { LOOPBACK, type World } from './world.js';

const TUNNEL = { action: Action.tunnel, vnet: 7, hops: 4, mtu: 1420 };

interface Relayed {
  readonly pair: Pair;
  /** The two ends' numbers for each other; `pair` is the way to the relay: `a` is one end, `b` the relay. */
  readonly near: number;
  readonly far: number;
  readonly nearKeys: SessionKeys;
  readonly farKeys: SessionKeys;
  readonly tag: Uint8Array;
}

/** One end seals for the other, and for the relay around it; here the relay is also the far end. */
function openRelayed(world: World): Relayed {
  const { addon } = world;
  const pair = openPair(world);
  const [near, far] = [newPeer(), newPeer()];
  const [out, back] = [randomBytes(32), randomBytes(32)];
  const [nearIndex, farIndex] = [newIndex(), newIndex()];
  const cipher = 'chacha20-poly1305';
  const nearKeys = {
    localIndex: nearIndex,
    remoteIndex: farIndex,
    sendKey: out,
    receiveKey: back,
    cipher,
  } as const;
  const farKeys = {
    localIndex: farIndex,
    remoteIndex: nearIndex,
    sendKey: back,
    receiveKey: out,
    cipher,
  } as const;
  for (const [peer, keys] of [
    [near, nearKeys],
    [far, farKeys],
  ] as const) {
    addon.installSession(peer, keys);
    addon.setCurrentSession(peer, keys.localIndex);
  }
  const tag = pattern(8);
  addon.setRelayTag(near, tag);
  addon.setPeerPath(near, { relay: pair.a.peer });
  return { pair, near, far, nearKeys, farKeys, tag };
}

export function relaySuite(world: World): void {
  const { addon } = world;

  it('wraps packets for the relay, which cannot read them, and opens what was relayed', () => {
    const { pair, near, far, tag, farKeys } = openRelayed(world);
    const packet = udpPacket({ family: 4, payload: pattern(100) });
    pair.a.rig.send(packet, { ...TUNNEL, to: near });
    const [wrapped] = pair.b.rig.receive(1);
    assert.equal(wrapped?.from, pair.b.peer);
    assert.deepEqual(wrapped.bytes.subarray(0, RELAY_HEADER_BYTES), Uint8Array.of(0x30, 0, 0, 0, ...tag));
    assert.equal(wrapped.bytes.indexOf(0x45, RELAY_HEADER_BYTES) === RELAY_HEADER_BYTES, false);
    assert.ok(
      !Buffer.from(wrapped.bytes).includes(Buffer.from(packet.subarray(28))),
      'the relay can read it',
    );

    assert.equal(pair.b.rig.engine.openRelayed(0, RELAY_HEADER_BYTES), true);
    const opened = pair.b.rig.read(0);
    assert.deepEqual([opened.from, opened.session >>> 0], [far, farKeys.localIndex]);
    assert.deepEqual(opened.bytes.subarray(4, 4 + packet.length), packet);
    assert.equal(opened.sourceRelay, pair.b.peer + 1);
    assert.deepEqual(addon.peerEndpoint(far), { address: new Uint8Array(0), port: 0, relay: pair.b.peer });
    assert.ok(peerStat(addon, near, 'bytesSent') > packet.length);
    pair.close();
  });

  it('opens a relayed message once, and only a genuine one', () => {
    const { pair, near, farKeys } = openRelayed(world);
    assert.ok(addon.sealAndSend(near, Uint8Array.of(0x20, 1)));
    const [wrapped] = pair.b.rig.receive(1);
    const message = wrapped?.bytes.slice(RELAY_HEADER_BYTES) ?? new Uint8Array(0);
    const again = (bytes: Uint8Array): boolean => {
      pair.a.rig.send(Buffer.concat([new Uint8Array(12).fill(0x30, 0, 1), bytes]), {
        action: Action.message,
        to: pair.a.peer,
      });
      assert.equal(pair.b.rig.receive(1).length, 1);
      return pair.b.rig.engine.openRelayed(0, RELAY_HEADER_BYTES);
    };
    assert.equal(again(message), true);
    assert.equal(again(message), false);
    assert.equal(pair.b.rig.counter('messagesReplayed'), 1);
    const forged = sealMessage('chacha20-poly1305', randomBytes(32), farKeys.localIndex, 9n, pattern(10));
    assert.equal(again(forged), false);
    assert.equal(pair.b.rig.counter('messagesNotAuthentic'), 1);
    assert.equal(again(message.subarray(0, 31)), false);
    assert.equal(pair.b.rig.counter('messagesMalformed'), 1);
    assert.throws(() => pair.b.rig.engine.openRelayed(9_999, 0));
    assert.ok(addon.sealAndSend(near, Uint8Array.of(0x20, 1)));
    const fresh = pair.b.rig.receive(1)[0]?.bytes.slice(RELAY_HEADER_BYTES) ?? new Uint8Array(0);
    for (const reserved of [1, 2, 3]) assert.equal(again(fresh.with(reserved, 1)), false, 'reserved bytes');
    assert.equal(again(fresh.with(0, 2)), false, 'another type');
    assert.equal(pair.b.rig.counter('messagesMalformed'), 5);
    assert.equal(again(fresh), true);
    assert.equal(pair.b.rig.engine.openRelayed(0, 70_000), false);
    pair.close();
  });

  it('does not let a peer roam from a UDP address to a relay, or back', async () => {
    const { pair, near, far, farKeys, nearKeys } = openRelayed(world);
    const raw = await world.openRaw(4);
    addon.setPeerEndpoint(far, pair.b.udp.fd, LOOPBACK[4], raw.port);
    assert.ok(addon.sealAndSend(near, Uint8Array.of(0x20, 1)));
    pair.b.rig.receive(1);
    assert.equal(pair.b.rig.engine.openRelayed(0, RELAY_HEADER_BYTES), true);
    assert.equal(addon.peerEndpoint(far)?.port, raw.port);
    const control = sealMessage('chacha20-poly1305', farKeys.sendKey, nearKeys.localIndex, 0n, pattern(9));
    await raw.send(control, pair.a.udp.port);
    const [message] = pair.a.rig.receive(1);
    assert.deepEqual([message?.from, message?.sourcePort, message?.sourceRelay], [near, raw.port, 0]);
    assert.equal(addon.peerEndpoint(near)?.relay, pair.a.peer);
    raw.close();
    pair.close();
  });

  it('sends by a path of its own without changing the one in use', async () => {
    const { pair, near, tag } = openRelayed(world);
    const raw = await world.openRaw(4);
    const path = { fd: pair.a.udp.fd, address: LOOPBACK[4], port: raw.port };
    assert.ok(addon.sealAndSend(near, Uint8Array.of(0x20, 1), path));
    assert.equal((await raw.next()).bytes.length, 34);
    assert.equal(addon.peerEndpoint(near)?.relay, pair.a.peer);
    assert.ok(addon.sealAndSend(pair.a.peer, Uint8Array.of(0x20, 2), path));
    assert.ok(addon.sealAndSend(near, Uint8Array.of(0x20, 1), { relay: pair.a.peer }));
    assert.deepEqual(pair.b.rig.receive(1)[0]?.bytes.subarray(4, 12), tag);
    assert.throws(() => addon.setPeerPath(near, { relay: 4096 }));
    assert.throws(() => addon.setRelayTag(near, new Uint8Array(7)));
    raw.close();
    pair.close();
  });

  it('never takes a relay for a relay, nor a relay without a session', () => {
    const { pair, near } = openRelayed(world);
    const other = newPeer();
    const rig = new Rig(addon, { role: 'tunnel' });
    addon.setPeerPath(pair.a.peer, { relay: other });
    assert.equal(addon.sealAndSend(near, Uint8Array.of(0x20)), false);
    addon.setPeerPath(near, { relay: near });
    assert.equal(addon.sealAndSend(near, Uint8Array.of(0x20)), false);
    rig.send(udpPacket({ family: 4, payload: pattern(10) }), { ...TUNNEL, to: near });
    assert.equal(rig.counter('noSession'), 1);
    rig.close();
    pair.close();
  });
}
