import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import {
  advertisementOf,
  arpOf,
  BLUE,
  Harness,
  ip,
  NODE_MAC,
  OTHER_MAC,
  RED,
  rarpOf,
  recordOf,
  VR_MAC,
} from './harness.js';

/** Of the node that most here is about, to this router. */
const ANSWER = { ...arpOf('10.2.0.9', NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC };

describe('what is seen on the LAN', () => {
  test('a listed node gets a record that all peers hear of, once', () => {
    const harness = new Harness();
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    harness.see(arpOf('10.2.0.8', OTHER_MAC, '10.2.0.9'));
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    harness.clock.advance(5);
    const told = harness.takeMessages('records');
    assert.deepEqual(
      told.map(({ to }) => to),
      ['vr-c', 'vr-a'],
    );
    const [first] = told;
    assert.deepEqual(
      first?.message.records.map((record) => record.ip.key),
      ['10.2.0.9', '10.2.0.8'],
    );
    assert.deepEqual(harness.eventNames(), ['node_learned', 'node_learned']);
    harness.clock.advance(1_000);
    assert.deepEqual(harness.take(), []);
  });

  test('IPv6 likewise', () => {
    const harness = new Harness();
    harness.see(advertisementOf('fd00:2::9', NODE_MAC));
    assert.equal(harness.directory.here(BLUE, ip('fd00:2::9'))?.mac, NODE_MAC);
    assert.equal(harness.hwdt.get(BLUE, ip('fd00:2::9'))?.source, 'ndp');
  });

  test('another MAC for a node here: same number, fresh stamp', () => {
    const harness = new Harness();
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    const before = harness.directory.get(BLUE, ip('10.2.0.9'));
    harness.see(arpOf('10.2.0.9', OTHER_MAC));
    const after = harness.directory.get(BLUE, ip('10.2.0.9'));
    assert.equal(after?.mac, OTHER_MAC);
    assert.equal(after?.seq, before?.seq);
    assert((after?.stamp ?? 0) > (before?.stamp ?? 0));
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.9'))?.mac, OTHER_MAC);
    assert.deepEqual(harness.eventNames(), ['node_learned', 'node_rebound']);
  });

  test('an unauthorised one is shown once a minute and has no record', () => {
    const harness = new Harness({ lndt: [] });
    for (let i = 0; i < 3; i++) harness.see(arpOf('10.2.0.9', NODE_MAC));
    assert.deepEqual(harness.eventNames(), ['unauthorised_seen']);
    assert.equal(harness.directory.size, 0);
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.9'))?.mac, NODE_MAC);
    assert.equal(harness.mobility.counters().mobility_frames_unauthorised, 3);
  });

  test('a MAC that is not the pinned one does not take the binding', () => {
    const pin = { vnet: BLUE, prefix: Prefix.of('10.2.0.9/32'), mac: NODE_MAC };
    const harness = new Harness({ lndt: [pin] });
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    harness.see(arpOf('10.2.0.9', OTHER_MAC));
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.9'))?.mac, NODE_MAC);
  });

  test("an address of the VR's own is not given away", () => {
    const harness = new Harness();
    harness.mobility.start();
    harness.see(arpOf('10.2.0.1', NODE_MAC));
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.1'))?.mac, VR_MAC);
    assert.equal(harness.directory.here(BLUE, ip('10.2.0.1'))?.mac, VR_MAC);
    assert.deepEqual(harness.eventNames(), ['duplicate_address']);
  });

  test('a home node that is gone is withdrawn; visitors and own addresses are not', () => {
    const harness = new Harness();
    harness.mobility.start();
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    harness.known('10.1.0.8', OTHER_MAC, 'vr-a');
    harness.see(rarpOf(OTHER_MAC));
    harness.clock.advance(5);
    harness.take();
    for (const address of ['10.2.0.9', '10.2.0.1', '10.1.0.8']) harness.mobility.nodeGone(BLUE, ip(address));
    harness.clock.advance(5);
    const records = harness.takeMessages('records')[0]?.message.records;
    assert.deepEqual(
      records?.map((record) => [record.ip.key, record.state]),
      [['10.2.0.9', 'withdrawn']],
    );
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.8'))?.router, 'vr-b');
    assert.equal(harness.directory.here(BLUE, ip('10.2.0.1'))?.router, 'vr-b');
  });
});

describe('own addresses', () => {
  test('are records at start, with the MAC of the LAN; not anew when they are known', () => {
    const harness = new Harness();
    harness.mobility.start();
    const record = harness.directory.get(BLUE, ip('10.2.0.1'));
    assert.deepEqual([record?.mac, record?.router, record?.seq], [VR_MAC, 'vr-b', 1]);
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.1'))?.source, 'static');
    harness.mobility.start();
    assert.deepEqual(harness.directory.get(BLUE, ip('10.2.0.1')), record);
  });

  test('follow the interface: one that comes is published, one that goes is withdrawn', () => {
    const harness = new Harness();
    harness.mobility.start();
    harness.clock.advance(2);
    harness.take();
    harness.lans.readdress(0, [ip('10.2.0.2'), ip('fd00:2::2')]);
    harness.clock.advance(2);
    const told = harness
      .takeMessages('records')
      .filter(({ to }) => to === 'vr-a')
      .flatMap(({ message }) => message.records.map(({ ip: { key }, state }) => `${key} ${state}`));
    assert.deepEqual(told.sort(), ['10.2.0.1 withdrawn', '10.2.0.2 here', 'fd00:2::2 here']);
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.1')), undefined);
    assert.equal(harness.hwdt.get(BLUE, ip('10.2.0.2'))?.source, 'static');
    harness.see(arpOf('10.2.0.2', NODE_MAC));
    assert(harness.eventNames().includes('duplicate_address'), 'it is its own now');
  });

  test('beaten by what a peer remembers from before: above that at once', () => {
    const harness = new Harness();
    harness.mobility.start();
    harness.clock.advance(2);
    const stale = { vnet: BLUE, ip: ip('10.2.0.1'), seq: 6, router: 'vr-b' };
    harness.mobility.message('vr-a', { type: 'stale', records: [stale] });
    assert.equal(harness.directory.here(BLUE, ip('10.2.0.1'))?.seq, 7);
  });
});

describe('digests', () => {
  test('go to a peer that comes up, and to all every 30 s', () => {
    const harness = new Harness();
    harness.mobility.start();
    harness.mobility.peerUp('vr-a');
    assert.deepEqual(
      harness.takeMessages('digest').map(({ to }) => to),
      ['vr-a'],
    );
    harness.clock.advance(29_999);
    assert.deepEqual(harness.takeMessages('digest'), []);
    harness.clock.advance(1);
    assert.deepEqual(
      harness.takeMessages('digest').map(({ to }) => to),
      ['vr-c', 'vr-a'],
    );
    harness.clock.advance(30_000);
    assert.equal(harness.takeMessages('digest').length, 2);
  });

  test('are answered with what is missing, in messages of bounded size', () => {
    const harness = new Harness();
    for (let n = 10; n < 50; n++) harness.see(arpOf(`10.2.0.${n}`, (NODE_MAC + n) as typeof NODE_MAC));
    harness.clock.advance(5);
    harness.take();
    harness.mobility.message('vr-a', { type: 'digest', highestStamp: 0, count: 0, hash: 0 });
    const answer = harness.takeMessages('records');
    assert.deepEqual(
      answer.map(({ message }) => message.records.length),
      [16, 16, 8],
    );
    const last = harness.directory.digest('vr-b');
    harness.mobility.message('vr-a', { type: 'digest', ...last });
    assert.deepEqual(harness.take(), []);
  });
});

describe('records from a peer', () => {
  test('only of itself, only where it may have them', () => {
    const harness = new Harness({ allow: ['vr-b'] });
    const records = [
      recordOf('10.1.0.8', NODE_MAC, 'vr-a'),
      recordOf('10.1.0.9', NODE_MAC, 'vr-c'),
      recordOf('10.3.0.9', NODE_MAC, 'vr-b'),
    ];
    harness.mobility.message('vr-a', { type: 'records', records });
    harness.mobility.message('vr-c', { type: 'records', records: [recordOf('10.1.0.7', NODE_MAC, 'vr-c')] });
    assert.deepEqual(
      [...harness.directory.all()].map((record) => record.ip.key),
      ['10.1.0.8'],
    );
  });

  test('that are beaten are told so, but not tombstones', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-c', 5);
    harness.take();
    const beaten = recordOf('10.1.0.9', NODE_MAC, 'vr-a', 2);
    const tombstone = { ...recordOf('10.1.0.9', NODE_MAC, 'vr-a', 3), state: 'withdrawn' as const };
    harness.mobility.message('vr-a', { type: 'records', records: [tombstone] });
    assert.deepEqual(harness.take(), []);
    harness.mobility.message('vr-a', { type: 'records', records: [beaten] });
    assert.deepEqual(harness.takeMessages('stale'), [
      {
        to: 'vr-a',
        message: { type: 'stale', records: [{ vnet: BLUE, ip: ip('10.1.0.9'), seq: 5, router: 'vr-c' }] },
      },
    ]);
  });

  test('of a home node that turns out to be away: the LAN is redirected', () => {
    const harness = new Harness();
    harness.known('10.2.0.9', NODE_MAC, 'vr-a', 4);
    const said = harness
      .takeFrames()
      .map((frame) => frame.kind === 'arp' && [frame.senderIp.key, frame.senderMac]);
    assert.deepEqual(said, [
      ['10.2.0.9', VR_MAC],
      ['10.2.0.9', VR_MAC],
    ]);
  });
});

