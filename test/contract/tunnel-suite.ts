/** What every packet engine does with messages of the tunnel. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { Action, Kind } from '../../src/dataplane/engine.js';
import { pattern, tcpPacket, udpPacket } from '../support/ip-packet.js';
import {
  type CipherName,
  openMessage,
  REJECT_AFTER_MESSAGES,
  readHeader,
  sealMessage,
} from '../support/transport-message.js';
import { newIndex, newPeer, openPair, type Pair, peerStat, Rig } from './rig.js';
import { LOOPBACK, type RawSocket, type World } from './world.js';

const TUNNEL = { action: Action.tunnel, vnet: 0x1234, hops: 4, mtu: 1420 };
const KEEPALIVE = new Uint8Array(0);

export function tunnelSuite(world: World): void {
  const withPair = async (body: (pair: Pair, raw: RawSocket) => Promise<void>) => {
    const pair = openPair(world);
    const raw = await world.openRaw(4);
    try {
      await body(pair, raw);
    } finally {
      raw.close();
      pair.close();
    }
  };

  for (const cipher of ['chacha20-poly1305', 'aes-256-gcm'] as const) {
    for (const family of [4, 6] as const) {
      it(`carries packets from one engine to another: ${cipher} over IPv${family}`, () => {
        const pair = openPair(world, { cipher, family });
        carryBothWays(world, pair, family);
        pair.close();
      });
    }

    it(`seals as the protocol says: ${cipher}`, async () => {
      const raw = await world.openRaw(4);
      await sealsAsSpecified(world, raw, cipher);
      raw.close();
    });
  }

  it('refuses replays, takes messages out of order, refuses what is older than its window', () =>
    withPair(async ({ b }, raw) => {
      const send = (counter: bigint) =>
        raw.send(messageFor(b.keys.receiveKey, b.keys.localIndex, counter), b.udp.port);
      for (const counter of [5n, 5n, 3n, 9n, 4n, 3n, 9n]) await send(counter);
      b.rig.receiveUntil('messagesReplayed', 3);
      assert.equal(peerStat(world.addon, b.peer, 'packetsReceived'), 4);
      for (const counter of [100_000n, 67_000n, 99_999n, 100_000n]) await send(counter);
      b.rig.receiveUntil('messagesReplayed', 5);
      assert.equal(b.rig.counter('messagesReplayed'), 5);
      assert.equal(peerStat(world.addon, b.peer, 'packetsReceived'), 6);
    }));

  it('does not let a forged message move the replay window', () =>
    withPair(async ({ b }, raw) => {
      await raw.send(messageFor(randomBytes(32), b.keys.localIndex, 1_000_000n), b.udp.port);
      await raw.send(messageFor(b.keys.receiveKey, b.keys.localIndex, 0n), b.udp.port);
      assert.equal(b.rig.receive(1).length, 1);
      assert.equal(b.rig.counter('messagesNotAuthentic'), 1);
      assert.equal(b.rig.counter('messagesReplayed'), 0);
    }));

  it('counts messages for sessions it does not know, and none of them comes up', () =>
    withPair(async ({ b }, raw) => {
      await raw.send(messageFor(b.keys.receiveKey, newIndex(), 0n), b.udp.port);
      assert.deepEqual(b.rig.receiveUntil('messagesUnknownSession', 1), []);
      assert.equal(b.rig.counter('messagesUnknownSession'), 1);
      world.addon.removeSession(b.keys.localIndex);
      await raw.send(messageFor(b.keys.receiveKey, b.keys.localIndex, 0n), b.udp.port);
      b.rig.receiveUntil('messagesUnknownSession', 2);
      assert.equal(b.rig.counter('messagesUnknownSession'), 2);
    }));

  it('refuses counters from 2^64 − 2^13 − 1 on', () =>
    withPair(async ({ b }, raw) => {
      const send = (counter: bigint) =>
        raw.send(messageFor(b.keys.receiveKey, b.keys.localIndex, counter), b.udp.port);
      await send(REJECT_AFTER_MESSAGES);
      await send(2n ** 64n - 1n);
      await send(REJECT_AFTER_MESSAGES - 1n);
      assert.equal(b.rig.receive(1).length, 1);
      assert.equal(b.rig.counter('messagesExpired'), 2);
    }));

  it('passes handshake messages up with their source, and only of the right sizes', () => handshakes(world));

  it('counts what is no WireGuard message', () =>
    withPair(async ({ b }, raw) => {
      const messages = [
        new Uint8Array(0),
        Uint8Array.of(4, 0, 0),
        new Uint8Array(31).fill(4, 0, 1),
        new Uint8Array(64),
        new Uint8Array(64).fill(5, 0, 1),
        typed(4, 64, 1),
      ];
      for (const message of messages) await raw.send(message, b.udp.port);
      assert.deepEqual(b.rig.receiveUntil('messagesMalformed', messages.length), []);
      assert.equal(b.rig.counter('messagesMalformed'), messages.length);
      assert.equal(b.rig.counter('tunnelDatagramsReceived'), messages.length);
    }));

  it('shows a keep-alive only when the session or the peer’s address shows itself by it', () =>
    withPair(async ({ a, b }) => {
      const before = peerStat(world.addon, b.peer, 'lastReceivedMs');
      assert.equal(before, 0);
      assert.ok(world.addon.sealAndSend(a.peer, KEEPALIVE));
      const [first] = b.rig.receive(1);
      assert.deepEqual([first?.kind, first?.length, first?.sessionFlags], [Kind.message, 0, 1]);
      assert.ok(world.addon.sealAndSend(a.peer, KEEPALIVE));
      assert.deepEqual(b.rig.receiveUntil('keepalivesReceived', 2), []);
      assert.equal(b.rig.counter('keepalivesReceived'), 2);
      const nowMs = Number(process.hrtime.bigint() / 1_000_000n);
      const lastMs = peerStat(world.addon, b.peer, 'lastReceivedMs');
      assert.ok(lastMs <= nowMs && lastMs > nowMs - 5000, `${lastMs} is not just before ${nowMs}`);
    }));

  it('follows a peer to its new address, but only for a genuine message', () =>
    withPair(async ({ a, b }, raw) => {
      await raw.send(messageFor(randomBytes(32), b.keys.localIndex, 0n), b.udp.port);
      b.rig.receiveUntil('messagesNotAuthentic', 1);
      assert.equal(world.addon.peerEndpoint(b.peer)?.port, a.udp.port);
      await raw.send(messageFor(b.keys.receiveKey, b.keys.localIndex, 0n), b.udp.port);
      const [moved] = b.rig.receive(1);
      assert.deepEqual([moved?.sessionFlags, moved?.sourcePort], [3, raw.port]);
      assert.deepEqual(world.addon.peerEndpoint(b.peer), { address: LOOPBACK[4], port: raw.port });
      b.rig.send(udpPacket({ family: 4, payload: pattern(10) }), { ...TUNNEL, to: b.peer });
      assert.equal((await raw.next()).port, b.udp.port);
    }));

  it('sends a single payload as it is, unpadded', () =>
    withPair(async ({ a, b }) => {
      assert.ok(world.addon.sealAndSend(a.peer, Uint8Array.of(0x20, 1, 2, 3, 4)));
      const [message] = b.rig.receive(1);
      assert.deepEqual(message?.bytes, Uint8Array.of(0x20, 1, 2, 3, 4));
      assert.equal(peerStat(world.addon, a.peer, 'packetsSent'), 1);
      assert.equal(peerStat(world.addon, a.peer, 'bytesSent'), 37);
      assert.equal(peerStat(world.addon, a.peer, 'currentCounter'), 1);
    }));

  it('never pads beyond the MTU', () =>
    withPair(async ({ a, b }) => {
      const packet = tcpPacket({ family: 4, payload: pattern(1421 - 52), sequence: 1, flags: 0x10 });
      assert.equal(packet.length, 1421);
      a.rig.send(packet, { ...TUNNEL, mtu: 1421, to: a.peer });
      assert.equal(b.rig.receive(1)[0]?.length, 1421 + 4);
    }));

  it('seals a message of the worker’s own as it is', () =>
    withPair(async ({ a, b }) => {
      const payload = Uint8Array.of(0x30, 1, 2, 3, 4, 5, 6);
      a.rig.send(payload, { action: Action.message, to: a.peer });
      assert.deepEqual(b.rig.receive(1)[0]?.bytes, payload);
      assert.equal(a.rig.counter('tunnelDatagramsSent'), 1);
    }));

  it('counts packets for peers without a session', () => {
    const rig = new Rig(world.addon, { role: 'tunnel' });
    const packet = udpPacket({ family: 4, payload: pattern(10) });
    rig.send(packet, { ...TUNNEL, to: newPeer() });
    for (const to of [4096, -1, 0x7fffffff]) rig.send(packet, { ...TUNNEL, to });
    assert.equal(rig.counter('noSession'), 4);
    assert.equal(world.addon.sealAndSend(newPeer(), KEEPALIVE), false);
    rig.close();
  });

  it('sends by no socket that is not its own, also when the number of one that was is another’s', () =>
    withPair(async ({ a }) => {
      const gone = world.addon.openUdp(LOOPBACK[4], 0);
      world.addon.closeSocket(gone.fd);
      const heir = await world.openRaw(4);
      world.addon.setPeerEndpoint(a.peer, gone.fd, LOOPBACK[4], heir.port);
      const sent = world.addon.sealAndSend(a.peer, KEEPALIVE);
      a.rig.send(udpPacket({ family: 4, payload: pattern(10) }), { ...TUNNEL, to: a.peer });
      heir.close();
      assert.equal(sent, false);
      assert.equal(a.rig.counter('tunnelDatagramsSent'), 0);
      assert.equal(a.rig.counter('tunnelSendErrors'), 1);
    }));

  it('keeps sessions apart: a taken index, a foreign one, a removed one', () =>
    withPair(async ({ a, b }) => {
      assert.throws(() => world.addon.installSession(b.peer, a.keys));
      assert.throws(() => world.addon.setCurrentSession(b.peer, a.keys.localIndex));
      assert.throws(() => world.addon.setCurrentSession(b.peer, newIndex()));
      world.addon.removeSession(a.keys.localIndex);
      world.addon.removeSession(a.keys.localIndex);
      assert.equal(world.addon.sealAndSend(a.peer, KEEPALIVE), false);
      world.addon.removePeer(b.peer);
      assert.equal(world.addon.peerEndpoint(b.peer), undefined);
      assert.equal(world.addon.sealAndSend(b.peer, KEEPALIVE), false);
    }));
}

function typed(type: number, length: number, reserved = 0): Uint8Array {
  const message = pattern(length);
  message.set([type, reserved, 0, 0]);
  return message;
}

function messageFor(key: Uint8Array, index: number, counter: bigint): Uint8Array {
  return sealMessage('chacha20-poly1305', key, index, counter, Uint8Array.of(0x20, 7));
}

function carryBothWays(world: World, { a, b }: Pair, family: 4 | 6): void {
  const packets = [0, 1, 100, 1200].map((length) => udpPacket({ family, payload: pattern(length) }));
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    packets.forEach((packet, i) => {
      from.rig.place(i, packet, { ...TUNNEL, to: from.peer });
    });
    from.rig.engine.send(from.rig.engine.capacity, packets.length);
    const messages = to.rig.receive(packets.length);
    assert.equal(messages.length, packets.length);
    messages.forEach((message, i) => {
      const packet = packets[i] ?? new Uint8Array(0);
      assert.equal(message.kind, Kind.message);
      assert.equal(message.action, Action.drop);
      assert.equal(message.from, to.peer);
      assert.equal(message.session >>> 0, to.keys.localIndex);
      assert.equal(message.sessionFlags, i === 0 ? 1 : 0);
      assert.deepEqual(message.bytes.subarray(0, 4), Uint8Array.of(0x10, 4, 0x12, 0x34));
      assert.deepEqual(message.bytes.subarray(4, 4 + packet.length), packet);
      const padding = message.bytes.subarray(4 + packet.length);
      assert.equal(message.length % 16, 0);
      assert.ok(padding.length < 16 && padding.every((byte) => byte === 0));
    });
    assert.equal(from.rig.counter('tunnelDatagramsSent'), packets.length);
    assert.equal(from.rig.counter('tunnelBytesSent'), to.rig.counter('tunnelBytesReceived'));
    assert.equal(peerStat(world.addon, to.peer, 'packetsReceived'), packets.length);
    assert.equal(
      peerStat(world.addon, from.peer, 'bytesSent'),
      peerStat(world.addon, to.peer, 'bytesReceived'),
    );
  }
}

/** Against node:crypto, both ways: an engine that agreed only with itself would pass the test above. */
async function sealsAsSpecified(world: World, raw: RawSocket, cipher: CipherName): Promise<void> {
  const pair = openPair(world, { cipher });
  const { a, b } = pair;
  world.addon.setPeerEndpoint(a.peer, a.udp.fd, LOOPBACK[4], raw.port);
  const packet = udpPacket({ family: 4, payload: pattern(33) });
  a.rig.send(packet, { ...TUNNEL, to: a.peer });
  assert.ok(world.addon.sealAndSend(a.peer, KEEPALIVE));
  const sealed = (await raw.next()).bytes;
  assert.deepEqual(readHeader(sealed), { receiver: b.keys.localIndex, counter: 0n });
  assert.deepEqual(openMessage(cipher, a.keys.sendKey, sealed)?.subarray(4, 4 + packet.length), packet);
  const keepalive = (await raw.next()).bytes;
  assert.equal(keepalive.length, 32);
  assert.equal(openMessage(cipher, a.keys.sendKey, keepalive)?.length, 0);

  const payload = pattern(77);
  await raw.send(sealMessage(cipher, b.keys.receiveKey, b.keys.localIndex, 300n, payload), b.udp.port);
  assert.deepEqual(b.rig.receive(1)[0]?.bytes, payload);
  pair.close();
}

