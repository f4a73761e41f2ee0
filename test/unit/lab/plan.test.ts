import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, topologies } from '../../lab/plan.js';

/** IFNAMSIZ − 1. */
const longestInterfaceName = 15;

for (const topology of topologies)
  test(`${topology}: names are unique and short, links join nodes that exist`, () => {
    const plan = planOf(topology, 20);
    const nodes = plan.nodes.map(({ name }) => name);
    assert.equal(new Set(nodes).size, nodes.length);
    const ends = plan.links.flat();
    for (const end of ends) {
      assert.ok(nodes.includes(end.node), `no node ${end.node}`);
      assert.ok(end.interface.length <= longestInterfaceName, end.interface);
      if (end.bridge !== undefined)
        assert.ok(plan.bridges.some(({ node, name }) => node === end.node && name === end.bridge));
    }
    for (const what of ['interface', 'mac', 'addresses'] as const) {
      const used = ends.flatMap((end) => (what === 'interface' ? `${end.node}/${end.interface}` : end[what]));
      const given = used.filter((value) => value !== undefined);
      assert.equal(new Set(given).size, given.length, `${what} given twice`);
    }
  });

test('a mover is plugged in at its home only', () => {
  const plan = planOf('three-site', 2);
  for (const { name, home } of plan.movers) {
    const ports = plan.links.flat().filter((end) => end.interface === name && end.node.startsWith('sw-'));
    assert.deepEqual(ports.map(({ node }) => node).sort(), ['sw-a', 'sw-b', 'sw-c']);
    const plugged = ports.filter(({ bridge }) => bridge !== undefined).map(({ node }) => node);
    assert.deepEqual(plugged, [`sw-${home}`]);
  }
});

test('large subnet of IPv6: wide masks and no route for IPv6, as usual for IPv4', () => {
  const plan = planOf('large-subnet-6');
  assert.deepEqual(plan.links.flat().find(({ node }) => node === 'c1')?.addresses, [
    '10.3.0.11/24',
    'fd00:3::11/16',
  ]);
  assert.deepEqual(plan.nodes.find(({ name }) => name === 'c1')?.routes, ['10.0.0.0/8 via 10.3.0.1']);
});

test('large subnet: wide masks and no route to a router; else narrow masks and a route', () => {
  const of = (topology: 'two-site' | 'large-subnet') => {
    const plan = planOf(topology);
    const addresses = plan.links.flat().find(({ node }) => node === 'b1')?.addresses;
    return { addresses, routes: plan.nodes.find(({ name }) => name === 'b1')?.routes };
  };
  assert.deepEqual(of('large-subnet'), {
    addresses: ['10.2.0.11/8', 'fd00:2::11/64'],
    routes: ['fd00::/16 via fd00:2::1'],
  });
  assert.deepEqual(of('two-site'), {
    addresses: ['10.2.0.11/24', 'fd00:2::11/64'],
    routes: ['fd00::/16 via fd00:2::1', '10.0.0.0/8 via 10.2.0.1'],
  });
});

test('pair: site a has two routers, each with its own place in the LAN and the WAN; its nodes use the shared address', () => {
  const plan = planOf('pair');
  assert.deepEqual(
    plan.routers.map(({ id, tag, site }) => [id, tag, site.letter]),
    [
      ['vr-a1', 'a1', 'a'],
      ['vr-a2', 'a2', 'a'],
      ['vr-b', 'b', 'b'],
    ],
  );
  const endsOf = (node: string) =>
    plan.links
      .filter((ends) => ends.some((end) => end.node === node))
      .map(([own, port]) => [own.addresses, port.node]);
  assert.deepEqual(endsOf('vr-a1'), [
    [['10.1.0.1/24', 'fd00:1::1/64'], 'sw-a'],
    [['192.0.2.1/24'], 'wan'],
  ]);
  assert.deepEqual(endsOf('vr-a2'), [
    [['10.1.0.2/24', 'fd00:1::2/64'], 'sw-a'],
    [['192.0.2.11/24'], 'wan'],
  ]);
  assert.deepEqual(plan.nodes.find(({ name }) => name === 'vm')?.routes.slice(0, 2), [
    'fd00::/16 via fd00:1::3',
    '10.0.0.0/8 via 10.1.0.3',
  ]);
  assert.deepEqual(plan.nodes.find(({ name }) => name === 'b1')?.routes, [
    'fd00::/16 via fd00:2::1',
    '10.0.0.0/8 via 10.2.0.1',
  ]);
});
