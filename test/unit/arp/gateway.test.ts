/** What is answered for gateway addresses, and what is said when a router takes a LAN over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probe } from '../../../src/arp/announce.js';
import { decodeNeighbourFrame, type NeighbourFrame } from '../../../src/arp/frame.js';
import { answerForGateway, servingAnnouncements } from '../../../src/arp/gateway.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, formatMac, mac } from '../../../src/net/mac.js';

const OWN = mac('02:00:00:00:00:01');
const HOST = mac('52:54:00:00:00:11');
const VIRTUAL_4 = mac('00:00:5e:00:01:2a');
const VIRTUAL_6 = mac('00:00:5e:00:02:2a');
const GATEWAY = ['10.1.0.3', 'fd00:1::3'].map(Ip.of);
const LAN = { mac: OWN, gateway: GATEWAY, vrid: 42 };

function read(bytes: Uint8Array | undefined): NeighbourFrame {
  assert.ok(bytes !== undefined);
  const frame = decodeNeighbourFrame(bytes);
  assert.ok(typeof frame !== 'string', String(frame));
  return frame;
}

const question = (target: string, from?: string, asker = HOST): NeighbourFrame =>
  read(probe(Ip.of(target), asker, BROADCAST_MAC, from === undefined ? undefined : Ip.of(from)));

test('an ARP request is answered from the virtual MAC, byte by byte', () => {
  const answer = answerForGateway(question('10.1.0.3', '10.1.0.11'), LAN);
  assert.equal(
    Buffer.from(answer ?? []).toString('hex'),
    ['525400000011', '00005e00012a', '0806', '0001', '0800', '0604', '0002'].join('') +
      ['00005e00012a', '0a010003', '525400000011', '0a01000b', '00'.repeat(18)].join(''),
  );
});

test('a probe is answered too, so that nobody takes the address', () => {
  const answer = read(answerForGateway(question('10.1.0.3'), LAN));
  assert.ok(answer.kind === 'arp');
  assert.deepEqual(
    [answer.senderMac, answer.senderIp.key, answer.targetIp.key],
    [VIRTUAL_4, '10.1.0.3', '0.0.0.0'],
  );
});

test('a neighbour solicitation: solicited, override, from a router', () => {
  const answer = read(answerForGateway(question('fd00:1::3', 'fd00:1::11'), LAN));
  assert.ok(answer.kind === 'na');
  assert.deepEqual(
    [
      answer.ethernetSource,
      answer.ethernetDestination,
      answer.targetMac,
      answer.target.key,
      answer.destination.key,
    ],
    [VIRTUAL_6, HOST, VIRTUAL_6, 'fd00:1::3', 'fd00:1::11'],
  );
  assert.deepEqual([answer.solicited, answer.override, answer.router], [true, true, true]);
});

test('duplicate detection is answered to all nodes', () => {
  const asked = question('fd00:1::3', 'fd00:1::11');
  assert.ok(asked.kind === 'ns');
  const detection: NeighbourFrame = { ...asked, source: Ip.of('::'), sourceMac: undefined };
  const answer = read(answerForGateway(detection, LAN));
  assert.ok(answer.kind === 'na');
  assert.deepEqual(
    [answer.destination.key, answer.solicited, answer.targetMac],
    ['ff02::1', false, VIRTUAL_6],
  );
});

test('with its own MAC the answer has that one', () => {
  const lan = { mac: OWN, gateway: GATEWAY };
  const answer = read(answerForGateway(question('10.1.0.3', '10.1.0.11'), lan));
  assert.ok(answer.kind === 'arp');
  assert.deepEqual([answer.ethernetSource, answer.senderMac], [OWN, OWN]);
});

test('not answered: other addresses, announcements, answers, RARP, ourselves', () => {
  const arp = question('10.1.0.3', '10.1.0.11');
  assert.ok(arp.kind === 'arp');
  const frames: NeighbourFrame[] = [
    question('10.1.0.4', '10.1.0.11'),
    question('fd00:1::4', 'fd00:1::11'),
    { ...arp, senderIp: Ip.of('10.1.0.3') },
    { ...arp, operation: 2 },
    { ...arp, kind: 'rarp', operation: 3 },
    question('10.1.0.3', '10.1.0.1', OWN),
    question('10.1.0.3', '10.1.0.1', VIRTUAL_4),
  ];
  for (const frame of frames)
    assert.equal(answerForGateway(frame, LAN), undefined, JSON.stringify(frame.kind));
  assert.equal(answerForGateway(arp, { mac: OWN }), undefined);
});

const said = (bytes: Uint8Array): string => {
  const frame = read(bytes);
  const about = frame.kind === 'na' || frame.kind === 'ns' ? frame.target : frame.senderIp;
  const at = frame.kind === 'na' ? frame.targetMac : frame.kind === 'ns' ? frame.sourceMac : frame.senderMac;
  const form = frame.kind === 'arp' ? `arp ${frame.operation}` : frame.kind;
  assert.equal(frame.ethernetSource, at);
  return `${form} ${about} is at ${at === undefined ? '?' : formatMac(at)}`;
};

test('taking over: one frame an address, broadcast, from the virtual MAC', () => {
  const frames = servingAnnouncements(LAN);
  assert.deepEqual(frames.map(said), [
    'arp 1 10.1.0.3 is at 00:00:5e:00:01:2a',
    'na fd00:1::3 is at 00:00:5e:00:02:2a',
  ]);
  assert.deepEqual(
    frames.map((bytes) => Buffer.from(bytes.subarray(0, 6)).toString('hex')),
    ['ffffffffffff', '333300000001'],
  );
});

test('a virtual MAC of a family without an address tells the switches all the same', () => {
  assert.deepEqual(servingAnnouncements({ mac: OWN, gateway: GATEWAY.slice(0, 1), vrid: 42 }).map(said), [
    'arp 1 10.1.0.3 is at 00:00:5e:00:01:2a',
    'rarp 0.0.0.0 is at 00:00:5e:00:02:2a',
  ]);
  assert.equal(servingAnnouncements({ mac: OWN, vrid: 42 }).length, 2);
});

test('with its own MAC hosts hear both forms; without addresses nothing is said', () => {
  assert.deepEqual(servingAnnouncements({ mac: OWN, gateway: GATEWAY }).map(said), [
    'arp 1 10.1.0.3 is at 02:00:00:00:00:01',
    'arp 2 10.1.0.3 is at 02:00:00:00:00:01',
    'na fd00:1::3 is at 02:00:00:00:00:01',
  ]);
  assert.deepEqual(servingAnnouncements({ mac: OWN }), []);
});