test('an own record beaten elsewhere: the node is asked; above the winner when it answers', () => {
  const winner = { vnet: BLUE, ip: ip('10.2.0.9'), seq: 6, router: 'vr-c' };
  const stale: TableMessage = { type: 'stale', records: [winner] };
  const answering = new Harness();
  answering.see(arpOf('10.2.0.9', NODE_MAC));
  answering.clock.advance(5);
  answering.take();
  answering.mobility.message('vr-a', stale);
  assert.equal(answering.takeFrames().length, 1);
  answering.see(arpOf('10.2.0.9', NODE_MAC, '0.0.0.0', 2));
  assert.equal(answering.directory.here(BLUE, ip('10.2.0.9'))?.seq, 7);
  assert.equal(answering.takeMessages('claim').length, 2);

  const silent = new Harness();
  silent.see(arpOf('10.2.0.9', NODE_MAC));
  silent.clock.advance(5);
  silent.mobility.message('vr-a', stale);
  silent.clock.advance(1_000);
  assert.equal(
    silent.directory.get(BLUE, ip('10.2.0.9'))?.state,
    'here',
    "a third router's word is not enough",
  );
  silent.mobility.message('vr-c', stale);
  silent.clock.advance(1_000);
  assert.equal(silent.directory.get(BLUE, ip('10.2.0.9'))?.state, 'withdrawn');
});

