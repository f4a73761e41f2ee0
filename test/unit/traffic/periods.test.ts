import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import type { Counted, CountedPair } from '../../../src/traffic/counted.js';
import { sumOf } from '../../../src/traffic/matrix.js';
import { PairTable, TABLE_PAIRS } from '../../../src/traffic/pair-table.js';
import { cutCounted, decodeCounted, encodeCounted, SiteNumbers } from '../../../src/traffic/period-codec.js';
import { PERIOD_PAIRS, Periods } from '../../../src/traffic/periods.js';
import { Random } from '../../fuzz/random.js';
import { pair, zipf } from './counting.js';

const START_MS = 1_767_225_600_000;
const START = START_MS / 1_000;

function bytesOf({ pairs, rest, unattributed }: Counted): number {
  return sumOf([...pairs, ...rest, unattributed]).bytes;
}

function totals(periods: Periods, from = 0, to = Number.MAX_SAFE_INTEGER): Map<number, number> {
  return new Map(
    [...periods.between(from, to)].map(({ startSeconds, counted }) => [startSeconds, bytesOf(counted)]),
  );
}

test('periods begin at :00 and :30, whenever the router was started', () => {
  const periods = new Periods(START_MS + 29_000);
  periods.add(pair(1, 100), { packets: 1, bytes: 100 });
  assert.equal(periods.roll(START_MS + 29_999), false);
  periods.add(pair(1, 100), { packets: 1, bytes: 11 });
  assert.equal(periods.roll(START_MS + 30_000), true);
  periods.add(pair(1, 100), { packets: 1, bytes: 7 });
  assert.equal(periods.startSeconds, START + 30);
  assert.deepEqual(totals(periods), new Map([[START, 111]]));
  assert.equal(bytesOf(periods.running()), 7);
  periods.roll(START_MS + 95_000);
  assert.deepEqual(
    totals(periods),
    new Map([
      [START, 111],
      [START + 30, 7],
    ]),
  );
  assert.deepEqual(totals(periods, START + 30, START + 60), new Map([[START + 30, 7]]));
  assert.deepEqual(totals(periods, START, START + 30), new Map([[START, 111]]));
});

test('a clock that is set back loses nothing', () => {
  const periods = new Periods(START_MS);
  periods.add(pair(1, 0), { packets: 1, bytes: 5 });
  periods.roll(START_MS + 30_000);
  periods.add(pair(1, 0), { packets: 1, bytes: 6 });
  assert.equal(periods.roll(START_MS + 1_000), true);
  periods.add(pair(1, 0), { packets: 1, bytes: 8 });
  periods.roll(START_MS + 30_000);
  const told = [...periods.between(START, START + 60)].map(({ startSeconds, counted }) => [
    startSeconds,
    bytesOf(counted),
  ]);
  assert.deepEqual(told, [
    [START, 5],
    [START + 30, 6],
    [START, 8],
  ]);
});

test('they are kept for as long as was said, and less when that is changed', () => {
  const periods = new Periods(START_MS, { keepSeconds: 120 });
  for (let i = 1; i <= 10; i++) {
    periods.add(pair(1, 0), { packets: 1, bytes: i });
    periods.roll(START_MS + i * 30_000);
  }
  assert.deepEqual(
    [...totals(periods).keys()],
    [180, 210, 240, 270].map((seconds) => START + seconds),
  );
  periods.setKeepSeconds(60);
  assert.deepEqual([...totals(periods).values()], [9, 10]);
});

test('of a period 4,096 pairs are kept, the rest by sites: no byte is lost', () => {
  const periods = new Periods(START_MS);
  for (let i = 0; i < 10_000; i++) periods.add(pair(i, 0), { packets: 1, bytes: 1_000 + i });
  periods.roll(START_MS + 30_000);
  const { counted } = [...periods.between(0, 2 * START)][0] ?? { counted: undefined };
  assert.equal(counted?.pairs.length, PERIOD_PAIRS);
  assert.equal(counted.pairs[0]?.bytes, 10_999);
  assert.equal(counted.pairs.at(-1)?.bytes, 11_000 - PERIOD_PAIRS);
  assert.equal(counted.rest.length, 1);
  assert.equal(bytesOf(counted), 10_000 * 1_000 + (10_000 * 9_999) / 2);
});

