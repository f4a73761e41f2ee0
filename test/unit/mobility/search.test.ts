/** Machines that nobody announced: doubt, missing, search, and what is asked for others. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ArpOperation, type ArpPacket } from '../../../src/arp/frame.js';
import { Mobility } from '../../../src/mobility/mobility.js';
import { BROADCAST_MAC, type Mac, mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { SearchMessage } from '../../../src/protocol/table-message.js';
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

const NODE = '10.2.0.9';
const ASKER = '10.2.0.7';

/** As it answers a question of the router's. */
function reply(address: string, senderMac: Mac): ArpPacket {
  const packet = arpOf(address, senderMac, '10.2.0.1', ArpOperation.reply);
  return { ...packet, ethernetDestination: VR_MAC, targetMac: VR_MAC };
}

function questionsTo(h: Harness, address: string): { to: Mac; atMs: number }[] {
  return h.take().flatMap((sent) => {
    if (sent.what !== 'frame' || sent.frame.kind !== 'arp') return [];
    const { frame, atMs } = sent;
    return frame.targetIp.equals(ip(address)) && frame.operation === ArpOperation.request
      ? [{ to: frame.ethernetDestination, atMs }]
      : [];
  });
}

/** A node of this router's, and a host that asks for it. */
function withNode(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const h = new Harness(options);
  h.see(arpOf(NODE, NODE_MAC, ASKER));
  h.see(arpOf(ASKER, OTHER_MAC, '10.2.0.1'));
  h.clock.advance(1_000);
  h.take();
  return h;
}

const ask = (h: Harness): void => h.see(arpOf(ASKER, OTHER_MAC, NODE));

/** It is asked for twice, and says nothing. */
function lose(h: Harness): void {
  ask(h);
  h.clock.advance(1_000);
  ask(h);
  h.clock.advance(199);
}

const missing = (h: Pick<Harness, 'mobility'>): string[] =>
  [...h.mobility.missing()].flatMap(({ ips }) => ips.map(({ key }) => key));

describe('a node that is asked for again', () => {
  let h: Harness;
  beforeEach(() => {
    h = withNode();
  });

  test('is asked three times at its MAC, and once by broadcast', () => {
    ask(h);
    h.clock.advance(1_000);
    assert.deepEqual(questionsTo(h, NODE), []);
    ask(h);
    h.clock.advance(150);
    const asked = questionsTo(h, NODE);
    assert.deepEqual(
      asked.map(({ to }) => to),
      [NODE_MAC, NODE_MAC, NODE_MAC, BROADCAST_MAC],
    );
    assert.deepEqual(
      asked.map(({ atMs }) => atMs - (asked[0]?.atMs ?? 0)),
      [0, 40, 80, 120],
    );
  });

  test('is not doubted when the questions are far apart, or of different hosts', () => {
    ask(h);
    h.clock.advance(3_001);
    ask(h);
    h.see(arpOf('10.2.0.8', mac('52:54:00:00:00:0b'), NODE));
    h.clock.advance(500);
    assert.deepEqual(questionsTo(h, NODE), []);
  });

  test('is left in peace for five seconds when it answers', () => {
    ask(h);
    h.clock.advance(1_000);
    ask(h);
    h.see(reply(NODE, NODE_MAC));
    h.take();
    for (let i = 0; i < 4; i++) {
      h.clock.advance(1_000);
      ask(h);
    }
    assert.deepEqual(questionsTo(h, NODE), []);
    assert.deepEqual(missing(h), []);
    h.clock.advance(1_001);
    ask(h);
    assert.equal(questionsTo(h, NODE).length, 1);
  });

  test('is missing when it does not answer, its record stays, and nobody is told that it is gone', () => {
    lose(h);
    assert.deepEqual(missing(h), []);
    h.take();
    h.clock.advance(1);
    assert.deepEqual(missing(h), [NODE]);
    assert.equal(h.directory.here(BLUE, ip(NODE))?.router, 'vr-b');
    assert(h.eventNames().includes('node_missing'));
    h.clock.advance(300);
    const kinds = new Set(h.take().flatMap((sent) => (sent.what === 'message' ? [sent.message.type] : [])));
    assert.deepEqual([...kinds], ['search']);
  });

  test('is missing no more when it is heard', () => {
    lose(h);
    h.clock.advance(1);
    h.see(arpOf(NODE, NODE_MAC, ASKER));
    assert.deepEqual(missing(h), []);
    assert(h.eventNames().includes('node_found'));
  });

  test('is not missing when another address of its machine is heard meanwhile', () => {
    h.see(arpOf('10.2.0.10', NODE_MAC, '10.2.0.1'));
    ask(h);
    h.clock.advance(1_000);
    ask(h);
    h.clock.advance(10);
    h.see(arpOf('10.2.0.10', NODE_MAC, '10.2.0.1'));
    h.clock.advance(300);
    assert.deepEqual(missing(h), []);
  });
});

