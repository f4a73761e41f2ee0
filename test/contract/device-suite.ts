/** What every packet engine is as a device: waiting, waking, limits, closing, and bytes that make no sense. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DESCRIPTOR_WORDS, EngineCounter, SCRATCH_SLOTS } from '../../src/dataplane/engine.js';
import type { LanRoles } from '../../src/dataplane/lan-roles.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { type Described, openPair, PATIENCE_MS, Rig } from './rig.js';
import { LOOPBACK, type World } from './world.js';

export function deviceSuite(world: World): void {
  const { addon } = world;

  it('has room for what it says', () => {
    const rig = new Rig(addon, { role: 'tunnel', slots: 8, slotBytes: 2048 });
    assert.equal(rig.engine.slots, 8);
    assert.equal(rig.engine.slotBytes, 2048);
    assert.equal(rig.engine.packets.length, (8 + SCRATCH_SLOTS) * 2048);
    assert.ok(rig.engine.capacity >= 8);
    assert.equal(rig.engine.descriptors.length, (rig.engine.capacity + SCRATCH_SLOTS) * DESCRIPTOR_WORDS);
    const offsets = Array.from({ length: SCRATCH_SLOTS }, (_, i) => rig.engine.scratchOffset(i));
    offsets.forEach((offset, i) => {
      assert.ok(offset >= (8 + i) * 2048 + 24 && offset < (8 + i) * 2048 + 128);
    });
    assert.throws(() => rig.engine.scratchOffset(SCRATCH_SLOTS), RangeError);
    rig.close();
  });

  it('returns early when woken, once for each wake-up', () => {
    const rig = new Rig(addon, { role: 'tunnel' });
    addon.wake(rig.wakeupFd);
    const startMs = performance.now();
    assert.equal(rig.engine.receive(10_000), 0);
    assert.ok(performance.now() - startMs < 5000);
    assert.equal(rig.engine.receive(20), 0);
    rig.close();
  });

  it('delivers a burst larger than its slots in several batches, in order', () => {
    const udp = addon.openUdp(LOOPBACK[4], 0);
    const rig = new Rig(addon, { role: 'tunnel', udp: [udp], slots: 4 });
    const sender = addon.openUdp(LOOPBACK[4], 0);
    for (let i = 0; i < 10; i++) {
      const message = new Uint8Array(64).fill(i, 4);
      message[0] = 3;
      assert.ok(addon.sendDatagram(sender.fd, LOOPBACK[4], udp.port, message));
    }
    const batches: Described[][] = [];
    while (batches.flat().length < 10) {
      const batch = rig.receiveOnce(PATIENCE_MS);
      if (batch.length === 0) break;
      batches.push(batch);
    }
    // More batches than three when the kernel is behind with handing them over.
    assert.ok(batches.every(({ length }) => length <= 4));
    assert.deepEqual(
      batches.flat().map(({ bytes }) => bytes[10]),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    rig.close();
    for (const { fd } of [udp, sender]) addon.closeSocket(fd);
  });

  it('counts what did not fit its socket’s queue', {
    skip: world.coalesces ? false : 'memory has no limit',
  }, () => {
    const udp = addon.openUdp(LOOPBACK[4], 0);
    const rig = new Rig(addon, { role: 'tunnel', udp: [udp] });
    const sender = addon.openUdp(LOOPBACK[4], 0);
    const message = new Uint8Array(60_000);
    let sent = 0;
    for (let i = 0; i < 500; i++)
      sent += Number(addon.sendDatagram(sender.fd, LOOPBACK[4], udp.port, message));
    const [taken, dropped] = ['tunnelDatagramsReceived', 'tunnelQueueDrops'] as const;
    const untilMs = performance.now() + PATIENCE_MS;
    while (rig.counter(taken) + rig.counter(dropped) < sent && performance.now() < untilMs)
      rig.receiveOnce(50);
    assert.equal(rig.counter(taken) + rig.counter(dropped), sent);
    assert.ok(rig.counter(taken) > 20);
    assert.ok(rig.counter(dropped) > 0);
    rig.close();
    for (const { fd } of [udp, sender]) addon.closeSocket(fd);
  });

  it('refuses to bind what is taken', () => {
    const udp = addon.openUdp(LOOPBACK[4], 0);
    assert.equal(udp.family, 4);
    assert.throws(() => addon.openUdp(LOOPBACK[4], udp.port), { code: 'EADDRINUSE' });
    addon.closeSocket(udp.fd);
    const again = addon.openUdp(LOOPBACK[4], udp.port);
    assert.equal(again.port, udp.port);
    addon.closeSocket(again.fd);
    addon.closeSocket(again.fd);
  });

  it('names an interface that is not there', () => {
    assert.throws(() => addon.openLan('no-such-lan', 0), /no-such-lan/);
  });

  it('cannot be used once it is closed', () => {
    const rig = new Rig(addon, { role: 'tunnel' });
    const { engine } = rig;
    rig.close();
    assert.throws(() => engine.receive(0), /closed/);
    assert.throws(() => engine.send(0, 0), /closed/);
    assert.equal(engine.packets.length, 0);
    assert.equal(engine.descriptors.length, 0);
  });

  it('refuses ranges and options that do not exist', () => {
    const rig = new Rig(addon, { role: 'tunnel', slots: 4, slotBytes: 2048 });
    const all = rig.engine.capacity + SCRATCH_SLOTS;
    for (const [first, count] of [
      [0, all + 1],
      [all, 1],
      [-1, 1],
      [0, -1],
      [0xffffffff, 2],
    ] as const) {
      assert.throws(() => rig.engine.send(first, count), RangeError);
    }
    assert.throws(() => new Rig(addon, { role: 'tunnel', slots: 0 }), RangeError);
    assert.throws(() => new Rig(addon, { role: 'tunnel', slotBytes: 10 }), RangeError);
    // A TCP connection's messages have 16 KB at most, whatever the slots were meant for.
    const streams = { role: 'tunnel', streams: true } as const;
    assert.throws(() => new Rig(addon, { ...streams, slotBytes: 16 * 1024 }), RangeError);
    new Rig(addon, { ...streams, slotBytes: 17 * 1024 }).close();
    const counters = new ArrayBuffer(EngineCounter.count * 8) as unknown as SharedArrayBuffer;
    assert.throws(() => new Rig(addon, { role: 'tunnel', counters }), TypeError);
    assert.throws(
      () => new Rig(addon, { role: 'tunnel', counters: new SharedArrayBuffer(counters.byteLength - 8) }),
      RangeError,
    );
    const lanRoles = (memory: ArrayBufferLike) => ({ memory }) as unknown as LanRoles;
    const lans = [{ fd: 0, index: 1, macHigh: 0, macLow: 0, mtuBytes: 1500, vnetHeader: false }];
    for (const [memory, error] of [
      [new ArrayBuffer(8), TypeError],
      [new SharedArrayBuffer(4), RangeError],
    ] as const) {
      assert.throws(() => new Rig(addon, { role: 'lan', lans, lanRoles: lanRoles(memory) }), error);
    }
    assert.throws(() => addon.setPeerEndpoint(4096, 0, LOOPBACK[4], 1), RangeError);
    assert.throws(() => addon.setPeerEndpoint(0, 0, new Uint8Array(5), 1), RangeError);
    rig.close();
  });

  it('survives descriptors that make no sense', () => {
    const pair = openPair(world);
    const { rig } = pair.a;
    const random = randomWords(1);
    const memory = rig.engine.packets.length;
    const outside = [
      { offset: memory - 10, length: 11 },
      { offset: memory + 1, length: 0 },
      { offset: -1, length: 1 },
      { offset: 0, length: -1 },
      { offset: 0x7fffffff, length: 0x7fffffff },
    ];
    for (const place of outside) {
      rig.describe(0, { action: 1, to: pair.a.peer, mtu: 1420, ...place });
      rig.engine.send(0, 1);
    }
    assert.equal(rig.counter('splitErrors'), outside.length);
    const packet = udpPacket({ family: 4, payload: pattern(1000) });
    for (let i = 0; i < 3000; i++) {
      const index = rig.place(0, packet, { action: i % 3, to: pair.a.peer, mtu: 1420, vnet: 1, hops: 1 });
      const words = rig.engine.descriptors.subarray(index * DESCRIPTOR_WORDS, (index + 1) * DESCRIPTOR_WORDS);
      for (let changes = 0; changes < 4; changes++) words[(random() >>> 0) % 29] = oddWord(random());
      for (let changes = 0; changes < 4; changes++) {
        rig.engine.packets[rig.engine.scratchOffset(0) + ((random() >>> 0) % 60)] = random();
      }
      rig.engine.send(index, 1);
    }
    pair.close();
  });

  it('survives datagrams that make no sense', () => {
    const pair = openPair(world);
    const { b } = pair;
    const sender = addon.openUdp(LOOPBACK[4], 0);
    const random = randomWords(2);
    for (let i = 0; i < 500; i++) {
      const message = pattern((random() >>> 0) % 200);
      message.set([1 + (random() & 3), 0, 0, 0].slice(0, message.length));
      if (message.length > 8) new DataView(message.buffer).setUint32(4, b.keys.localIndex, true);
      addon.sendDatagram(sender.fd, LOOPBACK[4], b.udp.port, message);
      b.rig.receiveOnce(0);
    }
    b.rig.receiveUntil('tunnelDatagramsReceived', 500);
    assert.equal(b.rig.counter('tunnelDatagramsReceived'), 500);
    assert.equal(b.rig.counter('messagesReplayed'), 0);
    addon.closeSocket(sender.fd);
    pair.close();
  });
}

/** xorshift32: the same words in every run. */
function randomWords(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

/** Small, around the limits, or anything. */
function oddWord(random: number): number {
  const odd = [0, 1, 3, 5, 20, 65535, 65536, -1, 0x7fffffff, -0x80000000, 576, 1420];
  return random & 1 ? (odd[(random >>> 1) % odd.length] ?? 0) : random >> ((random >>> 8) & 31);
}
