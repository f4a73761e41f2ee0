/** What an etcd answers, also one that lies: an answer, or a failure with a name; never an exception. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isFailure,
  rangeRequest,
  readLogin,
  readRange,
  readSwap,
  readWatch,
  swapRequest,
  watchRequest,
} from '../../../../src/membership/etcd/messages.js';

const KEY = '/vine/description';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const header = { cluster_id: '1', revision: '12' };
const kv = { key: base64(KEY), value: base64('content'), mod_revision: '9', version: '2' };
const range = (answer: unknown) => readRange(JSON.stringify(answer), KEY);
const watch = (result: unknown) => readWatch(JSON.stringify({ result }), KEY);
const problemOf = (answer: object | boolean | string): string =>
  typeof answer === 'object' && isFailure(answer) ? answer.problem : 'none';

test('requests', () => {
  assert.deepEqual(JSON.parse(rangeRequest(KEY, true)), { key: base64(KEY), keys_only: true });
  assert.deepEqual(JSON.parse(watchRequest(KEY, 13n)), {
    create_request: { key: base64(KEY), start_revision: '13' },
  });
  const swap = JSON.parse(swapRequest(KEY, 0n, Buffer.from('x')));
  assert.deepEqual(swap.compare, [{ key: base64(KEY), target: 'MOD', result: 'EQUAL', mod_revision: '0' }]);
  assert.deepEqual(swap.success, [{ request_put: { key: base64(KEY), value: base64('x') } }]);
});

test('a range: the key, none, an empty one', () => {
  const found = range({ header, kvs: [kv], count: '1' });
  assert.ok(!isFailure(found));
  assert.equal(found.revision, 12n);
  assert.equal(found.stored?.modRevision, 9n);
  assert.equal(Buffer.from(found.stored?.value ?? []).toString(), 'content');
  assert.deepEqual(range({ header }), { revision: 12n, stored: undefined });
  const empty = range({ header, kvs: [{ ...kv, value: undefined }] });
  assert.ok(!isFailure(empty));
  assert.equal(empty.stored?.value.length, 0);
});

test('a range that is none', () => {
  const wrong: unknown[] = [
    null,
    [],
    'text',
    {},
    { header: {} },
    { header: { revision: 12 } },
    { header: { revision: '0' } },
    { header: { revision: '-1' } },
    { header: { revision: '9223372036854775808' } },
    { header: { revision: '1e3' } },
    { header, kvs: {} },
    { header, kvs: [kv, kv] },
    { header, kvs: [null] },
    { header, kvs: [{ ...kv, key: base64('/other') }] },
    { header, kvs: [{ ...kv, value: 7 }] },
    { header, kvs: [{ ...kv, mod_revision: undefined }] },
  ];
  for (const answer of wrong) assert.equal(problemOf(range(answer)), 'malformed', JSON.stringify(answer));
  assert.equal(problemOf(readRange('', KEY)), 'malformed');
  assert.equal(problemOf(readRange('{"header"', KEY)), 'malformed');
  assert.equal(problemOf(readRange('['.repeat(1_000_000), KEY)), 'malformed');
});

test('a watch: created, a change, a deletion, nothing', () => {
  assert.deepEqual(watch({ header, created: true }), { is: 'created', revision: 12n });
  assert.deepEqual(watch({ header }), { is: 'nothing', revision: 12n });
  const changed = watch({ header, events: [{ type: 'DELETE', kv: { key: base64(KEY) } }, { kv }] });
  assert.ok(!isFailure(changed) && changed.is === 'changed');
  assert.equal(changed.stored?.modRevision, 9n);
  assert.deepEqual(watch({ header, events: [{ type: 'DELETE', kv: { key: base64(KEY) } }] }), {
    is: 'changed',
    revision: 12n,
    stored: undefined,
  });
});

test('a watch that ends, and lines that are none', () => {
  assert.equal(problemOf(watch({ header: {}, canceled: true, compact_revision: '11' })), 'compacted');
  const ended = watch({ header, canceled: true, cancel_reason: 'no\nleader' });
  assert.deepEqual(ended, { problem: 'ended', detail: 'no leader' });
  const error = readWatch(JSON.stringify({ error: { grpc_code: 14, message: 'stopped' } }), KEY);
  assert.deepEqual(error, { problem: 'refused', detail: 'stopped' });
  for (const result of [
    null,
    {},
    [],
    { header, events: 1 },
    { header, events: [null] },
    { header, events: [{}] },
  ])
    assert.equal(problemOf(watch(result)), 'malformed', JSON.stringify(result));
  assert.equal(problemOf(readWatch('', KEY)), 'malformed');
});

test('a login: its token goes into a header', () => {
  assert.equal(readLogin(JSON.stringify({ header, token: 'abc.7' })), 'abc.7');
  for (const token of [undefined, '', 7, 'a b', 'a\r\nx: y', 'x'.repeat(4_097)])
    assert.equal(problemOf(readLogin(JSON.stringify({ header, token }))), 'malformed');
});

test('a swap', () => {
  assert.equal(readSwap(JSON.stringify({ header, succeeded: true })), true);
  assert.equal(readSwap(JSON.stringify({ header })), false);
  assert.equal(problemOf(readSwap('{}')), 'malformed');
});