test('an own record beaten elsewhere, by several and more than once: its answer is one claim, above all', () => {
  const harness = new Harness();
  harness.see(arpOf('10.2.0.9', NODE_MAC));
  harness.clock.advance(5);
  harness.take();
  const node = { vnet: BLUE, ip: ip('10.2.0.9') };
  for (const [from, router, seq] of [
    ['vr-a', 'vr-c', 6],
    ['vr-c', 'vr-c', 6],
    ['vr-c', 'vr-a', 9],
    ['vr-a', 'vr-c', 7],
  ] as const) {
    harness.mobility.message(from, { type: 'stale', records: [{ ...node, seq, router }] });
  }
  harness.see(ANSWER);
  assert.equal(harness.directory.here(BLUE, node.ip)?.seq, 10);
  harness.clock.advance(5_000);
  const claims = harness.takeMessages('claim');
  assert.deepEqual(
    claims.map(({ to, message }) => [to, message.moves.map(({ against }) => against)]),
    [
      ['vr-c', ['vr-a']],
      ['vr-a', ['vr-a']],
    ],
  );
  const again = { ...node, seq: 12, router: 'vr-c' };
  harness.mobility.message('vr-a', { type: 'stale', records: [again] });
  harness.clock.advance(5_000);
  harness.mobility.message('vr-a', { type: 'stale', records: [again] });
  harness.see(ANSWER);
  assert.equal(harness.directory.here(BLUE, node.ip)?.seq, 13, 'what is said later is asked anew');
});

