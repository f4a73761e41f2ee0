/** Mistakes that only show when lists, or files, are held beside each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { overlaps } from '../../../src/tables/files/overlap.js';
import {
  type Json,
  type JsonObject,
  KEY_A,
  KEY_B,
  KEY_C,
  lines,
  parse,
  type Sample,
  sample,
  spoilt,
} from './sample.js';

const list = (place: JsonObject, name: string): JsonObject[] => place[name] as JsonObject[];

type Case = readonly [name: string, path: readonly (string | number)[], change: Json, line: string];

const CASES: readonly Case[] = [
  [
    'a vnet name twice',
    ['gndt', 'vnets', 2],
    { name: 'blue', id: 3 },
    'gndt.json: vnets[2].name: "blue" is the name of vnets[0] already; give each vnet its own',
  ],
  [
    'a vnet id twice',
    ['gndt', 'vnets', 2],
    { name: 'red', id: 2 },
    'gndt.json: vnets[2].id: 2 is the id of vnets[1] already; give each vnet its own',
  ],
  [
    'a router id twice',
    ['gndt', 'routers', 2],
    { id: 'vr-a', publicKey: KEY_C },
    'gndt.json: routers[2].id: "vr-a" is the id of routers[0] already; give each router its own',
  ],
  [
    'a public key twice',
    ['gndt', 'routers', 2],
    { id: 'vr-c', publicKey: KEY_A },
    'gndt.json: routers[2].publicKey: this is the key of routers[0] ("vr-a") already; make a key for each router ("vinectl genkey")',
  ],
  [
    'an endpoint twice',
    ['gndt', 'routers', 2],
    { id: 'vr-c', publicKey: KEY_C, endpoints: ['udp://192.0.2.2:7700'] },
    'gndt.json: routers[2].endpoints[0]: udp://192.0.2.2:7700 is routers[1].endpoints[0] ("vr-b") already',
  ],
  [
    "a network's vnet unknown",
    ['gndt', 'networks', 1, 'vnet'],
    'bleu',
    'gndt.json: networks[1].vnet: "bleu" is not a vnet in "vnets"; there are blue, green',
  ],
  [
    "a network's router unknown",
    ['gndt', 'networks', 1, 'router'],
    'vr-x',
    'gndt.json: networks[1].router: "vr-x" is not a router in "routers" (did you mean "vr-a"?); there are vr-a, vr-b',
  ],
  [
    'a router in mobility.allow unknown',
    ['gndt', 'networks', 1, 'mobility'],
    { allow: ['vr-a', 'athens'] },
    'gndt.json: networks[1].mobility.allow[1]: "athens" is not a router in "routers"; there are vr-a, vr-b',
  ],
  [
    'the router of a WireGuard client unknown',
    ['gndt', 'nodes'],
    [{ vnet: 'blue', ip: '10.1.0.201', publicKey: KEY_C, via: 'athens' }],
    'gndt.json: nodes[0].via: "athens" is not a router in "routers"; there are vr-a, vr-b',
  ],
  [
    'the vnet of a WireGuard client unknown',
    ['gndt', 'nodes'],
    [{ vnet: 'red', ip: '10.1.0.201', publicKey: KEY_C, via: 'vr-a' }],
    'gndt.json: nodes[0].vnet: "red" is not a vnet in "vnets"; there are blue, green',
  ],
  [
    "a WireGuard client with a router's key",
    ['gndt', 'nodes'],
    [{ vnet: 'blue', ip: '10.1.0.201', publicKey: KEY_B, via: 'vr-a' }],
    'gndt.json: nodes[0].publicKey: this is the key of routers[1] already',
  ],
  [
    'a WireGuard client with an address that is in no network',
    ['gndt', 'nodes'],
    [{ vnet: 'blue', ip: '10.9.0.1', publicKey: KEY_C, via: 'vr-a' }],
    'gndt.json: nodes[0].ip: 10.9.0.1 is in no network of vnet "blue"; add one to "networks"',
  ],
  [
    "a WireGuard client with a gateway's address",
    ['gndt', 'nodes'],
    [{ vnet: 'blue', ip: '10.1.0.254', publicKey: KEY_C, via: 'vr-a' }],
    'gndt.json: nodes[0].ip: 10.1.0.254 is the gateway of 10.1.0.0/24; expected an address of its own',
  ],
  [
    'a preshared key with a router that is unknown',
    ['router', 'presharedKeys'],
    { athens: 'psk.key' },
    'router.json: presharedKeys.athens: "athens" is not a router in gndt.json; there are vr-a, vr-b',
  ],
  [
    'a preshared key with the router itself',
    ['router', 'presharedKeys'],
    { 'vr-a': 'psk.key' },
    'router.json: presharedKeys.vr-a: this is the router itself; expected the id of another one',
  ],
  [
    'a site with the name of a router',
    ['gndt', 'sites'],
    [{ id: 'vr-b', routers: ['vr-a'] }],
    'gndt.json: sites[0].id: "vr-b" is the id of routers[1]; give the site one of its own, or that of one of its routers',
  ],
  [
    'two sites of one name',
    ['gndt', 'sites'],
    [
      { id: 'here', routers: ['vr-a'] },
      { id: 'here', routers: ['vr-b'] },
    ],
    'gndt.json: sites[1].id: "here" is the id of sites[0] already; give each site its own',
  ],
  [
    'a router in two sites',
    ['gndt', 'sites'],
    [
      { id: 'here', routers: ['vr-a'] },
      { id: 'there', routers: ['vr-a'] },
    ],
    'gndt.json: sites[1].routers[0]: "vr-a" is sites[0].routers[0] ("here") already; a router serves one site',
  ],
  [
    'a site with an unknown router',
    ['gndt', 'sites'],
    [{ id: 'here', routers: ['vr-x'] }],
    'gndt.json: sites[0].routers[0]: "vr-x" is not a router in "routers" (did you mean "vr-a"?); there are vr-a, vr-b',
  ],
  [
    'a site without a router',
    ['gndt', 'sites'],
    [{ id: 'here', routers: [] }],
    'gndt.json: sites[0].routers: the list is empty; expected at least one entry',
  ],
  [
    'a site with three routers',
    ['gndt', 'sites'],
    [{ id: 'here', routers: ['vr-a', 'vr-b', 'vr-a'] }],
    'gndt.json: sites[0].routers: 3 routers; a site has one or two',
  ],
  [
    'a network at home at an unknown site',
    ['gndt', 'networks', 1, 'router'],
    'here',
    'gndt.json: networks[1].router: "here" is not a router in "routers"; there are vr-a, vr-b',
  ],
  [
    'the same network twice',
    ['gndt', 'networks', 2],
    { vnet: 'blue', prefix: '10.2.0.0/24', router: 'vr-a' },
    'gndt.json: networks[2].prefix: 10.2.0.0/24 is networks[1] ("vr-b") already; in vnet "blue" an address can be at home at one router only',
  ],
  [
    'a network inside another',
    ['gndt', 'networks', 2],
    { vnet: 'blue', prefix: '10.2.0.128/25', router: 'vr-a' },
    'gndt.json: networks[2].prefix: 10.2.0.128/25 overlaps 10.2.0.0/24 of networks[1] ("vr-b") already; in vnet "blue" an address can be at home at one router only',
  ],
  [
    'a gateway outside its network',
    ['gndt', 'networks', 0, 'gateway'],
    '10.2.0.254',
    "gndt.json: networks[0].gateway: 10.2.0.254 is outside the network's prefix 10.1.0.0/24; expected one of its addresses",
  ],
  [
    'a gateway of the other family',
    ['gndt', 'networks', 0, 'gateway'],
    'fd00::1',
    "gndt.json: networks[0].gateway: fd00::1 is outside the network's prefix 10.1.0.0/24; expected one of its addresses",
  ],
  [
    'a gateway with the broadcast address',
    ['gndt', 'networks', 0, 'gateway'],
    '10.1.0.255',
    "gndt.json: networks[0].gateway: 10.1.0.255 is the broadcast address of 10.1.0.0/24; expected a machine's",
  ],
  [
    "a gateway with the network's address",
    ['gndt', 'networks', 0, 'gateway'],
    '10.1.0.0',
    "gndt.json: networks[0].gateway: 10.1.0.0 is the address of the network 10.1.0.0/24 itself; expected a machine's",
  ],
  [
    'a subnet narrower than a network',
    ['gndt', 'vnets', 0, 'subnet'],
    '10.1.0.0/28',
    'gndt.json: vnets[0].subnet: 10.1.0.0/28 is narrower than 10.1.0.0/24 of networks[0]; a subnet must be at least as wide as the networks in it',
  ],
  [
    'this router unknown',
    ['router', 'id'],
    'vr-z',
    'router.json: id: "vr-z" is not a router in gndt.json (did you mean "vr-a"?); there are vr-a, vr-b',
  ],
  [
    "a LAN's vnet unknown",
    ['router', 'lans', 0, 'vnet'],
    'blu',
    'router.json: lans[0].vnet: "blu" is not a vnet in gndt.json (did you mean "blue"?); there are blue, green',
  ],
  [
    'an interface twice',
    ['router', 'lans', 1],
    { interface: 'lan0', vnet: 'green' },
    'router.json: lans[1].interface: "lan0" is lans[0] already; one interface carries one vnet (for more, use VLANs)',
  ],
  [
    "a TUN port with a LAN's name",
    ['router', 'tun'],
    [{ interface: 'lan0', vnet: 'blue' }],
    'router.json: tun[0].interface: "lan0" is lans[0] already; one interface carries one vnet (for more, use VLANs)',
  ],
  [
    'a listen address twice',
    ['router', 'listen', 1],
    'udp://0.0.0.0:7700',
    'router.json: listen[1]: udp://0.0.0.0:7700 is listen[0] already',
  ],
  [
    'a listen address beside every address',
    ['router', 'listen', 1],
    'udp://192.0.2.1:7700',
    'router.json: listen[1]: udp://192.0.2.1:7700 collides with listen[0], udp://0.0.0.0:7700, which takes the port on every address',
  ],
  [
    "a node's vnet unknown",
    ['lndt', 'nodes', 1],
    { vnet: 'geen', ip: '10.1.0.9' },
    'lndt.json: nodes[1].vnet: "geen" is not a vnet in gndt.json (did you mean "green"?); there are blue, green',
  ],
  [
    'a node twice',
    ['lndt', 'nodes', 1],
    { vnet: 'blue', ip: '10.1.0.0/24' },
    'lndt.json: nodes[1].ip: 10.1.0.0/24 of vnet "blue" is nodes[0] already; leave one of them out',
  ],
  [
    'a node pinned to two MACs',
    ['lndt', 'nodes'],
    [
      { vnet: 'blue', ip: '10.1.0.9', mac: '52:54:00:00:00:09' },
      { vnet: 'blue', ip: '10.1.0.9', mac: '52:54:00:00:00:0a' },
    ],
    'lndt.json: nodes[1].ip: 10.1.0.9 of vnet "blue" is nodes[0] already; an address can be pinned to one MAC only',
  ],
  [
    "another site's node",
    ['lndt', 'nodes', 1],
    { vnet: 'blue', ip: '10.2.0.9' },
    'lndt.json: nodes[1].ip: 10.2.0.9 is in no network of vnet "blue" that is at home at "vr-a" (10.1.0.0/24); list it at its own site (visitors need no entry)',
  ],
  [
    'a node of a vnet without a network here',
    ['lndt', 'nodes', 1],
    { vnet: 'green', ip: '10.1.0.9' },
    'lndt.json: nodes[1].ip: 10.1.0.9 is in no network of vnet "green" that is at home at "vr-a" (none); list it at its own site (visitors need no entry)',
  ],
];

for (const [name, path, change, line] of CASES) {
  test(name, () => assert.deepEqual(lines(parse(spoilt(path, change))), [line]));
}

const ALLOWED: readonly Case[] = [
  [
    'two vnets may use the same addresses',
    ['gndt', 'networks', 2],
    { vnet: 'green', prefix: '10.1.0.0/24', router: 'vr-b' },
    '',
  ],
  ['networks may lie outside the subnet', ['gndt', 'vnets', 0, 'subnet'], '10.1.0.0/16', ''],
  ['a subnet may be as wide as its only network', ['gndt', 'vnets', 0, 'subnet'], '10.1.0.0/24', ''],
  ['two LANs may carry the same vnet', ['router', 'lans', 1], { interface: 'lan1', vnet: 'blue' }, ''],
  ['both families may listen on one port', ['router', 'listen', 1], 'udp://[::]:7700', ''],
  ['UDP and TCP may listen on one port', ['router', 'listen', 1], 'tcp://0.0.0.0:7700', ''],
  [
    'a node may be pinned inside a listed prefix',
    ['lndt', 'nodes', 1],
    { vnet: 'blue', ip: '10.1.0.9', mac: '52:54:00:00:00:09' },
    '',
  ],
  ['an entry may be wider than the network', ['lndt', 'nodes', 0, 'ip'], '10.0.0.0/8', ''],
  ['nobody may be listed', ['lndt', 'nodes'], [], ''],
  ['a router may have no endpoints', ['gndt', 'routers', 1], { id: 'vr-b', publicKey: KEY_B }, ''],
  ['no router may be allowed to claim', ['gndt', 'networks', 1, 'mobility'], { allow: [] }, ''],
  ['a site may have the id of its router', ['gndt', 'sites'], [{ id: 'vr-a', routers: ['vr-a'] }], ''],
  ['a site may have a name of its own', ['gndt', 'sites'], [{ id: 'here', routers: ['vr-a'] }], ''],
  ['an editor may be told of the schema', ['gndt', '$schema'], './gndt.schema.json', ''],
];

for (const [name, path, change] of ALLOWED) {
  test(name, () => assert.deepEqual(lines(parse(spoilt(path, change))), []));
}

test('a site has at most two routers; a network may name it, or its router', () => {
  const [a, b] = list(sample().gndt, 'routers');
  const routers = [a, b, { id: 'vr-c', publicKey: KEY_C }];
  const withSites = (id: string, members: readonly string[], home: string): Sample => {
    const written = sample();
    const [first, second] = list(written.gndt, 'networks');
    written.gndt = {
      ...written.gndt,
      routers,
      sites: [{ id, routers: members }],
      networks: [{ ...first, router: home }, second],
    } as unknown as JsonObject;
    return written;
  };
  assert.deepEqual(lines(parse(withSites('here', ['vr-a', 'vr-b', 'vr-c'], 'vr-a'))), [
    'gndt.json: sites[0].routers: 3 routers; a site has one or two',
  ]);
  for (const home of ['here', 'vr-a']) {
    const outcome = parse(withSites('here', ['vr-a'], home));
    assert.deepEqual(lines(outcome), []);
    assert.ok('value' in outcome);
    assert.equal(outcome.value.gndt.networks[0]?.router, 'here');
  }
  assert.deepEqual(lines(parse(withSites('here', ['vr-a'], 'her'))), [
    'gndt.json: networks[0].router: "her" is not a router or site in "routers" or "sites" (did you mean "here"?); there are vr-a, vr-b, vr-c, here',
    'lndt.json: nodes[0].ip: 10.1.0.0/24 is in no network of vnet "blue" that is at home at "vr-a" (none); list it at its own site (visitors need no entry)',
  ]);
});

test('all mistakes of all files are found in one go', () => {
  const written = sample();
  written.router = { ...written.router, id: 'vr z', colour: 'red', speed: 9 };
  written.gndt = { ...written.gndt, cipher: 'rot13', networks: [{ vnet: 'blue', prefix: '10.1.0.1/24' }] };
  written.lndt = { nodes: [{ vnet: 'blue', ip: 'x' }, { ip: '10.1.0.9' }] };
  assert.deepEqual(
    lines(parse(written)).map((line) => line.split(': ').slice(0, 2).join(': ')),
    [
      'router.json: id',
      'router.json: colour',
      'router.json: speed',
      'gndt.json: networks[0].prefix',
      'gndt.json: networks[0].router',
      'gndt.json: cipher',
      'lndt.json: nodes[0].ip',
      'lndt.json: nodes[1].vnet',
    ],
  );
});

test('overlaps: every prefix that lies in another is reported, as a slow comparison of all pairs finds', () => {
  const prefix = fc
    .tuple(fc.boolean(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 10 }))
    .map(([wide, low, length]) =>
      wide
        ? Prefix.containing(Ip.v6(0xfd000000, 0, 0, low << 24), 96 + length)
        : Prefix.containing(Ip.v4(low * 2 ** 24), length),
    );
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 12 }), (prefixes) => {
      const found = overlaps(prefixes);
      for (const { earlier, later } of found) {
        assert.ok(earlier < later);
        assert.ok(prefixes[earlier]?.overlaps(prefixes[later] ?? Prefix.of('::/0')));
      }
      // A prefix is clean exactly when no other holds it; among equal ones, all but one are not.
      const holders = (i: number): number[] =>
        prefixes.flatMap((other, j) => {
          const own = prefixes[i];
          if (own === undefined || i === j || !other.covers(own)) return [];
          return other.key !== own.key || j < i ? [j] : [];
        });
      assert.equal(found.length, prefixes.filter((_, i) => holders(i).length > 0).length);
    }),
  );
});
