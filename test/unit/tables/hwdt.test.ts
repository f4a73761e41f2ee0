import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { type Binding, Hwdt } from '../../../src/tables/hwdt.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyIp, anyMac, BLUE, RED } from './fixtures.js';

const NODE = Ip.of('10.1.0.9');
const M9 = mac('52:54:00:00:00:09');
const M8 = mac('52:54:00:00:00:08');

function watched(hwdt: Hwdt): string[] {
  const told: string[] = [];
  hwdt.subscribe((vnet, ip) => told.push(`${vnet}/${ip.key}`));
  return told;
}

test('a binding is new, then known with its first and last sighting', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock);
  const told = watched(hwdt);
  assert.deepEqual(hwdt.learn(0, BLUE, M9, NODE, 'gratuitous'), { outcome: 'new', previousMac: undefined });
  clock.advance(500);
  assert.deepEqual(hwdt.learn(0, BLUE, M9, NODE, 'arp-reply'), {
    outcome: 'known',
    previousMac: undefined,
  });
  assert.deepEqual(hwdt.get(BLUE, NODE), {
    lan: 0,
    vnet: BLUE,
    mac: M9,
    ip: NODE,
    source: 'arp-reply',
    firstSeenMs: 0,
    lastSeenMs: 500,
    silent: false,
  });
  assert.equal(hwdt.get(RED, NODE), undefined);
  assert.deepEqual(told, ['1/10.1.0.9'], 'sightings are not told');
});

test('an address belongs to one MAC of a LAN: another one takes it, which is reported', () => {
  const hwdt = new Hwdt(new SimClock());
  const told = watched(hwdt);
  hwdt.learn(0, BLUE, M8, NODE, 'arp-request');
  assert.deepEqual(hwdt.learn(0, BLUE, M9, NODE, 'arp-request'), { outcome: 'rebound', previousMac: M8 });
  assert.deepEqual(hwdt.byMac(BLUE, M8), []);
  assert.deepEqual(
    hwdt.byMac(BLUE, M9).map((each) => each.ip),
    [NODE],
  );
  assert.equal(hwdt.size, 1);
  assert.equal(told.length, 2);
});

test('of two LANs the one where the address was seen last counts', () => {
  const hwdt = new Hwdt(new SimClock());
  const told = watched(hwdt);
  hwdt.learn(0, BLUE, M9, NODE, 'arp-request');
  hwdt.learn(1, BLUE, M9, NODE, 'arp-request');
  assert.equal(hwdt.get(BLUE, NODE)?.lan, 1, 'also within one millisecond');
  hwdt.learn(0, BLUE, M9, NODE, 'arp-request');
  assert.equal(hwdt.get(BLUE, NODE)?.lan, 0);
  assert.equal(told.length, 3, 'a change of LAN is told');
  assert.equal(hwdt.byMac(BLUE, M9).length, 2);
  hwdt.forget(BLUE, NODE);
  assert.equal(hwdt.size, 0);
  assert.equal(told.length, 4);
  hwdt.forget(BLUE, NODE);
  assert.equal(told.length, 4, 'forgetting nothing is no change');
});

test('seenMac refreshes all bindings of the MAC on its LAN', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock);
  const other = Ip.of('fd00:1::9');
  hwdt.learn(0, BLUE, M9, NODE, 'arp-request');
  hwdt.learn(0, BLUE, M9, other, 'ndp');
  hwdt.learn(1, BLUE, M9, Ip.of('10.1.0.10'), 'arp-request');
  hwdt.markSilent(BLUE, NODE);
  assert.equal(hwdt.get(BLUE, NODE)?.silent, true);
  clock.advance(1_000);
  hwdt.seenMac(0, M9);
  hwdt.seenMac(7, M9);
  assert.equal(hwdt.get(BLUE, NODE)?.silent, false);
  assert.deepEqual(
    hwdt.byMac(BLUE, M9).map((each) => [each.ip.key, each.lastSeenMs]),
    [
      ['10.1.0.9', 1_000],
      ['fd00:1::9', 1_000],
      ['10.1.0.10', 0],
    ],
  );
});

