import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOLVE_MAX_OUTSTANDING, Resolver } from '../../../src/arp/resolver.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { recordingPorts } from './sent-questions.js';

const LANS = [
  {
    index: 0,
    vnet: 1,
    mac: mac('02:00:00:00:00:fe'),
    addresses: ['10.1.0.1', 'fd01::1', 'fe80::1'].map(Ip.of),
  },
  { index: 1, vnet: 2, mac: mac('02:00:00:00:00:fd'), addresses: [] },
  { index: 2, vnet: 1, mac: mac('02:00:00:00:00:fc'), addresses: [Ip.of('fd01::2')] },
];
const NODE = Ip.of('10.1.0.9');

function setUp() {
  const recording = recordingPorts();
  return { ...recording, resolver: new Resolver(recording.ports, LANS) };
}

test('asks on every LAN of the vnet at 0, 300 and 1000 ms, the second time as nobody', () => {
  const { resolver, sent, clock } = setUp();
  resolver.want(1, NODE);
  assert.deepEqual(
    sent.map(({ atMs, lan, from, to }) => [atMs, lan, from, to]),
    [
      [0, 0, '10.1.0.1', 'ff:ff:ff:ff:ff:ff'],
      [0, 2, '0.0.0.0', 'ff:ff:ff:ff:ff:ff'],
    ],
  );
  clock.advance(299);
  assert.equal(sent.length, 2);
  clock.advance(1);
  assert.equal(sent.length, 4);
  clock.advance(60_000);
  assert.deepEqual(
    sent.filter(({ lan }) => lan === 0).map(({ atMs, from }) => [atMs, from]),
    [
      [0, '10.1.0.1'],
      [300, '0.0.0.0'],
      [1000, '10.1.0.1'],
    ],
  );
  assert.equal(resolver.unanswered, 1);
  assert.equal(clock.pending, 0);
});

test('IPv6 asks from the link-local address, made from the MAC where none is known', () => {
  const { resolver, sent } = setUp();
  resolver.want(1, Ip.of('fd01::9'));
  resolver.want(2, Ip.of('fd01::9'));
  assert.deepEqual(
    sent.map(({ lan, from, to }) => [lan, from, to]),
    [
      [0, 'fe80::1', '33:33:ff:00:00:09'],
      [2, 'fd01::2', '33:33:ff:00:00:09'],
      [1, 'fe80::ff:fe00:fd', '33:33:ff:00:00:09'],
    ],
  );
});

test('wanted again while asking: no more questions; wanted again afterwards: anew', () => {
  const { resolver, sent, clock } = setUp();
  for (let i = 0; i < 100; i++) {
    resolver.want(2, NODE);
    clock.advance(19);
  }
  assert.equal(sent.length, 3);
  clock.advance(100);
  assert.equal(resolver.outstanding, 0);
  resolver.want(2, NODE);
  assert.equal(sent.length, 4);
});

test('learned: no more questions, in that vnet only', () => {
  const { resolver, sent, clock } = setUp();
  resolver.want(1, NODE);
  resolver.want(2, NODE);
  resolver.learned(1, NODE);
  resolver.learned(1, Ip.of('10.1.0.10'));
  clock.advance(5000);
  assert.equal(sent.filter(({ lan }) => lan === 0).length, 1);
  assert.equal(sent.filter(({ lan }) => lan === 1).length, 3);
  assert.equal(resolver.unanswered, 1);
});

test('a vnet without a LAN, groups and nobody are not asked for', () => {
  const { resolver, sent } = setUp();
  resolver.want(7, NODE);
  for (const ip of ['224.0.0.1', '255.255.255.255', '0.0.0.0', 'ff02::1', '::']) resolver.want(1, Ip.of(ip));
  assert.equal(sent.length, 0);
  assert.equal(resolver.outstanding, 0);
});

test('bounded: what exceeds the limit is refused and counted, until there is room', () => {
  const { resolver, sent, clock } = setUp();
  for (let i = 0; i < RESOLVE_MAX_OUTSTANDING + 10; i++) resolver.want(2, Ip.v4(0x0a000001 + i));
  assert.equal(sent.length, RESOLVE_MAX_OUTSTANDING);
  assert.equal(resolver.outstanding, RESOLVE_MAX_OUTSTANDING);
  assert.equal(resolver.refused, 10);
  clock.advance(2000);
  assert.equal(resolver.outstanding, 0);
  resolver.want(2, NODE);
  assert.equal(resolver.outstanding, 1);
});

test('stop forgets everything', () => {
  const { resolver, sent, clock } = setUp();
  resolver.want(2, NODE);
  resolver.stop();
  clock.advance(5000);
  assert.equal(sent.length, 1);
  assert.equal(clock.pending, 0);
});
