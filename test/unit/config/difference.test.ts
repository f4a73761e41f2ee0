import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigDifference, configDifference } from '../../../src/config/difference.js';
import type { VineConfig } from '../../../src/config/load.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { type JsonObject, KEY_A, KEY_B, parse, type Sample, sample } from './sample.js';

const KEY = new Uint8Array(32).fill(7);

function config(written: Sample, privateKey = KEY): VineConfig {
  const parsed = parse(written);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return { ...parsed.value, privateKey, presharedKeys: new Map() };
}

/** The difference that a change of the written files makes. */
function after(change: (files: Sample) => void, privateKey = KEY): ConfigDifference {
  const files = sample();
  change(files);
  return configDifference(config(sample()), config(files, privateKey));
}

function shown({ changes }: ConfigDifference): string[] {
  return changes.map(
    ({ file, thing, name, change, detail }) => `${file}: ${change} ${thing} ${name}: ${detail}`,
  );
}

const list = (place: JsonObject, name: string): JsonObject[] => place[name] as JsonObject[];

test('the same files, in another order, spelt otherwise: no difference', () => {
  const difference = after(({ gndt, lndt }) => {
    list(gndt, 'vnets').reverse();
    list(gndt, 'routers').reverse();
    list(gndt, 'networks').reverse();
    Object.assign(list(lndt, 'nodes')[0] ?? {}, { ip: '10.1.0.0/24' });
  });
  assert.deepEqual(difference, { changes: [], refused: [] });
});

