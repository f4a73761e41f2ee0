/** What is read, watched and tried again, with an etcd and a clock that do as they are told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdFollower, type EtcdPort } from '../../../../src/membership/etcd/follower.js';
import {
  type EtcdFailure,
  failure,
  type RangeAnswer,
  type WatchAnswer,
} from '../../../../src/membership/etcd/messages.js';
import { SimClock } from '../../../support/sim-clock.js';

const DOCUMENT = Buffer.from('a document');

interface Asked {
  readonly endpoint: string;
  readonly what: 'range' | 'keys' | 'watch';
  readonly from?: bigint;
  readonly answer: (answer: RangeAnswer & WatchAnswer) => void;
  readonly fail: (found: EtcdFailure) => void;
  isCancelled: boolean;
}

function world(endpoints: readonly string[] = ['a']) {
  const clock = new SimClock();
  const asked: Asked[] = [];
  const judged: string[] = [];
  const events: string[] = [];
  let refusal: string | undefined;
  const ask = (one: Omit<Asked, 'isCancelled' | 'answer' | 'fail'>, heard: (answer: never) => void) => {
    const guarded = (answer: object): void => {
      assert.ok(!call.isCancelled, 'heard after it was cancelled');
      heard(answer as never);
    };
    const call: Asked = { ...one, isCancelled: false, answer: guarded, fail: guarded };
    asked.push(call);
    return {
      cancel: () => {
        call.isCancelled = true;
      },
    };
  };
  const port: EtcdPort = {
    range: (endpoint, keysOnly, heard) => ask({ endpoint, what: keysOnly ? 'keys' : 'range' }, heard),
    watch: (endpoint, from, heard) => ask({ endpoint, what: 'watch', from }, heard),
  };
  const follower = new EtcdFollower({
    clock,
    port,
    endpoints,
    random: () => 0,
    judge: (document) => {
      judged.push(Buffer.from(document).toString());
      return refusal;
    },
    event: (name, fields) => events.push([name, fields.problem ?? fields.reason].filter(Boolean).join(' ')),
  });
  const last = (): Asked => asked.at(-1) ?? assert.fail('nothing was asked');
  const answer = (revision: bigint, modRevision?: bigint, value: Uint8Array = DOCUMENT): void => {
    const stored = modRevision === undefined ? undefined : { modRevision, value };
    last().answer({ is: 'changed', revision, stored });
  };
  const watching = (revision = 10n, modRevision?: bigint): Asked => {
    if (asked.length === 0) follower.start();
    answer(revision, modRevision);
    const watch = last();
    assert.equal(watch.what, 'watch');
    watch.answer({ is: 'created', revision } as never);
    return watch;
  };
  const refuse = (why: string | undefined): void => {
    refusal = why;
  };
  return { clock, asked, judged, events, follower, last, answer, watching, refuse };
}

const SILENT = failure('silent', 'it says nothing');
const REFUSED_THERE = failure('unreachable', 'nothing listens there');

test('reads, watches from the next revision on, and hears what is put', () => {
  const { judged, events, follower, watching } = world();
  const watch = watching(10n, 7n);
  assert.equal(watch.from, 11n);
  watch.answer({ is: 'changed', revision: 12n, stored: { modRevision: 12n, value: Buffer.from('next') } });
  assert.deepEqual(judged, ['a document', 'next']);
  assert.deepEqual(events, ['etcd_reached']);
  assert.equal(follower.view().revision, 12n);
  assert.equal(follower.view().refusal, undefined);
});

test('no key, and one that is deleted: the state says so, nothing is judged', () => {
  const { judged, follower, watching } = world();
  const watch = watching(10n);
  assert.equal(follower.view().refusal, 'there is no such key');
  watch.answer({ is: 'changed', revision: 11n, stored: { modRevision: 11n, value: DOCUMENT } });
  assert.equal(follower.view().refusal, undefined);
  watch.answer({ is: 'changed', revision: 12n, stored: undefined });
  assert.equal(follower.view().refusal, 'there is no such key');
  assert.equal(judged.length, 1);
});

test('endpoints are tried in turn, with pauses that grow to half a minute', () => {
  const { clock, asked, events, follower, last } = world(['a', 'b']);
  follower.start();
  const pauses: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = asked.length;
    const begunMs = clock.nowMs();
    last().fail(REFUSED_THERE);
    while (asked.length === before) clock.advanceToNext();
    pauses.push(clock.nowMs() - begunMs);
  }
  assert.deepEqual(
    asked.slice(0, 4).map(({ endpoint }) => endpoint),
    ['a', 'b', 'a', 'b'],
  );
  assert.deepEqual(pauses.slice(0, 6), [100, 500, 100, 1_000, 100, 2_000]);
  assert.equal(pauses.at(-1), 30_000);
  assert.deepEqual(events, ['etcd_lost unreachable']);
  assert.equal(follower.view().failure?.detail, 'nothing listens there');
  assert.equal(follower.view().isReached, false);
});

test('each question has its time: the read, the beginning of the watch, the check', () => {
  const { clock, asked, follower, last, answer, watching } = world();
  follower.start();
  clock.advance(10_000);
  assert.equal(follower.view().failure?.problem, 'silent');
  assert.ok(asked[0]?.isCancelled);
  clock.advance(500);
  answer(10n, 7n);
  assert.equal(last().what, 'watch');
  clock.advance(5_000);
  assert.equal(follower.counters().etcd_failed_silent, 2);
  clock.advance(1_000);
  assert.equal(last().what, 'range');
  const watch = watching(10n, 7n);
  clock.advance(15_000);
  assert.equal(last().what, 'keys');
  clock.advance(5_000);
  assert.equal(follower.counters().etcd_failed_silent, 3);
  assert.ok(watch.isCancelled, 'the watch is given up with the check');
});

test('a check finds what the watch has not said, and is repeated while all is well', () => {
  const { clock, asked, judged, last, answer, watching } = world();
  watching(10n, 7n);
  for (let i = 0; i < 3; i++) {
    clock.advance(15_000);
    assert.equal(last().what, 'keys');
    answer(11n, 7n, Buffer.alloc(0));
  }
  assert.equal(judged.length, 1);
  assert.equal(asked.filter(({ what }) => what === 'range').length, 1);
  clock.advance(15_000);
  answer(14n, 13n, Buffer.alloc(0));
  assert.equal(last().what, 'range');
  answer(14n, 13n, Buffer.from('missed'));
  assert.deepEqual(judged, ['a document', 'missed']);
});

test('a store that went back is read anew', () => {
  const { clock, follower, last, answer, watching } = world();
  watching(100n, 90n);
  clock.advance(15_000);
  answer(40n, 30n, Buffer.alloc(0));
  assert.equal(last().what, 'range');
  assert.equal(watching(40n, 30n).from, 41n);
  assert.equal(follower.counters().etcd_went_back, 1);
});

test('what is compacted is read anew at once and there; it is no loss', () => {
  const { clock, events, follower, last, watching } = world();
  const watch = watching(10n, 7n);
  watch.fail(failure('compacted', 'compacted'));
  clock.advance(500);
  assert.equal(last().what, 'range');
  assert.equal(watching(50n, 49n).from, 51n);
  assert.deepEqual(events, ['etcd_reached']);
  assert.ok(follower.view().isReached);
});

test('one that is always compacted, or ends every watch, is asked more and more seldom', () => {
  for (const problem of ['compacted', 'ended'] as const) {
    const { clock, asked, watching } = world();
    for (let i = 0; i < 12; i++) {
      const watch = watching(10n, 7n);
      const before = asked.length;
      watch.fail(failure(problem, problem));
      while (asked.length === before) clock.advanceToNext();
    }
    assert.ok(clock.nowMs() > 100_000, `${problem}: ${clock.nowMs()} ms for 12 rounds`);
  }
});

test('a flood of documents, and of lines, ends the watch', () => {
  const documents = world();
  const watch = documents.watching(10n, 7n);
  for (let n = 11n; !watch.isCancelled; n++)
    watch.answer({ is: 'changed', revision: n, stored: { modRevision: n, value: DOCUMENT } });
  assert.equal(documents.judged.length, 10);
  assert.equal(documents.follower.counters().etcd_failed_too_many, 1);
  const lines = world();
  const silent = lines.watching(10n, 7n);
  let told = 0;
  for (; !silent.isCancelled; told++) silent.answer({ is: 'nothing', revision: 11n } as never);
  assert.equal(told, 100);
  documents.clock.advance(600_000);
});

test('too large: not judged, and as an answer not asked for again for a minute', () => {
  const { clock, asked, judged, follower, last, watching } = world();
  const watch = watching(10n);
  watch.answer({
    is: 'changed',
    revision: 11n,
    stored: { modRevision: 11n, value: Buffer.alloc(4 * 1024 * 1024 + 1) },
  });
  assert.equal(follower.view().refusal, 'it is larger than 4 MiB');
  assert.deepEqual(judged, []);
  watch.fail(failure('too-large', 'too large'));
  const before = asked.length;
  clock.advance(59_999);
  assert.equal(asked.length, before);
  clock.advance(1);
  assert.equal(last().what, 'range');
});

test('a refusal is told once, and what was refused is read again after five minutes', () => {
  const { clock, asked, judged, events, follower, answer, watching, refuse } = world();
  refuse('its signature does not hold');
  const watch = watching(10n, 7n);
  watch.answer({ is: 'changed', revision: 11n, stored: { modRevision: 11n, value: DOCUMENT } });
  assert.deepEqual(events, ['etcd_reached', 'etcd_description_refused its signature does not hold']);
  const reads = (): number => asked.filter(({ what }) => what === 'range').length;
  while (reads() === 1) {
    clock.advanceToNext();
    answer(11n, 11n, Buffer.alloc(0));
  }
  assert.ok(clock.nowMs() >= 300_000);
  refuse(undefined);
  answer(11n, 11n);
  assert.equal(judged.length, 3);
  assert.equal(follower.view().refusal, undefined);
});

test('changes of reach have a budget, and are counted beyond it', () => {
  const { clock, events, follower, last, answer } = world();
  follower.start();
  for (let i = 0; i < 50; i++) {
    last().what === 'range' ? answer(10n, undefined) : last().fail(SILENT);
    if (last().isCancelled) clock.advanceToNext();
    if (last().what === 'range') last().fail(SILENT);
    if (last().isCancelled) clock.advanceToNext();
  }
  assert.ok(events.length < 40, `${events.length} events`);
  assert.ok((follower.counters().etcd_events_held_back ?? 0) > 0);
});

test('after a stop nothing is asked and no timer waits', () => {
  const { clock, asked, follower, watching } = world();
  watching(10n, 7n);
  follower.stop();
  assert.ok(asked.at(-1)?.isCancelled);
  assert.deepEqual(clock.waiting, []);
});
