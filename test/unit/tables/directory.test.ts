import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { Directory, type DirectoryChange, TOMBSTONE_MS } from '../../../src/tables/directory.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { addHash, compareRecords, DISOWNED_STAMP, hashRecord } from '../../../src/tables/record.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyRecord, BLUE, RED, record } from './fixtures.js';

const ROUTERS = ['vr-a', 'vr-b', 'vr-c'];
const NODE = Ip.of('10.1.0.9');

function directoryOf(records: Iterable<NodeRecord>, self = 'vr-a'): Directory {
  const directory = new Directory(self, new SimClock());
  directory.load(records);
  return directory;
}

function contents(directory: Directory): string[] {
  return [...directory.all()].map((each) => JSON.stringify(each)).sort();
}

test('higher sequence wins, then greater router id by code units, then greater stamp', () => {
  const ranked = [
    record('10.1.0.9', 'vr-b', 1, 900),
    record('10.1.0.9', 'VR-Z', 2, 800),
    record('10.1.0.9', 'vr-a', 2, 700),
    record('10.1.0.9', 'vr-a', 2, 701),
    record('10.1.0.9', 'vr-b', 2, 1),
    record('10.1.0.9', 'vr-a', 3, 0),
  ];
  for (const [i, low] of ranked.entries()) {
    assert.equal(compareRecords(low, { ...low }), 0);
    for (const high of ranked.slice(i + 1)) {
      assert.ok(compareRecords(high, low) > 0);
      assert.ok(compareRecords(low, high) < 0);
    }
  }
});

test('apply says whether the record won, is the winner already, or is beaten', () => {
  const directory = directoryOf([]);
  const first = record('10.1.0.9', 'vr-a', 1, 10);
  assert.equal(directory.apply(first), 'applied');
  assert.equal(directory.apply({ ...first }), 'known');
  assert.equal(directory.apply(record('10.1.0.9', 'vr-b', 2, 5)), 'applied');
  assert.equal(directory.apply(first), 'stale');
  assert.equal(directory.get(BLUE, NODE)?.router, 'vr-b');
  assert.equal(directory.get(RED, NODE), undefined, 'vnets do not meet');
});

test('any order and any repetition of the same records gives the same table and digests', () => {
  const permuted = fc.array(anyRecord, { maxLength: 40 }).chain((records) =>
    fc.tuple(
      fc.constant(records),
      fc.array(fc.nat(Math.max(0, records.length - 1)), { maxLength: 40 }).chain((repeats) =>
        fc.shuffledSubarray([...records, ...repeats.flatMap((i) => records[i] ?? [])], {
          minLength: records.length + (records.length === 0 ? 0 : repeats.length),
        }),
      ),
    ),
  );
  fc.assert(
    fc.property(permuted, ([records, shuffled]) => {
      const one = directoryOf(records);
      const two = directoryOf(shuffled, 'vr-c');
      assert.deepEqual(contents(one), contents(two));
      for (const router of ROUTERS) assert.deepEqual(one.digest(router), two.digest(router));
    }),
    { numRuns: 500 },
  );
});

test('the running digest, `of` and `byMac` equal what all records give', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60 }), (records) => {
      const directory = directoryOf(records);
      const all = [...directory.all()];
      assert.equal(directory.size, all.length);
      for (const router of ROUTERS) {
        const naming = all.filter((each) => each.router === router);
        const hash = naming.reduce((sum, each) => addHash(sum, hashRecord(each), 1), 0);
        const stamps = records.filter((each) => each.router === router).map((each) => each.stamp);
        const highestStamp = Math.max(0, ...stamps);
        assert.deepEqual(directory.digest(router), { highestStamp, count: naming.length, hash });
        assert.deepEqual(new Set(directory.of(router)), new Set(naming));
      }
      for (const { vnet, mac: m } of records) {
        const having = all.filter((each) => each.vnet === vnet && each.mac === m && each.state === 'here');
        assert.deepEqual(new Set(directory.byMac(vnet, m)), new Set(having));
      }
    }),
  );
});

test('every field changes the hash of a record', () => {
  const base = record('10.1.0.9', 'vr-a', 1, 1_767_225_600_000_000);
  const others: NodeRecord[] = [
    { ...base, vnet: RED },
    { ...base, ip: Ip.of('10.1.0.10') },
    { ...base, ip: Ip.of('::a01:9') },
    { ...base, mac: (base.mac + 1) as Mac },
    { ...base, mac: (base.mac + 2 ** 32) as Mac },
    { ...base, router: 'vr-b' },
    { ...base, seq: 2 },
    { ...base, seq: 1 + 2 ** 32 },
    { ...base, state: 'withdrawn' },
    { ...base, stamp: base.stamp + 1 },
    { ...base, stamp: base.stamp + 2 ** 32 },
  ];
  const hashes = new Set([base, ...others].map(hashRecord));
  assert.equal(hashes.size, others.length + 1);
  for (const hash of hashes) assert.ok(Number.isInteger(hash) && hash >= 0 && hash <= 0xffffffff);
});

