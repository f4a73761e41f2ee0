/** The machines of a volume that moves: which chunk goes when, and when control moves. What crossing events do, test/sim/volume-histories plays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Destination } from '../../../src/courier/volume/chunk/destination.js';
import { decide, type Here } from '../../../src/courier/volume/chunk/opening.js';
import { MOST_PULLS, PullOrder } from '../../../src/courier/volume/chunk/pull-order.js';
import { PushOrder } from '../../../src/courier/volume/chunk/push-order.js';
import { Source, type SourceAction } from '../../../src/courier/volume/chunk/source.js';
import { WriteCounts } from '../../../src/courier/volume/chunk/write-counts.js';

const NOBODY = { connections: 0, outstanding: 0 };
const SOMEBODY = { connections: 1, outstanding: 0 };

function written(order: PushOrder, chunk: number, version: number): void {
  order.writeBegins(chunk);
  order.writeEnds(chunk, version);
}

function pushes(order: PushOrder): number[] {
  order.flushEnds(order.flushBegins());
  const chunks: number[] = [];
  for (let next = order.next(); next !== undefined; next = order.next()) chunks.push(next.chunk);
  return chunks;
}

test('oldest write first, and not what is written to often', () => {
  const order = new PushOrder(
    3,
    [
      { chunk: 7, version: 1 },
      { chunk: 8, version: 1 },
    ],
    new WriteCounts(),
  );
  for (const chunk of [1, 2, 3, 1, 2, 2, 7]) written(order, chunk, 9);
  assert.equal(order.has([]), undefined);
  assert.deepEqual(pushes(order), [8, 3, 1, 7]);
  order.pushAll();
  assert.deepEqual(pushes(order), [2]);
});

test('what was written to often before a move is not pushed, until it has become quiet', () => {
  const counts = new WriteCounts();
  for (let time = 0; time < 8; time++) counts.wrote(1);
  counts.wrote(2);
  const order = new PushOrder(
    3,
    [1, 2].map((chunk) => ({ chunk, version: 8 })),
    counts,
  );
  order.flushEnds(order.flushBegins());
  assert.equal(order.has([]), undefined);
  assert.deepEqual(pushes(order), [2]);
  assert.deepEqual(
    order.remainingSet(),
    [1, 2].map((chunk) => ({ chunk, version: 8, writes: chunk === 1 ? 8 : 1 })),
  );
  for (const writes of [4, 2]) {
    assert.deepEqual(pushes(order), []);
    counts.halve();
    order.counted();
    assert.equal(counts.of(1), writes);
  }
  assert.deepEqual(pushes(order), [1]);
  for (let time = 0; time < 2; time++) counts.halve();
  assert.equal(counts.of(1), 0);
});

test('who writes a chunk from its beginning to its end has written once', () => {
  const order = new PushOrder(2, [], new WriteCounts());
  for (let at = 0; at < 8; at++) {
    order.writeBegins(0, { from: at * 512, to: (at + 1) * 512 });
    order.writeEnds(0, at + 1);
  }
  order.has([]);
  assert.deepEqual(pushes(order), [0]);
  order.writeBegins(0, { from: 0, to: 512 });
  order.writeEnds(0, 9);
  order.acked({ chunk: 0, version: 8 });
  assert.deepEqual(pushes(order), []);
  assert.deepEqual(order.remainingSet(), [{ chunk: 0, version: 9, writes: 2 }]);
});

test('a push counts if the chunk has not changed, and it is durable here before it goes', () => {
  const order = new PushOrder(9, [], new WriteCounts());
  order.has([]);
  written(order, 0, 1);
  assert.equal(order.next(), undefined);
  assert.equal(order.wantsFlush, true);
  const token = order.flushBegins();
  order.flushEnds(token);
  assert.deepEqual(order.next(), { chunk: 0, version: 1 });
  order.writeBegins(0);
  order.acked({ chunk: 0, version: 1 });
  assert.equal(order.remaining, 1, 'it is being written to');
  order.writeEnds(0, 2);
  order.acked({ chunk: 0, version: 1 });
  assert.equal(order.remaining, 1, 'it has been written to');
  order.acked({ chunk: 0, version: 2 });
  assert.equal(order.remaining, 0);
});

test('what the other side has is not the same volume when it is newer, or was never written here', () => {
  const order = new PushOrder(3, [{ chunk: 1, version: 5 }], new WriteCounts());
  assert.match(order.has([{ chunk: 1, version: 6 }]) ?? '', /chunk 1 is newer/);
  assert.match(order.has([{ chunk: 2, version: 1 }]) ?? '', /chunk 2 was never written/);
  assert.equal(order.has([{ chunk: 1, version: 5 }]), undefined);
  assert.equal(order.remaining, 0);
});

test('pulls: what a read waits for, then most writes first, and no more than so many at once', () => {
  const order = new PullOrder(
    Array.from({ length: 40 }, (_, chunk) => ({ chunk, version: 1, writes: chunk % 20 })),
  );
  const first = Array.from({ length: MOST_PULLS }, () => order.next()?.chunk ?? -1);
  assert.deepEqual(new Set(first.slice(0, 4)), new Set([19, 39, 18, 38]));
  assert.equal(order.next(), undefined);
  order.wanted(0);
  assert.deepEqual(order.next(), { chunk: 0, version: 1, isUrgent: true });
  order.done(0);
  order.wanted(first[0] ?? -1);
  assert.equal(order.next()?.isUrgent, true, 'asked for already, and not so urgently');
  for (const chunk of first) order.done(chunk);
  assert.equal(order.remaining, 40 - 1 - MOST_PULLS);
  order.lost();
  const rest: number[] = [];
  for (let next = order.next(); next !== undefined; next = order.next()) {
    rest.push(next.chunk);
    order.done(next.chunk);
  }
  assert.equal(new Set([...rest, ...first, 0]).size, 40);
});

/** A source that has met a destination which has nothing. */
function met(completeFirst = Number.POSITIVE_INFINITY): Source {
  const source = new Source({
    phase: 'pushing',
    threshold: 3,
    completeFirst,
    chunks: [{ chunk: 0, version: 1 }],
    counts: new WriteCounts(),
  });
  assert.deepEqual(source.hears({ say: 'have', chunks: [] }, SOMEBODY), []);
  return source;
}

