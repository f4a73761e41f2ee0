import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
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
  VR_MAC,
} from './harness.js';

/** vr-b sees a node of vr-a's by RARP. */
function arrive(harness = new Harness()): Harness {
  harness.known('10.1.0.254', OTHER_MAC, 'vr-a');
  harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
  harness.take();
  harness.see(rarpOf(NODE_MAC));
  return harness;
}

describe('a claim', () => {
  test('tables first, then one ARP, then messages with the source first, then the rest of ARP, then the disk', () => {
    const harness = new Harness();
    let frames = -1;
    harness.known('10.1.0.7', OTHER_MAC, 'vr-a');
    harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    harness.take();
    harness.directory.subscribe(() => {
      frames = harness.sent.length;
    });
    harness.see(rarpOf(NODE_MAC));
    assert.equal(frames, 0, 'something was sent before the directory changed');
    const sent = harness.take();
    const order = sent.map((item) => (item.what === 'message' ? `claim ${item.to}` : item.what));
    assert.deepEqual(order, ['frame', 'claim vr-a', 'claim vr-c', 'frame', 'save']);
    assert(sent.every(({ atMs }) => atMs === 0));
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.seq, 4);
    assert.equal(harness.hwdt.get(BLUE, ip('10.1.0.9'))?.mac, NODE_MAC);
  });

  test('carries the records, the trigger and the time since the announcement was captured', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    harness.clock.advance(2.5);
    harness.take();
    harness.mobility.frameSeen(0, rarpOf(NODE_MAC), 1);
    const [first] = harness.takeMessages('claim');
    const move = first?.message.moves[0];
    assert.equal(move?.sinceDetectionUs, 1500);
    assert.equal(move?.trigger, 'rarp');
    assert.deepEqual(move?.records, [harness.directory.get(BLUE, ip('10.1.0.9'))]);
  });

  test('a burst makes one claim', () => {
    const harness = arrive();
    for (let i = 0; i < 4; i++) harness.see(rarpOf(NODE_MAC));
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    assert.equal(harness.takeMessages('claim').length, 2, 'one to each peer');
    assert.equal(harness.mobility.moves().length, 1);
  });

  test('of many nodes, while their announcements are being read: the first at once, then those of 5 ms together', () => {
    const harness = new Harness();
    const macs = Array.from({ length: 18 }, (_, i) => (NODE_MAC + i) as typeof NODE_MAC);
    for (const [i, node] of macs.entries()) harness.known(`10.1.0.${100 + i}`, node, 'vr-a');
    harness.take();
    const { clock } = harness;
    for (const node of macs) {
      harness.see(rarpOf(node));
      // No timer runs before all are read.
      clock.skip(1);
    }
    const sizes = (): number[] =>
      harness
        .takeMessages('claim')
        .filter(({ to }) => to === 'vr-a')
        .map(({ message }) => message.moves.length);
    assert.deepEqual(sizes(), [1, 5, 5, 5]);
    clock.advance(0);
    assert.deepEqual(sizes(), [2]);
  });

  test('several addresses, IPv4 and IPv6, are one move and one event', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    harness.known('fd00:1::9', NODE_MAC, 'vr-a', 7);
    harness.take();
    harness.see(advertisementOf('fd00:1::9', NODE_MAC));
    const [claim] = harness.takeMessages('claim');
    const records = claim?.message.moves[0]?.records ?? [];
    assert.deepEqual(
      new Map(records.map((record) => [record.ip.key, record.seq])),
      new Map([
        ['fd00:1::9', 8],
        ['10.1.0.9', 4],
      ]),
    );
    assert.deepEqual(harness.eventNames(), ['move_claimed']);
    assert.equal(harness.mobility.moves()[0]?.trigger, 'neighbour-advertisement');
  });

  test('tells the node about its gateway first, at the VR, addressed to the node alone', () => {
    const harness = new Harness();
    harness.known('10.1.0.7', OTHER_MAC, 'vr-a');
    harness.known('10.1.0.9', NODE_MAC, 'vr-a');
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    const frames = harness.takeFrames();
    const said = frames.map((frame) => frame.kind === 'arp' && frame.senderIp.key);
    assert.deepEqual(said, ['10.1.0.254', '10.1.0.7']);
    for (const frame of frames) {
      assert(frame.kind === 'arp');
      assert.equal(frame.ethernetDestination, NODE_MAC);
      assert.equal(frame.ethernetSource, VR_MAC);
      assert.deepEqual([frame.operation, frame.senderMac, frame.targetMac], [2, VR_MAC, VR_MAC]);
      assert(frame.senderIp.equals(frame.targetIp));
    }
  });

  test('tells it again for 3 s, and not once the node is gone', () => {
    const harness = arrive();
    harness.take();
    harness.clock.advance(10_000);
    assert.equal(harness.takeFrames().length, 5);
    const second = arrive();
    second.take();
    second.clock.advance(250);
    second.mobility.message('vr-c', {
      type: 'claim',
      claimId: 1,
      moves: [
        {
          vnet: BLUE,
          mac: NODE_MAC,
          records: [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 9)],
          trigger: 'rarp',
          sinceDetectionUs: 0,
        },
      ],
    });
    second.take();
    second.clock.advance(10_000);
    const told = second.takeFrames().filter((frame) => frame.kind === 'arp' && frame.operation === 2);
    assert.deepEqual(told, []);
  });

  test('has its time line, and is accepted when the source says so', () => {
    const harness = arrive();
    const claims = harness.takeMessages('claim');
    const accepted = (by: string): void =>
      harness.mobility.message(by, {
        type: 'claimResult',
        claimId: claims.find(({ to }) => to === by)?.message.claimId ?? 0,
        results: [{ vnet: BLUE, ip: ip('10.1.0.9'), verdict: 'accepted', reason: '', seq: 4 }],
      });
    harness.clock.advance(5);
    accepted('vr-c');
    assert.equal(harness.mobility.moves()[0]?.verdict, 'claiming');
    harness.clock.advance(5);
    accepted('vr-a');
    accepted('vr-a');
    const move = harness.mobility.moves()[0];
    assert.equal(move?.verdict, 'accepted');
    assert.deepEqual(
      move?.steps.map(({ step, atUs }) => `${step} ${atUs}`),
      [
        'detected 0',
        'directory 0',
        'first_arp 0',
        'claim_sent 0',
        'accepted:vr-c 5000',
        'accepted:vr-a 10000',
      ],
    );
  });

  test('stands when the source is down, at once or later', () => {
    const down = new Harness();
    down.known('10.1.0.9', NODE_MAC, 'vr-a');
    down.up = ['vr-c'];
    down.see(rarpOf(NODE_MAC));
    assert.equal(down.mobility.moves()[0]?.verdict, 'accepted');
    const harness = arrive();
    harness.mobility.peerDown('vr-a');
    assert.equal(harness.mobility.moves()[0]?.verdict, 'accepted');
  });
});