test('own stamps rise by the wall clock in microseconds, and even when it is set back', () => {
  const clock = new SimClock(5_000);
  const directory = new Directory('vr-a', clock);
  const m = mac('52:54:00:00:00:09');
  assert.equal(directory.originate(BLUE, NODE, m, 1).stamp, 5_000_000);
  assert.equal(directory.originate(BLUE, NODE, m, 1).stamp, 5_000_001);
  clock.stepWall(-4_000);
  assert.equal(directory.originate(BLUE, NODE, m, 1).stamp, 5_000_002);
  directory.apply(record('10.1.0.7', 'vr-a', 1, 9_000_000));
  assert.equal(directory.originate(BLUE, NODE, m, 1).stamp, 9_000_001, 'above one from before a restart');
});

test('withdraw makes an own record a tombstone with the same seq, and nothing else', () => {
  const directory = directoryOf([record('10.2.0.9', 'vr-b', 1, 1)]);
  const made = directory.originate(BLUE, NODE, mac('52:54:00:00:00:09'), 7);
  const gone = directory.withdraw(BLUE, NODE);
  assert.deepEqual({ ...gone, stamp: 0 }, { ...made, state: 'withdrawn', stamp: 0 });
  assert.ok((gone?.stamp ?? 0) > made.stamp);
  assert.equal(directory.get(BLUE, NODE), gone);
  assert.equal(directory.here(BLUE, NODE), undefined);
  assert.deepEqual(directory.byMac(BLUE, made.mac), directory.of('vr-b'));
  assert.equal(directory.withdraw(BLUE, NODE), undefined, 'twice');
  assert.equal(directory.withdraw(BLUE, Ip.of('10.2.0.9')), undefined, 'another router’s');
});

test('previous is the router that the winner’s node came from', () => {
  const directory = directoryOf([record('10.1.0.9', 'vr-a', 1, 1)]);
  assert.equal(directory.previous(BLUE, NODE), undefined);
  directory.apply(record('10.1.0.9', 'vr-b', 2, 1));
  assert.equal(directory.previous(BLUE, NODE), 'vr-a');
  directory.apply(record('10.1.0.9', 'vr-b', 2, 2, { mac: mac('52:54:00:00:00:0a') }));
  assert.equal(directory.previous(BLUE, NODE), 'vr-a', 'a rebinding is no move');
  directory.apply(record('10.1.0.9', 'vr-a', 1, 9));
  assert.equal(directory.previous(BLUE, NODE), 'vr-a', 'a stale record changes nothing');
  directory.apply(record('10.1.0.9', 'vr-c', 3, 1));
  assert.equal(directory.previous(BLUE, NODE), 'vr-b');
});

test('listeners are told of applied changes only, and find the directory complete', () => {
  const directory = directoryOf([]);
  const seen: DirectoryChange[] = [];
  const stop = directory.subscribe((change) => {
    const { vnet, ip, mac: m, router } = change.after;
    assert.equal(directory.get(vnet, ip), change.after);
    assert.deepEqual(directory.byMac(vnet, m), [change.after]);
    assert.deepEqual(directory.of(router), [change.after]);
    assert.equal(directory.digest(router).hash, hashRecord(change.after));
    if (change.before !== undefined) assert.deepEqual(directory.of(change.before.router), []);
    seen.push(change);
  });
  const first = record('10.1.0.9', 'vr-a', 1, 1);
  const second = record('10.1.0.9', 'vr-b', 2, 1);
  for (const each of [first, { ...first }, second, first]) directory.apply(each);
  stop();
  directory.apply(record('10.1.0.9', 'vr-a', 3, 3));
  assert.deepEqual(seen, [
    { before: undefined, after: first },
    { before: first, after: second },
  ]);
});

test('a listener may change the directory', () => {
  const directory = directoryOf([], 'vr-b');
  directory.subscribe(({ after }) => {
    if (after.router === 'vr-a') directory.originate(after.vnet, after.ip, after.mac, after.seq + 1);
  });
  directory.apply(record('10.1.0.9', 'vr-a', 4, 1));
  assert.equal(directory.get(BLUE, NODE)?.router, 'vr-b');
  assert.equal(directory.get(BLUE, NODE)?.seq, 5);
});

