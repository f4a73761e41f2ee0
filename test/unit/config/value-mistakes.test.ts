/** One mistake at a time in a correct configuration: the exact line that an operator reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Json, lines, parse, sample, spoilt } from './sample.js';

type Case = readonly [path: readonly (string | number)[], change: Json | undefined, line: string];

const LISTEN = ['router', 'listen', 0] as const;
const ENDPOINT = ['gndt', 'routers', 0, 'endpoints', 0] as const;
const PREFIX = ['gndt', 'networks', 1, 'prefix'] as const;
const NODE = ['lndt', 'nodes', 0, 'ip'] as const;

const CASES: readonly Case[] = [
  [
    ['router', 'id'],
    undefined,
    "router.json: id: missing; expected text: this router's id, one of gndt.json's routers",
  ],
  [
    ['router', 'id'],
    7,
    "router.json: id: expected text: this router's id, one of gndt.json's routers; got 7",
  ],
  [
    ['router', 'id'],
    'vr a',
    'router.json: id: "vr a" is no name; use 1 to 63 letters, digits, ".", "_", "-", a letter or digit first and last',
  ],
  [
    ['router', 'id'],
    '',
    'router.json: id: "" is no name; use 1 to 63 letters, digits, ".", "_", "-", a letter or digit first and last',
  ],
  [
    ['router', 'privatekeyFile'],
    'x',
    'router.json: privatekeyFile: unknown key (did you mean "privateKeyFile"?); the keys here are $schema, id, privateKeyFile, presharedKeys, listen, lans, control, metrics, stateDir, log, mobility, limits, failover, traffic, network, tun, workers',
  ],
  [
    ['router', 'colour'],
    'x',
    'router.json: colour: unknown key; the keys here are $schema, id, privateKeyFile, presharedKeys, listen, lans, control, metrics, stateDir, log, mobility, limits, failover, traffic, network, tun, workers',
  ],
  [['router', 'privateKeyFile'], '', 'router.json: privateKeyFile: "" is no file path'],
  [
    ['router', 'listen'],
    undefined,
    'router.json: listen: missing; expected a list in [ ]: where to listen for other routers',
  ],
  [['router', 'listen'], [], 'router.json: listen: the list is empty; expected at least one entry'],
  [
    ['router', 'listen'],
    'udp://0.0.0.0:7700',
    'router.json: listen: expected a list in [ ]: where to listen for other routers; got "udp://0.0.0.0:7700"',
  ],
  [
    LISTEN,
    'udp://vpn.example.com:7700',
    'router.json: listen[0]: "udp://vpn.example.com:7700": a name says nothing about where to listen; write the IP address, such as udp://192.0.2.1:7700',
  ],
  [
    LISTEN,
    'udp://0.0.0.0',
    'router.json: listen[0]: "udp://0.0.0.0" has no port; expected for example udp://0.0.0.0:7700',
  ],
  [
    LISTEN,
    'udp://[::]',
    'router.json: listen[0]: "udp://[::]" has no port; expected for example udp://[::]:7700',
  ],
  [
    LISTEN,
    '0.0.0.0:7700',
    'router.json: listen[0]: "0.0.0.0:7700" is no endpoint; expected udp://192.0.2.1:7700 or udp://[2001:db8::1]:7700',
  ],
  [
    LISTEN,
    'http://0.0.0.0:7700',
    'router.json: listen[0]: "http://0.0.0.0:7700": expected "udp://" or "tcp://" in small letters, got "http://"',
  ],
  [
    LISTEN,
    'UDP://0.0.0.0:7700',
    'router.json: listen[0]: "UDP://0.0.0.0:7700": expected "udp://" or "tcp://" in small letters, got "UDP://"',
  ],
  [
    LISTEN,
    'udp://0.0.0.0:70000',
    'router.json: listen[0]: "udp://0.0.0.0:70000": the port must be a number from 0 to 65535, with nothing after it',
  ],
  [
    LISTEN,
    'udp://0.0.0.0:7700/',
    'router.json: listen[0]: "udp://0.0.0.0:7700/": the port must be a number from 0 to 65535, with nothing after it',
  ],
  [
    LISTEN,
    'udp://0.0.0.0:07700',
    'router.json: listen[0]: "udp://0.0.0.0:07700": the port must be a number from 0 to 65535, with nothing after it',
  ],
  [
    LISTEN,
    'udp://[0.0.0.0]:7700',
    'router.json: listen[0]: "udp://[0.0.0.0]:7700": only an IPv6 address stands in brackets; write udp://0.0.0.0:7700',
  ],
  [
    LISTEN,
    'udp://2001:db8::1:7700',
    'router.json: listen[0]: "udp://2001:db8::1:7700" has no port; expected for example udp://[2001:db8::1:7700]:7700',
  ],
  [
    LISTEN,
    'udp://[fe80::1%eth0]:7700',
    'router.json: listen[0]: "udp://[fe80::1%eth0]:7700": an address with a zone ("%") means nothing on another machine',
  ],
  [
    LISTEN,
    'udp://:7700',
    'router.json: listen[0]: "udp://:7700" has no address; expected for example udp://192.0.2.1:7700',
  ],
  [
    LISTEN,
    'udp://10.0.0.256:7700',
    'router.json: listen[0]: "udp://10.0.0.256:7700": "10.0.0.256" is no IP address; expected for example udp://192.0.2.1:7700',
  ],
  [
    LISTEN,
    'udp://user@10.0.0.1:7700',
    'router.json: listen[0]: "udp://user@10.0.0.1:7700": "user@10.0.0.1" is no IP address; expected for example udp://192.0.2.1:7700',
  ],
  [
    ['router', 'lans'],
    [],
    'router.json: lans: the list is empty; a router without a LAN has nothing to carry',
  ],
  [
    ['router', 'lans'],
    {},
    'router.json: lans: expected a list in [ ]: the LANs whose nodes this router serves; got an object',
  ],
  [
    ['router', 'lans', 0, 'interface'],
    'a/b',
    'router.json: lans[0].interface: "a/b" is no interface name; Linux takes 1 to 15 characters without "/" and blanks, as "ip link" shows them',
  ],
  [
    ['router', 'lans', 0, 'interface'],
    'sixteen-letters-',
    'router.json: lans[0].interface: "sixteen-letters-" is no interface name; Linux takes 1 to 15 characters without "/" and blanks, as "ip link" shows them',
  ],
  [
    ['router', 'lans', 0, 'vlan'],
    12,
    'router.json: lans[0].vlan: unknown key; the keys here are interface, vnet, gateway, mac, vrid',
  ],
  [['router', 'control'], { group: 'a b' }, 'router.json: control.group: "a b" is no name of a Unix group'],
  [
    ['router', 'control'],
    { path: '/x' },
    'router.json: control.path: unknown key; the keys here are socket, group',
  ],
  [
    ['router', 'metrics'],
    {},
    'router.json: metrics.listen: missing; expected text: address and port that Prometheus scrapes',
  ],
  [
    ['router', 'metrics'],
    { listen: '9770' },
    'router.json: metrics.listen: "9770" is not ADDRESS:PORT; expected for example 127.0.0.1:9770',
  ],
  [
    ['router', 'metrics'],
    { listen: 'localhost:9770' },
    'router.json: metrics.listen: "localhost:9770": a name says nothing about where to listen; write the IP address, such as 127.0.0.1:9770',
  ],
  [
    ['router', 'metrics'],
    { listen: '::1' },
    'router.json: metrics.listen: "::1" has no port; expected for example [::1]:9770',
  ],
  [
    ['router', 'stateDir'],
    null,
    "router.json: stateDir: expected text: directory where the state is kept over restarts; relative paths are relative to this file's directory; got null",
  ],
  [
    ['router', 'log'],
    { level: 'warning' },
    'router.json: log.level: expected one of "trace", "debug", "info", "warn", "error", "fatal", got "warning" (did you mean "warn"?)',
  ],
  [
    ['router', 'log'],
    { level: 'loud' },
    'router.json: log.level: expected one of "trace", "debug", "info", "warn", "error", "fatal", got "loud"',
  ],
  [
    ['router', 'mobility'],
    { verify: 'Strict' },
    'router.json: mobility.verify: expected one of "optimistic", "strict", "off", got "Strict" (did you mean "strict"?)',
  ],
  [
    ['router', 'mobility'],
    { dhcp: { ignoreFile: 'x', ignoreFormat: 'dnsmask' } },
    'router.json: mobility.dhcp.ignoreFormat: expected one of "dnsmasq", "kea", "dhcpd", got "dnsmask" (did you mean "dnsmasq"?)',
  ],
  [
    ['router', 'mobility'],
    { maxMoves: 0 },
    'router.json: mobility.maxMoves: expected a whole number from 1 to 1000, got 0',
  ],
  [
    ['router', 'mobility'],
    { moveWindowSeconds: 1.5 },
    'router.json: mobility.moveWindowSeconds: expected a whole number from 1 to 86400, got 1.5',
  ],
  [
    ['router', 'mobility'],
    { moveWindowSeconds: '180' },
    'router.json: mobility.moveWindowSeconds: expected a whole number from 1 to 86400, got "180"',
  ],
  ...[99, 10_001, 250.5].map(
    (deadMs): Case => [
      ['router', 'failover'],
      { deadMs },
      `router.json: failover.deadMs: expected a whole number from 100 to 10000, got ${deadMs}`,
    ],
  ),
  [
    ['router', 'failover'],
    { preempt: false },
    'router.json: failover.preempt: unknown key; the keys here are deadMs',
  ],
  [
    ['router', 'traffic'],
    { keep: 59 },
    'router.json: traffic.keep: expected a whole number from 60 to 604800, got 59',
  ],
  [
    ['router', 'traffic'],
    { export: ['tcp://192.0.2.9:4739'] },
    'router.json: traffic.export[0]: "tcp://192.0.2.9:4739" does not begin with udp://',
  ],
  [
    ['router', 'traffic'],
    { listen: ['tcp://10.1.0.2:4739'] },
    'router.json: traffic.listen[0]: "tcp://10.1.0.2:4739" does not begin with udp://',
  ],
  [
    ['router', 'traffic'],
    { listen: ['udp://239.0.0.1:4739'] },
    'router.json: traffic.listen[0]: "udp://239.0.0.1:4739" is multicast or broadcast; expected an address of this machine',
  ],
  [
    ['router', 'traffic'],
    { sensors: { listen: 'unix:sensor.sock', tokenFile: 'sensor.key' } },
    'router.json: traffic.sensors.listen: "unix:sensor.sock" has no absolute path',
  ],
  [
    ['router', 'traffic'],
    { sensors: { listen: 'udp://10.1.0.2:7701', tokenFile: 'sensor.key' } },
    'router.json: traffic.sensors.listen: "udp://10.1.0.2:7701" does not begin with tcp:// or unix:',
  ],
  [
    ['router', 'traffic'],
    { exporters: [] },
    'router.json: traffic.exporters: the list is empty; expected at least one entry',
  ],
  [
    ['router', 'traffic'],
    { exporters: ['10.1.0.1/24'] },
    'router.json: traffic.exporters[0]: "10.1.0.1/24" has host bits set; did you mean 10.1.0.0/24?',
  ],
  [['gndt', 'vnets'], [], 'gndt.json: vnets: the list is empty; expected at least one entry'],
  [['gndt', 'vnets', 0, 'id'], 0, 'gndt.json: vnets[0].id: expected a whole number from 1 to 65535, got 0'],
  [
    ['gndt', 'vnets', 0, 'id'],
    65536,
    'gndt.json: vnets[0].id: expected a whole number from 1 to 65535, got 65536',
  ],
  [
    ['gndt', 'vnets', 0, 'id'],
    undefined,
    "gndt.json: vnets[0].id: missing; expected the vnet's number in every packet, from 1 to 65535",
  ],
  [
    ['gndt', 'vnets', 0, 'subnet'],
    '10.0.0.0',
    'gndt.json: vnets[0].subnet: "10.0.0.0" has no prefix length; write for example 10.0.0.0/24',
  ],
  [
    ['gndt', 'routers', 0, 'publicKey'],
    'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE',
    'gndt.json: routers[0].publicKey: not a key; expected the 44 characters of base64 that "vinectl pubkey" prints',
  ],
  [
    ['gndt', 'routers', 0, 'publicKey'],
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    "gndt.json: routers[0].publicKey: the key is all zeros, which is nobody's key",
  ],
  [
    ['gndt', 'routers', 0, 'publicKey'],
    'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=',
    'gndt.json: routers[0].publicKey: not a key; expected the 44 characters of base64 that "vinectl pubkey" prints',
  ],
  [['gndt', 'routers', 0, 'relay'], 'yes', 'gndt.json: routers[0].relay: expected true or false; got "yes"'],
  [
    ENDPOINT,
    'udp://0.0.0.0:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://0.0.0.0:7700" says where to listen; expected an address at which others reach this router',
  ],
  [
    ENDPOINT,
    'udp://224.0.0.1:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://224.0.0.1:7700" is multicast or broadcast; expected one router\'s address',
  ],
  [
    ENDPOINT,
    'udp://192.0.2.1:0',
    'gndt.json: routers[0].endpoints[0]: "udp://192.0.2.1:0": the port must be a number from 1 to 65535, with nothing after it',
  ],
  [
    ENDPOINT,
    'udp://vr-a.example.net',
    'gndt.json: routers[0].endpoints[0]: "udp://vr-a.example.net" has no port; expected for example udp://vr-a.example.net:7700',
  ],
  [
    ENDPOINT,
    'udp://vr-a.example.net:0',
    'gndt.json: routers[0].endpoints[0]: "udp://vr-a.example.net:0": the port must be a number from 1 to 65535, with nothing after it',
  ],
  [
    ENDPOINT,
    `udp://${'a'.repeat(64)}.net:7700`,
    `gndt.json: routers[0].endpoints[0]: "udp://${'a'.repeat(64)}.net:7700": "${'a'.repeat(64)}.net" is no host name: a part has 64 characters; at most 63 between dots (RFC 1035)`,
  ],
  [
    ENDPOINT,
    'udp://vr_a.example.net:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://vr_a.example.net:7700": "vr_a.example.net" is no host name: "_" stands in other names of the DNS, not in those of hosts (RFC 1123)',
  ],
  [
    ENDPOINT,
    'udp://-a.example.net:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://-a.example.net:7700": "-a.example.net" is no host name: no part begins or ends with "-" (RFC 1123)',
  ],
  [
    ENDPOINT,
    'udp://vr-a..net:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://vr-a..net:7700": "vr-a..net" is no host name: there is nothing between two dots',
  ],
  [
    ENDPOINT,
    'udp://münchen.example:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://münchen.example:7700": "münchen.example" is no host name: write it in its ASCII form, xn--mnchen-3ya.example (RFC 5891)',
  ],
  [
    ENDPOINT,
    'udp://0x7f000001:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://0x7f000001:7700": "0x7f000001" is no host name: its last part is a number',
  ],
  [
    ENDPOINT,
    'udp://vr-a.10:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://vr-a.10:7700": "vr-a.10" is no host name: its last part is a number',
  ],
  [
    ENDPOINT,
    'udp://vr*a.example.net:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://vr*a.example.net:7700": "vr*a.example.net" is no host name: letters, digits, "-" and dots are allowed (RFC 1123)',
  ],
  [
    ENDPOINT,
    'udp://192.0.2.300:7700',
    'gndt.json: routers[0].endpoints[0]: "udp://192.0.2.300:7700": "192.0.2.300" is no IP address; expected for example udp://192.0.2.1:7700',
  ],
  [
    ['gndt', 'networks'],
    undefined,
    'gndt.json: networks: missing; expected a list in [ ]: which prefix is at home at which router',
  ],
  [
    PREFIX,
    '10.2.0.5/24',
    'gndt.json: networks[1].prefix: "10.2.0.5/24" has host bits set; did you mean 10.2.0.0/24?',
  ],
  [
    PREFIX,
    '10.2.0.0',
    'gndt.json: networks[1].prefix: "10.2.0.0" has no prefix length; write for example 10.2.0.0/24',
  ],
  [
    PREFIX,
    'fd00:2::',
    'gndt.json: networks[1].prefix: "fd00:2::" has no prefix length; write for example fd00:2::/64',
  ],
  [
    PREFIX,
    '10.2.0.0/33',
    'gndt.json: networks[1].prefix: "10.2.0.0/33" needs a prefix length from 0 to 32 after the "/"',
  ],
  [
    PREFIX,
    '10.2.0.0/024',
    'gndt.json: networks[1].prefix: "10.2.0.0/024" needs a prefix length from 0 to 32 after the "/"',
  ],
  [
    PREFIX,
    'ten',
    'gndt.json: networks[1].prefix: "ten" is no prefix; expected one such as 10.1.0.0/24 or fd00:1::/64',
  ],
  [
    PREFIX,
    '224.0.0.0/8',
    'gndt.json: networks[1].prefix: 224.0.0.0/8 is multicast or broadcast; no node can have it',
  ],
  [
    PREFIX,
    '127.0.0.0/8',
    'gndt.json: networks[1].prefix: 127.0.0.0/8 is loopback; it never leaves its machine',
  ],
  [PREFIX, 'fe80::/64', 'gndt.json: networks[1].prefix: fe80::/64 is link-local; it never leaves its LAN'],
  [
    PREFIX,
    'fd00::5/64',
    'gndt.json: networks[1].prefix: "fd00::5/64" has host bits set; did you mean fd00::/64?',
  ],
  [PREFIX, 5, "gndt.json: networks[1].prefix: expected text: the network's addresses; got 5"],
  [
    ['gndt', 'networks', 0, 'gateway'],
    '10.1.0.254/24',
    'gndt.json: networks[0].gateway: "10.1.0.254/24" is a prefix; expected one address, such as 10.1.0.254',
  ],
  [
    ['gndt', 'networks', 0, 'gateway'],
    '10.1.0.0254',
    'gndt.json: networks[0].gateway: "10.1.0.0254" has leading zeros, which some programs read as octal; leave them out',
  ],
  [
    ['gndt', 'networks', 0, 'gateway'],
    '10.1.0.020',
    'gndt.json: networks[0].gateway: "10.1.0.020" has leading zeros, which some programs read as octal; leave them out',
  ],
  [
    ['gndt', 'networks', 1, 'prefx'],
    '10.9.0.0/24',
    'gndt.json: networks[1].prefx: unknown key (did you mean "prefix"?); the keys here are vnet, prefix, router, gateway, mobility',
  ],
  [
    ['gndt', 'networks', 1, 'mobility'],
    { alow: [] },
    'gndt.json: networks[1].mobility.alow: unknown key (did you mean "allow"?); the keys here are allow',
  ],
  [
    ['gndt', 'cipher'],
    'aes',
    'gndt.json: cipher: expected one of "auto", "chacha20-poly1305", "aes-256-gcm", got "aes" (did you mean "aes-256-gcm"?)',
  ],
  [
    ['gndt', 'cipher'],
    'aes-256-gmc',
    'gndt.json: cipher: expected one of "auto", "chacha20-poly1305", "aes-256-gcm", got "aes-256-gmc" (did you mean "aes-256-gcm"?)',
  ],
  [
    ['lndt', 'nodes'],
    undefined,
    'lndt.json: nodes: missing; expected a list in [ ]: the nodes that may take part; others are dropped and shown as unauthorised',
  ],
  [NODE, '10.1.0.1/24', 'lndt.json: nodes[0].ip: "10.1.0.1/24" has host bits set; did you mean 10.1.0.0/24?'],
  [NODE, '0.0.0.0', 'lndt.json: nodes[0].ip: 0.0.0.0 is the unspecified address; no node can have it'],
  [
    NODE,
    '10.1.0',
    'lndt.json: nodes[0].ip: "10.1.0" is no IP address; expected one such as 10.1.0.9 or fd00:1::9',
  ],
  [
    ['lndt', 'nodes', 0, 'mac'],
    '525400000009',
    'lndt.json: nodes[0].mac: "525400000009" is no MAC address; expected six hexadecimal pairs, such as 52:54:00:00:00:09',
  ],
  [
    ['lndt', 'nodes', 0, 'mac'],
    'ff:ff:ff:ff:ff:ff',
    "lndt.json: nodes[0].mac: ff:ff:ff:ff:ff:ff is no single machine's MAC address (it is zero, or its group bit is set)",
  ],
  [
    ['lndt', 'nodes', 0, 'mac'],
    '00:00:00:00:00:00',
    "lndt.json: nodes[0].mac: 00:00:00:00:00:00 is no single machine's MAC address (it is zero, or its group bit is set)",
  ],
  [
    ['lndt', 'nodes', 0],
    '10.1.0.9',
    'lndt.json: nodes[0]: expected an object in { }: an address or a prefix that may take part here; got "10.1.0.9"',
  ],
];

test('the sample itself is correct', () => {
  assert.deepEqual(lines(parse(sample())), []);
});

for (const [path, change, line] of CASES) {
  test(`${path.join('.')} = ${JSON.stringify(change) ?? 'left out'}`, () => {
    assert.deepEqual(lines(parse(spoilt(path, change))), [line]);
  });
}
