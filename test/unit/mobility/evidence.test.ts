import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceOf } from '../../../src/mobility/evidence.js';
import type { Mac } from '../../../src/net/mac.js';
import { BROADCAST_MAC, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { advertisementOf, arpOf, BLUE, ip, NODE_MAC, rarpOf, VR_MAC } from './harness.js';

const lan = { index: 0, interface: 'lan0', vnet: BLUE, mac: VR_MAC, addresses: [] };
const isOwnMac = (candidate: Mac): boolean => candidate === VR_MAC;
const see = (frame: Parameters<typeof evidenceOf>[1]) => evidenceOf(lan, frame, 5, isOwnMac);

test('a RARP says that a MAC is here, and nothing of addresses', () => {
  const expected = {
    lan,
    mac: NODE_MAC,
    ip: undefined,
    trigger: 'rarp',
    source: 'rarp',
    isAnswer: false,
    atMs: 5,
  };
  assert.deepEqual(see(rarpOf(NODE_MAC)), expected);
});

test('a reverse reply says nothing', () => {
  assert.equal(see({ ...rarpOf(NODE_MAC), operation: 4 }), 'no-binding');
});

test('ARP says that a MAC has an address', () => {
  const common = { lan, mac: NODE_MAC, ip: ip('10.1.0.9'), isAnswer: false, atMs: 5 };
  const gratuitous = { ...common, trigger: 'gratuitous-arp', source: 'gratuitous' };
  assert.deepEqual(see(arpOf('10.1.0.9', NODE_MAC)), gratuitous);
  assert.deepEqual(see(arpOf('10.1.0.9', NODE_MAC, '10.1.0.9', 2)), gratuitous);
  const request = see(arpOf('10.1.0.9', NODE_MAC, '10.1.0.254'));
  assert.deepEqual(request, { ...common, trigger: 'arp', source: 'arp-request' });
  const reply = see(arpOf('10.1.0.9', NODE_MAC, '10.1.0.254', 2));
  assert.deepEqual(reply, { ...common, trigger: 'arp', source: 'arp-reply' });
});

test('what is said to this router alone is an answer, however often the node announces itself to all', () => {
  const isAnswer = (frame: Parameters<typeof evidenceOf>[1]): boolean | undefined => {
    const seen = see(frame);
    return typeof seen === 'string' ? undefined : seen.isAnswer;
  };
  const reply = arpOf('10.1.0.9', NODE_MAC, '0.0.0.0', 2);
  assert.equal(isAnswer({ ...reply, ethernetDestination: VR_MAC }), true);
  assert.equal(isAnswer(reply), false);
  assert.equal(
    isAnswer({ ...arpOf('10.1.0.9', NODE_MAC, '10.1.0.254'), ethernetDestination: VR_MAC }),
    false,
  );
  assert.equal(isAnswer(advertisementOf('fd00:1::9', NODE_MAC)), false);
  const advertised = advertisementOf('fd00:1::9', NODE_MAC);
  assert.equal(isAnswer({ ...advertised, ethernetDestination: VR_MAC }), true);
});

test('a neighbour advertisement says it of its target, a solicitation of its source', () => {
  const common = {
    lan,
    mac: NODE_MAC,
    trigger: 'neighbour-advertisement',
    source: 'ndp',
    isAnswer: false,
    atMs: 5,
  };
  const na = advertisementOf('fd00:1::9', NODE_MAC);
  assert.deepEqual(see(na), { ...common, ip: ip('fd00:1::9') });
  assert(na.kind === 'na');
  assert.deepEqual(see({ ...na, targetMac: undefined }), { ...common, ip: ip('fd00:1::9') });
  const ns = { ...na, kind: 'ns' as const, source: ip('fd00:1::9'), target: ip('fd00:1::1') };
  assert.deepEqual(see({ ...ns, sourceMac: NODE_MAC }), { ...common, ip: ip('fd00:1::9') });
  assert.equal(see({ ...ns, sourceMac: undefined }), 'no-binding');
});

test('probes and duplicate detection are never evidence', () => {
  assert.equal(see(arpOf('0.0.0.0', NODE_MAC, '10.1.0.9')), 'address-probe');
  const na = advertisementOf('fd00:1::9', NODE_MAC);
  assert(na.kind === 'na');
  assert.equal(see({ ...na, kind: 'ns', source: ip('::'), sourceMac: undefined }), 'address-probe');
});

test("the VR's own frames are never evidence, whatever they say", () => {
  assert.equal(see({ ...arpOf('10.1.0.9', NODE_MAC), ethernetSource: VR_MAC }), 'own-frame');
  assert.equal(see({ ...rarpOf(NODE_MAC), ethernetSource: VR_MAC }), 'own-frame');
  assert.equal(see({ ...arpOf('10.1.0.9', VR_MAC), ethernetSource: NODE_MAC }), 'own-frame');
});

test('senders that no node can be are refused', () => {
  const group = mac('01:00:5e:00:00:01');
  for (const sender of [ZERO_MAC, BROADCAST_MAC, group]) {
    assert.equal(see({ ...arpOf('10.1.0.9', NODE_MAC), senderMac: sender }), 'bad-sender');
    assert.equal(see({ ...rarpOf(NODE_MAC), senderMac: sender }), 'bad-sender');
  }
  for (const address of ['224.0.0.1', '255.255.255.255', '127.0.0.1']) {
    assert.equal(see(arpOf(address, NODE_MAC)), 'bad-sender');
  }
});
