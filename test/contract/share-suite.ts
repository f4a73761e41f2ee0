/** What every packet engine does with ports that several of them share. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it, type TestContext } from 'node:test';
import { Kind } from '../../src/dataplane/engine.js';
import { type Mac, mac as parse, writeMac } from '../../src/net/mac.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { sealMessage } from '../support/transport-message.js';
import { type Described, newIndex, newPeer, Rig } from './rig.js';
import { type LanLink, LOOPBACK, type RawSocket, type World } from './world.js';

const STRANGER = parse('02:00:00:00:00:77');
const [FLOWS, EACH] = [40, 20];
const IP_BYTES = { 4: 20, 6: 40 } as const;
const FRAGMENT_OFFSET = 6;
const CONTROL = Uint8Array.of(0x20, 7);

export function shareSuite(world: World): void {
  lanShares(world);
  portShares(world);
}

function frame(to: Mac, from: Mac, packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(14 + packet.length);
  writeMac(to, bytes, 0);
  writeMac(from, bytes, 6);
  bytes.set((packet[0] ?? 0) >> 4 === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
  bytes.set(packet, 14);
  return bytes;
}

/** Both receive in turns, until there are so many. */
function receiveBoth(rigs: readonly Rig[], count: number): Described[][] {
  const all: Described[][] = rigs.map(() => []);
  const sum = (): number => all.reduce((total, { length }) => total + length, 0);
  for (let idle = 0; idle < 40 && sum() < count; ) {
    const before = sum();
    for (const [i, rig] of rigs.entries()) all[i]?.push(...rig.receiveOnce(25));
    idle = sum() === before ? idle + 1 : 0;
  }
  // What would be too much.
  for (const [i, rig] of rigs.entries()) all[i]?.push(...rig.receiveOnce(50));
  return all;
}

/** By the key: which of the two it came to, and its numbers in the order in which they came. */
function sortOut(
  received: readonly (readonly Described[])[],
  read: (described: Described) => { readonly key: number; readonly number: number },
): Map<number, { readonly rigs: Set<number>; readonly numbers: number[] }> {
  const flows = new Map<number, { readonly rigs: Set<number>; readonly numbers: number[] }>();
  for (const [rig, all] of received.entries()) {
    for (const described of all) {
      const { key, number } = read(described);
      const flow = flows.get(key) ?? { rigs: new Set<number>(), numbers: [] };
      flows.set(key, flow);
      flow.rigs.add(rig);
      flow.numbers.push(number);
    }
  }
  return flows;
}

function inOrder(flows: ReturnType<typeof sortOut>, count: number, each: number): void {
  const expected = Array.from({ length: each }, (_, i) => i);
  for (const { rigs, numbers } of flows.values()) {
    assert.equal(rigs.size, 1);
    assert.deepEqual(numbers, expected);
  }
  assert.equal(flows.size, count);
  assert.equal(new Set([...flows.values()].flatMap(({ rigs }) => [...rigs])).size, 2, 'one has got nothing');
}