describe('what is shown of nodes that are missing', () => {
  test('why it was doubted, and how many routers the last search asks', () => {
    const h = withNode();
    lose(h);
    h.clock.advance(1);
    assert.deepEqual(
      [...h.mobility.missing()].map(({ cause, rounds, askedRouters }) => [cause, rounds, askedRouters]),
      [['asked-again', 1, 2]],
    );
    const waiting = withNode();
    waiting.up = ['vr-c'];
    waiting.mobility.wanted(BLUE, ip(NODE));
    waiting.clock.advance(200);
    assert.deepEqual(
      [...waiting.mobility.missing()].map(({ cause, askedRouters }) => [cause, askedRouters]),
      [['wanted', 1]],
    );
  });

  test('the records of this router alone', () => {
    const h = withNode();
    const [own, other] = [h.directory.get(BLUE, ip(NODE)), h.directory.get(BLUE, ip(ASKER))];
    assert(own !== undefined && other !== undefined);
    assert.equal(h.mobility.isMissing(own), false);
    lose(h);
    h.clock.advance(1);
    assert.equal(h.mobility.isMissing(own), true);
    assert.equal(h.mobility.isMissing(other), false);
    assert.equal(h.mobility.isMissing({ ...own, router: 'vr-c' }), false);
  });

  test('a withdrawn one for as long as it is remembered, a day', () => {
    const h = withNode();
    h.mobility.start();
    lose(h);
    h.clock.advance(1);
    h.mobility.nodeGone(BLUE, ip(NODE));
    h.clock.advance(23 * 3_600_000);
    assert.deepEqual(missing(h), [NODE]);
    h.clock.advance(2 * 3_600_000);
    assert.equal(h.directory.get(BLUE, ip(NODE)), undefined);
    assert.deepEqual(missing(h), []);
  });

  test('none whose address another machine has now', () => {
    const h = withNode();
    lose(h);
    h.clock.advance(1);
    assert.deepEqual(missing(h), [NODE]);
    const record = h.directory.get(BLUE, ip(NODE));
    assert(record !== undefined);
    h.directory.apply({ ...record, mac: OTHER_MAC, seq: record.seq + 1 });
    assert.deepEqual(missing(h), []);
  });
});

