/** One router asks others, over a wire that loses, and of which some lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { Conduct } from '../../../src/protocol/conduct.js';
import { MAX_UNACKED_BYTES } from '../../../src/protocol/constants.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import type {
  TrafficMessage,
  TrafficPartMessage,
  TrafficRow,
} from '../../../src/protocol/traffic-message.js';
import { Answering } from '../../../src/traffic/asking/answering.js';
import { Asking } from '../../../src/traffic/asking/asking.js';
import { TrafficAuthority, trafficCounters } from '../../../src/traffic/asking/authority.js';
import { partsOf } from '../../../src/traffic/asking/parts.js';
import { gather, rowsOf, type Told } from '../../../src/traffic/gather.js';
import { sumOf } from '../../../src/traffic/matrix.js';
import { Periods } from '../../../src/traffic/periods.js';
import type { Question } from '../../../src/traffic/query.js';
import { Random } from '../../fuzz/random.js';
import { SimClock } from '../../support/sim-clock.js';
import { pair } from './counting.js';

const QUESTION: Question = {
  lastPeriod: 0,
  periods: 1,
  approximate: false,
  detail: false,
  weightPermille: 1_000,
  vnet: undefined,
  ips: [],
  mostPairs: 1_024,
};

interface Network {
  readonly clock: SimClock;
  readonly counters: ReturnType<typeof trafficCounters>;
  readonly conduct: Conduct;
  readonly told: Map<string, Told>;
  missing: readonly string[] | undefined;
  /** Messages sent, both ways. */
  sent: number;
  ask(routers: readonly string[], withinMs?: number): Asking;
  hear(from: string, message: TrafficMessage): void;
}

/** @param pairsOf of each other router, whose site is named like it */
function network(
  pairsOf: Readonly<Record<string, number>>,
  lossPercent = 0,
  counts = { packets: 1, bytes: 1_000 },
): Network {
  const clock = new SimClock();
  const random = new Random(5);
  const counters = trafficCounters();
  const conduct = new Conduct(clock);
  const authority = new TrafficAuthority({ clock, conduct, counters, siteOf: (router) => router });
  const codec = new ControlCodec();
  let asking: Asking | undefined;
  const answering = new Map<string, Answering>();
  const wire = (message: TrafficMessage, arrived: (message: TrafficMessage) => void): void => {
    net.sent++;
    const payload = codec.encode({ id: 0, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: message });
    assert.ok(payload.length <= MAX_UNACKED_BYTES, `${payload.length}`);
    if (random.chance(lossPercent)) return;
    const decoded = codec.decode(payload);
    assert.ok(typeof decoded !== 'string', String(decoded));
    clock.after('wire', 20, () => arrived(decoded.envelope.body as TrafficMessage));
  };
  const net: Network = {
    clock,
    counters,
    conduct,
    told: new Map(),
    missing: undefined,
    sent: 0,
    ask: (routers, withinMs = 5_000) => {
      const say = (to: string, message: TrafficMessage): void =>
        wire(message, (arrived) => {
          if (arrived.type === 'trafficAsk') answering.get(to)?.asked('self', arrived);
        });
      asking = new Asking({ clock, say, nextQueryId: () => 7 }, QUESTION, routers, withinMs, {
        told: (router, told) => {
          assert.ok(!net.told.has(router));
          net.told.set(router, told);
        },
        done: (missing) => {
          assert.equal(net.missing, undefined);
          net.missing = missing;
        },
      });
      return asking;
    },
    hear: (from, message) => {
      if (message.type !== 'trafficPart') return;
      const part = authority.admitPart(from, message, asking?.questionTo(from, message.queryId));
      if (part !== undefined) asking?.received(from, part, part.rows.length === message.rows.length);
    },
  };
  for (const [router, pairs] of Object.entries(pairsOf)) {
    const periods = new Periods(clock.wallMs() - 30_000);
    for (let i = 0; i < pairs; i++) {
      const ends = i % 2 === 0 ? {} : { source: Ip.v6(0xfd000000, 0, 0, i), destination: undefined };
      periods.add(pair(i, 0, { sourceSite: router, ...ends }), {
        packets: counts.packets,
        bytes: counts.bytes + i,
      });
    }
    periods.roll(clock.wallMs());
    const say = (_to: string, message: TrafficPartMessage): void =>
      wire(message, (arrived) => net.hear(router, arrived));
    answering.set(
      router,
      new Answering({
        clock,
        counters,
        say,
        gather: (question) => gather(periods, question, clock.wallMs()),
      }),
    );
  }
  return net;
}