describe('a claim is not made', () => {
  test("where the node's network does not allow it: said once a minute", () => {
    const harness = new Harness({ allow: ['vr-c'] });
    arrive(harness);
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), []);
    assert.deepEqual(harness.eventNames(), ['claim_refused']);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
    harness.clock.advance(60_000);
    harness.see(rarpOf(NODE_MAC));
    assert.deepEqual(harness.eventNames(), ['claim_refused', 'claim_refused']);
  });

  test('when a host of this LAN uses the address: alarm, and the host is not harmed', () => {
    const harness = new Harness();
    harness.see(arpOf('10.1.0.9', OTHER_MAC));
    arrive(harness);
    const [probe, ...rest] = harness.take();
    assert(probe?.what === 'frame' && probe.frame.ethernetDestination === OTHER_MAC);
    assert.deepEqual(rest, [], 'it is asked, and that is all');
    harness.clock.advance(10);
    harness.see({ ...arpOf('10.1.0.9', OTHER_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
    assert(harness.eventNames().includes('duplicate_address'));
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
    assert.equal(harness.hwdt.get(BLUE, ip('10.1.0.9'))?.mac, OTHER_MAC);
  });

  test('a host of this LAN that had the address once and does not answer is not in the way', () => {
    const harness = new Harness();
    harness.see(arpOf('10.1.0.9', OTHER_MAC));
    arrive(harness);
    harness.clock.advance(60);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
    assert.equal(harness.hwdt.get(BLUE, ip('10.1.0.9'))?.mac, NODE_MAC);
    assert(!harness.eventNames().includes('duplicate_address'));
  });

  test('by hand for an address that is here, or not known', () => {
    const harness = arrive();
    assert.equal(harness.mobility.moveByHand(BLUE, ip('10.1.0.9')), '10.1.0.9 is here already');
    assert.equal(harness.mobility.moveByHand(BLUE, ip('10.1.0.8')), '10.1.0.8 is not known to any router');
  });
});

describe('a refused claim', () => {
  const refuse = (harness: Harness, by: string, reason: 'not-allowed' | 'stale', seq: number): void => {
    const claim = harness.takeMessages('claim').find(({ to }) => to === by);
    assert(claim);
    harness.mobility.message(by, {
      type: 'claimResult',
      claimId: claim.message.claimId,
      results: [{ vnet: BLUE, ip: ip('10.1.0.9'), verdict: 'refused', reason, seq }],
    });
  };

  test('by the source: withdrawn everywhere, and not repeated for 5 s', () => {
    const harness = arrive();
    refuse(harness, 'vr-a', 'not-allowed', 4);
    assert.equal(harness.directory.get(BLUE, ip('10.1.0.9'))?.state, 'withdrawn');
    harness.clock.advance(5);
    const told = harness.takeMessages('records');
    assert.deepEqual(
      told.map(({ to }) => to),
      ['vr-c', 'vr-a'],
    );
    assert.equal(told[0]?.message.records[0]?.state, 'withdrawn');
    const move = harness.mobility.moves()[0];
    assert.deepEqual([move?.verdict, move?.reason], ['refused', 'not-allowed']);
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), []);
    harness.clock.advance(5_000);
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    assert.equal(harness.takeMessages('claim').length, 2);
  });

  test('by a third router only: stands, but is shown', () => {
    const harness = arrive();
    refuse(harness, 'vr-c', 'not-allowed', 4);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
    assert(harness.eventNames().includes('claim_refused'));
  });

  test('as stale: the node is asked, and claimed above that number when it answers', () => {
    const harness = arrive();
    refuse(harness, 'vr-a', 'stale', 8);
    const [probe] = harness.takeFrames();
    assert(probe?.kind === 'arp');
    assert.deepEqual(
      [probe.ethernetDestination, probe.targetIp.key, probe.senderIp.key],
      [NODE_MAC, '10.1.0.9', '0.0.0.0'],
    );
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b', 'served while it is asked');
    harness.clock.advance(20);
    harness.take();
    harness.see({ ...arpOf('10.1.0.9', NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
    const [claim] = harness.takeMessages('claim');
    assert.equal(claim?.message.moves[0]?.records[0]?.seq, 9);
  });

  test('as stale, and the node does not answer: withdrawn after a second', () => {
    const harness = arrive();
    refuse(harness, 'vr-a', 'stale', 8);
    harness.clock.advance(999);
    assert.equal(harness.directory.get(BLUE, ip('10.1.0.9'))?.state, 'here');
    harness.clock.advance(1);
    assert.equal(harness.directory.get(BLUE, ip('10.1.0.9'))?.state, 'withdrawn');
  });
});

test('co-visitors and the arrived node are told of one another at their real MACs', () => {
  const harness = new Harness();
  const visitor = recordOf('10.1.0.7', OTHER_MAC, 'vr-b', 2);
  harness.hwdt.learn(0, BLUE, OTHER_MAC, visitor.ip, 'rarp');
  harness.directory.apply(visitor);
  harness.known('10.1.0.9', NODE_MAC, 'vr-a');
  harness.take();
  harness.see(rarpOf(NODE_MAC));
  harness.clock.advance(3);
  const told = harness.takeFrames().map((frame) => {
    assert(frame.kind === 'arp');
    return [frame.ethernetDestination, frame.senderIp.key, frame.senderMac];
  });
  assert.deepEqual(told, [
    [NODE_MAC, '10.1.0.254', VR_MAC],
    [NODE_MAC, '10.1.0.7', OTHER_MAC],
    [OTHER_MAC, '10.1.0.9', NODE_MAC],
  ]);
});

test('in one large subnet the LAN is told of the node, and the node of the LAN', () => {
  const harness = new Harness({ subnet: Prefix.of('10.0.0.0/8') });
  harness.see(arpOf('10.2.0.7', OTHER_MAC));
  harness.known('10.1.0.9', NODE_MAC, 'vr-a');
  harness.take();
  harness.see(rarpOf(NODE_MAC));
  harness.clock.advance(3);
  const said = new Set(
    harness.takeFrames().map((frame) => {
      assert(frame.kind === 'arp');
      const to = frame.ethernetDestination === NODE_MAC ? 'node' : 'all';
      return `${to}: ${frame.senderIp.key} ${frame.senderMac === VR_MAC ? 'VR' : 'itself'}`;
    }),
  );
  const expected = [
    'all: 10.1.0.9 itself',
    'node: 10.1.0.254 VR',
    'node: 10.2.0.7 itself',
    'node: 10.3.0.254 VR',
  ];
  for (const line of expected) assert(said.has(line), line);
  assert(!said.has('node: 10.2.0.254 VR'), "this LAN's own gateway is not at the VR");
});
