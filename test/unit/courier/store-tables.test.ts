import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../../src/courier/store/digest.js';
import { FreeEntries } from '../../../src/courier/store/free-entries.js';
import { KeyTable } from '../../../src/courier/store/key-table.js';
import { Recency } from '../../../src/courier/store/recency.js';
import { MOST_ENTRIES, MOST_STAMP, StampOrder } from '../../../src/courier/store/stamp-order.js';
import { randomOf } from '../../fuzz/target.js';

/** Many of them want the same place: the first word, which places them, has few values. */
function digestOf(number: number): Buffer {
  const digest = sha256(Buffer.from(String(number)));
  digest.writeUInt32BE(number % 5, 0);
  return digest;
}

test('the key table agrees with a map after any additions and removals', () => {
  const capacity = 50;
  const random = randomOf(7, 1);
  const table = new KeyTable(capacity);
  const naive = new Map<number, number>();
  const free = Array.from({ length: capacity }, (_, entry) => entry);
  for (let step = 0; step < 20_000; step++) {
    const number = random.below(100);
    const entry = naive.get(number);
    assert.equal(table.find(digestOf(number)), entry ?? -1);
    if (entry !== undefined) {
      table.remove(entry);
      naive.delete(number);
      free.push(entry);
    } else if (free.length > 0) {
      const next = free.pop() ?? 0;
      table.add(next, digestOf(number));
      naive.set(number, next);
    }
  }
  for (let number = 0; number < 100; number++)
    assert.equal(table.find(digestOf(number)), naive.get(number) ?? -1);
});

test('a table that is full to the last entry still says what it does not have', () => {
  const table = new KeyTable(2);
  table.add(0, digestOf(1));
  table.add(1, digestOf(2));
  assert.equal(table.find(digestOf(3)), -1);
});

test('keys are found by their first 16 bytes, anywhere in a buffer', () => {
  const table = new KeyTable(4);
  table.add(2, digestOf(9));
  assert.equal(table.find(Buffer.concat([Buffer.alloc(3), digestOf(9).subarray(0, 16)]), 3), 2);
});

test('recency agrees with a list', () => {
  const random = randomOf(8, 1);
  const recency = new Recency(20);
  let naive: number[] = [];
  for (let step = 0; step < 5_000; step++) {
    const thing = random.below(20);
    naive = naive.filter((one) => one !== thing);
    if (random.chance(70)) {
      recency.use(thing);
      naive.push(thing);
    } else recency.drop(thing);
    assert.equal(recency.oldest(), naive[0] ?? -1);
    assert.equal(recency.size, naive.length);
  }
  assert.deepEqual([...recency], naive);
});

test('free entries: each once, those given back first', () => {
  const free = new FreeEntries(4);
  assert.deepEqual([free.take(), free.take()], [0, 1]);
  free.giveBack(0);
  assert.deepEqual(
    Array.from({ length: 4 }, () => free.take()),
    [0, 2, 3, -1],
  );
  free.begin((entry) => entry === 1);
  assert.deepEqual(
    Array.from({ length: 4 }, () => free.take()),
    [0, 2, 3, -1],
  );
  free.begin(() => false);
  assert.equal(free.take(), 0);
});

test('entries are sorted by their stamps, whatever those are', () => {
  const random = randomOf(11, 1);
  const order = new StampOrder(1_000);
  const naive = new Map<number, number>();
  for (let step = 0; step < 3_000; step++) {
    const entry = random.below(1_000);
    const high = random.below(2) * random.below(2 ** 30) * 2 ** 8;
    const stamp = random.chance(10) ? 0 : 1 + high + random.below(2 ** 20);
    order.set(entry, stamp);
    assert.equal(order.stampOf(entry), stamp);
    naive.delete(entry);
    if (stamp > 0) naive.set(entry, stamp);
  }
  const expected = [...naive].map(([entry, stamp]) => ({ entry, stamp }));
  expected.sort((a, b) => a.stamp - b.stamp || a.entry - b.entry);
  assert.deepEqual([...order.sorted()], expected);
  const largest = new StampOrder(3);
  largest.set(2, MOST_STAMP);
  largest.set(0, 1);
  assert.deepEqual(
    [...largest.sorted()],
    [
      { entry: 0, stamp: 1 },
      { entry: 2, stamp: MOST_STAMP },
    ],
  );
  assert.throws(() => new StampOrder(MOST_ENTRIES + 1), RangeError);
});