test('the largest 100 of 10,000 pairs are right, and within 5 % when there are 100,000', () => {
  for (const [pairs, packets, tolerance] of [
    [10_000, 150_000, 0],
    [100_000, 500_000, 0.05],
  ] as const) {
    const random = new Random(pairs);
    const table = new PairTable();
    const truth = new Map<number, number>();
    for (let i = 0; i < packets; i++) {
      const index = zipf(random, pairs);
      const bytes = 40 + random.below(1_400);
      truth.set(index, (truth.get(index) ?? 0) + bytes);
      table.add(pair(index, 0, { destination: Ip.v4(0x0b000000 + index) }), { packets: 1, bytes });
    }
    assert.ok(table.size <= TABLE_PAIRS);
    const counted = table.counted();
    const found = new Map(
      counted.pairs.map(({ destination, bytes }) => [(destination?.w3 ?? 0) - 0x0b000000, bytes]),
    );
    const top = [...truth].sort((a, b) => b[1] - a[1]).slice(0, 100);
    for (const [index, bytes] of top) {
      const error = Math.abs((found.get(index) ?? 0) - bytes) / bytes;
      assert.ok(error <= tolerance, `pair ${index} of ${pairs}: ${error}`);
    }
    assert.equal(
      bytesOf(counted),
      [...truth.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
  }
});

test('a million pairs, and a million pairs of sites, take no more room than there is', () => {
  const table = new PairTable(1_000);
  for (let i = 0; i < 1_000_000; i++) {
    table.add(pair(i, 0, { destinationSite: `site-${i % 10_000}` }), { packets: 1, bytes: 10 });
    if (i % 1_000 === 0) assert.ok(table.size <= 1_000);
  }
  const counted = table.counted();
  assert.ok(counted.rest.length <= 4_096 && counted.unattributed.bytes > 0);
  assert.equal(bytesOf(counted), 10_000_000);
});

test('what moves is counted for each place that it was at', () => {
  const table = new PairTable();
  for (const destinationSite of ['site-b', 'site-c', 'site-b'])
    table.add(pair(1, 0, { destinationSite }), { packets: 1, bytes: 10 });
  assert.deepEqual(
    table.counted().pairs.map(({ destinationSite, bytes }) => [destinationSite, bytes]),
    [
      ['site-b', 20],
      ['site-c', 10],
    ],
  );
});

test('when there is not enough room the oldest periods keep fewer pairs, and at last nothing', () => {
  const mostBytes = 200_000;
  const periods = new Periods(START_MS, { mostBytes });
  let all = 0;
  for (let i = 1; i <= 30; i++) {
    for (let j = 0; j < 2_000; j++) {
      periods.add(pair(j, 0), { packets: 1, bytes: j + 1 });
      all += j + 1;
    }
    periods.roll(START_MS + i * 30_000);
    while (periods.tidy());
    assert.ok(periods.bytes <= mostBytes, `${periods.bytes}`);
  }
  const pairsOf = [...periods.between(0, 2 * START)].map(({ counted }) => counted.pairs.length);
  assert.deepEqual(
    pairsOf,
    [...pairsOf].sort((a, b) => a - b),
  );
  assert.ok(pairsOf.at(-1) === 2_000 && (pairsOf[0] ?? 0) < 2_000);
  assert.equal(
    [...totals(periods).values()].reduce((sum, bytes) => sum + bytes, 0),
    all,
  );
  // As many as do not fit at all.
  for (let i = 31; i <= 2_000; i++) periods.roll(START_MS + i * 30_000);
  while (periods.tidy());
  assert.ok(periods.bytes <= mostBytes && periods.count < 1_000);
});

test('what is written is read again', () => {
  const ip = fc.oneof(
    fc.constant(undefined),
    fc.integer().map((word) => Ip.v4(word)),
    fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()).map((words) => Ip.v6(...words)),
  );
  const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const site = fc.constantFrom('a', 'b', 'site-with-a-long-name');
  const sums = {
    vnet: fc.integer({ min: 1, max: 65_535 }),
    sourceSite: site,
    destinationSite: site,
    packets: count,
    bytes: count,
  };
  const counted = fc.record({
    pairs: fc.array(fc.record({ ...sums, source: ip, destination: ip })),
    rest: fc.array(fc.record(sums)),
    unattributed: fc.record({ packets: count, bytes: count }),
  });
  const shown = ({ pairs, rest, unattributed }: Counted): unknown => ({
    pairs: pairs.map((one: CountedPair) => ({
      ...one,
      source: one.source?.key,
      destination: one.destination?.key,
    })),
    rest: rest.map((one) => ({ ...one })),
    unattributed: { ...unattributed },
  });
  fc.assert(
    fc.property(counted, (value) => {
      const sites = new SiteNumbers();
      const bytes = encodeCounted(value, sites);
      assert.deepEqual(shown(decodeCounted(bytes, sites)), shown(value));
      for (const most of [0, 1, value.pairs.length, value.pairs.length + 5]) {
        const cut = cutCounted(bytes, most, sites, (others, unattributed) => ({
          rest: others,
          unattributed,
        }));
        const others = value.pairs.slice(most).map(({ source: _, destination: __, ...sums }) => sums);
        assert.deepEqual(
          shown(decodeCounted(cut, sites)),
          shown({ ...value, pairs: value.pairs.slice(0, most), rest: [...others, ...value.rest] }),
        );
      }
    }),
  );
});
