/** What may be kept of a stream: of many tiny pieces no more than of large ones; who may have a turn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unacked } from '../../../src/courier/job/unacked.js';
import { sha256 } from '../../../src/courier/store/digest.js';
import { Turns } from '../../../src/courier/turns.js';
import { MOST_UNACKED_BATCHES, MOST_UNACKED_BYTES } from '../../../src/courier/wire/limits.js';
import { pageOf } from './streams.js';

const tiny = (serial: number) => ({ serial, streamBytes: 1, pages: [], references: new Map() });

test('unacknowledged batches are bounded by their bytes and by their number', () => {
  const unacked = new Unacked();
  for (let serial = 1; serial <= MOST_UNACKED_BATCHES; serial++) {
    assert.equal(unacked.isFull, false, `batch ${serial}`);
    unacked.sent(tiny(serial));
  }
  assert.equal(unacked.isFull, true);
  assert.equal(unacked.acked(1), true);
  assert.equal(unacked.isFull, false);
  assert.equal(unacked.acked(1), false);
  assert.equal(unacked.acked(MOST_UNACKED_BATCHES), true);
  unacked.sent({ ...tiny(MOST_UNACKED_BATCHES + 1), streamBytes: MOST_UNACKED_BYTES });
  assert.equal(unacked.isFull, true);
});

test('pages on their way, and those that may be asked for, once', () => {
  const unacked = new Unacked();
  const [sent, referred] = [sha256(pageOf(1)), sha256(pageOf(2))];
  const key = referred.subarray(0, 16);
  unacked.goes(sent);
  unacked.sent({ ...tiny(1), pages: [sent], references: new Map([[key.toString('latin1'), pageOf(2)]]) });
  assert.equal(unacked.pages.has(sent.toString('latin1', 0, 16)), true);
  assert.equal(unacked.take(1, [sent.subarray(0, 16)]), undefined);
  assert.equal(unacked.take(2, [key]), undefined);
  assert.deepEqual(unacked.take(1, [key]), [pageOf(2)]);
  assert.equal(unacked.take(1, [key]), undefined);
  assert.equal(unacked.acked(1), true);
  assert.equal(unacked.pages.size, 0);
});

test('turns: so many at once by a key, the others in their order', () => {
  const turns = new Turns(2);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const take = (key: string, name: string): void =>
    turns.take(key, (done) => {
      begun.push(name);
      ends.set(name, done);
    });
  for (const name of ['a1', 'a2', 'a3', 'a4']) take('a', name);
  take('b', 'b1');
  assert.deepEqual(begun, ['a1', 'a2', 'b1']);
  ends.get('a1')?.();
  ends.get('a1')?.();
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'a3']);
  turns.take('b', (done) => done());
  for (const name of ['a2', 'a3', 'a4', 'b1']) ends.get(name)?.();
  take('a', 'a5');
  assert.deepEqual(begun.slice(4), ['a4', 'a5']);
});
