/** Claims that are doubted: an answer where the node was, strict mode, another MAC with the address. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
import type { ClaimReason, ClaimVerdict } from '../../../src/protocol/table-message.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import {
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

const HOME = '10.2.0.9';
const AWAY = '10.1.0.9';

/** A node of vr-b's own network, at home. */
function home(options: HarnessOptions = {}): Harness {
  const harness = new Harness(options);
  harness.see(arpOf(HOME, NODE_MAC));
  harness.clock.advance(10);
  harness.take();
  return harness;
}

function claimed(harness: Harness, by: string, records: readonly NodeRecord[], objection = false): void {
  const [first] = records;
  assert(first);
  const move = { vnet: BLUE, mac: first.mac, records, trigger: 'rarp' as const, sinceDetectionUs: 200 };
  const moves = [objection ? { ...move, objection: true as const, against: 'vr-b' } : move];
  harness.mobility.message(by, { type: 'claim', claimId: 7, moves });
}

/** The node answers a probe. */
function answers(harness: Harness, address: string, mac = NODE_MAC): void {
  harness.see({ ...arpOf(address, mac, '0.0.0.0', 2), ethernetDestination: VR_MAC });
}

function verdicts(harness: Harness): string[] {
  return harness
    .takeMessages('claimResult')
    .flatMap(({ message }) => message.results.map(({ verdict, reason }) => `${verdict} ${reason}`.trim()));
}

/** A router may answer a claim more than once. */
const lastClaimId = new WeakMap<Harness, number>();

function replied(
  harness: Harness,
  by: string,
  address: string,
  verdict: ClaimVerdict,
  reason: ClaimReason = '',
  seq = 2,
): void {
  const claims = harness.takeMessages('claim').filter(({ to }) => to === by);
  const claimId = claims.at(-1)?.message.claimId ?? lastClaimId.get(harness) ?? 0;
  lastClaimId.set(harness, claimId);
  const results = [{ vnet: BLUE, ip: ip(address), verdict, reason, seq }];
  harness.mobility.message(by, { type: 'claimResult', claimId, results });
}