test('the least recently seen binding of a full LAN is evicted, counted and told; static ones stay', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock, 2);
  const ip = (n: number): Ip => Ip.v4(0x0a010000 + n);
  hwdt.learn(0, BLUE, M8, ip(1), 'static');
  hwdt.learn(0, BLUE, M9, ip(2), 'arp-request');
  hwdt.learn(0, BLUE, M9, ip(3), 'arp-request');
  hwdt.learn(1, BLUE, M9, ip(99), 'arp-request');
  hwdt.learn(0, BLUE, M9, ip(2), 'arp-request');
  const told = watched(hwdt);
  hwdt.learn(0, BLUE, M9, ip(4), 'arp-request');
  assert.deepEqual(told, ['1/10.1.0.3', '1/10.1.0.4']);
  assert.equal(hwdt.evicted, 1);
  assert.equal(hwdt.size, 4, 'each LAN has its own bound');
  hwdt.learn(0, BLUE, M9, ip(5), 'arp-request');
  assert.equal(hwdt.get(BLUE, ip(2)), undefined);
  assert.equal(hwdt.get(BLUE, ip(1))?.source, 'static');
  clock.advance(10);
  assert.deepEqual(
    [...hwdt.stale(0, 10), ...hwdt.stale(1, 10)].map((each) => each.ip.key),
    ['10.1.0.4', '10.1.0.5', '10.1.0.99'],
  );
});

test('no flood of new bindings evicts one of a node that has a record', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock, 8);
  const ip = (n: number): Ip => Ip.v4(0x0a010000 + n);
  hwdt.establish(BLUE, NODE); // before it is seen, as after a restart
  hwdt.learn(0, BLUE, M9, NODE, 'gratuitous');
  hwdt.learn(0, BLUE, M8, ip(8), 'gratuitous');
  hwdt.establish(BLUE, ip(8));
  const told: string[] = [];
  hwdt.subscribe((_, { key }, change) => told.push(`${key} ${change}`));
  for (let n = 100; n < 300; n++) hwdt.learn(0, BLUE, M8, ip(n), 'ndp');
  assert.equal(hwdt.get(BLUE, NODE)?.mac, M9);
  assert.equal(hwdt.get(BLUE, ip(8))?.mac, M8);
  assert.equal(hwdt.size, 10);
  assert.equal(hwdt.evicted, 192);
  assert.deepEqual(told.slice(-2), ['10.1.1.35 evicted', '10.1.1.43 seen']);
});

test('one MAC has a bound of its own among the newcomers: its oldest binding goes, and no other MAC’s', () => {
  const hwdt = new Hwdt(new SimClock());
  hwdt.learn(0, BLUE, M8, Ip.of('10.1.0.8'), 'ndp');
  hwdt.establish(BLUE, NODE);
  hwdt.learn(0, BLUE, M9, NODE, 'ndp');
  for (let n = 0; n < 1_000; n++) hwdt.learn(0, BLUE, M9, Ip.v4(0x0a020000 + n), 'ndp');
  assert.equal(hwdt.byMac(BLUE, M9).length, 257);
  assert.equal(hwdt.get(BLUE, NODE)?.mac, M9);
  assert.equal(hwdt.get(BLUE, Ip.of('10.1.0.8'))?.mac, M8);
  assert.equal(hwdt.get(BLUE, Ip.v4(0x0a020000 + 743)), undefined);
  assert.equal(hwdt.get(BLUE, Ip.v4(0x0a020000 + 744))?.mac, M9);
  assert.deepEqual([hwdt.size, hwdt.evicted], [258, 744]);
});

test('a node without a record is a newcomer again, and room is made for it', () => {
  const hwdt = new Hwdt(new SimClock(), 2);
  const ip = (n: number): Ip => Ip.v4(0x0a010000 + n);
  hwdt.establish(BLUE, NODE);
  for (const each of [NODE, ip(1), ip(2)]) hwdt.learn(0, BLUE, M9, each, 'ndp');
  assert.equal(hwdt.evicted, 0);
  hwdt.release(BLUE, NODE);
  assert.equal(hwdt.get(BLUE, ip(1)), undefined);
  hwdt.learn(0, BLUE, M9, ip(3), 'ndp');
  hwdt.learn(0, BLUE, M9, ip(4), 'ndp');
  assert.equal(hwdt.get(BLUE, NODE), undefined);
  assert.deepEqual([hwdt.size, hwdt.evicted], [2, 3]);
});

