import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { Directory, type RecordDigest } from '../../../src/tables/directory.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { addHash, hashRecord } from '../../../src/tables/record.js';
import { StampOrder } from '../../../src/tables/stamp-order.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyRecord, BLUE, record } from './fixtures.js';

/** Few stamps and many addresses, so that stamps meet and chunks fill. */
const anyOwn: fc.Arbitrary<NodeRecord> = fc
  .record({ n: fc.nat({ max: 400 }), stamp: fc.integer({ min: 0, max: 300 }) })
  .map(({ n, stamp }) => ({ ...record('10.1.0.1', 'vr-a', 1, stamp), ip: Ip.v4(0x0a010000 + n) }));

const keyOf = ({ ip }: NodeRecord): string => ip.key;

test('agrees with a sorted list, whatever is added and taken out', () => {
  const steps = fc.array(fc.record({ made: anyOwn, removes: fc.option(fc.nat()) }), {
    maxLength: 800,
    size: 'max',
  });
  fc.assert(
    fc.property(steps, fc.array(fc.integer({ min: -1, max: 301 }), { maxLength: 10 }), (history, limits) => {
      const order = new StampOrder();
      const held = new Map<string, NodeRecord>();
      for (const { made, removes } of history) {
        const old = held.get(keyOf(made));
        if (old !== undefined) order.delete(old, hashRecord(old));
        order.add(made, hashRecord(made));
        held.set(keyOf(made), made);
        const victim = removes === null ? undefined : [...held.values()][removes % held.size];
        if (victim === undefined) continue;
        order.delete(victim, hashRecord(victim));
        held.delete(keyOf(victim));
      }
      assert.equal(order.size, held.size);
      const stamps = [...order].map(({ stamp }) => stamp);
      assert.deepEqual(
        stamps,
        [...stamps].sort((a, b) => a - b),
      );
      assert.deepEqual(new Set(order), new Set(held.values()));
      for (const limit of limits) {
        const older = [...held.values()].filter(({ stamp }) => stamp <= limit);
        const hash = older.reduce((sum, each) => addHash(sum, hashRecord(each), 1), 0);
        assert.deepEqual(order.upTo(limit), { count: older.length, hash });
        assert.equal(order.after(limit).length, held.size - older.length);
        assert.ok(order.after(limit).every(({ stamp }) => stamp > limit));
      }
    }),
    { numRuns: 100 },
  );
});

/** As it was defined before it had to be cheap. */
function explains(records: readonly NodeRecord[], peer: RecordDigest): boolean {
  const older = records.filter(({ stamp }) => stamp <= peer.highestStamp);
  const hash = older.reduce((sum, each) => addHash(sum, hashRecord(each), 1), 0);
  return older.length === peer.count && hash === peer.hash;
}

function missing(records: readonly NodeRecord[], peer: RecordDigest): NodeRecord[] {
  const hash = records.reduce((sum, each) => addHash(sum, hashRecord(each), 1), 0);
  if (hash === peer.hash && records.length === peer.count) return [];
  const lacking = explains(records, peer)
    ? records.filter(({ stamp }) => stamp > peer.highestStamp)
    : records;
  return [...lacking].sort((a, b) => a.stamp - b.stamp);
}

test('`explains` and `missing` answer as the naive ones, to true digests and to made-up ones', () => {
  const peers = fc.record({
    heard: fc.array(fc.boolean(), { maxLength: 40 }),
    lie: fc.option(fc.record({ highestStamp: fc.nat(2 ** 51), count: fc.nat(20), hash: fc.nat(0xffffffff) })),
  });
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 40 }), peers, (records, { heard, lie }) => {
      const owner = new Directory('vr-a', new SimClock());
      const peer = new Directory('vr-b', new SimClock());
      for (const [i, each] of records.entries()) {
        owner.apply(each);
        if (heard[i] !== false) peer.apply(each);
      }
      const digest = lie ?? peer.digest('vr-a');
      const own = [...owner.all()].filter(({ router }) => router === 'vr-a');
      assert.equal(owner.explains(digest), explains(own, digest));
      const given = owner.lackedBy(digest);
      const wanted = missing(own, digest);
      assert.deepEqual(
        given.map(({ stamp }) => stamp),
        wanted.map(({ stamp }) => stamp),
      );
      assert.deepEqual(new Set(given), new Set(wanted));
    }),
    { numRuns: 500 },
  );
});

test('a digest that is made up costs no walk through all records', () => {
  const directory = new Directory('vr-a', new SimClock());
  let looks = 0;
  for (let n = 0; n < 20_000; n++) {
    const made: NodeRecord = record('10.1.0.1', 'vr-a', 1, n);
    const counted = {
      ...made,
      ip: Ip.v4(0x0a000000 + n),
      get stamp(): number {
        looks++;
        return n;
      },
    };
    directory.apply(counted);
  }
  looks = 0;
  for (let i = 0; i < 10; i++) directory.explains({ highestStamp: 7_777 + i, count: 3, hash: i });
  assert.ok(looks < 10 * 500, `${looks} looks at 20,000 records for 10 digests`);
  looks = 0;
  directory.lackedBy({ highestStamp: 19_000, count: 3, hash: 1 });
  assert.ok(looks < 500, `${looks} looks for a full answer`);
});

test('records out of order are found again: a state file’s, or those that peers give back', () => {
  const order = new StampOrder();
  const records = Array.from({ length: 1_000 }, (_, n) => ({
    ...record('10.1.0.1', 'vr-a', 1, (n * 7_919) % 1_000),
    ip: Ip.v4(0x0a000000 + n),
    vnet: BLUE,
  }));
  for (const each of records) order.add(each, hashRecord(each));
  assert.deepEqual(
    [...order].map(({ stamp }) => stamp),
    Array.from({ length: 1_000 }, (_, n) => n),
  );
  for (const each of records) order.delete(each, hashRecord(each));
  assert.deepEqual([order.size, [...order], order.upTo(999)], [0, [], { count: 0, hash: 0 }]);
});
