import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { clientMac } from '../../../src/tables/clients.js';
import { Directory } from '../../../src/tables/directory.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { LanGrowth } from '../../../src/tables/lan-growth.js';
import { LanNodes } from '../../../src/tables/lan-nodes.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyIp, anyMac, BLUE, RED, record } from './fixtures.js';

const LAN = { index: 0, vnet: BLUE };
const SECOND = { index: 1, vnet: BLUE };
const M9 = mac('52:54:00:00:00:09');
const address = (n: number): Ip => Ip.v6(0xfd000001, 0, 0, n);

function setUp(limit = 4_096) {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  const hwdt = new Hwdt(clock, 64);
  const nodes = new LanNodes('vr-a', directory, hwdt);
  const growth = new LanGrowth(clock, nodes, limit);
  /** As mobility does: the binding, then the record if it may be. */
  const learn = (n: number, lan = LAN): boolean => {
    const ip = address(n);
    hwdt.learn(lan.index, lan.vnet, M9, ip, 'ndp');
    const may = growth.mayAdd(lan);
    if (may) directory.originate(lan.vnet, ip, M9, 1);
    return may;
  };
  return { clock, directory, hwdt, nodes, growth, learn };
}

test('a flood of neighbour advertisements makes 100 records a second after a burst, and never more than the limit', () => {
  const { clock, directory, hwdt, growth, nodes, learn } = setUp(1_000);
  let n = 0;
  for (let ms = 0; ms < 60_000; ms += 10) {
    for (let i = 0; i < 50; i++) learn(n++);
    if (ms === 990) assert.ok(Math.abs(directory.size - 300) <= 1, `${directory.size} after a second`);
    clock.advance(10);
  }
  assert.equal(directory.size, 1_000);
  assert.equal(nodes.on(LAN), 1_000);
  assert.equal(hwdt.size, 1_064, 'the newcomers beside them are bounded');
  const { lan_nodes_refused_too_soon: soon = 0, lan_nodes_refused_full: full = 0 } = growth.counters();
  assert.equal(soon + full, n - 1_000);
  assert.ok(soon > 0 && full > 0);
});

test('each LAN has its own rate and its own limit', () => {
  const { learn } = setUp(3);
  for (let n = 0; n < 10; n++) learn(n);
  assert.equal(learn(100), false);
  assert.equal(learn(101, SECOND), true);
});

test('a withdrawn node makes room; a limit that is lowered takes nothing away', () => {
  const { directory, growth, nodes, learn } = setUp(3);
  for (let n = 0; n < 4; n++) learn(n);
  assert.equal(learn(4), false);
  directory.withdraw(BLUE, address(0));
  assert.equal(learn(5), true);
  growth.setLimit(1);
  assert.equal(nodes.on(LAN), 3);
  assert.equal(learn(6), false);
  growth.setLimit(10);
  assert.equal(learn(7), true);
});

test('nodes of before a restart that nobody has seen yet count on every LAN of their vnet', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  directory.load([1, 2, 3].map((n) => record(`10.1.0.${n}`, 'vr-a', 1, n)));
  const hwdt = new Hwdt(clock);
  const nodes = new LanNodes('vr-a', directory, hwdt);
  assert.deepEqual([nodes.on(LAN), nodes.on(SECOND), nodes.on({ index: 2, vnet: RED })], [3, 3, 0]);
  hwdt.learn(1, BLUE, M9, Ip.of('10.1.0.1'), 'arp-request');
  assert.deepEqual([nodes.on(LAN), nodes.on(SECOND)], [2, 3]);
});

test('the nodes that are counted are established, and no longer when they have gone', () => {
  const { directory, hwdt, learn } = setUp();
  learn(1);
  const flood = (): void => {
    for (let n = 1_000; n < 1_100; n++) hwdt.learn(0, BLUE, M9, address(n), 'ndp');
  };
  flood();
  assert.equal(hwdt.get(BLUE, address(1))?.mac, M9);
  directory.apply({ ...record('10.1.0.1', 'vr-b', 2, 1), ip: address(1) });
  flood();
  assert.equal(hwdt.get(BLUE, address(1)), undefined);
});

test('WireGuard clients are on no LAN', () => {
  const { directory, nodes } = setUp();
  directory.originate(BLUE, Ip.of('10.1.0.200'), clientMac(new Uint8Array(32)), 1);
  assert.equal(nodes.on(LAN), 0);
});

test('counts agree with the tables after any history', () => {
  const step = fc.record({
    do: fc.constantFrom(
      'learn' as const,
      'originate' as const,
      'withdraw' as const,
      'lose' as const,
      'forget' as const,
    ),
    lan: fc.constantFrom(0, 1),
    ip: anyIp,
    mac: anyMac,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { directory, hwdt, nodes } = setUp();
      for (const { do: what, lan, ip, mac: m } of steps) {
        const seq = directory.get(BLUE, ip)?.seq ?? 0;
        if (what === 'learn') hwdt.learn(lan, BLUE, m, ip, 'ndp');
        else if (what === 'originate') directory.originate(BLUE, ip, m, seq + 1);
        else if (what === 'withdraw') directory.withdraw(BLUE, ip);
        else if (what === 'lose') directory.apply({ ...record('10.1.0.1', 'vr-b', seq + 1, 1), ip });
        else hwdt.forget(BLUE, ip);
      }
      const own = directory.of('vr-a').filter(({ state }) => state === 'here');
      for (const lan of [LAN, SECOND]) {
        const there = own.filter(({ vnet, ip }) => (hwdt.get(vnet, ip)?.lan ?? lan.index) === lan.index);
        assert.equal(nodes.on(lan), there.length);
      }
    }),
  );
});

test('records of one turn are counted in the middle of it', () => {
  const { directory, nodes, learn } = setUp(3);
  directory.hold(() => {
    assert.deepEqual([learn(1), learn(2), learn(3), learn(4)], [true, true, true, false]);
    assert.equal(nodes.on(LAN), 3);
  });
  assert.equal(nodes.on(LAN), 3);
});
