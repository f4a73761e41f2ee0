import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory, TOMBSTONE_MS } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import type { Lans } from '../../../src/tables/lan.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyIp, anyMac, anyRecord, BLUE, gndtConfig, network, RED } from './fixtures.js';

interface World {
  readonly clock: SimClock;
  readonly directory: Directory;
  readonly hwdt: Hwdt;
  readonly lans: Lans;
}

type Step = (world: World) => void;

const anyVnet = fc.constantFrom(BLUE, RED);
const anyLan = fc.constantFrom(0, 1);

/** Addresses that may be those of a LAN, so that networks change their LAN too. */
const OWN = ['10.9.0.1', '10.1.0.1', 'fd00:1::9', '10.2.0.9'];

/** One thing that happens to the tables. */
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: anyRecord.map(
      (record): Step =>
        ({ directory }) =>
          void directory.apply(record),
    ),
    weight: 4,
  },
  fc.tuple(anyVnet, anyIp, anyMac, fc.integer({ min: 1, max: 4 })).map(
    ([vnet, ip, m, seq]): Step =>
      ({ directory }) =>
        void directory.originate(vnet, ip, m, seq),
  ),
  fc.tuple(anyVnet, anyIp).map(
    ([vnet, ip]): Step =>
      ({ directory }) =>
        void directory.withdraw(vnet, ip),
  ),
  fc.tuple(anyLan, anyMac, anyIp).map(
    ([lan, m, ip]): Step =>
      ({ hwdt }) =>
        void hwdt.learn(lan, BLUE, m, ip, 'arp-request'),
  ),
  fc.tuple(anyLan, anyMac).map(
    ([lan, m]): Step =>
      ({ hwdt }) =>
        hwdt.seenMac(lan, m),
  ),
  fc.tuple(anyVnet, anyIp).map(
    ([vnet, ip]): Step =>
      ({ hwdt }) =>
        hwdt.forget(vnet, ip),
  ),
  fc.tuple(fc.constantFrom(0, 1), fc.subarray(OWN)).map<Step>(
    ([index, addresses]) =>
      ({ lans }) =>
        lans.readdress(
          index,
          addresses.map((text) => Ip.of(text)),
        ),
  ),
  fc.constant<Step>(({ clock, directory }) => {
    clock.advance(TOMBSTONE_MS / 2);
    directory.expire();
  }),
);

const gndt = new Gndt(
  gndtConfig([
    network(BLUE, '10.1.0.0/24', 'vr-a', { gateway: '10.1.0.1' }),
    network(BLUE, '10.2.0.0/24', 'vr-b'),
    network(BLUE, 'fd00:1::/64', 'vr-a'),
    network(BLUE, 'fd00:2::9/128', 'vr-c'),
    network(RED, '10.1.0.0/16', 'vr-c'),
  ]),
  'vr-a',
);
const entries = [
  { vnet: BLUE, prefix: Prefix.of('10.1.0.0/24'), mac: undefined },
  { vnet: BLUE, prefix: Prefix.of('10.1.0.9'), mac: mac('52:54:00:00:00:01') },
];
const newLans = (): Lans =>
  lansOf([
    { index: 0, vnet: BLUE, addresses: [Ip.of('10.9.0.1')] },
    { index: 1, vnet: BLUE, addresses: [] },
  ]);

function compile({ clock, directory, hwdt, lans }: World): ForwardingTable {
  const table = ForwardingTable.create({ slots: 128 });
  const lndt = new Lndt(entries, gndt, directory);
  new ForwardingCompiler({ gndt, lndt, directory, hwdt, table, clock, lans }).rebuild();
  return table;
}

function contents(table: ForwardingTable): string[] {
  return [...table.routes()].map((each) => JSON.stringify(each)).sort();
}

test('after any history the table that followed every change equals one compiled afresh', () => {
  const distinct = new Set<string>();
  const property = fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
    const clock = new SimClock();
    const world = {
      clock,
      directory: new Directory('vr-a', clock),
      hwdt: new Hwdt(clock, 3),
      lans: newLans(),
    };
    const followed = compile(world);
    for (const step of steps) step(world);
    clock.advance(2_000); // what has just moved has arrived
    assert.deepEqual(contents(followed), contents(compile(world)));
    distinct.add(contents(followed).join());
  });
  fc.assert(property, { numRuns: 500 });
  assert.ok(distinct.size > 30, `the histories lead to only ${distinct.size} different tables`);
});