test('why a binding is told: seen, forgotten, evicted', () => {
  const hwdt = new Hwdt(new SimClock(), 1);
  const told: string[] = [];
  hwdt.subscribe((_, { key }, change) => told.push(`${key} ${change}`));
  hwdt.learn(0, BLUE, M9, NODE, 'ndp');
  hwdt.learn(0, BLUE, M8, NODE, 'ndp');
  hwdt.learn(0, BLUE, M8, Ip.of('10.1.0.8'), 'ndp');
  hwdt.forget(BLUE, Ip.of('10.1.0.8'));
  assert.deepEqual(told, [
    '10.1.0.9 seen',
    '10.1.0.9 seen',
    '10.1.0.9 evicted',
    '10.1.0.8 seen',
    '10.1.0.8 forgotten',
  ]);
});

test('one RARP costs no walk through thousands of addresses: those seen longest ago are refreshed first', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock);
  for (let n = 0; n < 600; n++) {
    hwdt.establish(BLUE, Ip.v4(0x0a010000 + n));
    hwdt.learn(0, BLUE, M9, Ip.v4(0x0a010000 + n), 'ndp');
  }
  clock.advance(1_000);
  const refreshed = (): number => [...hwdt.all()].filter(({ lastSeenMs }) => lastSeenMs === 1_000).length;
  hwdt.seenMac(0, M9);
  assert.equal(refreshed(), 256);
  hwdt.seenMac(0, M9);
  assert.equal(refreshed(), 512);
  hwdt.seenMac(0, M9);
  assert.equal(refreshed(), 600);
});

test('stale gives established nodes first, and each LAN its own', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock);
  hwdt.learn(0, BLUE, M8, Ip.of('10.1.0.8'), 'ndp');
  clock.advance(1);
  hwdt.learn(0, BLUE, M9, NODE, 'ndp');
  hwdt.establish(BLUE, NODE);
  hwdt.learn(1, BLUE, M9, Ip.of('10.1.0.10'), 'ndp');
  clock.advance(10);
  assert.deepEqual(
    [...hwdt.stale(0, 10)].map((each) => each.ip.key),
    ['10.1.0.9', '10.1.0.8'],
  );
  assert.deepEqual([...hwdt.stale(7, 10)], []);
});

test('frames do not change a static binding, but a conflict is reported', () => {
  const hwdt = new Hwdt(new SimClock());
  hwdt.learn(0, BLUE, M8, NODE, 'static');
  assert.deepEqual(hwdt.learn(0, BLUE, M9, NODE, 'gratuitous'), { outcome: 'known', previousMac: M8 });
  assert.deepEqual(hwdt.learn(0, BLUE, M8, NODE, 'gratuitous'), {
    outcome: 'known',
    previousMac: undefined,
  });
  assert.equal(hwdt.get(BLUE, NODE)?.mac, M8);
  assert.equal(hwdt.get(BLUE, NODE)?.source, 'static');
  assert.deepEqual(hwdt.learn(0, BLUE, M9, NODE, 'static'), { outcome: 'rebound', previousMac: M8 });
});

test('stale gives what was not seen for that long, oldest first, to the millisecond', () => {
  const clock = new SimClock();
  const hwdt = new Hwdt(clock);
  hwdt.learn(0, BLUE, M8, Ip.of('10.1.0.8'), 'arp-request');
  clock.advance(100);
  hwdt.learn(0, BLUE, M9, NODE, 'arp-request');
  clock.advance(899);
  assert.deepEqual([...hwdt.stale(0, 1_000)], []);
  clock.advance(1);
  assert.deepEqual(
    [...hwdt.stale(0, 1_000)].map((each) => each.ip.key),
    ['10.1.0.8'],
  );
  assert.equal([...hwdt.stale(0, 900)].length, 2);
});

type Step =
  | { do: 'learn'; lan: number; mac: Mac; ip: Ip }
  | { do: 'seen'; lan: number; mac: Mac }
  | { do: 'forget' | 'establish' | 'release'; ip: Ip };

