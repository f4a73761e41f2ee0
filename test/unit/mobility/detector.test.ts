import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NeighbourFrame } from '../../../src/arp/frame.js';
import { classify, type Verdict } from '../../../src/mobility/detector.js';
import { type Evidence, evidenceOf } from '../../../src/mobility/evidence.js';
import { Prefix } from '../../../src/net/prefix.js';
import {
  advertisementOf,
  arpOf,
  BLUE,
  Harness,
  type HarnessOptions,
  ip,
  NODE_MAC,
  OTHER_MAC,
  rarpOf,
  recordOf,
  VR_MAC,
} from './harness.js';

function setUp(records: readonly ReturnType<typeof recordOf>[], options: HarnessOptions = {}) {
  const harness = new Harness(options);
  for (const record of records) harness.directory.apply(record);
  const { gndt, lndt, directory, lan } = harness;
  const isOwnAddress = (_vnet: number, address: { key: string }): boolean => address.key === '10.2.0.1';
  return (frame: NeighbourFrame): Verdict => {
    const evidence = evidenceOf(lan, frame, 0, (mac) => mac === VR_MAC);
    assert.notEqual(typeof evidence, 'string');
    return classify(evidence as Evidence, { self: 'vr-b', gndt, lndt, directory, isOwnAddress });
  };
}

describe('RARP', () => {
  test('of a MAC that is here: local, also if a clone is elsewhere', () => {
    const see = setUp([recordOf('10.2.0.9', NODE_MAC, 'vr-b'), recordOf('10.1.0.9', NODE_MAC, 'vr-a')]);
    assert.deepEqual(see(rarpOf(NODE_MAC)), { verdict: 'local' });
  });

  test('of a MAC at another VR: all its addresses move', () => {
    const records = [recordOf('10.1.0.9', NODE_MAC, 'vr-a'), recordOf('fd00:1::9', NODE_MAC, 'vr-a')];
    assert.deepEqual(setUp(records)(rarpOf(NODE_MAC)), { verdict: 'move', records });
  });

  test('of a MAC at several VRs: it cannot be told which one has moved', () => {
    const records = [recordOf('10.1.0.9', NODE_MAC, 'vr-a'), recordOf('10.3.0.9', NODE_MAC, 'vr-c')];
    assert.deepEqual(setUp(records)(rarpOf(NODE_MAC)), { verdict: 'ambiguous', records });
  });

  test('of a MAC that nobody has, or that is withdrawn: unknown', () => {
    assert.deepEqual(setUp([])(rarpOf(NODE_MAC)), { verdict: 'unknown-mac' });
    const tombstone = { ...recordOf('10.1.0.9', NODE_MAC, 'vr-a'), state: 'withdrawn' as const };
    assert.deepEqual(setUp([tombstone])(rarpOf(NODE_MAC)), { verdict: 'unknown-mac' });
  });
});