describe('a search', () => {
  const searches = (h: Harness): { to: string; message: SearchMessage }[] => h.takeMessages('search');

  test('asks first who had it, then the rest', () => {
    const h = new Harness();
    h.known('10.2.0.9', NODE_MAC, 'vr-a', 5);
    h.see(rarpOf(NODE_MAC));
    h.clock.advance(1_000);
    h.see(arpOf(ASKER, OTHER_MAC, '10.2.0.1'));
    lose(h);
    h.take();
    h.clock.advance(1);
    const [first, ...others] = searches(h);
    assert.deepEqual([first?.to, others.length], ['vr-a', 0]);
    assert.deepEqual(first?.message, {
      type: 'search',
      vnet: BLUE,
      mac: NODE_MAC,
      ips: [ip(NODE)],
      listenSeconds: 60,
    });
    h.clock.advance(100);
    assert.deepEqual(
      searches(h).map(({ to }) => to),
      ['vr-c'],
    );
  });

  test('is made again after 1, 2, 4 … 60 s as long as somebody wants it, and in the end every ten minutes', () => {
    const h = withNode();
    lose(h);
    h.take();
    h.clock.advance(1);
    const startedMs = h.clock.nowMs();
    const times: number[] = [];
    for (let second = 0; second < 3_000; second++) {
      ask(h);
      if (searches(h).some(({ to }) => to === 'vr-a')) times.push(h.clock.nowMs() - startedMs);
      h.clock.advance(1_000);
    }
    const gaps = times.slice(1).map((atMs, i) => (atMs - (times[i] ?? 0)) / 1_000);
    assert.deepEqual(gaps.slice(0, 6).map(Math.round), [1, 2, 4, 8, 16, 32]);
    assert(gaps.slice(6).every((gap) => gap >= 59));
    assert.deepEqual(gaps.slice(-3).map(Math.round), [600, 600, 600]);
  });

  test('is not made when nobody wants it', () => {
    const h = withNode();
    lose(h);
    h.clock.advance(1_000);
    h.take();
    h.clock.advance(3_600_000);
    assert.deepEqual(searches(h), []);
  });

  test('asks only routers that may have it', () => {
    const h = new Harness({ allow: ['vr-b'] });
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 1);
    h.see(rarpOf(NODE_MAC));
    h.clock.advance(6_000);
    h.take();
    h.mobility.wanted(BLUE, ip('10.1.0.9'));
    h.clock.advance(1_000);
    assert.deepEqual(
      searches(h).map(({ to }) => to),
      ['vr-a'],
    );
  });

  test('of a thousand dead nodes: 50 a second', () => {
    const h = new Harness({
      lndt: [{ vnet: BLUE, prefix: Prefix.of('10.2.0.0/24'), mac: undefined }],
    });
    const dead = Array.from({ length: 200 }, (_, i) => `10.2.0.${i + 20}`);
    for (const [i, address] of dead.entries()) {
      h.see(arpOf(address, (0x525400aa0000 + i) as Mac, ASKER));
      h.clock.advance(20);
    }
    h.clock.advance(5_000);
    h.take();
    for (let round = 0; round < 40; round++) {
      for (const address of dead) h.mobility.wanted(BLUE, ip(address));
      h.clock.advance(100);
    }
    const made = h.mobility.counters().mobility_searches ?? 0;
    assert(made > 100 && made <= 50 + 4 * 50, String(made));
    // Nobody is left out for good.
    for (let round = 0; round < 100; round++) {
      for (const address of dead) h.mobility.wanted(BLUE, ip(address));
      h.clock.advance(100);
    }
    const asked = new Set(h.takeMessages('search').map(({ message }) => message.mac));
    assert.equal(asked.size, dead.length);
  });

  test('is made for nodes that were recorded: a scan of empty addresses makes none', () => {
    const h = new Harness({ lndt: [{ vnet: BLUE, prefix: Prefix.of('10.2.0.0/24'), mac: undefined }] });
    for (let i = 1; i < 255; i++) {
      const address = `10.2.0.${i}`;
      for (let n = 0; n < 3; n++) {
        h.mobility.wanted(BLUE, ip(address));
        h.see(arpOf('10.2.0.254', OTHER_MAC, address));
        h.clock.advance(50);
      }
    }
    h.clock.advance(5_000);
    const kinds = h.take().flatMap((sent) => (sent.what === 'message' ? [sent.message.type] : []));
    assert(!kinds.includes('search'));
    assert.deepEqual(missing(h), []);
  });
});

