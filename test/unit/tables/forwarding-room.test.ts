/** The forwarding table is finite: routes of real nodes always have their place in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding/forwarding-compiler.js';
import { MAX_NETWORKS } from '../../../src/tables/forwarding/forwarding-layout.js';
import { ForwardingTable, RouteKind } from '../../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../../src/tables/forwarding/mac-table.js';
import { Gndt, MAX_PEERS } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { LIMITS, MAX_LNDT_ENTRIES } from '../../../src/tables/limits.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig, network, record } from './fixtures.js';

const M9 = mac('52:54:00:00:00:09');
const made = (n: number): Ip => Ip.v6(0xfd000001, 0, 0, 1 + n);

/** vr-a with an IPv6 /64 of its own, all of it in the LNDT, and a small table. */
function setUp(slots: number) {
  const clock = new SimClock();
  const networks = [network(BLUE, 'fd00:1::/64', 'vr-a'), network(BLUE, '10.2.0.0/16', 'vr-b')];
  const gndt = new Gndt(gndtConfig(networks), 'vr-a');
  const directory = new Directory('vr-a', clock);
  const hwdt = new Hwdt(clock);
  const entry = { vnet: BLUE, prefix: Prefix.of('fd00:1::/64'), mac: undefined };
  const lndt = new Lndt([entry], gndt, directory);
  const table = ForwardingTable.create({ slots });
  const lans = lansOf([{ index: 0, vnet: BLUE, addresses: [] }]);
  const compiler = new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans });
  compiler.rebuild();
  const isPlaced = (ip: Ip): boolean => table.get(BLUE, Prefix.host(ip)) !== undefined;
  return { directory, hwdt, table, compiler, isPlaced };
}

test('bindings without a record leave room for the routes of nodes', () => {
  const { directory, hwdt, table, compiler, isPlaced } = setUp(256);
  assert.equal(table.capacity, 192);
  for (let n = 0; n < 1_000; n++) hwdt.learn(0, BLUE, (M9 + n) as Mac, made(n), 'ndp');
  assert.ok(table.size <= 192 / 6 + 2, `${table.size} routes`);
  for (let n = 0; n < 128; n++)
    directory.apply({ ...record('10.2.0.1', 'vr-c', 1, n), ip: Ip.v4(0x0a020001 + n) });
  assert.equal(compiler.unplaced, 0);
  for (let n = 0; n < 128; n++) assert.ok(isPlaced(Ip.v4(0x0a020001 + n)));
  assert.equal(compiler.counters().forwarding_newcomers_refused, 1_000 - 32);
});

test('a newcomer that has no route gets one with its record, and when another goes', () => {
  const { directory, hwdt, isPlaced } = setUp(256);
  for (let n = 0; n < 40; n++) hwdt.learn(0, BLUE, M9, made(n), 'ndp');
  assert.ok(!isPlaced(made(39)));
  directory.originate(BLUE, made(39), M9, 1);
  assert.ok(isPlaced(made(39)));
  assert.ok(!isPlaced(made(38)));
  hwdt.forget(BLUE, made(0));
  hwdt.learn(0, BLUE, M9, made(50), 'ndp');
  assert.ok(isPlaced(made(50)));
});

test('a newcomer without a route is served by its network’s, so the data plane asks for it', () => {
  const { hwdt, table } = setUp(256);
  for (let n = 0; n < 40; n++) hwdt.learn(0, BLUE, M9, made(n), 'ndp');
  assert.equal(table.matched(BLUE, made(39))?.route.kind, RouteKind.onLink);
});

test('routes that had no room are placed as soon as there is some', () => {
  const { directory, compiler, isPlaced } = setUp(64);
  const ip = (n: number): Ip => Ip.v4(0x0a020001 + n);
  for (let n = 0; n < 60; n++) directory.apply({ ...record('10.2.0.1', 'vr-c', 1, n), ip: ip(n) });
  const lacking = compiler.unplaced;
  assert.equal(lacking, 60 - 46);
  for (let n = 0; n < lacking; n++)
    directory.apply({ ...record('10.2.0.1', 'vr-c', 2, n, { state: 'withdrawn' }), ip: ip(n) });
  assert.equal(compiler.unplaced, 0);
  for (let n = lacking; n < 60; n++) assert.ok(isPlaced(ip(n)), ip(n).key);
});

test('the tables of a router have room for all that its limits allow', () => {
  const { capacity } = ForwardingTable.create();
  assert.ok(LIMITS.nodes.most <= (capacity * 4) / 6);
  assert.ok(LIMITS.nodesPerRouter.most <= LIMITS.nodes.most && LIMITS.nodesPerLan.most <= LIMITS.nodes.most);
  // Networks, their gateways, WireGuard clients, lists of nodes; what is left is for the machine's own addresses.
  assert.ok(2 * MAX_NETWORKS + MAX_PEERS + MAX_LNDT_ENTRIES + 1_024 <= capacity / 6);
  const macs = MacTable.create();
  for (let n = 0; n < LIMITS.nodes.most; n++) assert.ok(macs.add(BLUE, (0x525400000000 + n) as Mac));
});