function says(actions: readonly SourceAction[]): string | undefined {
  const [action] = actions;
  return action?.do === 'say' ? action.message.say : action?.do;
}

function gives(source: Source): void {
  const [flush] = source.hears({ say: 'ask' }, NOBODY);
  assert.ok(flush?.do === 'flush');
  assert.deepEqual(source.flushed(flush.token), [{ do: 'keep', phase: 'given', why: '' }]);
}

test('control moves when nobody writes, once, and then for ever', () => {
  const source = met();
  source.writeBegins([0]);
  assert.equal(says(source.hears({ say: 'ask' }, { connections: 1, outstanding: 1 })), 'not-yet');
  source.writeEnds(0, 2);
  assert.equal(says(source.hears({ say: 'ask' }, SOMEBODY)), 'not-yet', 'nothing was flushed since');
  source.flushEnds(source.flushBegins(), false);
  assert.equal(says(source.hears({ say: 'ask' }, SOMEBODY)), 'not-yet', 'its own flush is none of a guest');
  source.flushEnds(source.flushBegins(), true);
  assert.equal(says(source.hears({ say: 'ask' }, { connections: 1, outstanding: 1 })), 'not-yet', 'a read');
  const [flush] = source.hears({ say: 'ask' }, SOMEBODY);
  assert.ok(flush?.do === 'flush');
  assert.equal(source.writeBegins([0]), true, 'it still has control');
  assert.equal(says(source.flushed(flush.token)), 'not-yet');
  source.writeEnds(0, 3);
  gives(source);
  assert.equal(source.writeBegins([0]), false, 'it may be durable already');
  assert.deepEqual(source.abandon('too late'), []);
  const given = { do: 'say', message: { say: 'given', remaining: [{ chunk: 0, version: 3, writes: 2 }] } };
  assert.deepEqual(source.kept('given'), [given]);
  assert.deepEqual(source.hears({ say: 'ask' }, NOBODY), [], 'it is on its way');
  source.lost();
  assert.deepEqual(source.hears({ say: 'have', chunks: [] }, NOBODY), []);
  assert.deepEqual(source.hears({ say: 'ask' }, NOBODY), [given]);
  assert.equal(source.isServing, false);
});

test('control is not given while more remains than may, and then all is pushed', () => {
  const source = met(0);
  for (let time = 0; time < 5; time++) {
    source.writeBegins([0]);
    source.writeEnds(0, time + 2);
  }
  source.flushEnds(source.flushBegins(), true);
  assert.equal(source.next(), undefined);
  assert.deepEqual(source.hears({ say: 'ask' }, SOMEBODY), [
    { do: 'say', message: { say: 'not-yet', why: '1 chunks remain, 0 may' } },
  ]);
  assert.deepEqual(source.next(), { chunk: 0, version: 6 });
  source.hears({ say: 'ack', chunks: [{ chunk: 0, version: 6 }] }, SOMEBODY);
  gives(source);
});

test('a pull before control has moved, and a destination that never got it, break a rule', () => {
  const source = met();
  assert.equal(says(source.hears({ say: 'pull', chunk: 0, isUrgent: true }, SOMEBODY)), 'fail');
  assert.equal(says(source.hears({ say: 'finished' }, SOMEBODY)), 'fail');
  assert.equal(says(source.hears({ say: 'pulling', remaining: 1 }, SOMEBODY)), 'fail');
});