test('an own record beaten elsewhere, then claimed away, before the node answers: that claim is contradicted, once', () => {
  const harness = new Harness();
  harness.see(arpOf('10.2.0.9', NODE_MAC));
  harness.clock.advance(5);
  harness.take();
  const stale = { vnet: BLUE, ip: ip('10.2.0.9'), seq: 6, router: 'vr-c' };
  harness.mobility.message('vr-a', { type: 'stale', records: [stale] });
  const records = [recordOf('10.2.0.9', NODE_MAC, 'vr-c', 6)];
  const move = { vnet: BLUE, mac: NODE_MAC, records, trigger: 'rarp', sinceDetectionUs: 0 } as const;
  harness.mobility.message('vr-c', { type: 'claim', claimId: 1, moves: [move] });
  assert.equal(harness.directory.here(BLUE, ip('10.2.0.9'))?.router, 'vr-c');
  harness.clock.advance(1);
  harness.see(ANSWER);
  harness.clock.advance(100);
  const own = harness.directory.here(BLUE, ip('10.2.0.9'));
  assert.deepEqual([own?.router, own?.seq], ['vr-b', 7]);
  assert.deepEqual(
    harness.mobility.suppressed().map(({ claimer }) => claimer),
    ['vr-c'],
    'its further claims are refused for a while',
  );
  assert.deepEqual(
    harness.takeMessages('claim').map(({ to, message }) => [to, message.moves.map(({ against }) => against)]),
    [
      ['vr-c', ['vr-c']],
      ['vr-a', ['vr-c']],
    ],
  );
});

test('an own record beaten elsewhere and silent: gone if one of those that said so was the winner', () => {
  const harness = new Harness();
  harness.see(arpOf('10.2.0.9', NODE_MAC));
  harness.clock.advance(5);
  const stale = { vnet: BLUE, ip: ip('10.2.0.9'), seq: 6, router: 'vr-c' };
  for (const from of ['vr-a', 'vr-c', 'vr-a']) {
    harness.mobility.message(from, { type: 'stale', records: [stale] });
  }
  harness.clock.advance(1_000);
  assert.equal(harness.directory.get(BLUE, ip('10.2.0.9'))?.state, 'withdrawn');
});