describe('ARP or NA', () => {
  for (const [address, frame] of [
    ['10.1.0.9', arpOf('10.1.0.9', NODE_MAC)],
    ['10.1.0.9', arpOf('10.1.0.9', NODE_MAC, '10.1.0.254')],
    ['10.1.0.9', arpOf('10.1.0.9', NODE_MAC, '10.1.0.254', 2)],
    ['fd00:1::9', advertisementOf('fd00:1::9', NODE_MAC)],
  ] as const) {
    test(`${frame.kind} of ${address} at another VR with the same MAC: move`, () => {
      const record = recordOf(address, NODE_MAC, 'vr-a');
      assert.deepEqual(setUp([record])(frame), { verdict: 'move', records: [record] });
    });
  }

  test("a move takes the MAC's other addresses at the same VR, not a clone's elsewhere", () => {
    const [v4, v6, clone] = [
      recordOf('10.1.0.9', NODE_MAC, 'vr-a'),
      recordOf('fd00:1::9', NODE_MAC, 'vr-a'),
      recordOf('10.3.0.9', NODE_MAC, 'vr-c'),
    ];
    const see = setUp([clone, v6, v4]);
    assert.deepEqual(see(arpOf('10.1.0.9', NODE_MAC)), { verdict: 'move', records: [v4, v6] });
  });

  test('at another VR with another MAC: conflict', () => {
    const record = recordOf('10.1.0.9', OTHER_MAC, 'vr-a');
    assert.deepEqual(setUp([record])(arpOf('10.1.0.9', NODE_MAC)), { verdict: 'conflict', record });
  });

  test('here with another MAC: rebinding', () => {
    const record = recordOf('10.2.0.9', OTHER_MAC, 'vr-b');
    assert.deepEqual(setUp([record])(arpOf('10.2.0.9', NODE_MAC)), { verdict: 'rebinding', record });
  });

  test('here with another MAC than the pinned one: unauthorised', () => {
    const lndt = [{ vnet: BLUE, prefix: Prefix.of('10.2.0.9/32'), mac: OTHER_MAC }];
    const see = setUp([recordOf('10.2.0.9', OTHER_MAC, 'vr-b')], { lndt });
    const expected = { verdict: 'unauthorised', ip: ip('10.2.0.9'), pinned: true };
    assert.deepEqual(see(arpOf('10.2.0.9', NODE_MAC)), expected);
  });

  test('here with the same MAC: local', () => {
    const see = setUp([recordOf('10.2.0.9', NODE_MAC, 'vr-b')]);
    assert.deepEqual(see(arpOf('10.2.0.9', NODE_MAC)), { verdict: 'local' });
  });

  test('listed and not known: new', () => {
    const expected = { verdict: 'new', ip: ip('10.2.0.9'), seq: 1 };
    assert.deepEqual(setUp([])(arpOf('10.2.0.9', NODE_MAC)), expected);
  });

  test('listed and withdrawn here: back, with the same number', () => {
    const tombstone = { ...recordOf('10.2.0.9', NODE_MAC, 'vr-b', 4), state: 'withdrawn' as const };
    const expected = { verdict: 'new', ip: ip('10.2.0.9'), seq: 4 };
    assert.deepEqual(setUp([tombstone])(arpOf('10.2.0.9', NODE_MAC)), expected);
  });

  test('withdrawn elsewhere: a move, for its own MAC, and for a listed address whatever the MAC', () => {
    const away = { ...recordOf('10.1.0.9', NODE_MAC, 'vr-a'), state: 'withdrawn' as const };
    assert.deepEqual(setUp([away])(arpOf('10.1.0.9', NODE_MAC)), { verdict: 'move', records: [away] });
    assert.equal(setUp([away])(arpOf('10.1.0.9', OTHER_MAC)).verdict, 'unknown-address');
    const home = { ...recordOf('10.2.0.9', NODE_MAC, 'vr-c', 3), state: 'withdrawn' as const };
    assert.deepEqual(setUp([home])(arpOf('10.2.0.9', OTHER_MAC)), { verdict: 'move', records: [home] });
  });

  test('in no network, or native and not listed: unauthorised', () => {
    const nowhere = { verdict: 'unauthorised', ip: ip('192.168.1.9'), pinned: false };
    assert.deepEqual(setUp([])(arpOf('192.168.1.9', NODE_MAC)), nowhere);
    const see = setUp([], { lndt: [] });
    const unlisted = { verdict: 'unauthorised', ip: ip('10.2.0.9'), pinned: false };
    assert.deepEqual(see(arpOf('10.2.0.9', NODE_MAC)), unlisted);
  });

  test('native elsewhere and not known: its home may know', () => {
    const expected = { verdict: 'unknown-address', ip: ip('10.1.0.9'), home: 'vr-a' };
    assert.deepEqual(setUp([])(arpOf('10.1.0.9', NODE_MAC)), expected);
  });

  test("an address of the gateway machine's own; a link-local one", () => {
    const see = setUp([]);
    assert.deepEqual(see(arpOf('10.2.0.1', NODE_MAC)), { verdict: 'own-address', ip: ip('10.2.0.1') });
    assert.deepEqual(see(advertisementOf('fe80::9', NODE_MAC)), { verdict: 'link-local' });
  });
});
