/** Nodes that were seen here and could not be claimed at once: none is forgotten, and none is taken from a freeze. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isProbe } from '../../../src/arp/frame.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { arpOf, BLUE, Harness, ip, NODE_MAC, rarpOf, recordOf, VR_MAC } from './harness.js';

const HOME = '10.2.0.9';
const AWAY = '10.1.0.9';

function answers(harness: Harness, address: string): void {
  harness.see({ ...arpOf(address, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
}

function claimed(harness: Harness, by: string, record: NodeRecord, objection = false): void {
  const move = { vnet: BLUE, mac: record.mac, records: [record], trigger: 'rarp' as const };
  const moves = [
    { ...move, sinceDetectionUs: 1, ...(objection ? { objection: true as const, against: 'vr-b' } : {}) },
  ];
  harness.mobility.message(by, { type: 'claim', claimId: 7, moves });
}

/** A node of vr-b's own network, at home. */
function home(): Harness {
  const harness = new Harness();
  harness.see(arpOf(HOME, NODE_MAC));
  harness.clock.advance(10);
  harness.take();
  return harness;
}

/** How often the node was asked for the address since the last call. */
function timesAsked(harness: Harness, address: string): number {
  const frames = harness.takeFrames();
  return frames.filter(
    (frame) => frame.kind === 'arp' && isProbe(frame) && frame.targetIp.equals(ip(address)),
  ).length;
}

describe('a node that answers where it was', () => {
  test('is not claimed back from a freeze at a third router, which would not give it', () => {
    const harness = home();
    claimed(harness, 'vr-a', recordOf(HOME, NODE_MAC, 'vr-a', 2));
    claimed(harness, 'vr-c', recordOf(HOME, NODE_MAC, 'vr-c', 3));
    claimed(harness, 'vr-a', { ...recordOf(HOME, NODE_MAC, 'vr-a', 4), frozen: true });
    harness.take();
    answers(harness, HOME);
    assert.deepEqual(harness.takeMessages('claim'), []);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
    assert(!harness.eventNames().includes('move_undone'));
  });

  test('is claimed back from a freeze for which there was no reason', () => {
    const harness = home();
    claimed(harness, 'vr-a', recordOf(HOME, NODE_MAC, 'vr-a', 2));
    claimed(harness, 'vr-c', { ...recordOf(HOME, NODE_MAC, 'vr-c', 3), frozen: true });
    harness.take();
    answers(harness, HOME);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
  });

  test('is claimed back from the router whose claim froze it', () => {
    const harness = home();
    claimed(harness, 'vr-a', { ...recordOf(HOME, NODE_MAC, 'vr-a', 2), frozen: true });
    harness.take();
    answers(harness, HOME);
    assert.equal(harness.takeMessages('claim')[0]?.message.moves[0]?.objection, true);
  });
});

describe('a claim that is refused because the node is frozen', () => {
  test('when the freeze ends, the node is asked whether it is here', () => {
    const harness = new Harness();
    harness.known(AWAY, NODE_MAC, 'vr-a', 3);
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    const claim = harness.takeMessages('claim').find(({ to }) => to === 'vr-a');
    const results = [
      { vnet: BLUE, ip: ip(AWAY), verdict: 'refused' as const, reason: 'frozen' as const, seq: 3 },
    ];
    harness.mobility.message('vr-a', {
      type: 'claimResult',
      claimId: claim?.message.claimId ?? 0,
      results,
    });
    const frozen = recordOf(AWAY, NODE_MAC, 'vr-a', 5, 2);
    harness.mobility.message('vr-a', { type: 'records', records: [{ ...frozen, frozen: true }] });
    harness.clock.advance(60_000);
    harness.take();
    harness.mobility.message('vr-a', { type: 'records', records: [{ ...frozen, stamp: 3 }] });
    assert.equal(timesAsked(harness, AWAY), 1);
    answers(harness, AWAY);
    assert.equal(harness.takeMessages('claim')[0]?.message.moves[0]?.records[0]?.seq, 6);
  });
});

describe('a node that two others claim at once, and that is here', () => {
  test('the first is contradicted; when the second beats it, the node is asked again and claimed', () => {
    const harness = new Harness();
    harness.known(AWAY, NODE_MAC, 'vr-a', 3);
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(3_000);
    claimed(harness, 'vr-a', recordOf(AWAY, NODE_MAC, 'vr-a', 5, 2), true);
    answers(harness, AWAY);
    harness.take();
    claimed(harness, 'vr-c', recordOf(AWAY, NODE_MAC, 'vr-c', 5, 3));
    assert.equal(timesAsked(harness, AWAY), 1);
    answers(harness, AWAY);
    harness.clock.advance(5_000);
    answers(harness, AWAY);
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-b');
  });
});

