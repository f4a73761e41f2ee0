/** Host names: which is looked up when, what an answer changes, and what of it is used. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { choose, interleave, MOST_ADDRESSES } from '../../../src/tunnel/names/addresses.js';
import { MOST_LOOKUPS, MOST_TROUBLED, type NameNews, Names } from '../../../src/tunnel/names/names.js';
import { DEFAULT_TIMES } from '../../../src/tunnel/times.js';

const ips = (...texts: string[]): Ip[] => texts.map((text) => Ip.of(text));
const texts = (list: readonly Ip[]): string[] => list.map(({ key }) => key);
const USABLE = (): undefined => undefined;
const WALL_MS = 1_767_225_600_000;
const at = (nowMs: number) => ({ nowMs, wallMs: WALL_MS + nowMs });
const HEARD = (): boolean => true;
const SILENT = (): boolean => false;

function namesOf(...names: string[]): Names {
  const made = new Names(DEFAULT_TIMES);
  made.configure(new Set(names), () => undefined);
  return made;
}

const answer = (names: Names, name: string, nowMs: number, ...addresses: string[]): NameNews =>
  names.answered(name, { addresses: ips(...addresses) }, at(nowMs), USABLE);
const fail = (names: Names, name: string, nowMs: number, problem = 'no'): NameNews =>
  names.answered(name, { problem }, at(nowMs), USABLE);

test('the families take turns, beginning with the first one; within each the order stays (RFC 8305 §4)', () => {
  const order = interleave(ips('2001:db8::1', '2001:db8::2', '192.0.2.1', '192.0.2.2', '192.0.2.3'));
  assert.deepEqual(texts(order), ['2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.2', '192.0.2.3']);
  assert.deepEqual(texts(interleave(ips('192.0.2.1', '2001:db8::1'))), ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(interleave([]), []);
});

test('what no router can be at is not used, and said', () => {
  const bad = ips('0.0.0.0', '0.1.2.3', '255.255.255.255', '224.0.0.1', 'ff02::1', '127.0.1.1', '::1', '::');
  const worse = ips('169.254.0.1', 'fe80::1', '::ffff:192.0.2.1', '192.0.2.9');
  const unusable = (ip: Ip): string | undefined => (ip.key === '192.0.2.9' ? 'is own' : undefined);
  for (const address of [...bad, ...worse]) {
    const { addresses, skipped } = choose([address, Ip.of('192.0.2.1')], [], unusable);
    assert.deepEqual(texts(addresses), ['192.0.2.1'], address.key);
    assert.deepEqual(
      skipped.map((one) => one.address.key),
      [address.key],
    );
  }
});

test('of many addresses some are taken, the same ones as long as they are named, and no rotation is a change', () => {
  const many = Array.from({ length: 64 }, (_, i) => Ip.v4(0xc0000200 + i));
  const first = choose(many, [], USABLE).addresses;
  assert.equal(first.length, MOST_ADDRESSES);
  assert.equal(choose(many.toReversed(), first, USABLE).addresses, first);
  const bad = Array.from({ length: 64 }, (_, i) => Ip.v4(0x7f000000 + i));
  assert.equal(choose(bad, [], USABLE).skipped.length, MOST_ADDRESSES);
  const address = fc.oneof(
    fc.integer({ min: 1, max: 40 }).map((i) => Ip.v4(0xc0000200 + i)),
    fc.integer({ min: 1, max: 40 }).map((i) => Ip.v6(0x20010db8, 0, 0, i)),
  );
  const list = fc.array(address, { maxLength: 30 });
  fc.assert(
    fc.property(list, list, (said, earlier) => {
      const before = choose(earlier, [], USABLE).addresses;
      const { addresses } = choose(said, before, USABLE);
      const named = new Set(texts(said));
      assert.equal(addresses.length, Math.min(MOST_ADDRESSES, named.size));
      assert.equal(new Set(texts(addresses)).size, addresses.length);
      for (const key of texts(addresses)) assert.ok(named.has(key));
      const stay = texts(before).filter((key) => named.has(key));
      for (const key of stay)
        assert.ok(texts(addresses).includes(key), 'one in use was dropped for a new one');
      assert.equal(choose(said, addresses, USABLE).addresses, addresses);
    }),
  );
});

test('looked up at once, then 60 s after the answer, 5 s while nobody answers there', () => {
  const names = namesOf('b.test');
  assert.deepEqual(names.due(0, SILENT), ['b.test']);
  assert.deepEqual(names.due(10_000, SILENT), [], 'it is under way');
  const { changed, confirmed, events } = answer(names, 'b.test', 10_000, '192.0.2.2');
  assert.deepEqual([changed, confirmed], [true, true]);
  assert.deepEqual(events, [{ event: 'name_resolved', name: 'b.test', addresses: ['192.0.2.2'] }]);
  assert.deepEqual(names.due(14_999, SILENT), []);
  assert.deepEqual(names.due(69_999, HEARD), []);
  assert.deepEqual(names.due(15_000, SILENT), ['b.test']);
  assert.deepEqual(answer(names, 'b.test', 15_000, '192.0.2.2'), {
    changed: false,
    confirmed: true,
    events: [],
  });
  assert.deepEqual(names.due(75_000, HEARD), ['b.test']);
  assert.equal(names.state('b.test')?.resolvedWallMs, WALL_MS + 15_000);
});

test('another answer is told with both; the last good one stays through failures, which are told once', () => {
  const names = namesOf('b.test');
  const next = (nowMs: number) => assert.deepEqual(names.due(nowMs, SILENT), ['b.test']);
  next(0);
  answer(names, 'b.test', 0, '192.0.2.2');
  next(5_000);
  assert.deepEqual(answer(names, 'b.test', 5_000, '192.0.2.3').events, [
    { event: 'name_changed', name: 'b.test', addresses: ['192.0.2.3'], before: ['192.0.2.2'] },
  ]);
  next(10_000);
  assert.deepEqual(fail(names, 'b.test', 10_000).events, [], 'one failure is nothing to tell');
  next(15_000);
  assert.deepEqual(fail(names, 'b.test', 15_000, 'no name server answers').events, [
    { event: 'name_unresolved', name: 'b.test', reason: 'no name server answers', addresses: ['192.0.2.3'] },
  ]);
  next(20_000);
  assert.deepEqual(fail(names, 'b.test', 20_000).events, []);
  const state = names.state('b.test');
  assert.deepEqual([texts(state?.addresses ?? []), state?.problem], [['192.0.2.3'], 'no']);
  assert.equal(state?.failingSinceWallMs, WALL_MS + 10_000);
  next(25_000);
  const { changed, events } = answer(names, 'b.test', 25_000, '192.0.2.3');
  assert.deepEqual([changed, events.map(({ event }) => event)], [false, ['name_resolved']]);
  assert.equal(names.state('b.test')?.failingSinceWallMs, undefined);
});

test('an answer in which nothing can be used is a failure; each address is told once', () => {
  const names = namesOf('b.test');
  names.due(0, SILENT);
  answer(names, 'b.test', 0, '192.0.2.2');
  names.due(5_000, SILENT);
  const { changed, events } = answer(names, 'b.test', 5_000, '127.0.0.1');
  assert.deepEqual(
    [changed, events],
    [false, [{ event: 'name_address_skipped', name: 'b.test', address: '127.0.0.1', reason: 'is loopback' }]],
  );
  assert.equal(names.state('b.test')?.problem, 'its address 127.0.0.1 is loopback');
  assert.deepEqual(texts(names.state('b.test')?.addresses ?? []), ['192.0.2.2']);
  names.due(10_000, SILENT);
  assert.deepEqual(
    answer(names, 'b.test', 10_000, '127.0.0.1').events.map(({ event }) => event),
    ['name_unresolved'],
  );
  names.due(15_000, SILENT);
  assert.equal(answer(names, 'b.test', 15_000).events.length, 0);
  assert.equal(names.state('b.test')?.problem, 'it has no address');
});

test('a look-up that never ends is told after its limit; its answer is taken when it comes', () => {
  const names = namesOf('b.test');
  names.due(0, SILENT);
  assert.deepEqual(names.overdue(at(14_999)), []);
  const [told] = names.overdue(at(15_000));
  assert.deepEqual(told, {
    event: 'name_unresolved',
    name: 'b.test',
    reason: 'the resolver has not answered for 15 s',
    addresses: [],
  });
  assert.deepEqual(names.overdue(at(60_000)), []);
  assert.deepEqual(names.due(60_000, SILENT), [], 'it is still under way');
  assert.equal(answer(names, 'b.test', 3_600_000, '192.0.2.2').changed, true);
  assert.equal(names.state('b.test')?.problem, '');
});

test('so many at a time; what a hanging resolver does to some names does not keep others waiting', () => {
  const slow = Array.from({ length: 20 }, (_, i) => `slow-${i}.test`);
  const names = namesOf(...slow);
  const begun = names.due(0, SILENT);
  assert.equal(begun.length, MOST_LOOKUPS);
  assert.deepEqual(names.due(1_000, SILENT), []);
  for (const name of begun) fail(names, name, 10_000);
  // Those that have never been looked up are first, then those that failed.
  for (let round = 1; names.due(10_000 * round, SILENT).length > 0; round++)
    for (const name of slow) fail(names, name, 10_000 * (round + 1));
  names.configure(new Set([...slow, 'hosts.test']), () => undefined);
  const later = names.due(1_000_000, SILENT);
  assert.ok(later.includes('hosts.test'));
  assert.equal(later.length, MOST_TROUBLED + 1);
});

test('a name that goes is forgotten, but its look-up still takes its place; one that comes uses what is remembered', () => {
  const names = namesOf('b.test');
  names.due(0, SILENT);
  const kept = { name: 'c.test', addresses: ips('192.0.2.3'), resolvedWallMs: 5 };
  names.configure(new Set(['c.test']), (name) => (name === 'c.test' ? kept : undefined));
  assert.deepEqual([names.state('b.test'), names.underWay], [undefined, 1]);
  assert.deepEqual(answer(names, 'b.test', 1, '192.0.2.2'), { changed: false, confirmed: false, events: [] });
  const { addresses = [], isKept, resolvedWallMs } = names.state('c.test') ?? {};
  assert.deepEqual([texts(addresses), isKept, resolvedWallMs], [['192.0.2.3'], true, 5]);
  assert.deepEqual(names.due(1, HEARD), ['c.test'], 'what is remembered is asked for at once');
  assert.deepEqual(answer(names, 'c.test', 2, '192.0.2.3').events, [], 'it is as it was');
  assert.equal(names.state('c.test')?.isKept, false);
});

test('whatever answers come in whatever order: bounds hold, and an answer is never lost', () => {
  const all = ['a.test', 'b.test', 'c.test', 'd.test'];
  const step = fc.record({
    name: fc.constantFrom(...all),
    what: fc.constantFrom('good', 'bad', 'fails', 'reload'),
    pauseMs: fc.integer({ min: 0, max: 90_000 }),
    bits: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const names = namesOf(...all);
      const underWay = new Set<string>();
      let nowMs = 0;
      for (const { name, what, pauseMs, bits } of steps) {
        nowMs += pauseMs;
        names.overdue(at(nowMs));
        for (const due of names.due(nowMs, () => bits % 2 === 0)) {
          assert.ok(!underWay.has(due), 'two look-ups of one name');
          underWay.add(due);
        }
        if (what === 'reload') {
          names.configure(new Set(all.filter((_, i) => ((bits >> i) & 1) === 1)), () => undefined);
          continue;
        }
        if (!underWay.delete(name)) continue;
        const before = names.state(name)?.addresses ?? [];
        if (what === 'fails') fail(names, name, nowMs);
        else answer(names, name, nowMs, what === 'good' ? `192.0.2.${bits}` : '127.0.0.1');
        const after = names.state(name);
        if (after === undefined) continue;
        if (what === 'good') assert.deepEqual(texts(after.addresses), [`192.0.2.${bits}`]);
        else assert.deepEqual(after.addresses, before);
      }
    }),
  );
});
