import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NeighbourFrame } from '../../../src/arp/frame.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { arpOf, BLUE, Harness, ip, NODE_MAC, OTHER_MAC, rarpOf, recordOf, VR_MAC } from './harness.js';

const HOME = '10.2.0.9';

function claimed(harness: Harness, by: string, records: readonly NodeRecord[], claimId = 1): void {
  const mac = records[0]?.mac ?? NODE_MAC;
  const moves = [{ vnet: BLUE, mac, records, trigger: 'rarp' as const, sinceDetectionUs: 0 }];
  harness.mobility.message(by, { type: 'claim', claimId, moves });
}

/** vr-b is home to a node and another host; both have been seen. */
function home(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const harness = new Harness(options);
  harness.see(arpOf(HOME, NODE_MAC));
  harness.see(arpOf('10.2.0.7', OTHER_MAC));
  harness.clock.advance(1_500);
  harness.take();
  harness.events.length = 0;
  return harness;
}

const announced = (frames: readonly NeighbourFrame[]) =>
  frames.filter((frame) => frame.kind === 'arp' && !frame.senderIp.isUnspecified);

describe('a claim for a node that was here', () => {
  test('tables, then ARP on this LAN in both forms, then the answer, then the rest, then ARP to hosts one by one', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)], 77);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
    assert.equal(harness.hwdt.get(BLUE, ip(HOME)), undefined, 'its binding is forgotten');
    const sent = harness.take();
    harness.clock.advance(3);
    const [request, reply, unicast] = announced(
      [...sent, ...harness.take()].flatMap((item) => (item.what === 'frame' ? [item.frame] : [])),
    );
    assert(request?.kind === 'arp' && reply?.kind === 'arp' && unicast?.kind === 'arp');
    assert.deepEqual([request.operation, reply.operation, unicast.operation], [1, 2, 2]);
    assert.equal(reply.targetMac, VR_MAC);
    assert.equal(unicast.ethernetDestination, OTHER_MAC);
    for (const frame of [request, reply, unicast]) {
      assert.deepEqual([frame.senderIp.key, frame.senderMac, frame.ethernetSource], [HOME, VR_MAC, VR_MAC]);
    }
    const order = sent.map((item) => (item.what === 'message' ? item.message.type : item.what));
    assert.deepEqual(order, ['frame', 'frame', 'claimResult', 'frame', 'save']);
    const answer = sent[2];
    assert(answer?.what === 'message');
    assert.deepEqual(answer.message, {
      type: 'claimResult',
      claimId: 77,
      results: [{ vnet: BLUE, ip: ip(HOME), verdict: 'accepted', reason: '', seq: 2 }],
    });
    assert.deepEqual(harness.eventNames(), ['move_learned']);
  });

  test('of several nodes: all the tables before anything is sent', () => {
    const harness = home();
    const sentBefore: number[] = [];
    harness.directory.subscribe(() => sentBefore.push(harness.sent.length));
    const records = [recordOf(HOME, NODE_MAC, 'vr-a', 2), recordOf('10.2.0.7', OTHER_MAC, 'vr-a', 2)];
    const moves = records.map((record) => {
      return {
        vnet: BLUE,
        mac: record.mac,
        records: [record],
        trigger: 'rarp' as const,
        sinceDetectionUs: 0,
      };
    });
    harness.mobility.message('vr-a', { type: 'claim', claimId: 78, moves });
    assert.deepEqual(sentBefore, [0, 0]);
    const [answer, more] = harness.takeMessages('claimResult');
    assert.deepEqual([answer?.message.results.length, more], [2, undefined]);
  });

  test('is announced for 3 s, but not once the node is back', () => {
    const harness = home({ verify: 'off' });
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(3);
    harness.take();
    harness.clock.advance(10_000);
    const times = harness.take().flatMap((item) => (item.what === 'frame' ? [item.atMs - 1_500] : []));
    assert.deepEqual([...new Set(times)], [100, 300, 700, 1500, 3000]);

    const back = home({ verify: 'off' });
    claimed(back, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    back.clock.advance(50);
    back.see(rarpOf(NODE_MAC));
    back.take();
    back.clock.advance(10_000);
    const atVr = announced(back.takeFrames()).filter(
      (frame) => frame.kind === 'arp' && frame.senderIp.key === HOME && frame.senderMac === VR_MAC,
    );
    assert.deepEqual(atVr, []);
  });

  test('repeated changes nothing and is accepted again', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.take();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    const sent = harness.take();
    assert.equal(sent.length, 1);
    assert(sent[0]?.what === 'message' && sent[0].message.type === 'claimResult');
    assert.equal(sent[0].message.results[0]?.verdict, 'accepted');
    assert.equal(harness.mobility.moves().length, 1);
  });

  test('then the VR answers for it, at once, and not before', () => {
    const harness = home();
    const question = arpOf('10.2.0.7', OTHER_MAC, HOME);
    harness.see(question);
    assert.deepEqual(harness.takeFrames(), []);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.take();
    harness.see(question);
    const [answer] = harness.takeFrames();
    assert(answer?.kind === 'arp');
    assert.deepEqual([answer.senderIp.key, answer.senderMac, answer.targetMac], [HOME, VR_MAC, OTHER_MAC]);
  });

  test('is contradicted when the node still answers here', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    const probes = harness
      .takeFrames()
      .filter((frame) => frame.kind === 'arp' && frame.senderIp.isUnspecified);
    assert.equal(probes.length, 1);
    harness.clock.advance(1);
    harness.see({ ...arpOf(HOME, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
    const [claim] = harness.takeMessages('claim');
    assert.equal(claim?.to, 'vr-a');
    assert.equal(claim?.message.moves[0]?.records[0]?.seq, 3);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
    assert(harness.eventNames().includes('move_undone'));
  });

  test('frames captured before it came say nothing', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.take();
    harness.mobility.frameSeen(0, arpOf(HOME, NODE_MAC, '10.2.0.7'), harness.clock.nowMs() - 0.5);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
    harness.mobility.frameSeen(0, arpOf(HOME, NODE_MAC, '10.2.0.7'), harness.clock.nowMs() + 0.5);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
  });

  test('two sites answer for ever: contradicted once, then the claims of that router are refused for 180 s', () => {
    const harness = home();
    let seq = 2;
    let claims = 0;
    for (let ms = 0; ms < 20_000; ms += 100) {
      const record = harness.directory.get(BLUE, ip(HOME));
      if (record?.router === 'vr-b') {
        seq = record.seq + 1;
        claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', seq, ms + 2)]);
      }
      const asked = harness
        .takeFrames()
        .some((frame) => frame.kind === 'arp' && frame.senderIp.isUnspecified);
      if (asked) harness.see({ ...arpOf(HOME, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
      claims += harness.takeMessages('claim').filter(({ to }) => to === 'vr-a').length;
      harness.clock.advance(100);
    }
    assert.equal(claims, 1);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
    harness.clock.advance(180_000);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 1_000, 90_000)]);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
  });
});

