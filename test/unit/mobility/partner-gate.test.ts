/** What a site's other router may put into this one's tables (docs/security.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import type { GndtConfig, NodeRecord } from '../../../src/tables/model.js';
import { BLUE } from '../../support/sim-lan-world.js';
import type { StandbyRouter } from '../../support/sim-standby-router.js';
import { StandbyWorld } from '../../support/sim-standby-world.js';

const NODE = Ip.of('10.3.0.77');

/** Of a node of site C that is at site B. */
const record: NodeRecord = {
  ...{ vnet: BLUE, ip: NODE, mac: mac('52:54:00:00:00:77'), router: 'vr-b', seq: 2, state: 'here' },
  stamp: 1,
};

const records = (...them: readonly NodeRecord[]): TableMessage => ({ type: 'partnerRecords', records: them });
const countersOf = ({ mobility }: StandbyRouter): Readonly<Record<string, number>> => mobility.counters();

/** Networks of site C may be at site C and site A alone. */
function closed(config: GndtConfig): GndtConfig {
  const networks = config.networks.map((one) =>
    one.router === 'vr-c' ? { ...one, allow: ['vr-c', 'site-a'] } : one,
  );
  return { ...config, networks };
}

test('the standby takes what a site could have said', () => {
  const { a2 } = new StandbyWorld();
  a2.mobility.partnerMessage(records(record));
  assert.equal(a2.directory.get(BLUE, NODE)?.router, 'vr-b');
});

for (const [what, wrong, reason] of [
  ['of a router that is no member', { router: 'vr-x' }, 'no-member'],
  ['of a router that has a site of another name', { router: 'vr-a1' }, 'not-yours'],
  ['of an address in no network', { ip: Ip.of('172.16.0.1') }, 'unknown-network'],
  ['with a number that is out of reach', { seq: 2 ** 51 + 2 ** 21 }, 'number'],
] as const)
  test(`what no site could have said is left out: ${what}`, () => {
    const { a2 } = new StandbyWorld();
    const before = a2.directory.size;
    a2.mobility.partnerMessage(records({ ...record, ...wrong }, record));
    assert.equal(a2.directory.size, before + 1);
    assert.equal(a2.directory.get(BLUE, NODE)?.seq, 2, 'the right one beside it');
    assert.equal(countersOf(a2)[`mobility_refused_partnerRecords_${reason}`.replaceAll('-', '_')], 1);
  });

test('what no site could have said is left out: of a site that the network does not admit', () => {
  const { a2 } = new StandbyWorld();
  const plan = a2.gndt.plan(closed(a2.options.gndt), 0);
  assert.ok(typeof plan !== 'string');
  a2.gndt.adopt(plan, 0);
  a2.mobility.partnerMessage(records(record, { ...record, ip: Ip.of('10.3.0.78'), router: 'site-a' }));
  assert.equal(a2.directory.get(BLUE, NODE), undefined);
  assert.equal(a2.directory.get(BLUE, Ip.of('10.3.0.78'))?.router, 'site-a');
});

test('what no site could have said is left out: more records of a site than it may have', () => {
  const { a2 } = new StandbyWorld();
  const limits = { nodesPerLan: 4_096, nodesPerRouter: a2.directory.count('vr-b') + 10, nodes: 131_072 };
  a2.mobility.reconfigure(a2.options.mobility, limits);
  const many = Array.from({ length: 100 }, (_, i) => ({ ...record, ip: Ip.of(`10.3.0.${100 + i}`) }));
  a2.mobility.partnerMessage(records(...many));
  assert.equal(a2.directory.count('vr-b'), limits.nodesPerRouter);
});

test('an active router takes no records of its partner', () => {
  const { a1 } = new StandbyWorld();
  a1.mobility.partnerMessage(records(record));
  assert.equal(a1.directory.get(BLUE, NODE), undefined);
  assert.equal(countersOf(a1).mobility_refused_partnerRecords_role, 1);
});

test('nobody else may say what is for partners', () => {
  const { a1, a2, b } = new StandbyWorld();
  for (const router of [a1, a2, b]) router.mobility.message('vr-c', records(record));
  for (const router of [a1, a2, b]) assert.equal(router.directory.get(BLUE, NODE), undefined, router.name);
  for (const router of [a1, b])
    assert.equal(countersOf(router).mobility_refused_partnerRecords_not_yours, 1, router.name);
});

test('what sites say to each other is not said between the two routers of one', () => {
  const { a1, a2 } = new StandbyWorld();
  const said: TableMessage = { type: 'records', records: [record] };
  for (const router of [a1, a2]) {
    router.mobility.partnerMessage(said);
    assert.equal(router.directory.get(BLUE, NODE), undefined, router.name);
  }
});