describe('optimistic, where the node was', () => {
  test('three questions, 20 ms apart', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(500);
    const times = harness.take().flatMap((sent) => {
      const isProbe = sent.what === 'frame' && sent.frame.kind === 'arp' && sent.frame.senderIp.isUnspecified;
      return isProbe ? [sent.atMs - 10] : [];
    });
    assert.deepEqual(times, [0, 20, 40]);
    harness.clock.advance(500);
    const [move] = harness.mobility.moves();
    assert.deepEqual([move?.role, move?.verdict], ['source', 'accepted']);
    assert(move?.steps.some(({ step }) => step === 'verified'));
  });

  test('an answer makes an objection: a claim above the other, and the time line says when', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.take();
    harness.clock.advance(3);
    answers(harness, HOME);
    const [claim] = harness.takeMessages('claim');
    assert.equal(claim?.to, 'vr-a', 'the one that is contradicted first');
    const [move] = claim?.message.moves ?? [];
    assert.deepEqual([move?.objection, move?.records[0]?.seq], [true, 3]);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.frozen, undefined);
    const [source] = harness.mobility.moves();
    assert.deepEqual([source?.role, source?.verdict], ['source', 'undone']);
    assert.equal(source?.steps.find(({ step }) => step === 'contradicted')?.atUs, 3000);
  });

  const contradicted = (): Harness => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(3);
    answers(harness, HOME);
    replied(harness, 'vr-a', HOME, 'accepted', '', 3);
    harness.take();
    replied(harness, 'vr-a', HOME, 'objection', 'node-answers-here', 3);
    return harness;
  };

  test('both answer: an alarm; the claims of the other are refused for 180 s, those of a third are not', () => {
    const harness = contradicted();
    harness.clock.advance(2);
    answers(harness, HOME);
    const record = harness.directory.here(BLUE, ip(HOME));
    assert.deepEqual([record?.router, record?.seq, record?.frozen], ['vr-b', 3, undefined]);
    assert(harness.eventNames().includes('duplicate_address'));
    harness.clock.advance(179_000);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 9)]);
    assert.deepEqual(verdicts(harness), ['refused node-answers-here']);
    assert.equal(
      harness.directory.here(BLUE, ip(HOME))?.seq,
      10,
      'others may have believed it: it is put back above that',
    );
    claimed(harness, 'vr-c', [recordOf(HOME, NODE_MAC, 'vr-c', 11)]);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-c');
  });

  test('claims of a second router are contradicted too: frozen for all, with an alarm, for 180 s', () => {
    const harness = home();
    for (const [router, seq] of [
      ['vr-a', 2],
      ['vr-c', 4],
    ] as const) {
      claimed(harness, router, [recordOf(HOME, NODE_MAC, router, seq)]);
      harness.clock.advance(3);
      answers(harness, HOME);
    }
    const frozen = harness.directory.here(BLUE, ip(HOME));
    assert.deepEqual([frozen?.router, frozen?.seq, frozen?.frozen], ['vr-b', 5, true]);
    assert(harness.eventNames().includes('node_frozen'));
    const told = harness.takeMessages('claim').flatMap(({ message }) => message.moves);
    assert.equal(told.at(-1)?.records[0]?.frozen, true);
    harness.clock.advance(5_002);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 9)]);
    assert.deepEqual(verdicts(harness), ['refused frozen']);
    answers(harness, HOME);
    harness.clock.advance(174_000);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.frozen, true);
    harness.clock.advance(2_000);
    assert.equal(
      harness.directory.here(BLUE, ip(HOME))?.frozen,
      undefined,
      'not longer for what was refused',
    );
    assert(harness.eventNames().includes('node_released'));
  });

  test('the other answers and it does not any more: it has moved meanwhile', () => {
    const harness = contradicted();
    harness.clock.advance(999);
    assert.equal(
      harness.directory.get(BLUE, ip(HOME))?.state,
      'here',
      'a slow node is not given up for a lie',
    );
    harness.clock.advance(1);
    assert.equal(harness.directory.get(BLUE, ip(HOME))?.state, 'withdrawn');
    harness.clock.advance(2);
    assert.equal(harness.takeMessages('records')[0]?.message.records[0]?.state, 'withdrawn');
  });

  test('an operator ends the freeze', () => {
    const harness = contradicted();
    answers(harness, HOME);
    assert(typeof harness.mobility.unfreeze(BLUE, ip(HOME)) !== 'string');
    assert.equal(harness.mobility.unfreeze(BLUE, ip(HOME)), '10.2.0.9 is not frozen');
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.frozen, undefined);
    assert.equal(harness.mobility.unfreeze(BLUE, ip('10.2.0.77')), '10.2.0.77 is not known to be anywhere');
  });
});

