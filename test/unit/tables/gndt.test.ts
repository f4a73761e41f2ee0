import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { BLUE, gndtConfig, network, RED } from './fixtures.js';

const config = gndtConfig([
  network(BLUE, '10.1.0.0/24', 'vr-a'),
  network(BLUE, '10.2.0.0/16', 'vr-b', { allow: ['vr-a'] }),
  network(BLUE, '10.2.7.0/24', 'vr-c', { allow: [] }),
  network(RED, '10.1.0.0/24', 'vr-c'),
  network(BLUE, 'fd00:1::/64', 'vr-a'),
]);
const gndt = new Gndt(config, 'vr-a');

test('an address is native to the longest network that holds it, per vnet', () => {
  const home = (vnet: number, ip: string): string | undefined => gndt.homeOf(vnet, Ip.of(ip));
  assert.equal(home(BLUE, '10.1.0.255'), 'vr-a');
  assert.equal(home(BLUE, '10.1.1.0'), undefined);
  assert.equal(home(BLUE, '10.2.6.255'), 'vr-b');
  assert.equal(home(BLUE, '10.2.7.0'), 'vr-c');
  assert.equal(home(RED, '10.1.0.255'), 'vr-c');
  assert.equal(home(RED, '10.2.7.0'), undefined);
  assert.equal(home(BLUE, 'fd00:1::9'), 'vr-a');
  assert.equal(home(BLUE, 'fd00:1:0:1::9'), undefined);
  assert.equal(home(3, '10.1.0.1'), undefined);
  assert.equal(gndt.isHome(BLUE, Ip.of('10.1.0.1')), true);
  assert.equal(gndt.isHome(RED, Ip.of('10.1.0.1')), false);
});

test('networkCovering wants the whole prefix covered', () => {
  const covering = (prefix: string): string | undefined =>
    gndt.networkCovering(BLUE, Prefix.of(prefix))?.prefix.key;
  assert.equal(covering('10.2.7.0/25'), '10.2.7.0/24');
  assert.equal(covering('10.2.7.0/24'), '10.2.7.0/24');
  assert.equal(covering('10.2.6.0/23'), '10.2.0.0/16');
  assert.equal(covering('10.0.0.0/8'), undefined);
});

test('numbers are positions in the first file, and stay with their names in the next', () => {
  assert.deepEqual(
    config.networks.map((each) => gndt.networkIndex(each)),
    [0, 1, 2, 3, 4],
  );
  assert.equal(gndt.networkIndex(network(BLUE, '10.77.0.0/24', 'vr-a')), -1);
  assert.deepEqual(
    ['vr-a', 'vr-b', 'vr-c', 'vr-d'].map((id) => gndt.peerIndex(id)),
    [0, 1, 2, -1],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((peer) => gndt.idAt(peer)),
    ['vr-a', 'vr-b', 'vr-c', undefined],
  );
  const live = new Gndt(config, 'vr-a');
  const [first, second] = config.networks;
  if (first === undefined || second === undefined) throw new Error('two networks at least');
  const [a, , c] = config.routers;
  if (a === undefined || c === undefined) throw new Error('three routers');
  const plan = live.plan({ ...config, routers: [{ ...c, id: 'vr-d' }, c, a], networks: [second] }, 0);
  if (typeof plan === 'string') throw new Error(plan);
  assert.equal(live.peerIndex('vr-b'), 1, 'a plan has changed something');
  live.adopt(plan, 0);
  assert.deepEqual(
    ['vr-a', 'vr-b', 'vr-c', 'vr-d'].map((id) => live.peerIndex(id)),
    [0, -1, 2, 3],
  );
  assert.deepEqual([live.networkIndex(second), live.networkIndex(first)], [1, -1]);
  assert.equal(live.idAt(1), undefined);
  assert.equal(live.networkOf(first.vnet, first.prefix.address) === first, false);
});

test('look-ups', () => {
  assert.equal(gndt.vnet(BLUE)?.name, 'blue');
  assert.equal(gndt.vnetByName('red')?.id, RED);
  assert.equal(gndt.vnetByName('green'), undefined);
});

test('a network’s nodes may be claimed by its home VR, and by others as `allow` says', () => {
  const may = (ip: string, by: string): boolean => gndt.mayClaim(BLUE, Ip.of(ip), by);
  assert.equal(may('10.1.0.9', 'vr-c'), true);
  assert.equal(may('10.2.0.9', 'vr-a'), true);
  assert.equal(may('10.2.0.9', 'vr-c'), false);
  assert.equal(may('10.2.0.9', 'vr-b'), true);
  assert.equal(may('10.2.7.9', 'vr-a'), false);
  assert.equal(may('10.2.7.9', 'vr-c'), true);
  assert.equal(may('192.0.2.1', 'vr-a'), false, 'native nowhere');
});

test('hosts are on one link in one network, or in one large subnet', () => {
  const same = (g: Gndt, a: string, b: string): boolean => g.sameLink(BLUE, Ip.of(a), Ip.of(b));
  assert.equal(same(gndt, '10.1.0.1', '10.1.0.2'), true);
  assert.equal(same(gndt, '10.1.0.1', '10.2.0.2'), false);
  assert.equal(same(gndt, '192.0.2.1', '192.0.2.2'), false);
  const wide = new Gndt(
    gndtConfig(config.networks.slice(0, 2), [{ name: 'blue', id: BLUE, subnet: Prefix.of('10.0.0.0/8') }]),
    'vr-a',
  );
  assert.equal(same(wide, '10.1.0.1', '10.2.0.2'), true);
  assert.equal(same(wide, '10.1.0.1', '192.0.2.2'), false);
  assert.equal(same(wide, '10.1.0.1', '::a02:2'), false);
});