describe('questions', () => {
  const answerTo = (
    harness: Harness,
    router: string,
    records: readonly ReturnType<typeof recordOf>[],
  ): void => {
    const asked = harness.sent.find(
      (item) => item.what === 'message' && item.to === router && item.message.type === 'whoHas',
    );
    assert(asked?.what === 'message' && asked.message.type === 'whoHas');
    harness.mobility.message(router, { type: 'has', queryId: asked.message.queryId, records });
  };

  test('an unknown MAC: all peers are asked, three times; one that has it makes a move of it', () => {
    const harness = new Harness();
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(50);
    answerTo(harness, 'vr-c', []);
    harness.clock.advance(100);
    const times = harness.sent.map((item) => item.what === 'message' && `${item.to} ${item.atMs}`);
    assert.deepEqual(times, ['vr-c 0', 'vr-a 0', 'vr-c 50', 'vr-a 50', 'vr-a 150']);
    answerTo(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-a', 2)]);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.seq, 3);
    const move = harness.mobility.moves()[0];
    assert.deepEqual([move?.trigger, move?.steps[1]?.atUs], ['rarp', 150_000]);
  });

  test('a burst asks once; a storm of unknown MACs is bounded', () => {
    const harness = new Harness();
    for (let i = 0; i < 5; i++) harness.see(rarpOf(NODE_MAC));
    assert.equal(harness.takeMessages('whoHas').length, 2);
    for (let n = 0; n < 1_000; n++) harness.see(rarpOf((0x525401000000 + n) as typeof NODE_MAC));
    assert(harness.takeMessages('whoHas').length <= 512);
    harness.clock.advance(1_000);
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    assert.equal(harness.takeMessages('whoHas').length, 2);
  });

  test("an unknown address of another site: its home VR is asked, and nobody takes a third's word", () => {
    const harness = new Harness();
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    const asked = harness.sent.flatMap((item) => (item.what === 'message' ? [item.to] : []));
    assert.deepEqual(asked, ['vr-a']);
    answerTo(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 2)]);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9')), undefined);
    harness.clock.advance(1_000);
    harness.take();
    harness.see(arpOf('10.1.0.9', NODE_MAC));
    answerTo(harness, 'vr-a', [recordOf('10.1.0.9', NODE_MAC, 'vr-a', 2)]);
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
  });

  test('are answered with own records only', () => {
    const harness = new Harness();
    harness.see(arpOf('10.2.0.9', NODE_MAC));
    harness.known('10.1.0.9', NODE_MAC, 'vr-a');
    harness.take();
    const common = { type: 'whoHas', queryId: 5, vnet: BLUE } as const;
    harness.mobility.message('vr-c', { ...common, mac: NODE_MAC, ips: [] });
    harness.mobility.message('vr-c', { ...common, mac: undefined, ips: [ip('10.2.0.9')] });
    harness.mobility.message('vr-c', { ...common, mac: undefined, ips: [ip('10.1.0.9')] });
    const answers = harness
      .takeMessages('has')
      .map(({ message }) => message.records.map((record) => record.ip.key));
    assert.deepEqual(answers, [['10.2.0.9'], ['10.2.0.9'], []]);
  });

  test('NodesOf: gateway first; asked only by a claimer that knows none, who then tells the node', () => {
    const home = new Harness();
    home.see(arpOf('10.2.0.9', NODE_MAC));
    home.see(arpOf('10.2.0.254', OTHER_MAC));
    home.take();
    home.mobility.message('vr-a', {
      type: 'nodesOf',
      queryId: 9,
      vnet: BLUE,
      prefix: Prefix.of('10.2.0.0/24'),
    });
    const [answer] = home.takeMessages('nodes');
    assert.deepEqual(
      answer?.message.nodes.map((node) => node.ip.key),
      ['10.2.0.254', '10.2.0.9'],
    );

    const claimer = new Harness();
    claimer.known('10.1.0.9', NODE_MAC, 'vr-a');
    claimer.take();
    claimer.see(rarpOf(NODE_MAC));
    const [asked] = claimer.takeMessages('nodesOf');
    assert.equal(asked?.to, 'vr-a');
    const nodes = [{ ip: ip('10.1.0.5'), mac: OTHER_MAC }];
    claimer.mobility.message('vr-a', { type: 'nodes', queryId: asked?.message.queryId ?? -1, nodes });
    const [told] = claimer.takeFrames();
    assert(told?.kind === 'arp');
    assert.deepEqual(
      [told.senderIp.key, told.senderMac, told.ethernetDestination],
      ['10.1.0.5', VR_MAC, NODE_MAC],
    );
  });

  test('a RARP of a MAC at two sites: its addresses are asked on this LAN, and the one that answers moves', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-a');
    harness.known('10.3.0.9', NODE_MAC, 'vr-c');
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    const asked = harness.takeFrames().map((frame) => frame.kind === 'arp' && frame.targetIp.key);
    assert.deepEqual(asked, ['10.1.0.9', '10.3.0.9']);
    harness.see(arpOf('10.3.0.9', NODE_MAC, '0.0.0.0', 2));
    assert.equal(harness.directory.here(BLUE, ip('10.3.0.9'))?.router, 'vr-b');
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
  });
});

describe('redirects', () => {
  test('a peer that sent to a stale place is told, once a second', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-c', 3);
    harness.take();
    const hint = (): void => harness.mobility.redirectHint('vr-a', BLUE, ip('10.1.0.9'));
    hint();
    hint();
    const expected = { type: 'redirect', vnet: BLUE, ip: ip('10.1.0.9'), router: 'vr-c', seq: 3 };
    assert.deepEqual(harness.takeMessages('redirect'), [{ to: 'vr-a', message: expected }]);
    harness.clock.advance(1_000);
    hint();
    assert.equal(harness.takeMessages('redirect').length, 1);
    harness.mobility.redirectHint('vr-c', BLUE, ip('10.1.0.9'));
    assert.deepEqual(harness.take(), [], 'not about itself');
  });

  test('are hints: the router that is named is asked, if it is news', () => {
    const harness = new Harness();
    harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    harness.take();
    const told = { type: 'redirect', vnet: BLUE, ip: ip('10.1.0.9'), router: 'vr-c' } as const;
    harness.mobility.message('vr-a', { ...told, seq: 2 });
    assert.deepEqual(harness.take(), []);
    harness.mobility.message('vr-a', { ...told, seq: 4 });
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
    const [asked] = harness.takeMessages('whoHas');
    assert.equal(asked?.to, 'vr-c');
    const records = [recordOf('10.1.0.9', NODE_MAC, 'vr-c', 4)];
    harness.mobility.message('vr-c', { type: 'has', queryId: asked?.message.queryId ?? -1, records });
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-c');
  });
});

