import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOLVE_MAX_FIRST, RESOLVE_MAX_OUTSTANDING, Resolver } from '../../../src/arp/resolver.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { lansOf } from '../../support/lans.js';
import { recordingPorts } from './sent-questions.js';

const LANS = lansOf([
  {
    index: 0,
    vnet: 1,
    mac: mac('02:00:00:00:00:fe'),
    addresses: ['10.1.0.1', 'fd01::1', 'fe80::1'].map(Ip.of),
  },
  { index: 1, vnet: 2, mac: mac('02:00:00:00:00:fd'), addresses: [] },
  { index: 2, vnet: 1, mac: mac('02:00:00:00:00:fc'), addresses: [Ip.of('fd01::2')] },
]);
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
  for (let i = 0; i < RESOLVE_MAX_FIRST + 10; i++) resolver.want(2, Ip.v4(0x0a000001 + i));
  assert.equal(sent.length, RESOLVE_MAX_FIRST);
  assert.equal(resolver.outstanding, RESOLVE_MAX_FIRST);
  assert.equal(resolver.refused, 10);
  clock.advance(2000);
  assert.equal(resolver.outstanding, 0);
  resolver.want(2, NODE);
  assert.equal(resolver.outstanding, 1);
});

test('a scan of one vnet starves no other', () => {
  const { resolver, sent } = setUp();
  for (let i = 0; i < 5_000; i++) resolver.want(1, Ip.v4(0x0a010000 + i));
  resolver.want(2, NODE);
  assert.equal(sent.filter(({ lan, ip }) => lan === 1 && ip === NODE.key).length, 1);
});

test('a scan that goes on does not keep out a real node of its vnet; its questions stay bounded', () => {
  const { resolver, sent, clock } = setUp();
  let scanned = 0;
  for (let ms = 0; ms < 3_000; ms += 10) {
    for (let i = 0; i < 100; i++) resolver.want(2, Ip.v4(0x0a020000 + scanned++));
    if (ms >= 1_000 && ms % 100 === 0) resolver.want(2, NODE);
    clock.advance(10);
  }
  const asked = sent.filter(({ ip }) => ip === NODE.key);
  assert.ok((asked[0]?.atMs ?? Number.POSITIVE_INFINITY) < 2_000, 'never asked for');
  assert.ok(resolver.outstanding <= RESOLVE_MAX_OUTSTANDING);
  assert.ok(sent.length < 3 * 2_000, `${sent.length} questions in 3 s`);
  assert.ok(resolver.displaced > 0);
});

test('an address gives way only when its first question had its time', () => {
  const { resolver, sent, clock } = setUp();
  for (let i = 0; i < RESOLVE_MAX_FIRST; i++) resolver.want(2, Ip.v4(0x0a000001 + i));
  clock.advance(299);
  resolver.want(2, Ip.of('10.3.0.1'));
  assert.deepEqual([resolver.refused, resolver.displaced], [1, 0]);
  clock.advance(1);
  resolver.want(2, NODE);
  assert.deepEqual([resolver.refused, resolver.displaced], [1, 1]);
  clock.advance(10_000);
  assert.equal(sent.filter(({ ip }) => ip === '10.0.0.1').length, 2, 'the oldest gave way');
  assert.equal(resolver.unanswered, RESOLVE_MAX_FIRST);
});

test('a quarter of the places is for addresses that are wanted again after they were turned away', () => {
  const { resolver } = setUp();
  for (let i = 0; i < 1_000; i++) resolver.want(2, Ip.v4(0x0a000001 + i));
  assert.equal(resolver.outstanding, RESOLVE_MAX_FIRST);
  for (let i = 0; i < 1_000; i++) resolver.want(2, Ip.v4(0x0a000001 + i));
  assert.equal(resolver.outstanding, RESOLVE_MAX_OUTSTANDING);
});

test('stop forgets everything', () => {
  const { resolver, sent, clock } = setUp();
  resolver.want(2, NODE);
  resolver.stop();
  clock.advance(5000);
  assert.equal(sent.length, 1);
  assert.equal(clock.pending, 0);
});

test('asks from the address that the machine has now', () => {
  const { ports, sent } = recordingPorts();
  const lans = lansOf([{ index: 0, vnet: 1, addresses: [] }]);
  const resolver = new Resolver(ports, lans);
  resolver.want(1, Ip.of('10.1.0.8'));
  lans.readdress(0, [Ip.of('10.1.0.1')]);
  resolver.want(1, Ip.of('10.1.0.9'));
  assert.deepEqual(
    sent.map(({ from }) => from),
    ['0.0.0.0', '10.1.0.1'],
  );
  resolver.stop();
});
