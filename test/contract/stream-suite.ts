/** What every packet engine does with TCP connections, whoever is at the other end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { Action, Kind, type SessionKeys, StreamEvent, type TcpListener } from '../../src/dataplane/engine.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { sealMessage } from '../support/transport-message.js';
import { type Described, newIndex, newPeer, Rig } from './rig.js';
import { LOOPBACK, type World } from './world.js';

const TUNNEL = { action: Action.tunnel, vnet: 7, hops: 4, mtu: 9000 };
const EPROTO = 71;

function framed(...messages: Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >>> 8, message.length & 0xff]), message]),
  );
}

function typed(type: number, length: number): Uint8Array {
  const message = pattern(length);
  message.set([type, 0, 0, 0]);
  return message;
}

/** One engine with streams, a listener, and the events and messages that have come. */
class Bench {
  readonly rig: Rig;
  readonly listener: TcpListener;
  readonly #world: World;
  #events: Described[] = [];
  #messages: Described[] = [];

  constructor(world: World, family: 4 | 6 = 4) {
    this.#world = world;
    this.rig = new Rig(world.addon, { role: 'tunnel', streams: true, slots: 64 });
    this.listener = world.addon.listenTcp(LOOPBACK[family], 0);
  }

  async #take(): Promise<void> {
    for (const one of this.rig.receiveOnce(50))
      (one.kind === Kind.stream ? this.#events : this.#messages).push(one);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** @param stream only of this connection: the table is the whole process's, and earlier tests' ends are told too */
  async event(kind: keyof typeof StreamEvent, stream?: number): Promise<Described> {
    for (let tries = 0; tries < 200; tries++) {
      const found = this.#events.findIndex(
        ({ sessionFlags, session }) =>
          sessionFlags === StreamEvent[kind] && (stream === undefined || stream === session),
      );
      if (found >= 0) return this.#events.splice(found, 1)[0] as Described;
      await this.#take();
    }
    throw new Error(`no connection was ${kind}`);
  }