test('whatever a peer has missed, what `missing` gives it makes the digests agree', () => {
  const history = fc.array(fc.tuple(anyRecord, fc.boolean()), { maxLength: 40 });
  fc.assert(
    fc.property(history, (steps) => {
      const owner = new Directory('vr-a', new SimClock());
      const peer = new Directory('vr-b', new SimClock());
      for (const [each, isHeard] of steps) {
        // The peer may miss the owner's records, but both know everybody else's.
        owner.apply(each);
        if (isHeard || each.router !== 'vr-a') peer.apply(each);
      }
      peer.load(owner.lackedBy(peer.digest('vr-a')));
      // What the owner had lost to others before is no record of its own; the peer may not have heard of the winner.
      peer.load(owner.of('vr-b'));
      peer.load(owner.of('vr-c'));
      assert.deepEqual(contents(peer), contents(owner));
      assert.deepEqual(owner.lackedBy(peer.digest('vr-a')), []);
    }),
    { numRuns: 500 },
  );
});

test('missing gives only the newer records to a peer that has all older ones, oldest first', () => {
  const owner = directoryOf([1, 2, 3, 4, 5].map((n) => record(`10.1.0.${n}`, 'vr-a', 1, 10 - n)));
  const peer = directoryOf([4, 5].map((n) => record(`10.1.0.${n}`, 'vr-a', 1, 10 - n)));
  assert.deepEqual(
    owner.lackedBy(peer.digest('vr-a')).map((each) => each.ip.key),
    ['10.1.0.3', '10.1.0.2', '10.1.0.1'],
  );
  const withHole = directoryOf([1, 3].map((n) => record(`10.1.0.${n}`, 'vr-a', 1, 10 - n)));
  assert.equal(owner.lackedBy(withHole.digest('vr-a')).length, 5, 'all, when it cannot be told which');
  assert.equal(owner.lackedBy({ highestStamp: 0, count: 0, hash: 0 }).length, 5);
});

test('a tombstone is kept for 24 h of its stamp, then dropped without a word', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  directory.originate(BLUE, NODE, mac('52:54:00:00:00:09'), 3);
  directory.originate(BLUE, Ip.of('10.1.0.1'), mac('52:54:00:00:00:01'), 1);
  directory.withdraw(BLUE, NODE);
  directory.subscribe(() => assert.fail('no change'));
  clock.advance(TOMBSTONE_MS);
  directory.expire();
  assert.equal(directory.get(BLUE, NODE)?.seq, 3);
  clock.advance(1);
  directory.expire();
  assert.equal(directory.get(BLUE, NODE), undefined);
  assert.equal(directory.size, 1);
  assert.equal(directory.digest('vr-a').count, 1);
});

test('a record that its router disowns is forgotten, and nothing is kept; what another router has is not its to end', () => {
  const directory = new Directory('vr-a', new SimClock());
  const kept = record('10.1.0.1', 'vr-b', 3, 1_000);
  const others = record('10.1.0.2', 'vr-c', 3, 1_000);
  for (const each of [kept, others]) directory.apply(each);
  const seen: DirectoryChange[] = [];
  directory.subscribe((change) => {
    assert.equal(directory.get(change.after.vnet, change.after.ip), undefined);
    seen.push(change);
  });
  const disowned = (ip: string, seq: number): NodeRecord =>
    record(ip, 'vr-b', seq, DISOWNED_STAMP, { state: 'withdrawn' });
  assert.equal(directory.apply(disowned('10.1.0.1', 2)), 'stale', 'a newer record has come meanwhile');
  assert.equal(directory.apply(disowned('10.1.0.2', 4)), 'stale');
  assert.equal(directory.apply(disowned('10.1.0.3', 4)), 'known');
  assert.deepEqual(seen, []);
  const after = disowned('10.1.0.1', 4);
  assert.equal(directory.apply(after), 'applied');
  assert.deepEqual(seen, [{ before: kept, after }]);
  assert.equal(directory.apply(after), 'known');
  assert.deepEqual([directory.size, directory.count('vr-b'), directory.digest('vr-b').hash], [1, 0, 0]);
});

test('no own record is taken for a disowned one, whatever the clock says', () => {
  const directory = new Directory('vr-a', new SimClock(0));
  assert(directory.originate(BLUE, NODE, mac('52:54:00:00:00:09'), 1).stamp > DISOWNED_STAMP);
});

test('a tombstone whose stamp is ahead, or past its time on arrival, counts from its arrival', () => {
  const clock = new SimClock();
  const wallUs = clock.wallMs() * 1000;
  const directory = new Directory('vr-a', clock);
  directory.apply(record('10.1.0.1', 'vr-b', 1, wallUs + 1e12, { state: 'withdrawn' }));
  directory.apply(record('10.1.0.2', 'vr-b', 1, 2, { state: 'withdrawn' }));
  clock.advance(TOMBSTONE_MS - 1);
  directory.expire();
  assert.equal(directory.size, 2);
  clock.advance(2);
  directory.expire();
  assert.equal(directory.size, 0);
});