async function handshakes(world: World): Promise<void> {
  for (const family of [4, 6] as const) {
    const udp = world.addon.openUdp(LOOPBACK[family], 0);
    const rig = new Rig(world.addon, { role: 'tunnel', udp: [udp] });
    const raw = await world.openRaw(family);
    const messages = [typed(1, 148), typed(2, 92), typed(3, 64)];
    for (const message of messages) await raw.send(message, udp.port);
    const described = rig.receive(3);
    assert.deepEqual(
      described.map((d) => d.bytes),
      messages,
    );
    for (const d of described) {
      assert.deepEqual(
        [d.kind, d.from, d.sourceFamily, d.sourcePort],
        [Kind.handshake, -1, family, raw.port],
      );
      const words = [d.sourceWord0, d.sourceWord1, d.sourceWord2, d.sourceWord3];
      assert.deepEqual(words, family === 4 ? [0, 0, 0, 0x7f000001] : [0, 0, 0, 1]);
    }
    for (const message of [typed(1, 147), typed(2, 148), typed(3, 65)]) await raw.send(message, udp.port);
    assert.deepEqual(rig.receiveUntil('messagesMalformed', 3), []);
    assert.equal(rig.counter('messagesMalformed'), 3);
    assert.ok(world.addon.sendDatagram(udp.fd, LOOPBACK[family], raw.port, typed(2, 92)));
    assert.deepEqual(await raw.next(), { bytes: typed(2, 92), port: udp.port });
    raw.close();
    rig.close();
    world.addon.closeSocket(udp.fd);
  }
}