function bytesOf(told: Told | undefined): number {
  return [...(told?.parts.values() ?? [])].reduce(
    (sum, { pairs, rest, unattributed }) => sum + sumOf([...pairs, ...rest, unattributed]).bytes,
    0,
  );
}

test('every router is asked once, and its answer is whole', () => {
  const net = network({ a: 10, b: 900, c: 0 });
  net.ask(['a', 'b', 'c']);
  net.clock.advance(1_000);
  assert.deepEqual(net.missing, []);
  assert.deepEqual([...net.told.keys()].sort(), ['a', 'b', 'c']);
  assert.equal(bytesOf(net.told.get('b')), 900 * 1_000 + (900 * 899) / 2);
  assert.equal(net.told.get('b')?.parts.get(0)?.pairs.length, 900);
  assert.deepEqual([net.told.get('c')?.periods, bytesOf(net.told.get('c'))], [1, 0]);
});

test('a router to which an exporter has told what cannot be is believed by the others, as far as it can be', () => {
  const net = network({ a: 2 }, 0, { packets: 2 ** 60, bytes: 2 ** 70 });
  net.ask(['a']);
  net.clock.advance(1_000);
  assert.deepEqual(net.missing, []);
  assert.equal(bytesOf(net.told.get('a')), 2 * 30 * 125e9);
  assert.equal(net.counters.counters().traffic_rows_held_down, 2);
  assert.deepEqual(
    Object.keys(net.counters.counters()).filter((name) => name.includes('refused')),
    [],
  );
});

test('what is lost is asked for again', () => {
  const net = network({ a: 1_000, b: 3 }, 30);
  net.ask(['a', 'b'], 60_000);
  net.clock.advance(60_000);
  assert.deepEqual(net.missing, []);
  assert.equal(bytesOf(net.told.get('a')), 1_000 * 1_000 + (1_000 * 999) / 2);
});

test('who does not answer is missing, and holds nobody up for long', () => {
  const routers = Array.from({ length: 80 }, (_, i) => `r${i}`);
  const silent = routers.filter((_, i) => i % 4 === 0);
  const net = network(
    Object.fromEntries(routers.filter((one) => !silent.includes(one)).map((one) => [one, 5])),
  );
  net.ask(routers, 30_000);
  net.clock.advance(10_000);
  assert.deepEqual(net.missing, [...silent].sort());
  assert.equal(net.told.size, 60);
});

test('at the end of its time a question is answered with what has come', () => {
  const net = network({ a: 5 });
  net.ask(['a', 'b'], 300);
  net.clock.advance(299);
  assert.equal(net.missing, undefined);
  net.clock.advance(1);
  assert.deepEqual([net.missing, [...net.told.keys()]], [['b'], ['a']]);
});

const ROW: TrafficRow = {
  kind: 'pair',
  period: 0,
  vnet: 1,
  source: Ip.of('10.1.0.1'),
  destination: Ip.of('10.2.0.1'),
  sourceSite: 'b',
  destinationSite: 'c',
  packets: 1,
  bytes: 100,
};

function part(more: Partial<TrafficPartMessage>): TrafficPartMessage {
  return { type: 'trafficPart', queryId: 7, part: 0, parts: 1, periods: 1, rows: [ROW], ...more };
}

