import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { estimate, gather, rowsOf, type Told, toldOf } from '../../../src/traffic/gather.js';
import { sumOf } from '../../../src/traffic/matrix.js';
import { PERIOD_PAIRS, Periods } from '../../../src/traffic/periods.js';
import {
  type Plan,
  planOf,
  type Question,
  type TrafficQuery,
  weightedSeconds,
} from '../../../src/traffic/query.js';
import { Random } from '../../fuzz/random.js';
import { pair } from './counting.js';

const START_MS = 1_767_225_600_000;
const START = START_MS / 1_000;
const DAY = 86_400;

const ASKED: TrafficQuery = {
  lastSeconds: 60,
  mode: 'ended',
  detail: false,
  weight: 1,
  by: 'node',
  top: 20,
  vnet: undefined,
  ips: [],
  waitSeconds: 5,
};

function plan(query: Partial<TrafficQuery>, atMs: number): Plan {
  const planned = planOf({ ...ASKED, ...query }, atMs, DAY);
  assert.ok(typeof planned !== 'string', String(planned));
  return planned;
}

function refusal(query: Partial<TrafficQuery>, atMs = START_MS, keepSeconds = DAY): string {
  const planned = planOf({ ...ASKED, ...query }, atMs, keepSeconds);
  assert.ok(typeof planned === 'string');
  return planned;
}

