/** What correct files become. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { DEAD_MS } from '../../../src/pair/state.js';
import type { TableConfig } from '../../../src/tables/files/parse.js';
import { DIRECTORY, parse, type Sample, sample } from './sample.js';

function good(written: Sample): TableConfig {
  const outcome = parse(written);
  assert.ok('value' in outcome);
  return outcome.value;
}

test('router.json: what is left out has its default', () => {
  assert.deepEqual(good(sample()).router, {
    id: 'vr-a',
    privateKeyFile: '/etc/vine/router.key',
    presharedKeyFiles: new Map(),
    listen: [{ transport: 'udp', address: Ip.of('0.0.0.0'), port: 7700 }],
    lans: [{ interface: 'lan0', vnet: 'blue' }],
    control: { socket: '/run/vine/control.sock', group: 'vine' },
    metrics: undefined,
    stateDir: '/var/lib/vine',
    log: { level: 'info' },
    mobility: { verify: 'optimistic', maxMoves: 100, moveWindowSeconds: 60 },
    limits: { nodesPerLan: 4_096, nodesPerRouter: 16_384, nodes: 131_072 },
    failover: { deadMs: DEAD_MS },
    traffic: { keepSeconds: 86_400, export: [], listen: [], exporters: undefined, sensors: undefined },
    tun: [],
    workers: 1,
    dhcpIgnore: undefined,
  });
});

test('router.json: what is given counts, the rest of an object keeps its defaults, paths start at the directory', () => {
  const written = sample();
  written.router = {
    ...written.router,
    listen: ['udp://[2001:db8::1]:0', 'tcp://192.0.2.1:443'],
    control: { socket: 'run/control.sock' },
    metrics: { listen: '[::1]:9770' },
    stateDir: '../state',
    log: { level: 'trace' },
    mobility: { maxMoves: 9, dhcp: { ignoreFile: '../dnsmasq/vine' } },
    limits: { nodesPerLan: 64 },
    failover: { deadMs: 1_000 },
    traffic: {
      keep: 3_600,
      export: ['udp://[fd00::9]:4739'],
      listen: ['udp://0.0.0.0:4739'],
      exporters: ['10.1.0.0/24', 'fd00:1::2'],
      sensors: { listen: 'tcp://10.1.0.2:7701', tokenFile: 'sensor.key' },
    },
  };
  const { router } = good(written);
  assert.deepEqual(router.listen, [
    { transport: 'udp', address: Ip.of('2001:db8::1'), port: 0 },
    { transport: 'tcp', address: Ip.of('192.0.2.1'), port: 443 },
  ]);
  assert.deepEqual(router.control, { socket: `${DIRECTORY}/run/control.sock`, group: 'vine' });
  assert.deepEqual(router.metrics, { address: Ip.of('::1'), port: 9770 });
  assert.equal(router.stateDir, '/etc/state');
  assert.deepEqual(router.log, { level: 'trace' });
  assert.deepEqual(router.mobility, { verify: 'optimistic', maxMoves: 9, moveWindowSeconds: 60 });
  assert.deepEqual(router.failover, { deadMs: 1_000 });
  assert.deepEqual(router.traffic, {
    keepSeconds: 3_600,
    export: [{ transport: 'udp', address: Ip.of('fd00::9'), port: 4739 }],
    listen: [{ transport: 'udp', address: Ip.of('0.0.0.0'), port: 4739 }],
    exporters: [Prefix.of('10.1.0.0/24'), Prefix.host(Ip.of('fd00:1::2'))],
    sensors: { listen: { address: Ip.of('10.1.0.2'), port: 7_701 }, tokenFile: `${DIRECTORY}/sensor.key` },
  });
  assert.deepEqual(router.dhcpIgnore, { file: '/etc/dnsmasq/vine', format: 'dnsmasq' });
  assert.deepEqual(router.limits, { nodesPerLan: 64, nodesPerRouter: 16_384, nodes: 131_072 });
});

test('gndt.json: an endpoint may be a host name; it is the same in capital letters', () => {
  const longest = [...Array.from({ length: 3 }, () => 'a'.repeat(63)), 'b'.repeat(61)].join('.');
  const read = (text: string): unknown => {
    const written = sample();
    Object.assign((written.gndt as { routers: object[] }).routers[1] ?? {}, { endpoints: [text] });
    return good(written).gndt.routers[1]?.endpoints[0];
  };
  const named = (name: string, transport = 'udp') => ({ transport, name, port: 7700 });
  assert.equal(longest.length, 253);
  for (const name of [
    'vr-b.example.net',
    'vr-b',
    'vr-b.example.net.',
    '3com.com',
    'xn--mnchen-3ya.example',
    longest,
  ])
    assert.deepEqual(read(`udp://${name}:7700`), named(name));
  assert.deepEqual(read('tcp://VR-B.Example.NET:7700'), named('vr-b.example.net', 'tcp'));
});

test('gndt.json: addresses are values, vnets are ids, lists keep their order', () => {
  const written = sample();
  written.gndt = { ...written.gndt, vnets: [{ name: 'blue', id: 7, subnet: '10.0.0.0/8' }] };
  const { gndt } = good(written);
  assert.deepEqual(gndt.vnets, [{ name: 'blue', id: 7, subnet: Prefix.of('10.0.0.0/8') }]);
  assert.deepEqual(gndt.routers[1], {
    id: 'vr-b',
    publicKey: new Uint8Array(32).fill(2),
    endpoints: [{ transport: 'udp', address: Ip.of('192.0.2.2'), port: 7700 }],
    relay: false,
  });
  assert.deepEqual(gndt.networks, [
    {
      vnet: 7,
      prefix: Prefix.of('10.1.0.0/24'),
      router: 'vr-a',
      gateway: Ip.of('10.1.0.254'),
      allow: undefined,
    },
    { vnet: 7, prefix: Prefix.of('10.2.0.0/24'), router: 'vr-b', gateway: undefined, allow: ['vr-a'] },
  ]);
  assert.equal(gndt.cipher, 'auto');
  assert.deepEqual(gndt.nodes, []);
});

test('lndt.json: an address is a host prefix; IPv6 as IPv4; a MAC is a value', () => {
  const written = sample();
  written.gndt = {
    ...written.gndt,
    networks: [
      { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' },
      { vnet: 'green', prefix: 'fd00:1::/64', router: 'vr-a', gateway: 'fd00:1::1' },
    ],
  };
  written.lndt = {
    nodes: [
      { vnet: 'blue', ip: '10.1.0.9', mac: '52:54:00:00:00:AB' },
      { vnet: 'green', ip: 'FD00:1:0::/64' },
    ],
  };
  assert.deepEqual(good(written).lndt, [
    { vnet: 1, prefix: Prefix.of('10.1.0.9/32'), mac: mac('52:54:00:00:00:ab') },
    { vnet: 2, prefix: Prefix.of('fd00:1::/64'), mac: undefined },
  ]);
});
