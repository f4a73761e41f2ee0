/**
 * What may be fragmented outside and what may not leave by the same port, at the same time, from several threads: neither
 * may disturb the other. On a link that takes 1,500 bytes, by a route that is known to carry 1,300.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Action, type UdpSocket } from '../../src/dataplane/engine.js';
import { loadNative } from '../../src/dataplane/native.js';
import { Ip } from '../../src/net/ip.js';
import { waitFor } from '../lab/wait.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import type { FragmentingResult, FragmentingTask } from './fragmenting-worker.js';
import { inNamespaceOfOwn, ip, untilCarries } from './namespace.js';
import { newIndex, newPeer, Rig } from './rig.js';
import { LOOPBACK } from './world.js';

const ROUNDS = 5_000;
/** Outer packets: within the link's MTU but above the route's, and above the link's. */
const FITS_BYTES = 1_400;
const TOO_LARGE_BYTES = 1_600;
const SEALED_BYTES = 32;
const OUTER_HEADER_BYTES = { 4: 28, 6: 48 } as const;
const ANY = { 4: new Uint8Array(4), 6: new Uint8Array(16) } as const;
/** A machine on the link that never answers. */
const FAR = { 4: '10.9.0.2', 6: 'fd09::2' } as const;
const FAR_PORT = 9;
/** Another address of this machine. */
const SECOND = { 4: '127.0.0.2', 6: 'fd09::7' } as const;

inNamespaceOfOwn('fragmenting is a matter of each datagram', import.meta.url, suite, () =>
  test('fragmenting is a matter of each datagram', { skip: 'namespaces need root' }, () => {}),
);

function suite(): void {
  const addon = loadNative();
  let udp: UdpSocket | undefined;
  let peer = -1;

  before(() => {
    ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
    for (const end of ['near', 'far']) ip('link', 'set', end, 'up');
    for (const end of ['near', 'far']) untilCarries(end);
    ip('addr', 'add', '10.9.0.1/32', 'dev', 'near');
    ip('addr', 'add', 'fd09::1/128', 'dev', 'near', 'nodad');
    ip('addr', 'add', `${SECOND[6]}/128`, 'dev', 'lo', 'nodad');
    for (const to of ['10.9.0.0/24', 'fd09::/64']) ip('route', 'add', to, 'dev', 'near', 'mtu', '1300');
    for (const to of Object.values(FAR))
      ip('neigh', 'add', to, 'lladdr', '02:00:00:00:00:0b', 'dev', 'near', 'nud', 'permanent');
  });

  for (const family of [4, 6] as const) {
    describe(`over IPv${family}`, () => {
      before(() => {
        udp = addon.openUdp(ANY[family], 0);
        peer = peerAt(family, udp);
      });
      after(() => {
        addon.removePeer(peer);
        if (udp !== undefined) addon.closeSocket(udp.fd);
      });

      test('a probe is never fragmented, whatever another thread sends', async () => {
        const worker = await startFragmenting(udp, peer, 100);
        const before = fragmentsMade(family);
        const header = OUTER_HEADER_BYTES[family] + SEALED_BYTES;
        let went = 0;
        let tooLargeWent = 0;
        for (let i = 0; i < ROUNDS; i++) {
          went += Number(addon.sealAndSend(peer, pattern(FITS_BYTES - header)));
          tooLargeWent += Number(addon.sealAndSend(peer, pattern(TOO_LARGE_BYTES - header)));
        }
        const { sent, errors } = await worker.stop();
        assert.equal(fragmentsMade(family) - before, 0, 'fragments were made of probes');
        assert.equal(tooLargeWent, 0, 'probes larger than the link went');
        assert.ok(went > 0.9 * ROUNDS, `${went} of ${ROUNDS} probes that fit went`);
        assert.ok(sent > 0);
        assert.equal(errors, 0, 'the other thread’s datagrams were refused');
      });

      test('what must be fragmented is, by two threads at once', async () => {
        const before = fragmentsMade(family);
        const workers = [await startFragmenting(udp, peer, 2_000), await startFragmenting(udp, peer, 2_000)];
        await Promise.all(workers.map((worker) => worker.batches(500)));
        const results = await Promise.all(workers.map((worker) => worker.stop()));
        assert.deepEqual(
          results.map(({ errors }) => errors),
          [0, 0],
        );
        const sent = results.reduce((sum, result) => sum + result.sent, 0);
        assert.ok(fragmentsMade(family) - before >= 2 * sent, 'not every datagram was fragmented');
      });
    });

    test(`both kinds come from one port, and what comes to it is received, over IPv${family}`, () => {
      const other = addon.openUdp(LOOPBACK[family], 0);
      const ownAddress = Ip.of(SECOND[family]).toBytes();
      // Not the address that the route would choose, and a port that the machine has at another address too.
      const own = addon.openUdp(ownAddress, other.port);
      const rig = new Rig(addon, { role: 'tunnel', udp: [own] });
      const receiver = new Rig(addon, { role: 'tunnel', udp: [other] });
      const key = randomBytes(32);
      const to = newPeer();
      const from = newPeer();
      const [localIndex, remoteIndex] = [newIndex(), newIndex()];
      const keys = { sendKey: key, receiveKey: key, cipher: 'chacha20-poly1305' } as const;
      addon.installSession(to, { ...keys, localIndex, remoteIndex });
      addon.setCurrentSession(to, localIndex);
      addon.installSession(from, { ...keys, localIndex: remoteIndex, remoteIndex: localIndex });
      addon.setPeerEndpoint(to, own.fd, LOOPBACK[family], other.port);
      const packet = udpPacket({ family: 4, payload: pattern(100) });
      for (const [action, count] of [
        [Action.bare, 1],
        [Action.message, 1],
        [Action.message, 8],
        [Action.bare, 8],
      ] as const) {
        for (let i = 0; i < count; i++) rig.place(i, packet, { action, to, mtu: 1420 });
        rig.engine.send(rig.engine.capacity, count);
        assert.equal(receiver.receive(count).length, count);
        assert.deepEqual(addon.peerEndpoint(from), { address: ownAddress, port: own.port });
        // So that the next ones are from somewhere else, should they be from here.
        addon.setPeerEndpoint(from, other.fd, LOOPBACK[family], FAR_PORT);
      }
      assert.equal(rig.counter('tunnelTrainsSent'), 2);
      // Sixty-four senders: a choice by their addresses would show.
      const senders = Array.from({ length: 64 }, () => addon.openUdp(LOOPBACK[family], 0));
      for (const { fd } of senders) addon.sendDatagram(fd, ownAddress, own.port, initiation());
      assert.equal(rig.receive(senders.length).length, senders.length);
      for (const taken of [ownAddress, LOOPBACK[family], ANY[family]])
        assert.throws(() => addon.openUdp(taken, own.port), { code: 'EADDRINUSE' });
      for (const each of [rig, receiver]) each.close();
      for (const each of [to, from]) addon.removePeer(each);
      for (const { fd } of [own, other, ...senders]) addon.closeSocket(fd);
      const again = addon.openUdp(ANY[family], own.port);
      addon.closeSocket(again.fd);
    });
  }

  function peerAt(family: 4 | 6, socket: UdpSocket): number {
    const number = newPeer();
    const localIndex = newIndex();
    const keys = {
      sendKey: randomBytes(32),
      receiveKey: randomBytes(32),
      cipher: 'chacha20-poly1305',
    } as const;
    addon.installSession(number, { ...keys, localIndex, remoteIndex: newIndex() });
    addon.setCurrentSession(number, localIndex);
    addon.setPeerEndpoint(number, socket.fd, Ip.of(FAR[family]).toBytes(), FAR_PORT);
    return number;
  }
}