test('a node that was given up after a claim of it was refused: the claimer is asked for it', () => {
  const harness = home();
  claimed(harness, 'vr-a', recordOf(HOME, NODE_MAC, 'vr-a', 2));
  answers(harness, HOME);
  claimed(harness, 'vr-a', recordOf(HOME, NODE_MAC, 'vr-a', 9));
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b', 'its claims are refused');
  harness.take();
  harness.clock.advance(1_000);
  assert.equal(harness.directory.here(BLUE, ip(HOME)), undefined);
  const [asked, ...others] = harness.takeMessages('whoHas');
  assert.deepEqual([asked?.to, others], ['vr-a', []]);
  const records = [recordOf(HOME, NODE_MAC, 'vr-a', 11)];
  harness.mobility.message('vr-a', { type: 'has', queryId: asked?.message.queryId ?? 0, records });
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
});

test('a node that has come back when all questions to it had been asked is asked anew before it is given up', () => {
  const harness = home();
  claimed(harness, 'vr-a', recordOf(HOME, NODE_MAC, 'vr-a', 2));
  harness.clock.advance(100);
  harness.see(rarpOf(NODE_MAC));
  assert.equal(timesAsked(harness, HOME), 3);
  harness.clock.advance(300);
  const beaten = { vnet: BLUE, ip: ip(HOME), seq: 5, router: 'vr-a' };
  harness.mobility.message('vr-a', { type: 'stale', records: [beaten] });
  harness.clock.advance(599);
  assert.equal(timesAsked(harness, HOME), 0, 'one question at a time');
  harness.clock.advance(1);
  assert.equal(timesAsked(harness, HOME), 1);
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
  answers(harness, HOME);
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.seq, 6);
  harness.clock.advance(5_000);
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
});

test('RARP of a node that was given up: its address is asked, and it is learned again', () => {
  const harness = home();
  harness.mobility.nodeGone(BLUE, ip(HOME));
  harness.hwdt.learn(0, BLUE, NODE_MAC, ip(HOME), 'arp-reply');
  harness.take();
  harness.see(rarpOf(NODE_MAC));
  assert.equal(timesAsked(harness, HOME), 1);
  answers(harness, HOME);
  assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
});

test('strict: an address that becomes known while another of the node is proposed is claimed as well', () => {
  const harness = new Harness({ verify: 'strict' });
  const SECOND = '10.1.0.10';
  harness.known(AWAY, NODE_MAC, 'vr-a', 3);
  harness.take();
  harness.see(arpOf(AWAY, NODE_MAC));
  const [proposal] = harness.takeMessages('claim');
  harness.known(SECOND, NODE_MAC, 'vr-a', 1);
  harness.see(arpOf(SECOND, NODE_MAC));
  harness.clock.advance(60);
  const accepted = { vnet: BLUE, ip: ip(AWAY), verdict: 'accepted' as const, reason: '' as const, seq: 4 };
  const claimId = proposal?.message.claimId ?? 0;
  harness.mobility.message('vr-a', { type: 'claimResult', claimId, results: [accepted] });
  harness.take();
  harness.clock.advance(250);
  assert.equal(timesAsked(harness, SECOND), 1);
  answers(harness, SECOND);
  const claims = harness.takeMessages('claim').flatMap(({ message }) => message.moves);
  assert.deepEqual(
    claims.map(({ records }) => records.map((record) => record.ip.key)),
    [[SECOND]],
  );
});

test('strict: two proposals are agreed to, the first one late: it is claimed once', () => {
  const harness = new Harness({ verify: 'strict' });
  harness.known(AWAY, NODE_MAC, 'vr-a', 3);
  harness.take();
  harness.see(rarpOf(NODE_MAC));
  harness.clock.advance(2_500);
  harness.see(rarpOf(NODE_MAC));
  const proposals = harness.takeMessages('claim');
  assert.equal(proposals.length, 2);
  for (const { message } of proposals) {
    const accepted = { vnet: BLUE, ip: ip(AWAY), verdict: 'accepted' as const, reason: '' as const, seq: 4 };
    harness.mobility.message('vr-a', { type: 'claimResult', claimId: message.claimId, results: [accepted] });
  }
  assert.equal(harness.directory.here(BLUE, ip(AWAY))?.seq, 4);
  assert.equal(harness.eventNames().filter((event) => event === 'move_claimed').length, 1);
});
