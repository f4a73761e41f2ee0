/** What is pure of a disk's way: records, their log at the source, their order at the destination, couriers' words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplyOrder } from '../../../src/courier/disk/destination/order.js';
import * as message from '../../../src/courier/disk/message.js';
import {
  BLOCK_BYTES,
  type DiskRecord,
  FLUSH,
  MOST_RANGE_BYTES,
  RecordReader,
  rangeRecords,
  recordHead,
  writeRecord,
} from '../../../src/courier/disk/record.js';
import { RecordLog } from '../../../src/courier/disk/source/log.js';
import { tokensOf } from '../../../src/courier/disk/source/tokens.js';
import { Random } from '../../fuzz/random.js';

const SIZE = 1 << 30;
const write = (offset: number, length: number): DiskRecord => writeRecord(offset, Buffer.alloc(length, 1));

test('records: fixed bytes, and the same records from any pieces', () => {
  const head = recordHead({ kind: 'zeroes', offset: 0x1_0000_0000, length: 0x1000, noHole: true });
  assert.equal(head.toString('hex'), '02010000000010000000000100000000');
  const all = [write(5, 3), FLUSH, ...rangeRecords('trim', 4096, 512, false), write(0, BLOCK_BYTES)];
  const stream = Buffer.concat(all.flatMap((record) => [recordHead(record), record.data ?? Buffer.alloc(0)]));
  for (const step of [1, 7, 16, 17, stream.length]) {
    const reader = new RecordReader(SIZE);
    const read: DiskRecord[] = [];
    for (let at = 0; at < stream.length; at += step) {
      const records = reader.push(stream.subarray(at, at + step));
      assert.ok(typeof records !== 'string');
      read.push(...records);
    }
    assert.deepEqual(
      read.map(({ kind, offset, length, noHole, data }) => [kind, offset, length, noHole, data?.length]),
      all.map(({ kind, offset, length, noHole, data }) => [kind, offset, length, noHole, data?.length]),
    );
  }
});

test('records: what is not within the disk, or none, is refused for good', () => {
  const refused = (hexes: string): unknown => new RecordReader(0x10000).push(Buffer.from(hexes, 'hex'));
  assert.equal(refused('00000000000000010000000000000000'), 'record 00000000');
  assert.equal(refused('06000000000000010000000000000000'), 'record 06000000');
  assert.equal(refused('01020000000000010000000000000000'), 'record 01020000');
  assert.equal(refused('01000001000000010000000000000000'), 'record 01000001');
  assert.equal(refused('01000000000100010000000000000000'), 'write of 65537 bytes');
  assert.equal(refused('01000000000000000000000000000000'), 'write of 0 bytes');
  assert.equal(refused('04000000000000010000000000000000'), 'flush of 1 bytes');
  assert.equal(refused('02000000020000010000000000000000'), 'zeroes of 33554433 bytes');
  assert.equal(refused('0100000000000002000000000000ffff'), 'write beyond the disk’s end');
  assert.equal(refused('0200000000000001ffffffffffffffff'), 'zeroes beyond the disk’s end');
  const reader = new RecordReader(10);
  assert.equal(reader.push(Buffer.alloc(16)), 'record 00000000');
  assert.equal(reader.push(recordHead(FLUSH)), 'record 00000000');
});

test('records: zeroes are found, ranges are cut, pages are where the disk has them', () => {
  assert.equal(writeRecord(0, Buffer.alloc(BLOCK_BYTES)).kind, 'zeroes');
  const almost = Buffer.alloc(BLOCK_BYTES);
  almost[BLOCK_BYTES - 1] = 1;
  assert.equal(writeRecord(0, almost).kind, 'write');
  const pieces = [...rangeRecords('zeroes', 512, 2 * MOST_RANGE_BYTES + 1, true)];
  assert.deepEqual(
    pieces.map(({ offset, length }) => [offset, length]),
    [
      [512, MOST_RANGE_BYTES],
      [512 + MOST_RANGE_BYTES, MOST_RANGE_BYTES],
      [512 + 2 * MOST_RANGE_BYTES, 1],
    ],
  );
  const kinds = (record: DiskRecord): unknown =>
    tokensOf(record).map(({ kind, bytes }) => `${kind} ${bytes.length}`);
  assert.deepEqual(kinds(write(4096, 8192)), ['verbatim 16', 'page 4096', 'page 4096']);
  assert.deepEqual(kinds(write(4000, 8192)), ['verbatim 16', 'verbatim 96', 'page 4096', 'verbatim 4000']);
  assert.deepEqual(kinds(write(4097, 100)), ['verbatim 16', 'verbatim 100']);
  assert.deepEqual(kinds(FLUSH), ['verbatim 16']);
});

test('log: what is done goes, what was sent and is not done is sent again', () => {
  const log = new RecordLog();
  assert.deepEqual([log.append(write(0, 100)), log.append(FLUSH), log.append(write(100, 50))], [1, 2, 3]);
  assert.deepEqual([log.next()?.length, log.next()?.kind], [100, 'flush']);
  assert.equal(log.setDone(3), false, 'was not sent');
  assert.equal(log.setDone(1), true);
  assert.equal(log.setDone(0), false, 'goes back');
  assert.equal(log.rewind(0), undefined, 'is gone');
  assert.equal(log.rewind(3), undefined, 'was not sent');
  assert.equal(log.next()?.length, 50);
  assert.equal(log.next(), undefined);
  assert.equal(log.rewind(1), 50);
  assert.deepEqual([log.next()?.kind, log.next()?.length, log.next()], ['flush', 50, undefined]);
  assert.equal(log.setDone(3), true);
  assert.deepEqual([log.bytes, log.unsentBytes, log.isEmpty, log.last], [0, 0, true, 3]);
});

test('order: what touches waits, a flush waits for all before it, and nothing waits for a flush', () => {
  const order = new ApplyOrder();
  for (const record of [write(0, 10), write(10, 10), write(5, 10), FLUSH, write(90, 1)]) order.take(record);
  const begun = (): (number | undefined)[] => {
    const numbers: (number | undefined)[] = [];
    for (let next = order.next(); next !== undefined; next = order.next()) numbers.push(next.number);
    return numbers;
  };
  assert.deepEqual(begun(), [1, 2]);
  order.finished(2);
  assert.deepEqual(begun(), [], 'the third touches the first');
  assert.equal(order.done, 0, 'the first is not done');
  order.finished(1);
  assert.equal(order.done, 2);
  assert.deepEqual(begun(), [3]);
  order.finished(3);
  assert.deepEqual(begun(), [4, 5]);
  order.finished(5);
  order.finished(5);
  assert.deepEqual([order.done, order.isQuiet, order.bytes], [3, false, 0]);
  order.finished(4);
  assert.deepEqual([order.done, order.taken, order.count, order.isQuiet], [5, 5, 0, true]);
});

test('order: a disk that does its work in any order ends as one that does it in order', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const [inOrder, done] = [Buffer.alloc(1000), Buffer.alloc(1000)];
    const order = new ApplyOrder();
    const underWay: { number: number; record: DiskRecord }[] = [];
    for (let step = 0; step < 400; step++) {
      if (random.chance(60)) {
        const length = 1 + random.below(200);
        const record = random.chance(10)
          ? FLUSH
          : { ...write(random.below(1000 - length), length), data: Buffer.alloc(length, random.word()) };
        record.data?.copy(inOrder, record.offset);
        order.take(record);
      }
      for (let next = order.next(); next !== undefined; next = order.next()) underWay.push(next);
      if (underWay.length === 0 || random.chance(40)) continue;
      const [one] = underWay.splice(random.below(underWay.length), 1);
      if (one === undefined) continue;
      one.record.data?.copy(done, one.record.offset);
      order.finished(one.number);
    }
    while (order.count > 0) {
      for (let next = order.next(); next !== undefined; next = order.next()) underWay.push(next);
      const [one] = underWay.splice(random.below(underWay.length), 1);
      one?.record.data?.copy(done, one.record.offset);
      order.finished(one?.number ?? 0);
    }
    assert.ok(done.equals(inOrder), `seed ${seed}`);
    assert.equal(order.done, order.taken);
  }
});

test('messages: what is written is read, and nothing else', () => {
  const payload = (frame: Buffer): Buffer => frame.subarray(5);
  const open = {
    ...{ session: 'ab'.repeat(16), destination: 'vm', owner: '', store: 'cd'.repeat(16) },
    ...{ isOld: false, stallSeconds: 600 },
  };
  assert.deepEqual(message.decodeDiskOpen(payload(message.encodeDiskOpen(open))), open);
  const opened = { store: 'cd'.repeat(16), sizeBytes: 4096, minimumBytes: 512, taken: 9, done: 7 };
  assert.deepEqual(message.decodeDiskOpened(payload(message.encodeDiskOpened(opened))), opened);
  assert.equal(message.decodeDiskOpen(Buffer.from('{')), 'not JSON');
  assert.equal(
    message.decodeDiskOpen(Buffer.from(JSON.stringify({ ...open, session: 'x' }))),
    'disk: session',
  );
  assert.equal(
    typeof message.decodeDiskOpened(Buffer.from(JSON.stringify({ ...opened, taken: -1 }))),
    'string',
  );
  assert.equal(message.encodeDone(258).toString('hex'), '22000000080000000000000102');
  assert.equal(message.decodeDone(Buffer.from('ffffffffffffffff', 'hex')), 'a record beyond 2^53');
  const answer = { number: 3, error: 5, codec: 'none' as const, bytes: 2, content: Buffer.from('ab') };
  const encoded = message.encodeAnswer(answer);
  assert.equal(encoded.toString('hex'), '2300000013000000000000000300000005000000000 26162'.replace(' ', ''));
  assert.deepEqual(message.decodeAnswer(payload(encoded)), answer);
  const bad = Buffer.from(payload(encoded));
  bad[12] = 9;
  assert.equal(message.decodeAnswer(bad), 'codec 9');
  bad[12] = 0;
  bad[16] = 3;
  assert.equal(message.decodeAnswer(bad), 'answer of another length than it says');
  bad.writeUInt32BE(0x7fffffff, 13);
  assert.equal(message.decodeAnswer(bad), 'answer of 2147483647 bytes');
  assert.deepEqual(message.decodeFailure(payload(message.encodeFailure({ error: 28, reason: 'full\n' }))), {
    error: 28,
    reason: 'full?',
  });
});