  async messages(count: number, most = 200): Promise<Described[]> {
    for (let tries = 0; tries < most && this.#messages.length < count; tries++) await this.#take();
    return this.#messages.splice(0, count);
  }

  async raw(family: 4 | 6 = 4) {
    const raw = await this.#world.connectRaw(family, this.listener.port);
    return { raw, stream: (await this.event('accepted')).session };
  }

  close(): void {
    this.rig.close();
    this.#world.addon.closeSocket(this.listener.fd);
  }
}

export function streamSuite(world: World): void {
  const { addon } = world;
  const withBench = async (body: (bench: Bench) => Promise<void>, family: 4 | 6 = 4) => {
    const bench = new Bench(world, family);
    try {
      await body(bench);
    } finally {
      bench.close();
    }
  };

  for (const family of [4, 6] as const)
    it(`connects, carries packets both ways, and tells when the other end hangs up: IPv${family}`, () =>
      withBench(async (bench) => {
        const near = addon.connectTcp(LOOPBACK[family], bench.listener.port);
        assert.equal((await bench.event('connected', near)).session, near);
        const accepted = await bench.event('accepted');
        assert.equal(accepted.sourceFamily, family);
        assert.equal(accepted.sourceStream, accepted.session + 1);
        const far = accepted.session;
        const peers = sessionBetween(world, near, far);
        for (const stream of [near, far]) addon.trustStream(stream);
        for (const [from, to] of [peers, [...peers].reverse()] as [number, number][]) {
          const packets = Array.from({ length: 12 }, (_, i) =>
            udpPacket({ family: 4, payload: pattern(1 + i * 700) }),
          );
          packets.forEach((packet, i) => {
            bench.rig.place(i, packet, { ...TUNNEL, to: from });
          });
          bench.rig.engine.send(bench.rig.engine.capacity, packets.length);
          const messages = await bench.messages(packets.length);
          assert.deepEqual(
            messages.map(({ bytes, from: peer }, i) => [
              bytes.subarray(4, 4 + (packets[i]?.length ?? 0)),
              peer,
            ]),
            packets.map((packet) => [packet, to]),
          );
        }
        assert.equal(addon.peerEndpoint(peers[0])?.stream, near);
        addon.closeStream(near);
        const closed = await bench.event('closed', far);
        assert.equal(closed.length, 0);
        assert.equal(addon.sealAndSend(peers[0], Uint8Array.of(0x20)), false);
        assert.equal(addon.sendByStream(near, typed(1, 148)), false);
        for (const peer of peers) addon.removePeer(peer);
      }, family));

  it('tells that nobody listens', () =>
    withBench(async (bench) => {
      addon.closeSocket(bench.listener.fd);
      const stream = addon.connectTcp(LOOPBACK[4], bench.listener.port);
      const closed = await bench.event('closed', stream);
      assert.notEqual(closed.length, 0);
    }));

  it('finds messages however the bytes are cut', () =>
    withBench(async (bench) => {
      const { raw, stream } = await bench.raw();
      const all = [typed(1, 148), typed(3, 64), typed(2, 92)];
      for (const byte of framed(...all)) await raw.send(Uint8Array.of(byte));
      await raw.send(framed(...all));
      const messages = await bench.messages(6);
      assert.deepEqual(
        messages.map(({ bytes }) => bytes),
        [...all, ...all],
      );
      assert.ok(messages.every((one) => one.kind === Kind.handshake && one.sourceStream === stream + 1));
      assert.ok(addon.sendByStream(stream, typed(2, 92)));
      assert.deepEqual(await raw.read(94), framed(typed(2, 92)));
      raw.close();
    }));

  it('ends a connection whose length prefix lies, and no other', () =>
    withBench(async (bench) => {
      const good = await bench.raw();
      for (const length of [0, 1, 31, 2_001, 65_535]) {
        const { raw, stream } = await bench.raw();
        await raw.send(framed(typed(1, 148)));
        await raw.send(Uint8Array.of(length >>> 8, length & 0xff));
        assert.equal((await bench.messages(1)).length, 1);
        assert.equal((await bench.event('closed', stream)).length, EPROTO);
        await raw.closed;
      }
      addon.trustStream(good.stream);
      await good.raw.send(framed(typed(1, 148)));
      assert.equal((await bench.messages(1)).length, 1);
      await good.raw.send(Uint8Array.of(0x40, 0x01));
      assert.equal((await bench.event('closed', good.stream)).length, EPROTO);
      good.raw.close();
    }));

  it('brings up what came before the end before it tells of the end', () =>
    withBench(async (bench) => {
      const { raw, stream } = await bench.raw();
      addon.trustStream(stream);
      // More than an engine takes in at once: the last ones and the end are found together.
      const lengths = Array.from({ length: 70 }, (_, i) => (i % 2 === 0 ? 148 : 92));
      await raw.send(framed(...lengths.map((length) => typed(length === 148 ? 1 : 2, length))));
      raw.close();
      const order: (string | number)[] = [];
      for (let tries = 0; tries < 200 && order.at(-1) !== 'closed'; tries++) {
        for (const one of bench.rig.receiveOnce(20)) {
          if (one.kind === Kind.handshake) order.push(one.length);
          else if (one.session === stream)
            order.push(one.sessionFlags === StreamEvent.closed ? 'closed' : 'open');
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual(order, [...lengths, 'closed']);
    }));

  it('waits for a message that never ends, and says nothing of it', () =>
    withBench(async (bench) => {
      const { raw, stream } = await bench.raw();
      await raw.send(framed(typed(1, 148)).subarray(0, 140));
      assert.deepEqual(await bench.messages(1, 5), []);
      addon.closeStream(stream);
      await raw.closed;
      raw.close();
    }));

  it('counts garbage, replays and forgeries as it does with datagrams', () =>
    withBench(async (bench) => {
      const { raw, stream } = await bench.raw();
      const keys = keysOf();
      const peer = newPeer();
      addon.installSession(peer, keys);
      const genuine = sealMessage('chacha20-poly1305', keys.receiveKey, keys.localIndex, 5n, pattern(20));
      const forged = sealMessage('chacha20-poly1305', randomBytes(32), keys.localIndex, 6n, pattern(20));
      await raw.send(framed(typed(9, 64), genuine, genuine, forged));
      const [message] = await bench.messages(1);
      assert.deepEqual([message?.from, message?.sourceStream], [peer, stream + 1]);
      bench.rig.receiveUntil('messagesNotAuthentic', 1);
      assert.equal(bench.rig.counter('messagesMalformed'), 1);
      assert.equal(bench.rig.counter('messagesReplayed'), 1);
      assert.equal(addon.peerEndpoint(peer)?.stream, stream);
      addon.removePeer(peer);
      raw.close();
    }));

  it('refuses to listen twice on one port', () =>
    withBench(async (bench) => {
      assert.throws(() => addon.listenTcp(LOOPBACK[4], bench.listener.port), /EADDRINUSE/);
    }));
}

function keysOf(): SessionKeys {
  const cipher = 'chacha20-poly1305';
  const [sendKey, receiveKey] = [randomBytes(32), randomBytes(32)];
  return { localIndex: newIndex(), remoteIndex: newIndex(), sendKey, receiveKey, cipher };
}

/** Two peers, each the other's far end, with a session between them. */
function sessionBetween(world: World, near: number, far: number): [number, number] {
  const { addon } = world;
  const keys = keysOf();
  const back = {
    ...keys,
    localIndex: keys.remoteIndex,
    remoteIndex: keys.localIndex,
    sendKey: keys.receiveKey,
    receiveKey: keys.sendKey,
  };
  const peers: [number, number] = [newPeer(), newPeer()];
  for (const [peer, own, stream] of [
    [peers[0], keys, near],
    [peers[1], back, far],
  ] as const) {
    addon.installSession(peer, own);
    addon.setCurrentSession(peer, own.localIndex);
    addon.setPeerPath(peer, { stream });
  }
  return peers;
}