describe('optimistic, where it is claimed', () => {
  const undone = (): Harness => {
    const harness = new Harness();
    harness.known(AWAY, NODE_MAC, 'vr-a');
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(30);
    harness.take();
    claimed(harness, 'vr-a', [recordOf(AWAY, NODE_MAC, 'vr-a', 3)], true);
    return harness;
  };

  test('the objection undoes it at once; the LAN is asked, and says nothing', () => {
    const harness = undone();
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-a');
    const [move] = harness.mobility.moves();
    assert.deepEqual([move?.role, move?.verdict], ['destination', 'undone']);
    assert.equal(move?.steps.find(({ step }) => step === 'undone')?.atUs, 30_000);
    harness.clock.advance(1_000);
    assert.deepEqual(verdicts(harness), ['accepted']);
    harness.see(rarpOf(NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), [], 'the rest of the burst is not believed');
  });

  test('it answers here too: that is said', () => {
    const harness = undone();
    harness.clock.advance(1);
    answers(harness, AWAY);
    assert.deepEqual(verdicts(harness), ['accepted', 'objection node-answers-here']);
    harness.take();
    const frozen = { ...recordOf(AWAY, NODE_MAC, 'vr-a', 3, 2), frozen: true as const };
    harness.mobility.message('vr-a', { type: 'records', records: [frozen] });
    harness.clock.advance(6_000);
    harness.see(rarpOf(NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), [], 'it is frozen elsewhere');
    assert.equal(harness.mobility.moveByHand(BLUE, ip(AWAY)), 'it is frozen at vr-a');
  });

  test('when the freeze ends it is asked whether it is here, and claimed', () => {
    const harness = undone();
    answers(harness, AWAY);
    const record = recordOf(AWAY, NODE_MAC, 'vr-a', 3, 2);
    harness.mobility.message('vr-a', { type: 'records', records: [{ ...record, frozen: true }] });
    harness.clock.advance(100_000);
    harness.see(rarpOf(NODE_MAC));
    harness.take();
    harness.mobility.message('vr-a', { type: 'records', records: [{ ...record, stamp: 3 }] });
    answers(harness, AWAY);
    assert.equal(harness.takeMessages('claim')[0]?.message.moves[0]?.records[0]?.seq, 4);
  });

  test('the holder of a frozen node never comes back: others wait 5 s longer, then claim it', () => {
    const harness = undone();
    answers(harness, AWAY);
    const record = recordOf(AWAY, NODE_MAC, 'vr-a', 3, 2);
    harness.mobility.message('vr-a', { type: 'records', records: [{ ...record, frozen: true }] });
    harness.clock.advance(184_999);
    harness.see(rarpOf(NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), []);
    harness.clock.advance(2);
    harness.see(rarpOf(NODE_MAC));
    assert.equal(harness.takeMessages('claim').length, 2);
  });
});

describe('strict', () => {
  const strict = { verify: 'strict' as const };

  test('where the node was: nothing changes for 60 ms, then the claim is accepted', () => {
    const harness = home(strict);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(59);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
    const probes = harness.take();
    assert.equal(probes.length, 3, 'three probes and nothing else');
    harness.clock.advance(1);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
    assert.deepEqual(verdicts(harness), ['accepted']);
  });

  test('it answers: refused, and put back for those that have believed it', () => {
    const harness = home(strict);
    claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
    harness.clock.advance(1);
    answers(harness, HOME);
    assert.deepEqual(verdicts(harness), ['refused node-answers-here']);
    const own = harness.directory.here(BLUE, ip(HOME));
    assert.deepEqual([own?.router, own?.seq], ['vr-b', 3]);
    harness.clock.advance(1_000);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-b');
  });

  for (const [when, sinceClaimMs, isClaimed] of [
    ['while the claim was waiting: it has come back', 30, true],
    ['before the claim came: it says nothing about now', -1, false],
  ] as const) {
    test(`what the node said ${when}, though it is read when the claim has been accepted`, () => {
      const harness = home(strict);
      const claimMs = harness.clock.nowMs();
      claimed(harness, 'vr-a', [recordOf(HOME, NODE_MAC, 'vr-a', 2)]);
      harness.clock.advance(60);
      assert.equal(harness.directory.here(BLUE, ip(HOME))?.router, 'vr-a');
      harness.take();
      harness.mobility.frameSeen(0, rarpOf(NODE_MAC), claimMs + sinceClaimMs);
      assert.deepEqual(
        harness.takeMessages('claim').map(({ to }) => to),
        isClaimed ? ['vr-a'] : [],
      );
    });
  }

  const proposed = (): Harness => {
    const harness = new Harness(strict);
    harness.known(AWAY, NODE_MAC, 'vr-a');
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    return harness;
  };

  test('where it arrives: the VR that has it is asked, and nothing else is done', () => {
    const harness = proposed();
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(50);
    const sent = harness.take();
    assert.equal(sent.length, 1);
    assert(sent[0]?.what === 'message' && sent[0].to === 'vr-a' && sent[0].message.type === 'claim');
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-a');
  });

  test('it agrees: everything is done now', () => {
    const harness = proposed();
    harness.clock.advance(80);
    replied(harness, 'vr-a', AWAY, 'accepted');
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-b');
    const sent = harness.take();
    assert.deepEqual(
      sent.flatMap((one) => (one.what === 'message' && one.message.type === 'claim' ? [one.to] : [])),
      ['vr-a', 'vr-c'],
    );
    assert(sent.some(({ what }) => what === 'frame'));
    const [move] = harness.mobility.moves();
    assert.deepEqual(
      move?.steps.map(({ step, atUs }) => `${step} ${atUs}`),
      [
        'detected 0',
        'asked:vr-a 0',
        'agreed:vr-a 80000',
        'directory 80000',
        'first_arp 80000',
        'claim_sent 80000',
      ],
    );
  });

  test('it answers there: not one packet is diverted', () => {
    const harness = proposed();
    replied(harness, 'vr-a', AWAY, 'refused', 'node-answers-here');
    assert.deepEqual(harness.take(), []);
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-a');
    const [move] = harness.mobility.moves();
    assert.deepEqual([move?.verdict, move?.reason], ['refused', 'node-answers-here']);
  });

  test('it goes down before it answers: the claim stands', () => {
    const harness = proposed();
    harness.up = ['vr-c'];
    harness.mobility.peerDown('vr-a');
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-b');
  });

  test('it is down: nobody can be asked', () => {
    const harness = new Harness(strict);
    harness.known(AWAY, NODE_MAC, 'vr-a');
    harness.up = ['vr-c'];
    harness.see(rarpOf(NODE_MAC));
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-b');
  });
});