test('routers, networks, vnets and nodes that come, go and change', () => {
  const difference = after(({ gndt, lndt }) => {
    gndt.vnets = [
      { name: 'blue', id: 1, subnet: '10.0.0.0/8' },
      { name: 'red', id: 3 },
    ];
    gndt.routers = [
      { id: 'vr-c', publicKey: KEY_B, endpoints: ['udp://[2001:db8::3]:7700'], relay: true },
      { id: 'vr-a', publicKey: KEY_A, endpoints: ['udp://192.0.2.1:7700', 'udp://192.0.2.9:7700'] },
    ];
    gndt.networks = [
      { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-c', mobility: { allow: ['vr-c', 'vr-a', 'vr-a'] } },
      { vnet: 'red', prefix: 'fd00::/64', router: 'vr-a' },
    ];
    lndt.nodes = [
      { vnet: 'red', ip: 'fd00::/80' },
      { vnet: 'red', ip: 'fd00::9', mac: '52:54:00:00:00:09' },
    ];
  });
  assert.deepEqual(shown(difference), [
    'gndt.json: removed vnet green: id: 2',
    'gndt.json: changed vnet blue: subnet: none → 10.0.0.0/8',
    'gndt.json: added vnet red: id: 3',
    `gndt.json: removed router vr-b: publicKey: ${KEY_B}; endpoints: udp://192.0.2.2:7700`,
    `gndt.json: added router vr-c: publicKey: ${KEY_B}; endpoints: udp://[2001:db8::3]:7700; relay: yes`,
    'gndt.json: changed router vr-a: endpoints: udp://192.0.2.1:7700 → udp://192.0.2.1:7700, udp://192.0.2.9:7700',
    'gndt.json: removed network blue 10.2.0.0/24: router: vr-b; mobility.allow: vr-a',
    'gndt.json: changed network blue 10.1.0.0/24: router: vr-a → vr-c; gateway: 10.1.0.254 → none; mobility.allow: none → vr-a, vr-c',
    'gndt.json: added network red fd00::/64: router: vr-a',
    'lndt.json: removed node blue 10.1.0.0/24: ',
    'lndt.json: added node red fd00::/80: ',
    'lndt.json: added node red fd00::9: mac: 52:54:00:00:00:09',
  ]);
  assert.deepEqual(difference.refused, []);
});

test('a key of a peer, the order of its endpoints, a pin', () => {
  const difference = after(({ gndt, lndt }) => {
    Object.assign(list(gndt, 'routers')[1] ?? {}, { publicKey: Buffer.alloc(32, 3).toString('base64') });
    list(lndt, 'nodes').push({ vnet: 'blue', ip: '10.1.0.9', mac: '52:54:00:00:00:0A' });
  });
  assert.deepEqual(shown(difference), [
    `gndt.json: changed router vr-b: publicKey: ${KEY_B} → ${Buffer.alloc(32, 3).toString('base64')}`,
    'lndt.json: added node blue 10.1.0.9: mac: 52:54:00:00:00:0a',
  ]);
});

test('settings that change live', () => {
  const difference = after(({ router }) => {
    router.privateKeyFile = 'other.key';
    router.metrics = { listen: '[::1]:9770' };
    router.log = { level: 'debug' };
    const dhcp = { ignoreFile: 'visitors.json', ignoreFormat: 'kea' };
    router.mobility = { verify: 'strict', maxMoves: 6, moveWindowSeconds: 90, dhcp };
    router.limits = { nodesPerLan: 1, nodesPerRouter: 2, nodes: 3 };
    router.failover = { deadMs: 1_000 };
    router.traffic = {
      keep: 3_600,
      export: ['udp://192.0.2.9:4739'],
      listen: ['udp://[::]:6343'],
      exporters: ['10.1.0.0/24', '10.9.0.1'],
      sensors: { listen: 'unix:/run/vine/sensor.sock', tokenFile: 'sensor.key' },
    };
  });
  assert.deepEqual(shown(difference), [
    'router.json: changed setting privateKeyFile: /etc/vine/router.key → /etc/vine/other.key',
    'router.json: changed setting metrics.listen: none → [::1]:9770',
    'router.json: changed setting log.level: info → debug',
    'router.json: changed setting mobility.verify: optimistic → strict',
    'router.json: changed setting mobility.maxMoves: 100 → 6',
    'router.json: changed setting mobility.moveWindowSeconds: 60 → 90',
    'router.json: changed setting mobility.dhcp.ignoreFile: none → /etc/vine/visitors.json',
    'router.json: changed setting mobility.dhcp.ignoreFormat: none → kea',
    'router.json: changed setting limits.nodesPerLan: 4096 → 1',
    'router.json: changed setting limits.nodesPerRouter: 16384 → 2',
    'router.json: changed setting limits.nodes: 131072 → 3',
    'router.json: changed setting failover.deadMs: 250 → 1000',
    'router.json: changed setting traffic.export: none → udp://192.0.2.9:4739',
    'router.json: changed setting traffic.exporters: none → 10.1.0.0/24, 10.9.0.1/32',
    'router.json: changed setting traffic.keep: 86400 → 3600',
    'router.json: changed setting traffic.listen: none → udp://[::]:6343',
    'router.json: changed setting traffic.sensors: none → unix:/run/vine/sensor.sock, token /etc/vine/sensor.key',
  ]);
  assert.deepEqual(difference.refused, []);
});

test('what cannot change while the router runs is refused by name, all of it', () => {
  const restart = 'cannot change while the router runs; restart it (systemctl restart vined)';
  const refusals: readonly (readonly [change: (files: Sample) => void, line: string])[] = [
    [
      ({ router, lndt }) => {
        router.id = 'vr-b';
        lndt.nodes = [];
      },
      "router.json: id: the router's id",
    ],
    [
      ({ router }) => Object.assign(router, { listen: ['udp://0.0.0.0:7701'] }),
      'router.json: listen: where it listens',
    ],
    [
      ({ router }) => Object.assign(router, { listen: ['udp://0.0.0.0:7700', 'tcp://0.0.0.0:7700'] }),
      'router.json: listen: where it listens',
    ],
    [
      ({ router }) => Object.assign(router, { lans: [{ interface: 'lan1', vnet: 'blue' }] }),
      'router.json: lans: its LAN interfaces',
    ],
    [
      ({ router }) => Object.assign(router, { lans: [{ interface: 'lan0', vnet: 'green' }] }),
      'router.json: lans: its LAN interfaces',
    ],
    [
      ({ router }) => Object.assign(router, { tun: [{ interface: 'vine0', vnet: 'blue' }] }),
      'router.json: tun: its TUN ports',
    ],
    [
      ({ router }) => Object.assign(router, { control: { socket: 'c.sock' } }),
      'router.json: control.socket: the control socket',
    ],
    [
      ({ router }) => Object.assign(router, { control: { group: 'root' } }),
      "router.json: control.group: the control socket's group",
    ],
    [
      ({ router }) => Object.assign(router, { stateDir: 'state' }),
      'router.json: stateDir: the state directory',
    ],
    [
      ({ gndt }) => Object.assign(list(gndt, 'vnets')[0] ?? {}, { id: 9 }),
      'gndt.json: vnets[0].id: the id of vnet "blue", which a LAN or TUN port here carries,',
    ],
    [({ gndt }) => Object.assign(gndt, { cipher: 'aes-256-gcm' }), "gndt.json: cipher: the sessions' cipher"],
  ];
  for (const [change, line] of refusals)
    assert.deepEqual(after(change).refused.map(formatConfigError), [`${line} ${restart}`]);
  assert.deepEqual(after(() => {}, new Uint8Array(32).fill(8)).refused.map(formatConfigError), [
    `router.json: privateKeyFile: the router's own key ${restart}`,
  ]);
  const both = after((files) => {
    files.router.stateDir = 'x';
    files.gndt.cipher = 'aes-256-gcm';
  });
  assert.equal(both.refused.length, 2);
});

test('the id of a vnet that no LAN here carries may change', () => {
  const difference = after(({ gndt }) => Object.assign(list(gndt, 'vnets')[1] ?? {}, { id: 9 }));
  assert.deepEqual(shown(difference), ['gndt.json: changed vnet green: id: 2 → 9']);
  assert.deepEqual(difference.refused, []);
});

test('a TUN port without a LAN keeps its addresses; beside a LAN it has none of its own', () => {
  const files = (vnet: string, nodes: JsonObject[]): VineConfig => {
    const written = sample();
    written.router.tun = [{ interface: 'vine0', vnet }];
    list(written.gndt, 'networks').push({ vnet: 'green', prefix: '10.1.0.0/24', router: 'vr-a' });
    list(written.lndt, 'nodes').push(...nodes);
    return config(written);
  };
  const one = { vnet: 'green', ip: '10.1.0.5' };
  const other = { vnet: 'green', ip: '10.1.0.6' };
  const refused = (before: VineConfig, after: VineConfig): string[] =>
    configDifference(before, after).refused.map(formatConfigError);
  assert.deepEqual(refused(files('green', [one]), files('green', [other])), [
    'lndt.json: nodes: the addresses of TUN port vine0 (the single ones of vnet "green" at home here) cannot change while the router runs; restart it (systemctl restart vined)',
  ]);
  const prefix = { vnet: 'green', ip: '10.1.0.128/25' };
  assert.deepEqual(refused(files('green', [one]), files('green', [prefix, one])), []);
  assert.deepEqual(refused(files('blue', [one]), files('blue', [other])), []);
});

test('a WireGuard client that comes is a change like another', () => {
  const publicKey = Buffer.alloc(32, 5).toString('base64');
  const changed = after(({ gndt }) => {
    gndt.nodes = [{ vnet: 'blue', ip: '10.1.0.77', publicKey, via: 'vr-a' }];
  });
  assert.deepEqual(changed.refused, []);
  assert.deepEqual(shown(changed), [
    `gndt.json: added node blue 10.1.0.77: publicKey: ${publicKey}; via: vr-a`,
  ]);
});

test('sites: those of others change live, this router’s own only with a restart', () => {
  type Sites = Readonly<Record<string, readonly string[]>>;
  const files = (sites: Sites): VineConfig => {
    const written = sample();
    for (const id of ['vr-a2', 'vr-b2'])
      list(written.gndt, 'routers').push({
        id,
        publicKey: Buffer.alloc(32, id.charCodeAt(3)).toString('base64'),
      });
    written.gndt.sites = Object.entries(sites).map(([id, routers]) => ({ id, routers: [...routers] }));
    return config(written);
  };
  const between = (before: Sites, after: Sites): string[][] => {
    const difference = configDifference(files(before), files(after));
    return [shown(difference), difference.refused.map(formatConfigError)];
  };
  const restart = 'cannot change while the router runs; restart it (systemctl restart vined)';
  const [one, two] = [{ 'site-b': ['vr-b'] }, { 'site-b': ['vr-b', 'vr-b2'] }];
  assert.deepEqual(between(one, two), [['gndt.json: changed site site-b: routers: vr-b → vr-b, vr-b2'], []]);
  assert.deepEqual(between(two, one)[1], []);
  assert.deepEqual(between({}, two)[1], []);
  const [alone, pair] = [{ 'site-a': ['vr-a'] }, { 'site-a': ['vr-a', 'vr-a2'] }];
  const partner = [`gndt.json: sites: who serves this router's own site ${restart}`];
  assert.deepEqual(between(alone, pair)[1], partner);
  assert.deepEqual(between(pair, alone)[1], partner);
  assert.deepEqual(between(pair, { 'site-a': ['vr-a2', 'vr-a'] })[1], partner);
  assert.deepEqual(between({}, pair)[1], [`gndt.json: sites: this router's site ${restart}`]);
  assert.deepEqual(between(pair, pair), [[], []]);
});
