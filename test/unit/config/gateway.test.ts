/** router.json's `lans[].gateway`, `mac`, `vrid`: what is taken, and what each mistake is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkGatewayAddresses } from '../../../src/config/interfaces.js';
import { mac } from '../../../src/net/mac.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { defaultVrid, servingMac, virtualMac, vridOf } from '../../../src/tables/gateway.js';
import { type Json, type JsonObject, KEY_C, lines, parse, sample } from './sample.js';

const BLUE = { interface: 'lan0', vnet: 'blue' };

function withLans(lans: Json[], change: (it: ReturnType<typeof sample>) => void = () => {}) {
  const written = sample();
  written.router.lans = lans;
  const networks = written.gndt.networks as Json[];
  networks.push({ vnet: 'blue', prefix: 'fd00:1::/64', router: 'vr-a' });
  networks.push({ vnet: 'green', prefix: '10.1.0.0/24', router: 'vr-a' });
  change(written);
  return parse(written);
}

const mistakes = (lan: JsonObject, change?: (it: ReturnType<typeof sample>) => void): string[] =>
  lines(withLans([{ ...BLUE, ...lan }], change));

test('addresses of both families are read', () => {
  const outcome = withLans([{ ...BLUE, gateway: ['10.1.0.1', 'fd00:1::1'] }]);
  assert.deepEqual(lines(outcome), []);
  assert.ok('value' in outcome);
  const [lan] = outcome.value.router.lans;
  assert.deepEqual(lan?.gateway?.map(String), ['10.1.0.1', 'fd00:1::1']);
  assert.deepEqual([lan?.mac, lan?.vrid], [undefined, undefined]);
});

test('without any, a LAN is what it was', () => {
  const outcome = withLans([BLUE]);
  assert.ok('value' in outcome);
  assert.deepEqual(outcome.value.router.lans, [BLUE]);
});

test('one address serves two vnets, but not one of them twice', () => {
  const green = { interface: 'lan1', vnet: 'green', gateway: ['10.1.0.1'] };
  assert.deepEqual(lines(withLans([{ ...BLUE, gateway: ['10.1.0.1'] }, green])), []);
  const again = { interface: 'lan1', vnet: 'blue', gateway: ['10.1.0.1'] };
  assert.deepEqual(lines(withLans([{ ...BLUE, gateway: ['10.1.0.1'] }, again])), [
    'router.json: lans[1].gateway[0]: 10.1.0.1 of vnet "blue" is lans[0].gateway[0] already',
  ]);
});

const CASES: readonly (readonly [name: string, lan: JsonObject, line: string])[] = [
  [
    'no address',
    { gateway: ['10.1.0'] },
    'gateway[0]: "10.1.0" is no IP address; expected one such as 10.1.0.9 or fd00:1::9',
  ],
  ['link-local', { gateway: ['fe80::1'] }, 'gateway[0]: fe80::1 is link-local; it never leaves its LAN'],
  [
    'twice',
    { gateway: ['10.1.0.1', '10.1.0.1'] },
    'gateway[1]: 10.1.0.1 of vnet "blue" is lans[0].gateway[0] already',
  ],
  [
    'in no network',
    { gateway: ['10.9.0.1'] },
    'gateway[0]: 10.9.0.1 is in no network of vnet "blue" in gndt.json; they are 10.1.0.0/24, 10.2.0.0/24, fd00:1::/64',
  ],
  [
    "the network's own",
    { gateway: ['10.1.0.0'] },
    "gateway[0]: 10.1.0.0 is the address of the network 10.1.0.0/24 itself; expected a machine's",
  ],
  [
    'broadcast',
    { gateway: ['10.1.0.255'] },
    "gateway[0]: 10.1.0.255 is the broadcast address of 10.1.0.0/24; expected a machine's",
  ],
  [
    "the network's way out",
    { gateway: ['10.1.0.254'] },
    'gateway[0]: 10.1.0.254 is the gateway of 10.1.0.0/24 in gndt.json, a machine that leads to the outside world; the router answers for this one itself: expected an address that no machine has',
  ],
  [
    'too many',
    { gateway: Array.from({ length: 9 }, (_, i) => `10.1.0.${i + 1}`) },
    'gateway: expected at most 8 addresses, got 9',
  ],
  [
    'another MAC',
    { gateway: ['10.1.0.1'], mac: 'mine' },
    'mac: expected one of "virtual", "own", got "mine"',
  ],
  ['number 0', { gateway: ['10.1.0.1'], vrid: 0 }, 'vrid: expected a whole number from 1 to 255, got 0'],
  [
    'number 256',
    { gateway: ['10.1.0.1'], vrid: 256 },
    'vrid: expected a whole number from 1 to 255, got 256',
  ],
  [
    'a number with its own MAC',
    { gateway: ['10.1.0.1'], mac: 'own', vrid: 7 },
    'vrid: this is the number of a virtual MAC address, and with "mac": "own" there is none; leave it out',
  ],
  [
    'a number without addresses',
    { vrid: 7 },
    'vrid: this is the number of a virtual MAC address, and without gateway addresses there is none; leave it out',
  ],
];

for (const [name, lan, line] of CASES) {
  test(`refused: ${name}`, () => assert.deepEqual(mistakes(lan), [`router.json: lans[0].${line}`]));
}

test("refused: a node's, a WireGuard client's", () => {
  const node = mistakes({ gateway: ['10.1.0.9'] }, (it) => {
    (it.lndt.nodes as Json[]).push({ vnet: 'green', ip: '10.1.0.9' }, { vnet: 'blue', ip: '10.1.0.9' });
  });
  assert.deepEqual(node, [
    "router.json: lans[0].gateway[0]: 10.1.0.9 is a node's, nodes[2] of lndt.json; expected an address that no machine has",
  ]);
  const client = mistakes({ gateway: ['10.1.0.9'] }, (it) => {
    it.gndt.nodes = [{ vnet: 'blue', ip: '10.1.0.9', publicKey: KEY_C, via: 'vr-a' }];
  });
  assert.deepEqual(client, [
    'router.json: lans[0].gateway[0]: 10.1.0.9 is the address of nodes[0] in gndt.json, a WireGuard client',
  ]);
});

test('an address that a kernel of this machine holds is refused, on whatever interface', () => {
  const outcome = withLans([{ ...BLUE, gateway: ['10.1.0.1', 'fd00:1::1'] }]);
  assert.ok('value' in outcome);
  const held = [
    { interface: 'lo', address: '127.0.0.1' },
    { interface: 'eth7', address: 'fd00:1::1' },
  ];
  assert.deepEqual(checkGatewayAddresses(outcome.value, held).map(formatConfigError), [
    'router.json: lans[0].gateway[1]: the kernel of this machine has fd00:1::1, on eth7, and would answer for it too; take it away there ("ip address del fd00:1::1/… dev eth7"), or choose another one here',
  ]);
  assert.deepEqual(checkGatewayAddresses(outcome.value, held.slice(0, 1)), []);
});

test('virtual MACs are those of RFC 9568 §7.3', () => {
  assert.equal(virtualMac(1, 4), mac('00:00:5e:00:01:01'));
  assert.equal(virtualMac(255, 6), mac('00:00:5e:00:02:ff'));
  const own = mac('02:00:00:00:00:01');
  assert.equal(servingMac({ mac: own, vrid: 9 }, 6), mac('00:00:5e:00:02:09'));
  assert.equal(servingMac({ mac: own }, 6), own);
});

test('the number is given, or follows from site and vnet, or there is none', () => {
  const gateway = [...(parsedGateway() ?? [])];
  assert.equal(vridOf({ gateway, vrid: 77 }, 1, 'site-a'), 77);
  assert.equal(vridOf({ gateway }, 1, 'site-a'), defaultVrid(1, 'site-a'));
  assert.equal(vridOf({ mac: 'virtual' }, 1, 'site-a'), defaultVrid(1, 'site-a'));
  assert.equal(vridOf({ gateway, mac: 'own' }, 1, 'site-a'), undefined);
  assert.equal(vridOf({ gateway: [] }, 1, 'site-a'), undefined);
  assert.equal(vridOf({}, 1, 'site-a'), undefined);
});

test('derived numbers: a fixed value (routers of two versions must agree), in range, spread', () => {
  assert.deepEqual(
    [defaultVrid(1, 'site-a'), defaultVrid(2, 'site-a'), defaultVrid(1, 'vr-b')],
    [98, 174, 20],
  );
  const numbers = new Set<number>();
  for (let vnet = 1; vnet <= 2_000; vnet++) numbers.add(defaultVrid(vnet, `site-${vnet % 7}`));
  assert.ok([...numbers].every((n) => Number.isInteger(n) && n >= 1 && n <= 255));
  assert.ok(numbers.size > 240, `${numbers.size} of 255 numbers`);
});

function parsedGateway() {
  const outcome = withLans([{ ...BLUE, gateway: ['10.1.0.1'] }]);
  assert.ok('value' in outcome);
  return outcome.value.router.lans[0]?.gateway;
}