const anyLan = fc.constantFrom(0, 1);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('learn' as const), lan: anyLan, mac: anyMac, ip: anyIp }),
  fc.record({ do: fc.constant('seen' as const), lan: anyLan, mac: anyMac }),
  fc.record({ do: fc.constantFrom('forget' as const, 'establish' as const, 'release' as const), ip: anyIp }),
);

interface Seen extends Pick<Binding, 'lan' | 'mac' | 'ip'> {
  readonly sighting: number;
}

interface Model {
  /** Each LAN's in its order of eviction. */
  list: Seen[];
  readonly established: Set<string>;
  sightings: number;
}

/** The same by a list. */
function naive(model: Model, step: Step, limit: number): void {
  const { list, established } = model;
  const sighted = (each: Omit<Seen, 'sighting'>): Seen => ({ ...each, sighting: ++model.sightings });
  if (step.do === 'learn') {
    model.list = list.filter((each) => each.lan !== step.lan || !each.ip.equals(step.ip));
    model.list.push(sighted({ lan: step.lan, mac: step.mac, ip: step.ip }));
  } else if (step.do === 'seen') {
    const again = list.filter((each) => each.lan === step.lan && each.mac === step.mac);
    model.list = list.filter((each) => !again.includes(each));
    model.list.push(...again.map(sighted));
  } else if (step.do === 'forget') {
    model.list = list.filter((each) => !each.ip.equals(step.ip));
  } else if (established.has(step.ip.key) !== (step.do === 'establish')) {
    if (step.do === 'establish') established.add(step.ip.key);
    else established.delete(step.ip.key);
    const changed = list.filter((each) => each.ip.equals(step.ip));
    model.list = [...list.filter((each) => !changed.includes(each)), ...changed];
  }
  for (const lan of [0, 1]) {
    const newcomers = model.list.filter((each) => each.lan === lan && !established.has(each.ip.key));
    const evicted = newcomers.slice(0, Math.max(0, newcomers.length - limit));
    model.list = model.list.filter((each) => !evicted.includes(each));
  }
}

test('random histories agree with a naive list, and every change of `get` is told exactly once', () => {
  const LIMIT = 3;
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 50 }), (steps) => {
      const hwdt = new Hwdt(new SimClock(), LIMIT);
      const shown = new Map<string, string>();
      const show = (ip: Ip): string => JSON.stringify([hwdt.get(BLUE, ip)?.lan, hwdt.get(BLUE, ip)?.mac]);
      hwdt.subscribe((_, ip) => {
        assert.notEqual(show(ip), shown.get(ip.key) ?? '[null,null]');
        shown.set(ip.key, show(ip));
      });
      const model: Model = { list: [], established: new Set(), sightings: 0 };
      for (const step of steps) {
        if (step.do === 'learn') hwdt.learn(step.lan, BLUE, step.mac, step.ip, 'arp-request');
        else if (step.do === 'seen') hwdt.seenMac(step.lan, step.mac);
        else hwdt[step.do](BLUE, step.ip);
        naive(model, step, LIMIT);
      }
      const { list, established } = model;
      assert.equal(hwdt.size, list.length);
      for (const lan of [0, 1]) {
        const order = [...hwdt.all()].filter((each) => each.lan === lan).map(({ ip, mac: m }) => [ip.key, m]);
        const onLan = list.filter((each) => each.lan === lan);
        const expected = [
          ...onLan.filter(({ ip }) => established.has(ip.key)),
          ...onLan.filter(({ ip }) => !established.has(ip.key)),
        ].map(({ ip, mac: m }) => [ip.key, m]);
        assert.deepEqual(order, expected);
      }
      for (const ip of new Set(list.map((each) => each.ip))) {
        const of = list.filter((each) => each.ip.equals(ip)).sort((a, b) => a.sighting - b.sighting);
        const latest = of.at(-1);
        assert.deepEqual([hwdt.get(BLUE, ip)?.lan, hwdt.get(BLUE, ip)?.mac], [latest?.lan, latest?.mac]);
        assert.equal(shown.get(ip.key), show(ip));
      }
    }),
    { numRuns: 500 },
  );
});
