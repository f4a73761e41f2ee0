/** What mobility says on a LAN that is served with a virtual MAC, and where another router of the site serves it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NeighbourFrame } from '../../../src/arp/frame.js';
import { formatMac, type Mac, mac } from '../../../src/net/mac.js';
import {
  advertisementOf,
  arpOf,
  BLUE,
  Harness,
  ip,
  NODE_MAC,
  OTHER_MAC,
  rarpOf,
  recordOf,
} from './harness.js';

const GATEWAY = ['10.2.0.3', 'fd00:2::3'].map(ip);
const VIRTUAL_4 = mac('00:00:5e:00:01:07');
const VIRTUAL_6 = mac('00:00:5e:00:02:07');
const NODE = '10.2.0.9';
const NODE_6 = 'fd00:2::9';
const HOST = '10.2.0.11';
const HOST_MAC = mac('52:54:00:00:00:11');

function setUp(): Harness {
  const harness = new Harness({ gateway: GATEWAY, vrid: 7 });
  harness.mobility.start();
  harness.see(arpOf(HOST, HOST_MAC));
  harness.see(arpOf(NODE, NODE_MAC));
  harness.see(advertisementOf(NODE_6, NODE_MAC));
  harness.take();
  return harness;
}

/** vr-c has the node now. */
function leave(harness: Harness): void {
  const records = [NODE, NODE_6].map((address) => recordOf(address, NODE_MAC, 'vr-c', 2));
  const moves = [{ vnet: BLUE, mac: NODE_MAC, trigger: 'rarp' as const, records, sinceDetectionUs: 0 }];
  harness.mobility.message('vr-c', { type: 'claim', claimId: 1, moves });
  harness.clock.advance(5_000);
}

const sourcesOf = (frames: readonly NeighbourFrame[]): Set<string> =>
  new Set(frames.map(({ ethernetSource }) => formatMac(ethernetSource)));

/** Sent for the overlay: what says where an address is. Questions are the router's own. */
const statements = (frames: readonly NeighbourFrame[]): NeighbourFrame[] =>
  frames.filter((frame) => frame.kind === 'na' || (frame.kind === 'arp' && !frame.senderIp.isUnspecified));

function macIn(frame: NeighbourFrame): Mac | undefined {
  return frame.kind === 'na' ? frame.targetMac : frame.kind === 'ns' ? frame.sourceMac : frame.senderMac;
}

test('the gateway addresses are nodes of the directory with the virtual MACs, so that a node that is away is told', () => {
  const { directory } = setUp();
  assert.deepEqual(
    [
      ...GATEWAY.map((address) => directory.here(BLUE, address)?.mac),
      directory.here(BLUE, ip('10.2.0.1'))?.mac,
    ],
    [VIRTUAL_4, VIRTUAL_6, mac('02:00:00:00:0b:01')],
  );
});

test('a node that has left is at the virtual MAC, from the virtual MAC', () => {
  const harness = setUp();
  leave(harness);
  const said = statements(harness.takeFrames());
  const of4 = said.filter(({ kind }) => kind === 'arp');
  const of6 = said.filter(({ kind }) => kind === 'na');
  assert.ok(of4.length > 0 && of6.length > 0);
  assert.deepEqual(sourcesOf(of4), new Set([formatMac(VIRTUAL_4)]));
  assert.deepEqual(sourcesOf(of6), new Set([formatMac(VIRTUAL_6)]));
  for (const frame of of4) assert.equal(macIn(frame), VIRTUAL_4);
  for (const frame of of6) assert.equal(macIn(frame), VIRTUAL_6);

  harness.see(arpOf(HOST, HOST_MAC, NODE));
  const [answer] = harness.takeFrames();
  assert.ok(answer?.kind === 'arp' && answer.operation === 2);
  assert.deepEqual([answer.ethernetSource, answer.senderMac], [VIRTUAL_4, VIRTUAL_4]);
});

