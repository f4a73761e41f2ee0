/** What a router that is taken out of gndt.json leaves behind: nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory, type DirectoryChange } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable, RouteKind } from '../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyRecord, BLUE, gndtConfig, network, record } from './fixtures.js';

const NODE = Ip.of('10.1.0.9');

function contents(records: Iterable<NodeRecord>): string[] {
  return [...records].map((each) => JSON.stringify(each)).sort();
}

test('records and tombstones of routers that are no members vanish, and nothing tells of them any more', () => {
  const directory = new Directory('vr-a', new SimClock());
  directory.load([
    record('10.1.0.1', 'vr-a', 1, 1),
    { ...record('10.1.0.2', 'vr-a', 2, 2), previous: 'vr-mad' },
    record('10.2.0.1', 'vr-b', 1, 1),
    record('10.1.0.9', 'vr-mad', 99, 1),
    record('10.1.0.8', 'vr-mad', 99, 2, { state: 'withdrawn' }),
  ]);
  const dropped = directory.keepMembers(new Set(['vr-a', 'vr-b']));
  assert.deepEqual(dropped.map(({ ip }) => ip.key).sort(), ['10.1.0.8', '10.1.0.9']);
  assert.deepEqual(contents(directory.all()), contents([...directory.of('vr-a'), ...directory.of('vr-b')]));
  assert.equal(directory.size, 3);
  assert.equal(directory.get(BLUE, NODE), undefined);
  assert.equal(directory.previous(BLUE, Ip.of('10.1.0.2')), undefined);
  assert.deepEqual(directory.digest('vr-mad'), { highestStamp: 0, count: 0, hash: 0 });
  assert.equal(directory.count('vr-mad'), 0);
  assert.deepEqual(directory.keepMembers(new Set(['vr-a', 'vr-b'])), []);
});

test('what is dropped says where the node was before', () => {
  const directory = new Directory('vr-a', new SimClock());
  directory.originate(BLUE, NODE, mac('52:54:00:00:00:09'), 1);
  directory.apply(record('10.1.0.9', 'vr-mad', 2, 1));
  const [dropped] = directory.keepMembers(new Set(['vr-a']));
  assert.equal(dropped?.previous, 'vr-a');
});

test('what is dropped says with which MAC the node was there, if with another one, whatever was said since', () => {
  const [its, other] = [mac('52:54:00:00:00:09'), mac('52:54:00:00:00:0a')];
  const dropped = (
    changes: readonly NodeRecord[],
  ): ReturnType<Directory['keepMembers']>[number] | undefined => {
    const directory = new Directory('vr-a', new SimClock());
    directory.originate(BLUE, NODE, its, 1);
    for (const change of changes) directory.apply(change);
    return directory.keepMembers(new Set(['vr-a']))[0];
  };
  const stolen = (seq: number, at: typeof its): NodeRecord => ({
    ...record('10.1.0.9', 'vr-mad', seq, 1),
    mac: at,
  });
  assert.equal(dropped([stolen(2, other)])?.previousMac, its);
  assert.equal(dropped([stolen(2, its), stolen(3, other)])?.previousMac, its);
  assert.equal(dropped([stolen(2, other), stolen(3, its)])?.previousMac, undefined);
  assert.equal(dropped([stolen(2, its)])?.previousMac, undefined);
});

test('listeners hear of it as of a withdrawal, with the directory complete', () => {
  const directory = new Directory('vr-a', new SimClock());
  const stolen = record('10.1.0.9', 'vr-mad', 9, 1);
  directory.load([stolen, record('10.1.0.8', 'vr-mad', 9, 2)]);
  const seen: DirectoryChange[] = [];
  directory.subscribe((change) => {
    assert.equal(directory.size, 0, 'all are gone before the first is told');
    assert.deepEqual(directory.byMac(BLUE, change.after.mac), []);
    seen.push(change);
  });
  directory.keepMembers(new Set(['vr-a']));
  assert.deepEqual(seen[0], { before: stolen, after: { ...stolen, state: 'withdrawn' } });
  assert.equal(seen.length, 2);
});

test('a frozen one is told without its freeze', () => {
  const directory = new Directory('vr-a', new SimClock());
  directory.load([record('10.1.0.9', 'vr-mad', 9, 1, { frozen: true })]);
  const seen: DirectoryChange[] = [];
  directory.subscribe((change) => seen.push(change));
  directory.keepMembers(new Set(['vr-a']));
  assert.equal(seen[0]?.before?.frozen, true);
  assert.equal(seen[0]?.after.frozen, undefined);
});

test('a directory without one router’s records is the one that never heard of it, where nobody else was beaten', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 40 }), (records) => {
      const heard = new Directory('vr-a', new SimClock());
      // vr-c speaks of addresses of its own only.
      const disjoint = records.filter(({ router, ip }) => (router === 'vr-c') === (ip.family === 6));
      heard.load(disjoint);
      heard.keepMembers(new Set(['vr-a', 'vr-b']));
      const never = new Directory('vr-a', new SimClock());
      never.load(disjoint.filter(({ router }) => router !== 'vr-c'));
      assert.deepEqual(contents(heard.all()), contents(never.all()));
      for (const router of ['vr-a', 'vr-b', 'vr-c'])
        assert.deepEqual(heard.digest(router), never.digest(router));
    }),
  );
});

test('counts by router: all that name it, and those that are here', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60 }), (records) => {
      const directory = new Directory('vr-a', new SimClock());
      directory.load(records);
      for (const router of ['vr-a', 'vr-b', 'vr-c', 'vr-unknown']) {
        const naming = [...directory.all()].filter((each) => each.router === router);
        assert.equal(directory.count(router), naming.length);
        assert.equal(directory.countHere(router), naming.filter(({ state }) => state === 'here').length);
      }
    }),
  );
});

test('a home node that a removed router had taken is served at home again at once', () => {
  const clock = new SimClock();
  const networks = [network(BLUE, '10.1.0.0/24', 'vr-a'), network(BLUE, '10.2.0.0/24', 'vr-b')];
  const gndt = new Gndt(gndtConfig(networks), 'vr-a');
  const directory = new Directory('vr-a', clock);
  const hwdt = new Hwdt(clock);
  const lndt = new Lndt([{ vnet: BLUE, prefix: Prefix.of('10.1.0.0/24'), mac: undefined }], gndt, directory);
  const table = ForwardingTable.create({ slots: 64 });
  const lans = lansOf([{ index: 0, vnet: BLUE, addresses: [Ip.of('10.1.0.254')] }]);
  new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans }).rebuild();
  hwdt.learn(0, BLUE, mac('52:54:00:00:00:09'), NODE, 'gratuitous');
  directory.originate(BLUE, NODE, mac('52:54:00:00:00:09'), 1);
  directory.apply(record('10.1.0.9', 'vr-c', 7, 1));
  assert.equal(table.get(BLUE, Prefix.host(NODE))?.kind, RouteKind.peer);
  assert.ok(!lndt.authorises(BLUE, NODE, undefined));
  directory.keepMembers(new Set(['vr-a', 'vr-b']));
  assert.equal(table.get(BLUE, Prefix.host(NODE))?.kind, RouteKind.host);
  assert.ok(lndt.authorises(BLUE, NODE, undefined));
});
