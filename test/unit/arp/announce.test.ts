import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcementBroadcast, announcementTo, answer, probe } from '../../../src/arp/announce.js';
import { ArpOperation, decodeNeighbourFrame, isGratuitous, isProbe } from '../../../src/arp/frame.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, mac } from '../../../src/net/mac.js';
import * as vectors from './vectors.js';

const NODE = mac('52:54:00:00:00:09');
const HOST = mac('52:54:00:00:00:01');
const VR = mac('02:00:00:00:00:fe');
const VR_LINK_LOCAL = Ip.of('fe80::ff:fe00:fe');
const V4 = Ip.of('10.1.0.9');
const V6 = Ip.of('fd00::9');

function decoded(bytes: Uint8Array | undefined) {
  const frame = decodeNeighbourFrame(bytes ?? new Uint8Array(0));
  assert.ok(typeof frame !== 'string', `dropped: ${String(frame)}`);
  return frame;
}

function question(vector: Uint8Array) {
  const frame = decoded(vector);
  assert.ok(frame.kind === 'arp' || frame.kind === 'ns');
  return frame;
}

test('a broadcast about IPv4: request form with target MAC 0, then reply form with target MAC = sender MAC', () => {
  assert.deepEqual(announcementBroadcast(V4, NODE, VR), [
    vectors.padded(
      vectors.fromHex(`ffffffffffff 0200000000fe 0806 0001 0800 06 04 0001
        525400000009 0a010009 000000000000 0a010009`),
    ),
    vectors.padded(
      vectors.fromHex(`ffffffffffff 0200000000fe 0806 0001 0800 06 04 0002
        525400000009 0a010009 525400000009 0a010009`),
    ),
  ]);
});

test('a broadcast about IPv6: one advertisement with Override to all nodes', () => {
  const frames = announcementBroadcast(V6, NODE, VR);
  assert.equal(frames.length, 1);
  assert.deepEqual(decoded(frames[0]), {
    kind: 'na',
    ethernetSource: VR,
    ethernetDestination: mac('33:33:00:00:00:01'),
    source: VR_LINK_LOCAL,
    destination: Ip.of('ff02::1'),
    target: V6,
    targetMac: NODE,
    override: true,
    solicited: false,
    router: false,
  });
});

test('to one host, IPv4: the reply form in a frame to it alone, whatever its address', () => {
  for (const toIp of [undefined, Ip.of('10.1.0.1')]) {
    assert.deepEqual(announcementTo(V4, VR, VR, HOST, toIp), [
      vectors.padded(
        vectors.fromHex(`525400000001 0200000000fe 0806 0001 0800 06 04 0002
          0200000000fe 0a010009 0200000000fe 0a010009`),
      ),
    ]);
  }
});

test('to one host, IPv6: to its address if known, else to all nodes, always in a frame to it alone', () => {
  const cases: readonly [Ip | undefined, string][] = [
    [Ip.of('fd00::1'), 'fd00::1'],
    [undefined, 'ff02::1'],
    [Ip.of('10.1.0.1'), 'ff02::1'],
  ];
  for (const [toIp, destination] of cases) {
    const frame = decoded(announcementTo(V6, VR, VR, HOST, toIp)[0]);
    assert.ok(frame.kind === 'na');
    assert.equal(frame.destination.key, destination);
    assert.equal(frame.ethernetDestination, HOST);
    assert.ok(frame.override && !frame.solicited && frame.targetMac === VR);
  }
});

test('a gateway keeps its router flag: without it hosts would forget their default route', () => {
  const solicitation = question(vectors.SOLICITATION);
  const frames = [
    ...announcementBroadcast(V6, VR, VR, true),
    ...announcementTo(V6, VR, VR, HOST, undefined, true),
    answer(solicitation, VR, VR, true),
  ].map(decoded);
  assert.ok(frames.every((frame) => frame.kind === 'na' && frame.router));
});

test('every announcement is gratuitous, from the MAC of the VR, and never a probe', () => {
  for (const ip of [V4, V6]) {
    const frames = [
      ...announcementBroadcast(ip, NODE, VR),
      ...announcementTo(ip, NODE, VR, HOST, undefined),
    ].map(decoded);
    for (const frame of frames) {
      assert.ok(isGratuitous(frame) && !isProbe(frame));
      assert.equal(frame.ethernetSource, VR);
    }
  }
});

test('a probe by ARP, from nobody and from an address', () => {
  assert.deepEqual(
    probe(V4, VR, NODE, undefined),
    vectors.padded(
      vectors.fromHex(`525400000009 0200000000fe 0806 0001 0800 06 04 0001
        0200000000fe 00000000 000000000000 0a010009`),
    ),
  );
  const asked = decoded(probe(V4, VR, BROADCAST_MAC, Ip.of('10.1.0.254')));
  assert.ok(asked.kind === 'arp' && asked.operation === ArpOperation.request && !isProbe(asked));
  assert.equal(asked.senderIp.key, '10.1.0.254');
  assert.equal(asked.ethernetDestination, BROADCAST_MAC);
  assert.ok(isProbe(decoded(probe(V4, VR, NODE, V6))), 'an address of the other family is none');
});

test('a probe by NS: never from ::, to the group also in a frame to one host', () => {
  const cases = [
    { to: NODE, from: undefined, ethernet: NODE, source: VR_LINK_LOCAL },
    { to: BROADCAST_MAC, from: undefined, ethernet: mac('33:33:ff:00:00:09'), source: VR_LINK_LOCAL },
    { to: NODE, from: Ip.of('fd00::fe'), ethernet: NODE, source: Ip.of('fd00::fe') },
    { to: NODE, from: V4, ethernet: NODE, source: VR_LINK_LOCAL },
  ];
  for (const { to, from, ethernet, source } of cases) {
    assert.deepEqual(decoded(probe(V6, VR, to, from)), {
      kind: 'ns',
      ethernetSource: VR,
      ethernetDestination: ethernet,
      source,
      destination: Ip.of('ff02::1:ff00:9'),
      target: V6,
      sourceMac: VR,
    });
  }
});

test('a proxy answer by ARP is what the target itself would answer, from the MAC of the VR', () => {
  const proxied = answer(question(vectors.ARP_QUESTION), HOST, HOST);
  assert.deepEqual(proxied, vectors.padded(vectors.ARP_ANSWER));
});

test('a proxy answer by NA: solicited, Override, to the asker', () => {
  assert.deepEqual(decoded(answer(question(vectors.SOLICITATION), VR, VR)), {
    kind: 'na',
    ethernetSource: VR,
    ethernetDestination: NODE,
    source: VR_LINK_LOCAL,
    destination: Ip.of('fd00::9'),
    target: Ip.of('fd00::1'),
    targetMac: VR,
    override: true,
    solicited: true,
    router: false,
  });
});

test('an asker without link-layer option is answered at its Ethernet source', () => {
  const solicitation = question(vectors.SOLICITATION);
  assert.ok(solicitation.kind === 'ns');
  const frame = decoded(answer({ ...solicitation, sourceMac: undefined, ethernetSource: HOST }, VR, VR));
  assert.equal(frame.ethernetDestination, HOST);
});