test('a node that has arrived finds its home’s gateway at the virtual MAC', () => {
  const harness = setUp();
  harness.known('10.1.0.3', mac('00:00:5e:00:01:63'), 'vr-a');
  harness.known('fd00:1::3', mac('00:00:5e:00:02:63'), 'vr-a');
  harness.known('10.1.0.9', OTHER_MAC, 'vr-a');
  harness.known('fd00:1::9', OTHER_MAC, 'vr-a');
  harness.take();
  harness.see(rarpOf(OTHER_MAC));
  harness.clock.advance(100);
  const told = statements(harness.takeFrames()).filter(
    ({ ethernetDestination }) => ethernetDestination === OTHER_MAC,
  );
  const about = (address: string): NeighbourFrame | undefined =>
    told.find(
      (frame) =>
        (frame.kind === 'na' ? frame.target : frame.kind === 'arp' ? frame.senderIp : undefined)?.key ===
        address,
    );
  assert.equal(macIn(about('10.1.0.3') ?? assert.fail('IPv4')), VIRTUAL_4);
  const six = about('fd00:1::3');
  assert.ok(six?.kind === 'na');
  assert.deepEqual(
    [six.targetMac, six.ethernetSource, six.router],
    [VIRTUAL_6, VIRTUAL_6, true],
    'a router stays one',
  );
});

test('questions are the router’s own, so that the answers come to it', () => {
  const harness = setUp();
  leave(harness);
  const questions = harness
    .takeFrames()
    .filter((frame) => frame.kind === 'ns' || (frame.kind === 'arp' && frame.senderIp.isUnspecified));
  assert.ok(questions.length > 0);
  assert.deepEqual(sourcesOf(questions), new Set(['02:00:00:00:0b:01']));
});

test('frames from the virtual MAC, of the site’s other router, are no evidence', () => {
  const { mobility, directory, lan, ...harness } = setUp();
  void harness;
  mobility.frameSeen(lan.index, arpOf(NODE, VIRTUAL_4), 0);
  mobility.frameSeen(lan.index, rarpOf(VIRTUAL_4), 0);
  assert.equal(directory.here(BLUE, ip(NODE))?.mac, NODE_MAC);
});

test('who uses a gateway address becomes no node; a claim of it is refused', () => {
  const harness = setUp();
  harness.see(arpOf('10.2.0.3', OTHER_MAC));
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.3'))?.mac, VIRTUAL_4);
  assert.deepEqual(
    harness.events.filter(({ event }) => event === 'duplicate_address'),
    [],
  );
  const records = [recordOf('10.2.0.3', OTHER_MAC, 'vr-c', 9)];
  harness.mobility.message('vr-c', {
    type: 'claim',
    claimId: 2,
    moves: [{ vnet: BLUE, mac: OTHER_MAC, trigger: 'rarp', records, sinceDetectionUs: 0 }],
  });
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.3'))?.router, 'vr-b');
});

test('standing by it says nothing and answers nothing, but learns; active again it speaks', () => {
  const harness = setUp();
  harness.lans.setRole(0, 'standby');
  leave(harness);
  assert.deepEqual(statements(harness.takeFrames()), []);
  assert.equal(harness.directory.here(BLUE, ip(NODE))?.router, 'vr-c');
  harness.see(arpOf(HOST, HOST_MAC, NODE));
  assert.deepEqual(statements(harness.takeFrames()), []);
  harness.see(arpOf('10.2.0.12', OTHER_MAC));
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.12'))?.mac, OTHER_MAC);

  harness.lans.setRole(0, 'active');
  harness.mobility.announceAll();
  assert.ok(statements(harness.takeFrames()).length > 0);
  harness.see(arpOf(HOST, HOST_MAC, NODE));
  assert.equal(statements(harness.takeFrames()).length, 1);
});

test('a router that starts standing by publishes the shared addresses when it becomes active', () => {
  const harness = new Harness({ gateway: GATEWAY, vrid: 7 });
  harness.lans.setRole(0, 'standby');
  harness.mobility.start();
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.3')), undefined);
  assert.notEqual(harness.directory.here(BLUE, ip('10.2.0.1')), undefined);
  harness.lans.setRole(0, 'active');
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.3'))?.mac, VIRTUAL_4);
});