test('a destination that has asked lets nothing go; one that was told of two histories follows none', () => {
  const destination = new Destination({ phase: 'receiving', isAsked: false, chunks: [] });
  const [asks] = destination.wantControl();
  assert.deepEqual(asks, { do: 'keep', kept: { phase: 'receiving', isAsked: true } });
  assert.deepEqual(destination.letGo('not now'), [], 'it may have been asked by the time that is durable');
  destination.kept({ phase: 'receiving', isAsked: true });
  assert.deepEqual(
    destination.hears({ say: 'given', remaining: [{ chunk: 0, version: 1, writes: 1 }] })[0]?.do,
    'await',
  );
  destination.kept({ phase: 'pulling', isAsked: true });
  assert.equal(destination.hears({ say: 'abandoned' })[0]?.do, 'fail');
  assert.equal(destination.isServing, true);
  assert.equal(destination.hears({ say: 'released' })[0]?.do, 'fail');
  assert.equal(destination.remaining, 1);
});

test('what was pushed is acknowledged when it is durable, and nothing is put behind the remaining set', () => {
  const destination = new Destination({ phase: 'receiving', isAsked: false, chunks: [] });
  destination.connected('pushing');
  const chunk = { chunk: 3, version: 4 };
  assert.equal(destination.comes(chunk, false), true);
  const [flush] = destination.put(chunk);
  assert.ok(flush?.do === 'flush');
  assert.deepEqual(destination.flushed(flush.token), [
    { do: 'say', message: { say: 'ack', chunks: [chunk] } },
  ]);
  assert.equal(destination.comes({ chunk: 3, version: 5 }, false), true);
  assert.deepEqual(destination.hears({ say: 'given', remaining: [] }), [], 'one is being put');
  assert.equal(destination.comes({ chunk: 3, version: 6 }, false), false);
  assert.deepEqual(destination.put({ chunk: 3, version: 5 }), [{ do: 'await', remaining: [] }]);
});

test('a chunk that cannot be kept, and that a client has written meanwhile, is not waited for', () => {
  const chunk = { chunk: 3, version: 4 };
  const chunks = [{ ...chunk, writes: 1, isAwaited: true }];
  const destination = new Destination({ phase: 'pulling', isAsked: true, chunks });
  destination.connected('given');
  assert.equal(destination.comes(chunk, true), true);
  assert.deepEqual(destination.wrote(3, false), [], 'it is being put');
  const [flush] = destination.notPut(chunk, 'no space left');
  assert.ok(flush?.do === 'flush');
  assert.deepEqual(destination.flushed(flush.token), [
    { do: 'keep', kept: { phase: 'done', isAsked: true } },
  ]);
});

test('a push that cannot be kept where control was asked for: what came with it is acknowledged, and it comes again', () => {
  const destination = new Destination({ phase: 'receiving', isAsked: true, chunks: [] });
  destination.connected('pushing');
  const [good, bad] = [
    { chunk: 3, version: 4 },
    { chunk: 4, version: 5 },
  ];
  for (const chunk of [good, bad]) assert.equal(destination.comes(chunk, false), true);
  assert.deepEqual(destination.put(good), [], 'the other one is being put');
  const [renew, flush] = destination.notPut(bad, 'no space left');
  assert.deepEqual(renew, { do: 'renew', why: 'no space left' });
  assert.ok(flush?.do === 'flush');
  assert.deepEqual(destination.flushed(flush.token), [
    { do: 'say', message: { say: 'ack', chunks: [good] } },
  ]);
});

const HERE: Here = {
  ...{
    volume: undefined,
    coming: undefined,
    going: undefined,
    finished: [],
    isEmpty: true,
    mayReceive: true,
  },
};
const COMES = { session: 's2', volume: 'v', phase: 'pushing' } as const;

for (const [what, arrival, here, expected] of [
  ['a new one', COMES, {}, 'begin'],
  ['the same once more', COMES, { coming: { session: 's2', phase: 'pulling', isAsked: true } }, 'continue'],
  ['one that is finished', COMES, { finished: ['s1', 's2'] }, 'say'],
  ['one that was given up', { ...COMES, phase: 'abandoned' }, { isEmpty: false }, 'say'],
  ['one that was given to what knows nothing of it', { ...COMES, phase: 'given' }, {}, 'refuse'],
  ['where none may come', COMES, { mayReceive: false }, 'refuse'],
  ['where something is', COMES, { isEmpty: false }, 'refuse'],
  [
    'behind another of the same volume',
    COMES,
    { volume: 'v', coming: { session: 's1', phase: 'receiving', isAsked: true } },
    'begin',
  ],
  [
    'beside another volume',
    COMES,
    { volume: 'w', coming: { session: 's1', phase: 'receiving', isAsked: false } },
    'refuse',
  ],
  [
    'where one is in use',
    COMES,
    { volume: 'v', coming: { session: 's1', phase: 'done', isAsked: true } },
    'refuse',
  ],
  ['home again', COMES, { volume: 'v', isEmpty: false, going: { phase: 'released' } }, 'begin'],
  [
    'where it is on its way from',
    COMES,
    { volume: 'v', isEmpty: false, going: { phase: 'given' } },
    'refuse',
  ],
] as const)
  test(`an arrival: ${what}`, () => {
    assert.equal(decide(arrival, { ...HERE, ...here }).is, expected);
  });