/** The smallest that is one by its length. */
function initiation(): Uint8Array {
  const message = new Uint8Array(148);
  message[0] = 1;
  return message;
}

interface Fragmenting {
  batches(more: number): Promise<void>;
  stop(): Promise<FragmentingResult>;
}

/** A thread that sends packets which may be fragmented; it has begun. */
async function startFragmenting(
  udp: UdpSocket | undefined,
  peer: number,
  payloadBytes: number,
): Promise<Fragmenting> {
  assert.ok(udp);
  const shared = new SharedArrayBuffer(8);
  const control = new Int32Array(shared);
  const workerData: FragmentingTask = { udp, peer, payloadBytes, shared };
  const worker = new Worker(new URL('./fragmenting-worker.js', import.meta.url), { workerData });
  const result = once(worker, 'message') as Promise<[FragmentingResult]>;
  const batches = async (more: number): Promise<void> => {
    const target = Atomics.load(control, 0) + more;
    await Promise.race([waitFor('batches', () => Atomics.load(control, 0) >= target), result]);
  };
  await batches(1);
  return {
    batches,
    stop: async () => {
      Atomics.store(control, 1, 1);
      return (await result)[0];
    },
  };
}

/** How many fragments this namespace has made of its own packets so far (RFC 4293). */
function fragmentsMade(family: 4 | 6): number {
  if (family === 6) {
    const text = readFileSync('/proc/self/net/snmp6', 'latin1');
    return Number(/^Ip6FragCreates\s+(\d+)/m.exec(text)?.[1]);
  }
  const [names, values] = readFileSync('/proc/self/net/snmp', 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('Ip: '))
    .map((line) => line.split(' '));
  return Number(values?.[names?.indexOf('FragCreates') ?? -1]);
}