test('what nobody asked for, and what is about others, does not count', () => {
  const net = network({});
  net.hear('a', part({}));
  const asking = net.ask(['a', 'b']);
  net.hear('a', part({ queryId: 8 }));
  net.hear('c', part({}));
  net.hear('a', part({}));
  assert.equal(bytesOf(net.told.get('a')), 0);
  net.hear('b', part({}));
  assert.equal(bytesOf(net.told.get('b')), 100);
  net.hear('b', part({}));
  assert.deepEqual(net.counters.counters(), {
    traffic_refused_trafficPart_not_yours: 1,
    traffic_refused_trafficPart_unasked: 4,
  });
  asking.stop();
});

test('an answer without an end is cut off', () => {
  const net = network({});
  net.ask(['a']);
  const rows = Array.from({ length: 64 }, () => ({ ...ROW, sourceSite: 'a' }));
  for (let i = 0; i < 400; i++) net.hear('a', part({ part: i, parts: 512, rows }));
  assert.deepEqual(net.missing, ['a']);
});

test('who asks too much is refused, by what its questions cost', () => {
  const { clock, counters, conduct } = network({});
  const authority = new TrafficAuthority({ clock, conduct, counters, siteOf: (router) => router });
  const ask = (periods: number, first = 0): boolean =>
    authority.allowsAsk('a', { type: 'trafficAsk', queryId: 1, ...QUESTION, periods, first });
  assert.deepEqual([ask(2_880), ask(2_880), ask(2_880), ask(2_880)], [true, true, true, false]);
  assert.equal(counters.counters().traffic_refused_trafficAsk_too_soon, 1);
  clock.advance(10_000);
  assert.equal(ask(2_880), true);
  clock.advance(60_000);
  for (let i = 0; i < 100; i++) assert.equal(ask(2_880, 32), true);
  assert.equal(ask(1, 32), false);
});

test('parts fit in their messages, however long the names of sites are', () => {
  const rows = Array.from({ length: 2_560 }, (_, i) => ({ ...ROW, destinationSite: `${i}`.padEnd(63, 'x') }));
  const parts = partsOf(rows);
  assert.deepEqual(parts.flat(), rows);
  const codec = new ControlCodec();
  for (const some of parts) {
    const body = part({ rows: some, part: 511, parts: 512, periods: 20_160 });
    const { length } = codec.encode({
      id: 0,
      acks: [],
      epoch: 2 ** 52,
      ackEpoch: 2 ** 52,
      oldest: 2 ** 52,
      body,
    });
    assert.ok(length <= MAX_UNACKED_BYTES, `${length}`);
  }
  assert.deepEqual(partsOf([]), [[]]);
});

test('a long question lets other things happen', () => {
  const { clock, counters } = network({});
  const periods = new Periods(clock.wallMs() - 3_000_000);
  for (let i = 99; i >= 0; i--) {
    for (let j = 0; j < 30; j++) periods.add(pair(j, 0), { packets: 1, bytes: 1 });
    periods.roll(clock.wallMs() - i * 30_000);
  }
  const said: TrafficPartMessage[] = [];
  const answering = new Answering({
    clock,
    counters,
    say: (_to, message) => said.push(message),
    gather: (question) => gather(periods, question, clock.wallMs()),
  });
  answering.asked('a', { type: 'trafficAsk', queryId: 1, ...QUESTION, periods: 100, first: 0 });
  assert.equal(said.length, 0);
  clock.advance(0);
  assert.deepEqual(
    said.map(({ periods: had, rows }) => [had, rows[0]?.bytes]),
    [[100, 100]],
  );
  // 64 may wait; the answer of each is kept for it.
  for (let i = 0; i < 100; i++)
    answering.asked(`r${i}`, { type: 'trafficAsk', queryId: 1, ...QUESTION, periods: 100, first: 0 });
  assert.equal(counters.counters().traffic_questions_dropped_queue_full, 36);
  assert.ok(rowsOf({ periods: 0, parts: new Map() }).length === 0);
});