describe('a node that another router searches for', () => {
  const search = (change: Partial<SearchMessage> = {}): SearchMessage => ({
    type: 'search',
    vnet: BLUE,
    mac: NODE_MAC,
    ips: [ip('10.1.0.9')],
    listenSeconds: 0,
    ...change,
  });

  test('is asked at its MAC and by broadcast, and claimed when it answers', () => {
    const h = new Harness();
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.take();
    h.mobility.message('vr-a', search());
    assert.deepEqual(
      questionsTo(h, '10.1.0.9').map(({ to }) => to),
      [NODE_MAC, BROADCAST_MAC],
    );
    h.see(reply('10.1.0.9', NODE_MAC));
    const [claim] = h.takeMessages('claim');
    assert.deepEqual(claim?.message.moves[0]?.trigger, 'search');
    assert.equal(h.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-b');
  });

  test('goes on being asked quietly for as long as the searcher wishes: found when its port forwards', () => {
    const h = new Harness();
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.mobility.message('vr-a', search({ listenSeconds: 60 }));
    h.clock.advance(500);
    h.take();
    h.clock.advance(30_000);
    const asked = questionsTo(h, '10.1.0.9');
    assert.equal(asked.length, 30);
    assert(asked.every(({ to }) => to === NODE_MAC));
    h.clock.advance(40_000);
    assert(questionsTo(h, '10.1.0.9').length <= 31);
  });

  test('is not asked about by who does not have it', () => {
    const h = new Harness();
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.take();
    h.mobility.message('vr-c', search());
    h.mobility.message('vr-a', search({ mac: OTHER_MAC }));
    h.mobility.message('vr-c', search({ ips: [ip('10.1.0.10')] }));
    assert.deepEqual(h.take(), []);
    assert.equal(h.mobility.counters().mobility_refused_search_not_yours, 2);
  });

  test('is not asked where it may not be', () => {
    const h = new Harness({ allow: ['vr-c'] });
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.take();
    h.mobility.message('vr-a', search());
    assert.deepEqual(h.take(), []);
  });

  test('many of them cost the LAN a bounded number of frames', () => {
    const h = new Harness();
    for (let i = 0; i < 250; i++) h.known(`10.1.0.${i + 1}`, (0x525400bb0000 + i) as Mac, 'vr-a', 1);
    h.take();
    for (let n = 0; n < 20; n++) {
      for (let i = 0; i < 250; i++) {
        const about = { mac: (0x525400bb0000 + i) as Mac, ips: [ip(`10.1.0.${i + 1}`)] };
        h.mobility.message('vr-a', search({ ...about, listenSeconds: 60 }));
      }
      h.clock.advance(50);
    }
    const frames = h.take().filter(({ what }) => what === 'frame').length;
    assert(frames <= 2_100, String(frames));
  });
});

describe('the router that misses a node', () => {
  test('accepts its claim at once, also in strict mode', () => {
    const h = withNode({ verify: 'strict' });
    lose(h);
    h.clock.advance(1);
    h.take();
    const records = [{ ...recordAt('vr-c'), seq: 2 }];
    const claim = { vnet: BLUE, mac: NODE_MAC, records, trigger: 'search', sinceDetectionUs: 0 } as const;
    h.mobility.message('vr-c', { type: 'claim', claimId: 7, moves: [claim] });
    const [result] = h.takeMessages('claimResult');
    assert.equal(result?.message.results[0]?.verdict, 'accepted');
    assert.deepEqual(missing(h), []);
  });

  test('but not the claim of another machine', () => {
    const h = withNode({ verify: 'strict' });
    lose(h);
    h.clock.advance(1);
    h.take();
    const records = [{ ...recordAt('vr-c'), mac: OTHER_MAC, seq: 2 }];
    const claim = { vnet: BLUE, mac: OTHER_MAC, records, trigger: 'arp', sinceDetectionUs: 0 } as const;
    h.mobility.message('vr-c', { type: 'claim', claimId: 7, moves: [claim] });
    assert.deepEqual(h.takeMessages('claimResult'), []);
  });

  function recordAt(router: string) {
    return { vnet: BLUE, ip: ip(NODE), mac: NODE_MAC, router, seq: 2, state: 'here', stamp: 1 } as const;
  }
});

describe('packets that are not answered', () => {
  test('raise doubt about all addresses of the machine', () => {
    const h = new Harness();
    const machine = { vnet: BLUE, mac: NODE_MAC };
    let unanswered: (typeof machine)[] = [];
    let heard: (typeof machine)[] = [];
    const activity = { look: () => ({ unanswered, heard }) };
    h.see(arpOf(NODE, NODE_MAC, ASKER));
    h.see(advertisementOf('fd00:2::9', NODE_MAC));
    const mobility = new Mobility({ ...h.dependencies, activity });
    mobility.start();
    h.clock.advance(1_000);
    unanswered = [machine];
    h.clock.advance(100);
    unanswered = [];
    h.clock.advance(200);
    assert.deepEqual(
      [...mobility.missing()].map(({ cause, ips }) => [cause, ...ips.map(({ key }) => key)]),
      [['unanswered', NODE, 'fd00:2::9']],
    );
    heard = [machine];
    h.clock.advance(100);
    assert.deepEqual([...mobility.missing()], []);
    mobility.stop();
  });
});

test('nodes that are missing no more by their records leave room for others', () => {
  const h = new Harness({ lndt: [{ vnet: BLUE, prefix: Prefix.of('fd00:2::/64'), mac: undefined }] });
  const mobility = new Mobility({ ...h.dependencies, growth: { mayAdd: () => true } });
  const addressOf = (i: number): string => `fd00:2::${(i + 0x100).toString(16)}`;
  const most = 8_192;
  for (let i = 0; i <= most; i++) {
    mobility.frameSeen(0, advertisementOf(addressOf(i), (0x525400000000 + i) as Mac), h.clock.nowMs());
    if (i % 100 === 0) h.clock.advance(1_000);
    h.clock.advance(1);
    mobility.wanted(BLUE, ip(addressOf(i)));
  }
  h.clock.advance(6_000);
  assert.equal([...mobility.missing()].length, most);
  const last = most;
  mobility.wanted(BLUE, ip(addressOf(last)));
  h.clock.advance(6_000);
  assert.equal([...mobility.missing()].length, most);
  // The address of one gets another MAC: who had it is no node any more.
  mobility.frameSeen(0, advertisementOf(addressOf(0), OTHER_MAC), h.clock.nowMs());
  h.clock.advance(10_000);
  mobility.wanted(BLUE, ip(addressOf(last)));
  h.clock.advance(500);
  assert(missing({ mobility }).includes(ip(addressOf(last)).key));
});

describe('addresses that nobody has heard of', () => {
  test('are asked for when a host asks for them, once a minute', () => {
    const h = withNode();
    const unknown = '10.2.0.77';
    for (let i = 0; i < 5; i++) {
      h.see(arpOf(ASKER, OTHER_MAC, unknown));
      h.clock.advance(1_000);
    }
    assert.deepEqual(
      questionsTo(h, unknown).map(({ to }) => to),
      [BROADCAST_MAC],
    );
    h.clock.advance(60_000);
    h.see(arpOf(ASKER, OTHER_MAC, unknown));
    assert.equal(questionsTo(h, unknown).length, 1);
  });

  test('are asked for a hundred a second in all', () => {
    const h = new Harness({ lndt: [{ vnet: BLUE, prefix: Prefix.of('fd00:2::/64'), mac: undefined }] });
    for (let i = 0; i < 1_000; i++) h.see(solicitation(`fd00:2::${(i + 0x100).toString(16)}`));
    const asked = h.takeFrames().filter(({ kind }) => kind === 'ns').length;
    assert(asked >= 100 && asked <= 101, String(asked));
  });

  test('of a visiting machine follow it without a move of their own', () => {
    const h = new Harness();
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.see(rarpOf(NODE_MAC));
    h.clock.advance(100);
    // It was asked for its IPv6 addresses, by a frame to it alone.
    assert(h.echoes.length >= 1);
    assert.equal(
      h.echoes[0]?.subarray(0, 6).toString(),
      Uint8Array.from([0x52, 0x54, 0, 0, 0, 9]).toString(),
    );
    h.see(advertisementOf('fd00:1::9', NODE_MAC));
    assert.equal(h.directory.here(BLUE, ip('fd00:1::9'))?.router, 'vr-b');
    assert.equal(h.eventNames().filter((event) => event === 'move_claimed').length, 1);
    // Not those of other sites, nor another machine's.
    h.see(advertisementOf('fd00:3::9', NODE_MAC));
    h.see(advertisementOf('fd00:1::a', OTHER_MAC));
    assert.equal(h.directory.get(BLUE, ip('fd00:3::9')), undefined);
    assert.equal(h.directory.get(BLUE, ip('fd00:1::a')), undefined);
  });

  test('at the MAC of a machine that is elsewhere: the router there is told', () => {
    const h = new Harness();
    h.known('10.2.0.9', NODE_MAC, 'vr-c', 3);
    h.take();
    for (let i = 0; i < 3; i++) h.mobility.unheardOf(BLUE, ip('fd00:2::9'), NODE_MAC);
    h.mobility.unheardOf(BLUE, ip('fd00:2::9'), OTHER_MAC);
    h.mobility.unheardOf(BLUE, ip('10.2.0.9'), NODE_MAC);
    const told = h.takeMessages('search');
    assert.deepEqual(
      told.map(({ to, message }) => [to, message.ips.map(({ key }) => key), message.listenSeconds]),
      [['vr-c', ['fd00:2::9'], 0]],
    );
  });

  test('that the home VR has been told of are asked for here', () => {
    const h = new Harness();
    h.known('10.1.0.9', NODE_MAC, 'vr-a', 3);
    h.see(rarpOf(NODE_MAC));
    h.clock.advance(5_000);
    h.take();
    const message = { type: 'search', vnet: BLUE, mac: NODE_MAC, ips: [ip('fd00:1::9')] } as const;
    h.mobility.message('vr-c', { ...message, listenSeconds: 0 });
    assert.deepEqual(h.takeFrames(), []);
    h.mobility.message('vr-a', { ...message, listenSeconds: 0 });
    assert(h.takeFrames().some((frame) => frame.kind === 'ns' && frame.target.equals(ip('fd00:1::9'))));
  });

  function solicitation(target: string) {
    return {
      kind: 'ns',
      ethernetSource: OTHER_MAC,
      ethernetDestination: mac('33:33:ff:00:00:01'),
      source: ip('fd00:2::7'),
      destination: ip('ff02::1:ff00:1'),
      target: ip(target),
      sourceMac: OTHER_MAC,
    } as const;
  }
});

describe('a node that has left, and is back before its departure is verified', () => {
  const left = (h: Harness): void => {
    const records = [{ ...recordOf(NODE, NODE_MAC, 'vr-c', 2) }];
    const claim = { vnet: BLUE, mac: NODE_MAC, records, trigger: 'rarp', sinceDetectionUs: 0 } as const;
    h.mobility.message('vr-c', { type: 'claim', claimId: 7, moves: [claim] });
  };

  test('is heard by a packet, asked and claimed: nobody is contradicted', () => {
    const h = withNode();
    left(h);
    h.clock.advance(500);
    h.mobility.heardHere(0, BLUE, NODE_MAC);
    h.take();
    h.see(reply(NODE, NODE_MAC));
    const [claim] = h.takeMessages('claim');
    assert.equal(claim?.message.moves[0]?.objection, undefined);
    assert.equal(h.directory.here(BLUE, ip(NODE))?.router, 'vr-b');
    assert.equal(h.mobility.counters().mobility_claims_contradicted ?? 0, 0);
    assert.deepEqual(h.mobility.suppressed(), []);
  });

  test('that has never left answers at once, whatever else it is asked: the claim was false', () => {
    const h = withNode();
    left(h);
    h.mobility.heardHere(0, BLUE, NODE_MAC);
    h.take();
    h.clock.advance(2);
    h.see(reply(NODE, NODE_MAC));
    assert.equal(h.takeMessages('claim')[0]?.message.moves[0]?.objection, true);
    assert.equal(h.mobility.counters().mobility_claims_contradicted, 1);
  });
});