describe('two vnets with the same addresses', () => {
  const away = (): Harness => {
    const harness = new Harness({ red: true });
    harness.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    harness.take();
    return harness;
  };

  for (const [what, frame] of [
    ['RARP', rarpOf(NODE_MAC)],
    ['gratuitous ARP', arpOf('10.1.0.9', NODE_MAC)],
  ] as const) {
    test(`a node of one is not claimed for ${what} on a LAN of the other`, () => {
      const harness = away();
      harness.see(frame, 1);
      harness.clock.advance(5_000);
      const said = harness.sent.flatMap((item) => (item.what === 'message' ? [item.message] : []));
      assert(said.length > 0, 'others are asked');
      for (const message of said) {
        assert(message.type === 'whoHas');
        assert.equal(message.vnet, RED);
      }
      assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
      assert.equal(harness.directory.get(RED, ip('10.1.0.9')), undefined);
      harness.see(frame);
      assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b', 'on its own vnet’s it is');
    });
  }

  test('what another router says of one changes nothing in the other', () => {
    const harness = away();
    const red = { ...recordOf('10.1.0.9', NODE_MAC, 'vr-c', 9), vnet: RED };
    harness.mobility.message('vr-c', { type: 'records', records: [red] });
    assert.equal(harness.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-a');
    assert.equal(harness.directory.here(RED, ip('10.1.0.9'))?.router, 'vr-c');
  });
});

test('after stop nothing is sent', () => {
  const harness = new Harness();
  harness.mobility.start();
  harness.known('10.1.0.9', NODE_MAC, 'vr-a');
  harness.see(rarpOf(NODE_MAC));
  harness.mobility.stop();
  harness.take();
  harness.clock.advance(100_000);
  assert.deepEqual(harness.take(), []);
});

describe('records that another router gives back', () => {
  const HERE = '10.2.0.9';
  /** Of a node of another site that was visiting. */
  const VISITOR = '10.1.0.9';

  const giveBack = (harness: Harness, record: NodeRecord, from = 'vr-a'): void => {
    harness.mobility.message(from, { type: 'digest', highestStamp: 1, count: 1, hash: 1 });
    harness.mobility.message(from, { type: 'returned', records: [record] });
  };

  const returned = (change: Partial<NodeRecord>): Harness => {
    const harness = new Harness();
    harness.see(arpOf(HERE, NODE_MAC));
    giveBack(harness, { ...recordOf(HERE, NODE_MAC, 'vr-b', 7), ...change });
    return harness;
  };

  /** What each router is told of the address: `here` or `withdrawn`, and the number. */
  const told = (harness: Harness, address: string): readonly string[] =>
    harness
      .takeMessages('records')
      .flatMap(({ to, message }) =>
        message.records
          .filter(({ ip: { key } }) => key === address)
          .map(({ state, seq }) => `${to} ${state} ${seq}`),
      );

  for (const change of [{ mac: OTHER_MAC }, { state: 'withdrawn' }] as const) {
    test(`say only a number of a node that is here: ${Object.keys(change)[0]}`, () => {
      const harness = returned(change);
      const record = harness.directory.here(BLUE, ip(HERE));
      assert.deepEqual([record?.mac, record?.seq], [NODE_MAC, 7]);
      harness.see({ ...arpOf(HERE, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
      harness.clock.advance(2_000);
      assert.equal(harness.directory.here(BLUE, ip(HERE))?.mac, NODE_MAC);
    });
  }

  for (const address of [HERE, VISITOR]) {
    test(`of a node of which nothing is known (${address}): it is asked, and has its record when it answers`, () => {
      const harness = new Harness();
      giveBack(harness, recordOf(address, NODE_MAC, 'vr-b', 7));
      assert.equal(harness.directory.get(BLUE, ip(address)), undefined, 'it has not answered');
      assert.equal(harness.takeFrames().length, 1);
      harness.clock.advance(2);
      harness.take();
      harness.see(arpOf(address, NODE_MAC, '0.0.0.0', 2));
      assert.equal(harness.directory.here(BLUE, ip(address))?.seq, 7);
      harness.clock.advance(2_000);
      assert.deepEqual(told(harness, address), ['vr-c here 7', 'vr-a here 7']);
    });

    test(`of a node that does not answer (${address}): nothing is kept, and who gave it back forgets it`, () => {
      const harness = new Harness();
      giveBack(harness, recordOf(address, NODE_MAC, 'vr-b', 7));
      giveBack(harness, recordOf(address, NODE_MAC, 'vr-b', 6), 'vr-c');
      harness.clock.advance(999);
      assert.deepEqual(told(harness, address), []);
      harness.clock.advance(10);
      assert.equal(harness.directory.size, 0);
      assert.deepEqual(told(harness, address), ['vr-a withdrawn 8', 'vr-c withdrawn 8']);
    });
  }

  test('of a visitor that does not answer: when it speaks later, it has its record', () => {
    const harness = new Harness();
    giveBack(harness, recordOf(VISITOR, NODE_MAC, 'vr-b', 7));
    harness.clock.advance(60_000);
    harness.see(arpOf(VISITOR, OTHER_MAC));
    harness.clock.advance(2_000);
    assert.equal(
      harness.directory.get(BLUE, ip(VISITOR)),
      undefined,
      "not at another's word for the address",
    );
    harness.see(arpOf(VISITOR, NODE_MAC));
    harness.clock.advance(2_000);
    assert.equal(harness.directory.get(BLUE, ip(VISITOR)), undefined, 'nor at one word that is not repeated');
    harness.see(arpOf(VISITOR, NODE_MAC));
    harness.see(arpOf(VISITOR, NODE_MAC, '0.0.0.0', 2));
    assert.equal(harness.directory.here(BLUE, ip(VISITOR))?.seq, 7);
  });

  test('of a visitor that does not answer, also by one who has given back too much: remembered by the other’s word', () => {
    const harness = new Harness();
    for (let n = 0; n < 600; n++) {
      const address = `fd00:1::7:${n.toString(16)}`;
      giveBack(harness, { ...recordOf(address, OTHER_MAC, 'vr-b', 3), state: 'withdrawn' });
    }
    giveBack(harness, recordOf(VISITOR, NODE_MAC, 'vr-b', 7));
    giveBack(harness, recordOf(VISITOR, NODE_MAC, 'vr-b', 7), 'vr-c');
    harness.clock.advance(2_000);
    harness.see(arpOf(VISITOR, NODE_MAC));
    harness.see(arpOf(VISITOR, NODE_MAC, '0.0.0.0', 2));
    assert.equal(harness.directory.here(BLUE, ip(VISITOR))?.seq, 7);
  });

  test('of a native node that does not answer: where it is seen it may be claimed', () => {
    const harness = new Harness();
    giveBack(harness, recordOf(HERE, NODE_MAC, 'vr-b', 7));
    harness.clock.advance(2_000);
    harness.take();
    const question = { type: 'whoHas', queryId: 1, vnet: BLUE, mac: undefined } as const;
    harness.mobility.message('vr-c', { ...question, ips: [ip('10.2.0.10')] });
    assert.equal(harness.directory.size, 0, 'of another address');
    harness.mobility.message('vr-c', { ...question, ips: [ip(HERE)] });
    harness.clock.advance(2);
    assert.deepEqual(told(harness, HERE), ['vr-c withdrawn 7', 'vr-a withdrawn 7']);
    assert.equal(harness.directory.get(BLUE, ip(HERE))?.mac, NODE_MAC);
  });

  test('and that the router disowns, of a node that is native here: where it is seen it may be claimed', () => {
    const harness = new Harness();
    const known = harness.known(HERE, NODE_MAC, 'vr-a', 5);
    const disowned = { ...known, seq: 6, state: 'withdrawn', stamp: 1 } as const;
    harness.mobility.message('vr-a', { type: 'records', records: [disowned] });
    harness.clock.advance(2);
    assert.equal(harness.directory.size, 0);
    harness.take();
    const question = { type: 'whoHas', queryId: 1, vnet: BLUE, mac: undefined } as const;
    harness.mobility.message('vr-c', { ...question, ips: [ip(HERE)] });
    harness.clock.advance(2);
    assert.deepEqual(told(harness, HERE), ['vr-c withdrawn 5', 'vr-a withdrawn 5']);
  });

  test('of a native node, when another router has asked for it before: it may be claimed there, also then', () => {
    const harness = new Harness();
    const question = { type: 'whoHas', queryId: 1, vnet: BLUE, mac: undefined } as const;
    harness.mobility.message('vr-c', { ...question, ips: [ip(HERE)] });
    giveBack(harness, recordOf(HERE, NODE_MAC, 'vr-b', 7));
    harness.clock.advance(1_002);
    assert.deepEqual(told(harness, HERE), ['vr-c withdrawn 7', 'vr-a withdrawn 7', 'vr-a withdrawn 8']);
    assert.equal(harness.directory.get(BLUE, ip(HERE))?.mac, NODE_MAC);
  });

  test('of a native node for which another router has asked long ago: nothing is kept', () => {
    const harness = new Harness();
    const question = { type: 'whoHas', queryId: 1, vnet: BLUE, mac: undefined } as const;
    harness.mobility.message('vr-c', { ...question, ips: [ip(HERE)] });
    harness.clock.advance(60_000);
    giveBack(harness, recordOf(HERE, NODE_MAC, 'vr-b', 7));
    harness.clock.advance(2_000);
    assert.equal(harness.directory.size, 0);
  });

  test('of a node that is withdrawn here, at a lower number: the tombstone gets the number', () => {
    const harness = new Harness();
    harness.see(arpOf(HERE, NODE_MAC));
    harness.mobility.nodeGone(BLUE, ip(HERE));
    giveBack(harness, recordOf(HERE, NODE_MAC, 'vr-b', 7));
    harness.clock.advance(2_000);
    const record = harness.directory.get(BLUE, ip(HERE));
    assert.deepEqual([record?.state, record?.seq, harness.directory.size], ['withdrawn', 7, 1]);
  });

  test('of another MAC that does not answer, when a node has taken the address meanwhile: that one gets the number', () => {
    const harness = new Harness();
    giveBack(harness, recordOf(HERE, OTHER_MAC, 'vr-b', 7));
    harness.see(arpOf(HERE, NODE_MAC));
    harness.clock.advance(1_500);
    const record = harness.directory.here(BLUE, ip(HERE));
    assert.deepEqual([record?.mac, record?.seq], [NODE_MAC, 7]);
  });

  test('by a router whose clock was ahead: what is issued anew is above it', () => {
    const harness = new Harness();
    const stamp = (harness.clock.wallMs() + 3_600_000) * 1_000;
    giveBack(harness, { ...recordOf(HERE, NODE_MAC, 'vr-b', 7), stamp });
    harness.see(arpOf(HERE, NODE_MAC, '0.0.0.0', 2));
    assert((harness.directory.here(BLUE, ip(HERE))?.stamp ?? 0) > stamp);
  });

  test('are forgotten when the router that they name disowns them, and only its own', () => {
    const harness = new Harness();
    harness.known('10.1.0.8', NODE_MAC, 'vr-a', 5);
    harness.known('10.1.0.9', OTHER_MAC, 'vr-c', 5);
    const before = harness.directory.digest('vr-a');
    const disowned = (address: string): NodeRecord => {
      return { ...recordOf(address, NODE_MAC, 'vr-a', 6), state: 'withdrawn', stamp: 1 };
    };
    const records = ['10.1.0.8', '10.1.0.9', '10.1.0.10'].map(disowned);
    harness.mobility.message('vr-a', { type: 'records', records });
    assert.deepEqual(
      [...harness.directory.all()].map(({ ip: { key }, router }) => `${key} ${router}`),
      ['10.1.0.9 vr-c'],
    );
    const after = harness.directory.digest('vr-a');
    assert.deepEqual([before.count, after.count, after.hash], [1, 0, 0]);
    assert.equal(harness.mobility.counters()['mobility_refused_records_too-many'], undefined);
  });
});