test('what cannot be answered as asked is refused with what would work', () => {
  assert.match(refusal({ lastSeconds: 10 }), /the last 30s can be told, not the last 10s/);
  assert.match(refusal({ lastSeconds: 100 }), /the last 90s or 120s/);
  assert.match(refusal({ lastSeconds: 90 }, START_MS, 60), /kept for 60 s \(traffic\.keep/);
  assert.match(refusal({ lastSeconds: 7_200, detail: true }), /last 60 minutes at most/);
  assert.match(refusal({ detail: true, weight: 2 }), /nothing to weight/);
  assert.match(refusal({ weight: 0.0001 }), /from 0\.001 to 1000/);
  // 12 s before its end.
  const early = refusal({ mode: 'exact', waitSeconds: 13 }, START_MS + 18_000);
  assert.match(early, /ends in 12 s: wait 14s at least, or ask for an approximate answer/);
  plan({ mode: 'exact', waitSeconds: 14 }, START_MS + 18_000);
});

test('which periods are asked for, and when', () => {
  const ended = plan({}, START_MS + 18_000);
  assert.deepEqual(
    [ended.fromSeconds, ended.toSeconds, ended.askAtMs],
    [START - 60, START, START_MS + 18_000],
  );
  const exact = plan({ mode: 'exact', waitSeconds: 30 }, START_MS + 18_000);
  assert.deepEqual(
    [exact.fromSeconds, exact.toSeconds, exact.askAtMs],
    [START - 30, START + 30, START_MS + 30_300],
  );
  assert.equal(exact.question.approximate, false);
  const estimated = plan({ mode: 'approximate' }, START_MS + 18_000);
  assert.deepEqual([estimated.fromSeconds, estimated.toSeconds], [START - 30, START + 30]);
  assert.equal(estimated.question.approximate, true);
});

/** 10, 20, 30 … bytes of the pair in the periods from the start on. */
function counted(...bytes: readonly number[]): Periods {
  const periods = new Periods(START_MS);
  for (const [i, some] of bytes.entries()) {
    periods.add(pair(1, 0), { packets: 1, bytes: some });
    periods.roll(START_MS + (i + 1) * 30_000);
  }
  return periods;
}

function asked(periods: Periods, question: Partial<Question>, nowMs: number): Told {
  const last = Math.floor(nowMs / 30_000) - 1;
  const whole = { ...plan({}, nowMs).question, lastPeriod: last, ...question };
  const work = gather(periods, whole, nowMs);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const bytesIn = ({ parts }: Told): [number, number][] =>
  [...parts].map(([period, { pairs }]) => [period, pairs.reduce((sum, { bytes }) => sum + bytes, 0)]);

test('a sum is of the last whole periods, in detail each by itself', () => {
  const periods = counted(10, 20, 30);
  const nowMs = START_MS + 95_000;
  assert.deepEqual(bytesIn(asked(periods, { periods: 2 }, nowMs)), [[0, 50]]);
  assert.deepEqual(bytesIn(asked(periods, { periods: 2, detail: true }, nowMs)), [
    [0, 20],
    [1, 30],
  ]);
  const all = asked(periods, { periods: 5 }, nowMs);
  assert.deepEqual([bytesIn(all), all.periods], [[[0, 60]], 3]);
});

test('with a weight each period counts so many times as much as the one before', () => {
  const periods = counted(1_000, 2_000, 4_000);
  const question = { periods: 3, weightPermille: 2_000 };
  const told = asked(periods, question, START_MS + 95_000);
  assert.deepEqual(bytesIn(told), [[0, 4_000 + 2_000 / 2 + 1_000 / 4]]);
  assert.equal(weightedSeconds({ ...plan({}, START_MS).question, ...question }), 30 * 1.75);
  const backwards = asked(periods, { periods: 3, weightPermille: 500 }, START_MS + 95_000);
  assert.deepEqual(bytesIn(backwards), [[0, 1_000 + 2_000 / 2 + 4_000 / 4]]);
});

test('the running period is estimated by the one before it', () => {
  const periods = counted(900, 600);
  periods.add(pair(1, 0), { packets: 1, bytes: 50 });
  periods.add(pair(2, 0), { packets: 1, bytes: 70 });
  // A third of it is over.
  const nowMs = START_MS + 70_000;
  const bytes = estimate(periods, nowMs).pairs.map((one) => Math.round(one.bytes));
  assert.deepEqual(bytes, [50 + 400, 70]);
  const told = asked(
    periods,
    { approximate: true, lastPeriod: Math.floor(nowMs / 30_000), periods: 2 },
    nowMs,
  );
  assert.deepEqual(bytesIn(told), [[0, 600 + 450 + 70]]);
});

test('of 10,000 pairs whose rates waver by a twentieth, the largest 100 are estimated within 5 %, in bounded memory', () => {
  const [pairs, secondsRun] = [10_000, 12];
  const random = new Random(11);
  const periods = new Periods(START_MS);
  const truth = new Map<string, number>();
  const second = (isLast: boolean, isAsked: boolean): void => {
    for (let i = 0; i < pairs; i++) {
      const bytes = Math.round((10_000_000 / (i + 1)) * (0.95 + random.below(1_001) / 10_000));
      const one = pair(i, 0, { source: Ip.v4(0x0a000000 + i) });
      if (isLast) truth.set(one.source?.key ?? '', (truth.get(one.source?.key ?? '') ?? 0) + bytes);
      if (isAsked) periods.add(one, { packets: 1 + (bytes >> 10), bytes });
    }
  };
  for (let i = 0; i < 30; i++) second(false, true);
  periods.roll(START_MS + 30_000);
  // What comes later is in the truth only.
  for (let i = 0; i < 30; i++) second(true, i < secondsRun);
  const nowMs = START_MS + 30_000 + secondsRun * 1_000;
  const { question } = plan({ lastSeconds: 30, mode: 'approximate', top: 100 }, nowMs);
  const part = asked(periods, question, nowMs).parts.get(0);
  const found = new Map(part?.pairs.map(({ source, bytes }) => [source?.key ?? '', bytes]));
  const top = [...truth].sort((a, b) => b[1] - a[1]).slice(0, 100);
  for (const [source, bytes] of top) {
    const error = Math.abs((found.get(source) ?? 0) - bytes) / bytes;
    assert.ok(error <= 0.05, `${source}: ${error}`);
  }
  // Nothing is lost: what is smaller is summed by sites. And of the period that has ended no more is kept than there is room for.
  const all = sumOf([...(part?.pairs ?? []), ...(part?.rest ?? [])]).bytes;
  const allTruth = [...truth.values()].reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(Math.abs(all - allTruth) / allTruth < 0.01, `${all} of ${allTruth}`);
  assert.equal(periods.last().pairs.length, PERIOD_PAIRS);
  assert.ok(periods.bytes < 40 * PERIOD_PAIRS, `${periods.bytes}`);
});

test('a clock that is off by some seconds gives the same periods, by a minute the last ones', () => {
  const periods = counted(10, 20, 30);
  const lastPeriod = START / 30 + 2;
  for (const offMs of [95_000, 119_000])
    assert.deepEqual(bytesIn(asked(periods, { lastPeriod, periods: 1 }, START_MS + offMs)), [[0, 30]]);
  assert.deepEqual(bytesIn(asked(periods, { lastPeriod: lastPeriod + 1, periods: 2 }, START_MS + 95_000)), [
    [0, 30],
  ]);
  assert.deepEqual(bytesIn(asked(periods, { lastPeriod: lastPeriod + 20, periods: 2 }, START_MS + 95_000)), [
    [0, 50],
  ]);
});

test('only what was asked for is told, by sites when no pairs are wanted', () => {
  const periods = new Periods(START_MS);
  periods.add(pair(1, 0), { packets: 1, bytes: 10 });
  periods.add(pair(2, 0, { vnet: 2 }), { packets: 1, bytes: 20 });
  periods.add(pair(3, 0, { destination: undefined }), { packets: 1, bytes: 40 });
  periods.addRest({ vnet: 1, sourceSite: 'site-a', destinationSite: 'site-c' }, { packets: 1, bytes: 80 });
  periods.addUnattributed({ packets: 1, bytes: 160 });
  periods.roll(START_MS + 30_000);
  const nowMs = START_MS + 31_000;
  const rows = (question: Partial<Question>): [string, number][] =>
    rowsOf(asked(periods, { periods: 1, ...question }, nowMs)).map(({ kind, bytes }) => [kind, bytes]);
  assert.deepEqual(rows({}), [
    ['pair', 40],
    ['pair', 20],
    ['pair', 10],
    ['sites', 80],
    ['nobody', 160],
  ]);
  assert.deepEqual(rows({ vnet: 2 }), [
    ['pair', 20],
    ['nobody', 160],
  ]);
  assert.deepEqual(rows({ ips: [Ip.v4(0x0a020001), Ip.v4(0x0a010003)] }), [
    ['pair', 40],
    ['pair', 10],
  ]);
  assert.deepEqual(rows({ mostPairs: 1 }), [
    ['pair', 40],
    ['sites', 80],
    ['sites', 20],
    ['sites', 10],
    ['nobody', 160],
  ]);
  assert.deepEqual(rows({ mostPairs: 0, vnet: 1 }), [
    ['sites', 80],
    ['sites', 50],
    ['nobody', 160],
  ]);
  const told = asked(periods, { periods: 1 }, nowMs);
  assert.deepEqual(rowsOf(toldOf(1, rowsOf(told))), rowsOf(told));
});

test('an answer has no more rows than fit, and no byte is lost', () => {
  const periods = new Periods(START_MS);
  let all = 0;
  for (let period = 1; period <= 100; period++) {
    for (let i = 0; i < 300; i++) {
      periods.add(pair(i, 0, { destinationSite: `site-${i}` }), { packets: 1, bytes: i + 1 });
      all += i + 1;
    }
    periods.roll(START_MS + period * 30_000);
  }
  const rows = rowsOf(asked(periods, { periods: 100, detail: true, mostPairs: 1_024 }, START_MS + 3_001_000));
  assert.ok(rows.length <= 2 * 2_560 + 100, `${rows.length}`);
  assert.equal(
    rows.reduce((sum, { bytes }) => sum + bytes, 0),
    all,
  );
});