describe('an address with another MAC than where it is known', () => {
  const contested = (verify: 'optimistic' | 'off' = 'off'): Harness => {
    const harness = new Harness({ verify });
    harness.known(AWAY, OTHER_MAC, 'vr-a');
    harness.take();
    for (let i = 0; i < 3; i++) harness.see(arpOf(AWAY, NODE_MAC));
    return harness;
  };

  test('the VR that has it is asked once, and nothing changes', () => {
    for (const verify of ['optimistic', 'off'] as const) {
      const harness = contested(verify);
      const claims = harness.takeMessages('claim');
      assert.deepEqual(
        claims.map(({ to }) => to),
        ['vr-a'],
      );
      assert.equal(claims[0]?.message.moves[0]?.records[0]?.mac, NODE_MAC);
      assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-a');
    }
  });

  test('it is gone there: the address is here now, with its new MAC', () => {
    const harness = contested();
    replied(harness, 'vr-a', AWAY, 'accepted');
    const record = harness.directory.here(BLUE, ip(AWAY));
    assert.deepEqual([record?.router, record?.mac, record?.seq], ['vr-b', NODE_MAC, 2]);
  });

  test('it answers there: alarm, and no further question for 5 s', () => {
    const harness = contested();
    replied(harness, 'vr-a', AWAY, 'refused', 'node-answers-here');
    assert(harness.eventNames().includes('duplicate_address'));
    harness.see(arpOf(AWAY, NODE_MAC));
    assert.deepEqual(harness.takeMessages('claim'), []);
  });

  for (const verify of ['optimistic', 'off'] as const) {
    test(`at the VR that has it (${verify}): asked before anything, given up when it does not answer`, () => {
      const harness = home({ verify });
      claimed(harness, 'vr-a', [recordOf(HOME, OTHER_MAC, 'vr-a', 2)]);
      assert.equal(harness.directory.here(BLUE, ip(HOME))?.mac, NODE_MAC);
      harness.clock.advance(60);
      assert.equal(harness.directory.here(BLUE, ip(HOME))?.mac, OTHER_MAC);
      assert.deepEqual(verdicts(harness), ['accepted']);
    });
  }

  test('at the VR that has it: it answers, and keeps it', () => {
    const harness = home();
    claimed(harness, 'vr-a', [recordOf(HOME, OTHER_MAC, 'vr-a', 2)]);
    answers(harness, HOME);
    harness.clock.advance(1_000);
    assert.equal(harness.directory.here(BLUE, ip(HOME))?.mac, NODE_MAC);
    assert(harness.eventNames().includes('duplicate_address'));
    assert.deepEqual(verdicts(harness), ['refused node-answers-here']);
  });

  test('at home, pinned to its MAC: no question at all', () => {
    const lndt = [{ vnet: BLUE, prefix: Prefix.of(`${HOME}/32`), mac: NODE_MAC }];
    const harness = home({ lndt });
    claimed(harness, 'vr-a', [recordOf(HOME, OTHER_MAC, 'vr-a', 2)]);
    assert.deepEqual(verdicts(harness), ['refused not-allowed']);
  });
});

