import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArpOperation, type ArpPacket } from '../../../src/arp/arp.js';
import {
  decodeNeighbourFrame,
  encodeNeighbourFrame,
  isGratuitous,
  isProbe,
  NEIGHBOUR_DROP_REASONS,
} from '../../../src/arp/frame.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, mac, ZERO_MAC } from '../../../src/net/mac.js';
import * as vectors from './vectors.js';

const NODE = mac('52:54:00:00:00:09');
const OTHER = mac('52:54:00:00:00:01');
const ANY = Ip.of('0.0.0.0');

const DECODED: readonly [string, Uint8Array, ArpPacket][] = [
  [
    'RARP announcement of QEMU',
    vectors.QEMU_RARP,
    {
      kind: 'rarp',
      ethernetSource: NODE,
      ethernetDestination: BROADCAST_MAC,
      operation: ArpOperation.reverseRequest,
      senderMac: NODE,
      senderIp: ANY,
      targetMac: NODE,
      targetIp: ANY,
    },
  ],
  [
    'announcement of a virtio-net guest',
    vectors.GUEST_ANNOUNCEMENT,
    {
      kind: 'arp',
      ethernetSource: NODE,
      ethernetDestination: BROADCAST_MAC,
      operation: ArpOperation.request,
      senderMac: NODE,
      senderIp: Ip.of('10.1.0.9'),
      targetMac: ZERO_MAC,
      targetIp: Ip.of('10.1.0.9'),
    },
  ],
  [
    'answer of a Linux kernel',
    vectors.ARP_ANSWER,
    {
      kind: 'arp',
      ethernetSource: OTHER,
      ethernetDestination: NODE,
      operation: ArpOperation.reply,
      senderMac: OTHER,
      senderIp: Ip.of('10.1.0.1'),
      targetMac: NODE,
      targetIp: Ip.of('10.1.0.9'),
    },
  ],
];

for (const [name, bytes, packet] of DECODED) {
  test(`decodes and encodes: ${name}`, () => {
    assert.deepEqual(decodeNeighbourFrame(bytes), packet);
    assert.deepEqual(encodeNeighbourFrame(packet), vectors.padded(bytes));
  });
}

test('an encoded frame is 60 bytes, as the wire wants it', () => {
  for (const [, , packet] of DECODED) assert.equal(encodeNeighbourFrame(packet).length, 60);
});

test('padding of any content and length is ignored', () => {
  const bytes = new Uint8Array(1514).fill(0xa5);
  bytes.set(vectors.GUEST_ANNOUNCEMENT);
  assert.deepEqual(decodeNeighbourFrame(bytes), DECODED[1]?.[2]);
});

/** The guest's announcement with some bytes replaced. */
function changed(offset: number, ...bytes: number[]): Uint8Array {
  const frame = Uint8Array.from(vectors.GUEST_ANNOUNCEMENT);
  frame.set(bytes, offset);
  return frame;
}

const DROPPED: readonly [string, Uint8Array, string][] = [
  ['nothing', new Uint8Array(0), 'frame-too-short'],
  ['half an Ethernet header', vectors.GUEST_ANNOUNCEMENT.slice(0, 13), 'frame-too-short'],
  ['group source', changed(6, 0x01), 'frame-group-source'],
  ['802.1Q tag', changed(12, 0x81, 0x00), 'frame-vlan-tagged'],
  ['802.1ad tag', changed(12, 0x88, 0xa8), 'frame-vlan-tagged'],
  ['IPv4', changed(12, 0x08, 0x00), 'frame-other-type'],
  ['one byte short', vectors.GUEST_ANNOUNCEMENT.slice(0, 41), 'arp-too-short'],
  ['header only', vectors.GUEST_ANNOUNCEMENT.slice(0, 14), 'arp-too-short'],
  ['token ring', changed(14, 0, 6), 'arp-hardware-type'],
  ['IPv6 as protocol', changed(16, 0x86, 0xdd), 'arp-protocol-type'],
  ['hardware length 8', changed(18, 8), 'arp-address-length'],
  ['protocol length 16', changed(19, 16), 'arp-address-length'],
  ['operation 0', changed(20, 0, 0), 'arp-operation'],
  ['RARP operation in an ARP frame', changed(20, 0, 3), 'arp-operation'],
  ['ARP operation in a RARP frame', changed(12, 0x80, 0x35), 'arp-operation'],
  ['inverse ARP', changed(20, 0, 8), 'arp-operation'],
  ['broadcast sender', changed(22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 'arp-sender-mac'],
  ['zero sender', changed(22, 0, 0, 0, 0, 0, 0), 'arp-sender-mac'],
  ['multicast sender IP', changed(28, 224), 'arp-sender-ip'],
  ['broadcast sender IP', changed(28, 255, 255, 255, 255), 'arp-sender-ip'],
  ['loopback sender IP', changed(28, 127), 'arp-sender-ip'],
];

for (const [name, bytes, reason] of DROPPED) {
  test(`drops with ${reason}: ${name}`, () => {
    assert.equal(decodeNeighbourFrame(bytes), reason);
    assert.ok((NEIGHBOUR_DROP_REASONS as readonly string[]).includes(reason));
  });
}

function decoded(bytes: Uint8Array) {
  const frame = decodeNeighbourFrame(bytes);
  assert.ok(typeof frame !== 'string', `dropped: ${String(frame)}`);
  return frame;
}

test('gratuitous: sender and target IP agree, in both forms', () => {
  assert.ok(isGratuitous(decoded(vectors.GUEST_ANNOUNCEMENT)));
  assert.ok(isGratuitous(decoded(vectors.ARPING_REPLY_FORM)));
});

test('not gratuitous: questions, answers, probes, and RARP, whose addresses agree by being zero', () => {
  const frames = [vectors.ARP_QUESTION, vectors.ARP_ANSWER, vectors.ARPING_PROBE, vectors.QEMU_RARP];
  for (const bytes of frames) assert.ok(!isGratuitous(decoded(bytes)));
  const nobody = changed(28, 0, 0, 0, 0);
  nobody.set([0, 0, 0, 0], 38);
  assert.ok(!isGratuitous(decoded(nobody)));
});

test('a probe asks from 0.0.0.0', () => {
  assert.ok(isProbe(decoded(vectors.ARPING_PROBE)));
  assert.ok(!isProbe(decoded(vectors.ARP_QUESTION)));
  assert.ok(!isProbe(decoded(vectors.QEMU_RARP)));
});

test('what is decoded shares no memory with the frame: capture buffers are reused', () => {
  const bytes = Uint8Array.from(vectors.GUEST_ANNOUNCEMENT);
  const frame = decodeNeighbourFrame(bytes);
  bytes.fill(0xff);
  assert.deepEqual(frame, DECODED[1]?.[2]);
});
