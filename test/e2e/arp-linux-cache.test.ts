/** What the frames of src/arp do to a real Linux neighbour cache, and what capture sees of a real LAN. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { announcementBroadcast, announcementTo, answer, probe } from '../../src/arp/announce.js';
import type { Capture } from '../../src/arp/capture.js';
import {
  ArpOperation,
  decodeNeighbourFrame,
  encodeNeighbourFrame,
  type NeighbourFrame,
} from '../../src/arp/frame.js';
import { Resolver } from '../../src/arp/resolver.js';
import { Ip } from '../../src/net/ip.js';
import { BROADCAST_MAC, type Mac, ZERO_MAC } from '../../src/net/mac.js';
import { lansOf } from '../support/lans.js';
import { ArpLab, HOST_MAC, NODE_MAC, realClock, until, VR_MAC, whySkipped } from './arp-lab.js';

/** Entries younger than Linux's lock time, and older. */
const AGES_MS = [200, 1500];
const NODES = ['10.1.0.9', 'fd00::9'];
const HOSTS = new Map([
  [4, Ip.of('10.1.0.2')],
  [6, Ip.of('fd00::2')],
]);

describe('a Linux neighbour cache', { skip: whySkipped }, () => {
  const lab = new ArpLab();
  let capture: Capture;
  let frames: { frame: NeighbourFrame; atMs: number }[] = [];
  let onFrame: (frame: NeighbourFrame) => void = () => {};

  before(() => {
    lab.up();
    capture = lab.openCapture((bytes, atMs) => {
      const frame = decodeNeighbourFrame(bytes);
      if (typeof frame === 'string') return;
      frames.push({ frame, atMs });
      onFrame(frame);
    });
  });

  after(() => {
    capture?.close();
    lab.down();
  });

  function send(sent: readonly Uint8Array[]): void {
    for (const frame of sent) capture.send(frame);
  }

  async function becomes(ip: string, mac: Mac): Promise<string> {
    return until(`${ip} at ${mac.toString(16)}`, () => {
      const entry = lab.neighbour(lab.host, ip);
      return entry?.mac === mac ? entry.state : undefined;
    });
  }

  for (const ip of NODES) {
    for (const ageMs of AGES_MS) {
      const age = `an entry ${ageMs} ms old`;

      test(`${ip}: a broadcast announcement redirects ${age}`, async () => {
        await lab.learn(ip);
        await sleep(ageMs);
        assert.equal(lab.neighbour(lab.host, ip)?.mac, NODE_MAC);
        send(announcementBroadcast(Ip.of(ip), VR_MAC, VR_MAC));
        await becomes(ip, VR_MAC);
      });

      test(`${ip}: an announcement to one host redirects ${age}, and no other host's`, async () => {
        await lab.learn(ip);
        const before = lab.neighbour(lab.node, HOSTS.get(Ip.of(ip).family)?.key ?? '')?.mac;
        await sleep(ageMs);
        send(announcementTo(Ip.of(ip), VR_MAC, VR_MAC, HOST_MAC, undefined));
        const state = await becomes(ip, VR_MAC);
        if (Ip.of(ip).family === 4) assert.equal(state, 'REACHABLE');
        const target = HOSTS.get(Ip.of(ip).family)?.key ?? '';
        assert.equal(before, HOST_MAC);
        assert.equal(lab.neighbour(lab.node, target)?.mac, HOST_MAC);
      });
    }

    test(`${ip}: an announcement addressed to the host's own IP too`, async () => {
      await lab.learn(ip);
      const toIp = HOSTS.get(Ip.of(ip).family);
      send(announcementTo(Ip.of(ip), VR_MAC, VR_MAC, HOST_MAC, toIp));
      await becomes(ip, VR_MAC);
    });

    test(`${ip}: an announcement with the node's real MAC, sent by the VR, leads back to the node`, async () => {
      await lab.learn(ip);
      send(announcementBroadcast(Ip.of(ip), VR_MAC, VR_MAC));
      await becomes(ip, VR_MAC);
      send(announcementTo(Ip.of(ip), NODE_MAC, VR_MAC, HOST_MAC, undefined));
      await becomes(ip, NODE_MAC);
      assert.ok(await lab.pings(lab.host, ip), 'the bridge still knows the port of the node');
    });

    test(`${ip}: no entry comes into being where none was`, async () => {
      lab.in(lab.host, 'ip', 'neigh', 'flush', 'dev', 'eth0');
      send(announcementBroadcast(Ip.of(ip), VR_MAC, VR_MAC));
      send(announcementTo(Ip.of(ip), VR_MAC, VR_MAC, HOST_MAC, undefined));
      await sleep(200);
      assert.equal(lab.neighbour(lab.host, ip), undefined);
    });

    test(`${ip}: a probe is answered, to broadcast and to the node alone, from an address and from nobody`, async () => {
      for (const to of [BROADCAST_MAC, NODE_MAC]) {
        for (const from of [undefined, Ip.of(ip).family === 4 ? Ip.of('10.1.0.254') : Ip.of('fe80::fe')]) {
          frames = [];
          capture.send(probe(Ip.of(ip), VR_MAC, to, from));
          await until(`answer to ${to.toString(16)} from ${from?.key}`, () =>
            frames.find(isOf(ip, NODE_MAC)),
          );
        }
      }
    });
  }

  for (const ip of ['10.1.0.77', 'fd00::77']) {
    test(`${ip}: a proxy answer is taken by a host that asks for an absent machine`, async () => {
      onFrame = (frame) => {
        if (frame.kind === 'na' || frame.kind === 'rarp') return;
        if (frame.kind === 'arp' && frame.operation !== ArpOperation.request) return;
        const target = frame.kind === 'ns' ? frame.target : frame.targetIp;
        if (target.key === ip) capture.send(answer(frame, VR_MAC, VR_MAC));
      };
      try {
        assert.equal(await lab.pings(lab.host, ip, 1), false, 'nobody answers the echo request');
        assert.deepEqual(lab.neighbour(lab.host, ip), { mac: VR_MAC, state: 'REACHABLE' });
      } finally {
        onFrame = () => {};
      }
    });
  }

  test('the resolver finds a host that has no route to the address that is asked from', async () => {
    const lan = { index: 0, vnet: 1, mac: VR_MAC, addresses: [Ip.of('192.0.2.1')] };
    const ports = { clock: realClock, sendFrame: (_lan: number, frame: Uint8Array) => capture.send(frame) };
    const resolver = new Resolver(ports, lansOf([lan]));
    lab.in(lab.node, 'sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1');
    frames = [];
    resolver.want(1, Ip.of('10.1.0.9'));
    await until('an answer', () => frames.find(isOf('10.1.0.9', NODE_MAC)));
    resolver.stop();
  });

  test('an RARP announcement reaches the callback, as it was sent and at once', async () => {
    const rarp = encodeNeighbourFrame({
      kind: 'rarp',
      ethernetSource: NODE_MAC,
      ethernetDestination: BROADCAST_MAC,
      operation: ArpOperation.reverseRequest,
      senderMac: NODE_MAC,
      senderIp: Ip.of('0.0.0.0'),
      targetMac: NODE_MAC,
      targetIp: Ip.of('0.0.0.0'),
    });
    const sender = spawnSender(lab.node, rarp);
    try {
      frames = [];
      const seen = await until('the RARP', () => frames.find(({ frame }) => frame.kind === 'rarp'), 20_000);
      assert.deepEqual(seen.frame, decodeNeighbourFrame(rarp));
      assert.ok(performance.now() - seen.atMs < 1000, 'stamped with the clock handed in');
    } finally {
      sender.kill();
    }
  });

  test('own frames are not reported, and frames between others are', async () => {
    frames = [];
    send(announcementBroadcast(Ip.of('10.1.0.9'), NODE_MAC, VR_MAC));
    lab.in(lab.node, 'arping', '-q', '-c', '1', '-U', '-I', 'eth0', '10.1.0.9');
    const seen = await until('the announcement', () => frames.find(isOf('10.1.0.9', NODE_MAC)));
    assert.equal(seen.frame.ethernetSource, NODE_MAC);
    assert.ok(frames.every(({ frame }) => frame.ethernetSource !== VR_MAC));
    assert.ok(seen.frame.kind === 'arp' && seen.frame.targetMac !== ZERO_MAC, "arping's form");
  });
});

/** A frame by which `ip` says that it is at `mac`. */
function isOf(ip: string, mac: Mac): (seen: { frame: NeighbourFrame }) => boolean {
  return ({ frame }) =>
    (frame.kind === 'arp' && frame.senderIp.key === ip && frame.senderMac === mac) ||
    (frame.kind === 'na' && frame.target.key === ip && frame.targetMac === mac);
}

/** A process in a namespace that puts a frame on eth0 as a hypervisor would, every 50 ms. */
function spawnSender(namespace: string, frame: Uint8Array) {
  const script = `
    import { loadNative } from ${JSON.stringify(new URL('../../src/dataplane/native.js', import.meta.url))};
    const options = { interface: 'eth0', filter: 'less 1', frameBytes: 64, ringBytes: 65536 };
    const eth0 = loadNative().openCapture(options, () => {});
    const frame = Buffer.from('${Buffer.from(frame).toString('hex')}', 'hex');
    setInterval(() => eth0.send(frame), 50);`;
  const command = ['netns', 'exec', namespace, process.execPath, '--input-type=module', '-e', script];
  return spawn('ip', command, { stdio: 'ignore' });
}
