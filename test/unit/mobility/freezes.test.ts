/** What a freeze is worth at routers that have not made it: vr-b hears of a node of vr-a. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Claimed, type Moved, movesBefore } from '../../../src/mobility/suppression/moved.js';
import type { NodeRecord, RouterId } from '../../../src/tables/model.js';
import {
  arpOf,
  BLUE,
  Harness,
  type HarnessOptions,
  ip,
  NODE_MAC,
  rarpOf,
  recordOf,
  VR_MAC,
} from './harness.js';

const AWAY = '10.1.0.9';

function known(options: HarnessOptions = {}): Harness {
  const harness = new Harness(options);
  harness.known(AWAY, NODE_MAC, 'vr-a');
  harness.clock.advance(3_000);
  harness.take();
  return harness;
}

function told(harness: Harness, by: RouterId, change: Partial<NodeRecord>): void {
  const records = [{ ...recordOf(AWAY, NODE_MAC, by), ...change }];
  harness.mobility.message(by, { type: 'records', records });
  harness.clock.advance(20);
}

function claimed(harness: Harness, by: RouterId, change: Partial<NodeRecord>, against?: RouterId): void {
  const records = [{ ...recordOf(AWAY, NODE_MAC, by), ...change }];
  const move = { vnet: BLUE, mac: NODE_MAC, records, trigger: 'rarp' as const, sinceDetectionUs: 1 };
  const moves = [against === undefined ? move : { ...move, objection: true as const, against }];
  harness.mobility.message(by, { type: 'claim', claimId: 7, moves });
  harness.clock.advance(20);
}

function holder(harness: Harness): RouterId | undefined {
  return harness.directory.here(BLUE, ip(AWAY))?.router;
}

describe('what is known of a liar', () => {
  const said: readonly (readonly [what: string, change: Partial<NodeRecord>])[] = [
    ['a record', { frozen: true }],
    ['a tombstone', { frozen: true, state: 'withdrawn' }],
  ];
  for (const [what, change] of said) {
    test(`is not forgotten because it says that ${what} of its own is frozen no more`, () => {
      const harness = known();
      told(harness, 'vr-c', { seq: 2, stamp: 2 });
      told(harness, 'vr-c', { seq: 2, stamp: 3, ...change });
      told(harness, 'vr-c', { seq: 2, stamp: 4 });
      told(harness, 'vr-a', { seq: 3 });
      harness.take();
      told(harness, 'vr-c', { seq: 4, stamp: 5 });
      assert.equal(holder(harness), 'vr-a', 'it had the node for a moment only');
      assert.deepEqual(
        harness.takeMessages('whoHas').map(({ to }) => to),
        ['vr-a'],
      );
    });
  }
});

describe('a freeze of another router', () => {
  const frozen = (): Harness => {
    const harness = known({ verify: 'off' });
    harness.mobility.reconfigure({ verify: 'off', maxMoves: 2, moveWindowSeconds: 180 });
    told(harness, 'vr-a', { seq: 3, stamp: 3, frozen: true });
    return harness;
  };

  test('is not believed on its word alone', () => {
    const harness = frozen();
    harness.see(rarpOf(NODE_MAC));
    assert.equal(holder(harness), 'vr-b');
  });

  test('is believed when the claim comes that it is for, though that comes late', () => {
    const harness = frozen();
    claimed(harness, 'vr-c', { seq: 2 });
    harness.see(rarpOf(NODE_MAC));
    assert.equal(holder(harness), 'vr-a');
  });

  test('is not believed because of a claim that it might have caused itself, or that came after it', () => {
    const harness = frozen();
    claimed(harness, 'vr-a', { seq: 2 });
    harness.see(rarpOf(NODE_MAC));
    assert.equal(holder(harness), 'vr-b');
  });

  for (const [what, against] of [
    ['claimed it once more', undefined],
    ['objected', 'vr-a'],
  ] as const) {
    test(`is not believed because the router that had the node before ${what}: that is no move`, () => {
      const harness = known({ verify: 'off' });
      claimed(harness, 'vr-c', { seq: 2 });
      claimed(harness, 'vr-c', { seq: 3, stamp: 3 }, against);
      told(harness, 'vr-a', { seq: 4, frozen: true });
      harness.see(rarpOf(NODE_MAC));
      assert.equal(holder(harness), 'vr-b');
    });
  }

  test('is not believed because of its own moves, if these were contradicted', () => {
    const harness = known();
    claimed(harness, 'vr-c', { seq: 2 });
    claimed(harness, 'vr-a', { seq: 3 }, 'vr-c');
    assert.equal(holder(harness), 'vr-a');
    harness.take();
    claimed(harness, 'vr-c', { seq: 4, frozen: true });
    const [asked] = harness.takeMessages('whoHas');
    harness.mobility.message('vr-a', { type: 'has', queryId: asked?.message.queryId ?? 0, records: [] });
    assert.equal(holder(harness), 'vr-c');
    harness.see(rarpOf(NODE_MAC));
    assert.equal(holder(harness), 'vr-b');
  });
});

test('two routers that claim a node with one number have moved it once', () => {
  const harness = known({ verify: 'off' });
  for (let seq = 2; seq < 6; seq++) {
    harness.see(rarpOf(NODE_MAC));
    claimed(harness, 'vr-c', { seq });
    harness.clock.advance(1_000);
  }
  assert.deepEqual(
    harness.eventNames().filter((name) => name === 'node_frozen' || name === 'move_claimed'),
    ['move_claimed', 'move_claimed', 'move_claimed', 'move_claimed'],
  );
  harness.see(rarpOf(NODE_MAC));
  assert.equal(harness.directory.here(BLUE, ip(AWAY))?.frozen, true, 'the fifth of five');
});

test('moves by routers that are no members any more count no more', () => {
  const harness = known({ verify: 'off' });
  for (const seq of [2, 4, 6]) {
    claimed(harness, 'vr-c', { seq });
    if (seq < 6) harness.see(rarpOf(NODE_MAC));
    harness.clock.advance(1_000);
  }
  // What it had is forgotten before it goes.
  told(harness, 'vr-c', { seq: 7, stamp: 1, state: 'withdrawn' });
  const { gndt, directory, mobility } = harness;
  const { routers, networks } = gndt.config;
  const isLeft = ({ id }: { readonly id: RouterId }): boolean => id !== 'vr-c';
  const plan = gndt.plan(
    {
      ...gndt.config,
      routers: routers.filter(isLeft),
      networks: networks.filter(({ router }) => router !== 'vr-c'),
    },
    harness.clock.nowMs(),
  );
  assert(typeof plan !== 'string');
  gndt.adopt(plan, harness.clock.nowMs());
  harness.up = ['vr-a'];
  mobility.membersGone(directory.keepMembers(gndt.siteIds));
  told(harness, 'vr-a', { seq: 8 });
  harness.see(rarpOf(NODE_MAC));
  const record = directory.here(BLUE, ip(AWAY));
  assert.deepEqual([record?.router, record?.frozen], ['vr-b', undefined]);
});

test('how often a node has moved is the same in whatever order its moves and claims are heard of', () => {
  const at = 0;
  const end = { router: 'vr-a', seq: 9 };
  const moved = (...path: readonly [seq: number, router: RouterId][]): ReadonlyMap<number, Moved> => {
    let from: RouterId = 'vr-a';
    return new Map(
      path.map(([seq, to]) => {
        const move = { from, to, seq, atMs: at };
        from = to;
        return [seq, move];
      }),
    );
  };
  const claims = (...all: readonly [seq: number, router: RouterId][]): readonly Claimed[] =>
    all.map(([seq, claimer]) => ({ seq, claimer, atMs: at }));
  assert.equal(movesBefore(end, moved(), []), 0);
  // Seen, or heard of by a claim that came too late: there and back, of which the way back is the last.
  assert.equal(movesBefore(end, moved([2, 'vr-b'], [9, 'vr-a']), []), 1);
  assert.equal(movesBefore(end, moved(), claims([2, 'vr-b'])), 1);
  assert.equal(movesBefore(end, moved([2, 'vr-b'], [9, 'vr-a']), claims([2, 'vr-b'])), 1);
  // Two others, in any mixture.
  assert.equal(movesBefore(end, moved([2, 'vr-b'], [5, 'vr-c'], [9, 'vr-a']), []), 2);
  assert.equal(movesBefore(end, moved([2, 'vr-b'], [9, 'vr-a']), claims([5, 'vr-c'])), 2);
  assert.equal(movesBefore(end, moved(), claims([2, 'vr-b'], [5, 'vr-c'])), 2);
  assert.equal(movesBefore(end, moved(), claims([5, 'vr-c'], [2, 'vr-b'])), 2);
  // Other numbers of a router that has it, and what is above the last.
  assert.equal(movesBefore(end, moved([2, 'vr-b'], [9, 'vr-a']), claims([5, 'vr-b'])), 1);
  assert.equal(movesBefore(end, moved(), claims([10, 'vr-b'])), 0);
});

describe('a router that had the node raises its number while the claim of it is under way', () => {
  const raised = (times: number): Harness => {
    const harness = known();
    harness.see(rarpOf(NODE_MAC));
    for (let i = 0; i < times; i++) {
      const seq = (harness.directory.get(BLUE, ip(AWAY))?.seq ?? 0) + 1;
      const records = [recordOf(AWAY, NODE_MAC, 'vr-a', seq, 3 + i)];
      harness.mobility.message('vr-a', { type: 'records', records });
      assert.equal(holder(harness), 'vr-a');
      harness.see({ ...arpOf(AWAY, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
      assert.equal(holder(harness), 'vr-b');
      harness.clock.advance(10);
    }
    return harness;
  };

  test('four times: that contradicts nobody, and is no move', () => {
    const harness = raised(4);
    assert.deepEqual(harness.mobility.suppressed(), []);
    assert(!harness.eventNames().includes('node_frozen'));
  });

  test('one that has just taken the node has that excuse once', () => {
    const harness = known();
    harness.see(rarpOf(NODE_MAC));
    for (const seq of [3, 5]) {
      told(harness, 'vr-c', { seq, stamp: seq });
      assert.equal(holder(harness), 'vr-c');
      harness.see({ ...arpOf(AWAY, NODE_MAC, '0.0.0.0', 2), ethernetDestination: VR_MAC });
      assert.equal(holder(harness), 'vr-b');
    }
    assert.deepEqual(
      harness.mobility.suppressed().map(({ claimer }) => claimer),
      ['vr-c'],
    );
  });

  test('one that never hears of a claim has no more excuses', () => {
    assert.deepEqual(
      raised(5)
        .mobility.suppressed()
        .map(({ claimer }) => claimer),
      ['vr-a'],
    );
  });
});