function lanShares({ addon, withoutLan, openLink }: World): void {
  const lan = (name: string, body: (link: LanLink, rigs: readonly Rig[], fds: readonly number[]) => void) =>
    it(name, (context: TestContext) => {
      if (withoutLan !== undefined) return context.skip(withoutLan);
      const link = openLink();
      const fds = [link.near.fd, addon.shareLan(link.near.fd)];
      const rigs = fds.map(
        (receiveFd) => new Rig(addon, { role: 'lan', lans: [{ ...link.near, receiveFd }] }),
      );
      try {
        body(link, rigs, fds);
      } finally {
        for (const rig of rigs) rig.close();
        addon.closeSocket(fds[1] ?? -1);
        link.close();
      }
    });

  for (const family of [4, 6] as const) {
    lan(`each frame comes to one, those of a flow to the same and in order: IPv${family}`, (link, rigs) => {
      for (let number = 0; number < EACH; number++) {
        for (let flow = 0; flow < FLOWS; flow++) {
          const packet = udpPacket({ family, sourcePort: 1_000 + flow, payload: Uint8Array.of(number) });
          link.station.send(frame(link.nearMac, link.farMac, packet));
        }
      }
      const received = receiveBoth(rigs, FLOWS * EACH);
      const at = IP_BYTES[family];
      const flows = sortOut(received, ({ bytes }) => ({
        key: ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0),
        number: bytes[at + 8] ?? -1,
      }));
      inOrder(flows, FLOWS, EACH);
    });
  }

  lan('the fragments of a packet come to the same, as they are', (link, rigs) => {
    const packets = 20;
    for (let id = 0; id < packets; id++) {
      const whole = udpPacket({ family: 4, sourcePort: 2_000 + id, payload: pattern(1_000) });
      for (const [i, first] of [0, 504, 1_000].entries()) {
        const part = new Uint8Array([
          ...whole.subarray(0, 20),
          ...whole.subarray(20 + first, i === 2 ? 1_028 : 20 + first + 504),
        ]);
        const view = new DataView(part.buffer);
        view.setUint16(2, part.length);
        view.setUint16(4, id);
        view.setUint16(FRAGMENT_OFFSET, (first / 8) | (i === 2 ? 0 : 0x2000));
        link.station.send(frame(link.nearMac, link.farMac, part));
      }
    }
    const received = receiveBoth(rigs, 3 * packets);
    const flows = sortOut(received, ({ bytes }) => ({
      key: ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0),
      number: 8 * ((((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & 0x1fff),
    }));
    assert.equal(flows.size, packets);
    for (const { rigs: one, numbers } of flows.values()) {
      assert.equal(one.size, 1);
      assert.deepEqual(numbers, [0, 504, 1_000]);
    }
  });

  lan('frames to other MACs come to each only while it is asked for them', (link, rigs, fds) => {
    const say = (to: Mac): void => {
      for (let flow = 0; flow < FLOWS; flow++) {
        const packet = udpPacket({ family: 4, sourcePort: 3_000 + flow, payload: pattern(8) });
        link.station.send(frame(to, link.farMac, packet));
      }
    };
    const counts = (expected: number): number[] => receiveBoth(rigs, expected).map(({ length }) => length);
    say(STRANGER);
    assert.deepEqual(counts(0), [0, 0]);
    for (const fd of fds) addon.setRescue(fd, true);
    say(STRANGER);
    const [first = 0, second = 0] = counts(FLOWS);
    assert.ok(first > 0 && second > 0 && first + second === FLOWS, `${first} + ${second}`);
    for (const fd of fds) addon.setRescue(fd, false);
    say(STRANGER);
    assert.deepEqual(counts(0), [0, 0]);
  });

  it('no LAN and no port is shared by what is neither', () => {
    const wakeup = addon.createWakeup();
    for (const share of [addon.shareLan, addon.shareUdp]) {
      assert.throws(() => share(wakeup), /EBADF/);
      assert.throws(() => share(2_000_000), /EBADF/);
    }
    addon.closeSocket(wakeup);
  });
}

function portShares({ addon, openRaw }: World): void {
  for (const family of [4, 6] as const) {
    const port = (name: string, body: (to: number, fd: number, rigs: readonly Rig[]) => Promise<void>) =>
      it(`${name}: IPv${family}`, async () => {
        const udp = addon.openUdp(LOOPBACK[family], 0);
        const fds = [udp.fd, addon.shareUdp(udp.fd)];
        const rigs = fds.map((receiveFd) => new Rig(addon, { role: 'tunnel', udp: [{ ...udp, receiveFd }] }));
        try {
          await body(udp.port, udp.fd, rigs);
        } finally {
          for (const rig of rigs) rig.close();
          for (const fd of fds) addon.closeSocket(fd);
        }
      });
    const openMany = (count: number): Promise<RawSocket[]> =>
      Promise.all(Array.from({ length: count }, () => openRaw(family)));

    port('datagrams of an address all come to one, in order, and none is lost', async (to, fd, rigs) => {
      const raws = await openMany(24);
      for (let number = 0; number < EACH; number++) {
        for (const [i, raw] of raws.entries()) {
          // A cookie reply, in which nothing is looked at before it comes up.
          const message = new Uint8Array(64);
          message.set([3, 0, 0, 0, i, number]);
          await raw.send(message, to);
        }
      }
      const received = receiveBoth(rigs, raws.length * EACH);
      for (const { kind, socket } of received.flat()) assert.deepEqual([kind, socket], [Kind.handshake, fd]);
      const flows = sortOut(received, ({ bytes }) => ({ key: bytes[4] ?? -1, number: bytes[5] ?? -1 }));
      inOrder(flows, raws.length, EACH);
      for (const raw of raws) raw.close();
    });

    port('it is taken for whoever has not opened it', async (to) => {
      assert.throws(() => addon.openUdp(LOOPBACK[family], to), { code: 'EADDRINUSE' });
    });

    port(
      'a message is taken once, whoever it comes to, and what is sent leaves by the port',
      async (to, fd, rigs) => {
        const raws = await openMany(16);
        const peer = newPeer();
        const localIndex = newIndex();
        const keys = { sendKey: randomBytes(32), receiveKey: randomBytes(32) };
        addon.installSession(peer, { localIndex, remoteIndex: 1, cipher: 'chacha20-poly1305', ...keys });
        addon.setCurrentSession(peer, localIndex);
        const messages = 200;
        for (let counter = 0; counter < messages; counter++) {
          const message = sealMessage(
            'chacha20-poly1305',
            keys.receiveKey,
            localIndex,
            BigInt(counter),
            CONTROL,
          );
          // It roams with each message, and each comes twice.
          for (const turn of [0, 1]) await raws[(counter + 5 * turn) % raws.length]?.send(message, to);
        }
        const received = receiveBoth(rigs, messages);
        assert.deepEqual(
          received.map(({ length }) => length > 0),
          [true, true],
        );
        assert.equal(received.flat().length, messages);
        const replayed = rigs.reduce((sum, rig) => sum + rig.counter('messagesReplayed'), 0);
        assert.equal(replayed, messages);
        assert.deepEqual(addon.peerEndpoint(peer)?.address, LOOPBACK[family]);
        assert.ok(addon.sealAndSend(peer, pattern(8)));
        const known = raws.find(({ port: at }) => at === addon.peerEndpoint(peer)?.port);
        assert.equal((await known?.next())?.port, to);
        assert.ok(fd >= 0);
        addon.removePeer(peer);
        for (const raw of raws) raw.close();
      },
    );
  }
}