describe('a visitor moves on', () => {
  const visited = (subnet?: Prefix): Harness => {
    const harness = new Harness(subnet === undefined ? {} : { subnet });
    harness.see(arpOf('10.2.0.7', OTHER_MAC));
    harness.known('10.1.0.9', NODE_MAC, 'vr-a');
    harness.known('10.1.0.8', 0x525400000008 as typeof NODE_MAC, 'vr-a');
    harness.see(rarpOf(NODE_MAC));
    harness.see(rarpOf(0x525400000008 as typeof NODE_MAC));
    harness.clock.advance(10_000);
    harness.take();
    claimed(harness, 'vr-c', [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 3)]);
    return harness;
  };

  test('classic: only the other visitor from its home is told', () => {
    const harness = visited();
    harness.clock.advance(3);
    const told = announced(harness.takeFrames());
    assert.equal(told.length, 1);
    assert(told[0]?.kind === 'arp');
    assert.equal(told[0].ethernetDestination, 0x525400000008);
    assert.deepEqual([told[0].senderIp.key, told[0].senderMac], ['10.1.0.9', VR_MAC]);
  });

  test('one large subnet: the whole LAN is', () => {
    const told = announced(visited(Prefix.of('10.0.0.0/8')).takeFrames());
    const broadcasts = told.filter((frame) => frame.ethernetDestination === 0xffffffffffff);
    assert.equal(broadcasts.length, 2);
  });
});

describe('a claim is refused', () => {
  const resultOf = (harness: Harness) => harness.takeMessages('claimResult')[0]?.message.results[0];

  test('as stale, with the number that beats it', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-c', 5);
    harness.take();
    claimed(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-a', 4)]);
    const verdict = { verdict: 'refused', reason: 'stale', seq: 5, router: 'vr-c' };
    assert.deepEqual(resultOf(harness), { vnet: BLUE, ip: ip('10.1.0.9'), ...verdict });
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-c');
  });

  test('of two with the same number: the greater router id stays', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-c', 2);
    harness.take();
    claimed(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-a', 2)]);
    assert.equal(resultOf(harness)?.reason, 'stale');
  });

  test('from a router that the network does not allow: the VR that has the node puts it back everywhere', () => {
    const harness = new Harness({ allow: ['vr-b'] });
    harness.known('10.1.0.9', NODE_MAC, 'vr-a');
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(10);
    harness.take();
    claimed(harness, 'vr-c', [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 6)]);
    assert.equal(resultOf(harness)?.reason, 'not-allowed');
    harness.clock.advance(5);
    const [told] = harness.takeMessages('records');
    const [record] = told?.message.records ?? [];
    assert.deepEqual([record?.router, record?.seq], ['vr-b', 7]);
  });

  test('for an address in no network, and in the name of another', () => {
    const harness = new Harness();
    claimed(harness, 'vr-a', [recordOf('192.168.0.9', NODE_MAC, 'vr-a', 2)]);
    assert.equal(resultOf(harness)?.reason, 'unknown-network');
    claimed(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 2)]);
    assert.equal(resultOf(harness)?.reason, 'not-yours');
    assert.equal(harness.directory.size, 0);
  });
});

describe('home again', () => {
  test('it hears its neighbours real MACs, the first one before the LAN hears of its own', () => {
    const harness = home({ verify: 'off' });
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(5_000);
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    const told = announced(harness.takeFrames()).map((frame) => {
      assert(frame.kind === 'arp');
      return [frame.ethernetDestination, frame.senderIp.key, frame.senderMac];
    });
    assert.deepEqual(told, [
      [NODE_MAC, '10.2.0.7', OTHER_MAC],
      [0xffffffffffff, HOME, NODE_MAC],
      [0xffffffffffff, HOME, NODE_MAC],
    ]);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.seq, 3);
  });
});