describe('dampening', () => {
  /** The node comes and goes; `claims` are this router's. */
  const bounce = (harness: Harness, times: number, pauseMs = 1_000): void => {
    for (let i = 0; i < times; i++) {
      harness.see(rarpOf(NODE_MAC));
      harness.clock.advance(pauseMs);
      const seq = (harness.directory.get(BLUE, ip(AWAY))?.seq ?? 0) + 1;
      claimed(harness, 'vr-a', [recordOf(AWAY, NODE_MAC, 'vr-a', seq, 1_000 + i)]);
      harness.clock.advance(pauseMs);
    }
  };
  const known = (): Harness => {
    const harness = new Harness({ verify: 'off' });
    harness.known(AWAY, NODE_MAC, 'vr-a');
    return harness;
  };

  test('the fifth move in 180 s is its last: frozen there, alarm, the claim says so', () => {
    const harness = known();
    bounce(harness, 2);
    assert(!harness.eventNames().includes('node_frozen'));
    harness.take();
    harness.see(rarpOf(NODE_MAC));
    const record = harness.directory.here(BLUE, ip(AWAY));
    assert.deepEqual([record?.router, record?.frozen], ['vr-b', true]);
    assert.equal(harness.takeMessages('claim')[0]?.message.moves[0]?.records[0]?.frozen, true);
    assert(harness.eventNames().includes('node_frozen'));
    assert(
      harness.mobility
        .moves()
        .at(-1)
        ?.steps.some(({ step }) => step === 'frozen'),
    );
    claimed(harness, 'vr-a', [recordOf(AWAY, NODE_MAC, 'vr-a', 60, 9_000)]);
    assert.equal(harness.directory.here(BLUE, ip(AWAY))?.router, 'vr-b');
  });

  test('five moves in a longer time are none too many', () => {
    const harness = known();
    bounce(harness, 5, 46_000);
    assert(!harness.eventNames().includes('node_frozen'));
  });

  test('released, it begins with a clean slate', () => {
    const harness = known();
    bounce(harness, 2);
    harness.see(rarpOf(NODE_MAC));
    assert(typeof harness.mobility.unfreeze(BLUE, ip(AWAY)) !== 'string');
    harness.clock.advance(10);
    claimed(harness, 'vr-a', [recordOf(AWAY, NODE_MAC, 'vr-a', 60, 9_000)]);
    harness.clock.advance(6_000);
    harness.see(rarpOf(NODE_MAC));
    const record = harness.directory.here(BLUE, ip(AWAY));
    assert.deepEqual([record?.router, record?.frozen], ['vr-b', undefined]);
  });
});

test('an objection contradicts nobody but the router that it names', () => {
  for (const against of ['vr-c', 'vr-b']) {
    const harness = new Harness();
    harness.known(AWAY, NODE_MAC, 'vr-a');
    harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(30);
    const records = [recordOf(AWAY, NODE_MAC, 'vr-a', 3)];
    const move = { vnet: BLUE, mac: NODE_MAC, records, trigger: 'arp' as const, sinceDetectionUs: 1 };
    const moves = [{ ...move, objection: true as const, against }];
    harness.mobility.message('vr-a', { type: 'claim', claimId: 7, moves });
    assert.equal(harness.mobility.suppressed().length, against === 'vr-b' ? 1 : 0, against);
    answers(harness, AWAY);
    const isClaimedAgain = harness.directory.here(BLUE, ip(AWAY))?.router === 'vr-b';
    assert.equal(isClaimedAgain, against !== 'vr-b', against);
  }
});
