import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { type InterfaceState, readInterfaces } from '../../../src/router/lan/interfaces.js';
import { LanWatch } from '../../../src/router/lan/lan-watch.js';
import { followOwnAddresses } from '../../../src/router/lan/own-addresses.js';
import { Lans } from '../../../src/tables/lan.js';
import { SimClock } from '../../support/sim-clock.js';

const OWN = mac('02:00:00:00:00:01');
const OTHER = mac('02:00:00:00:00:02');

function setUp() {
  const clock = new SimClock();
  const lans = new Lans([{ index: 0, interface: 'eth1', vnet: 1, mac: OWN, addresses: [Ip.of('10.1.0.1')] }]);
  let kernel: InterfaceState = { mac: OWN, addresses: [Ip.of('10.1.0.1')] };
  const failures: string[] = [];
  const watch = new LanWatch({
    clock,
    lans,
    read: (names) => {
      assert.deepEqual(names, ['eth1']);
      return [kernel];
    },
    onFailure: ({ message }) => failures.push(message),
  });
  const set = (own: Mac | undefined, addresses: readonly string[] | undefined): void => {
    kernel = { mac: own, addresses: addresses?.map(Ip.of) };
  };
  return { clock, lans, watch, failures, set, addresses: () => lans.get(0)?.addresses.join() };
}

test('an address that comes or goes is known within two seconds', () => {
  const { clock, watch, set, addresses } = setUp();
  watch.start();
  set(OWN, ['10.1.0.1', 'fd00:1::1']);
  clock.advance(2_000);
  assert.equal(addresses(), '10.1.0.1,fd00:1::1');
  set(OWN, ['fd00:1::1']);
  clock.advance(2_000);
  assert.equal(addresses(), 'fd00:1::1');
  set(OWN, []);
  clock.advance(2_000);
  assert.equal(addresses(), '');
  watch.stop();
  set(OWN, ['10.1.0.1']);
  clock.advance(60_000);
  assert.equal(addresses(), '');
});

test('an interface that is down, or gone for a moment, keeps what it had', () => {
  const { watch, set, addresses, failures } = setUp();
  set(OWN, undefined);
  watch.look();
  set(undefined, undefined);
  watch.look();
  assert.equal(addresses(), '10.1.0.1');
  assert.deepEqual(failures, []);
});

test('another MAC: sockets and captures are made for the old one, so the router has to start again', () => {
  const { watch, set, failures } = setUp();
  set(OTHER, ['10.1.0.1']);
  watch.look();
  assert.deepEqual(failures, [
    'eth1 has another MAC than at the start (02:00:00:00:00:02 instead of 02:00:00:00:00:01)',
  ]);
});

test('the packet workers get the first address of each family that is not link-local', () => {
  const { lans } = setUp();
  const table = followOwnAddresses(lans);
  assert.deepEqual(
    table.get(0, 4)?.words,
    [...Ip.of('10.1.0.1').words].map((word) => word | 0),
  );
  assert.equal(table.get(0, 6), undefined);
  lans.readdress(0, ['fe80::1', 'fd00:1::1', 'fd00:1::2'].map(Ip.of));
  assert.equal(table.get(0, 4), undefined);
  assert.deepEqual(
    table.get(0, 6)?.words,
    [...Ip.of('fd00:1::1').words].map((word) => word | 0),
  );
});

test('what the kernel says of interfaces: labels, zones, no address, down, gone', () => {
  const files: Record<string, string> = {
    'eth1 address': '02:00:00:00:00:01',
    'eth1 operstate': 'up',
    'eth2 address': '02:00:00:00:00:02',
    'eth2 operstate': 'up',
    'eth3 address': '02:00:00:00:00:02',
    'eth3 operstate': 'down',
  };
  const states = readInterfaces(['eth1', 'eth2', 'eth3', 'eth4'], {
    list: () => ({
      eth1: ['10.1.0.1', 'fe80::1%eth1'].map((address) => ({ address, mac: '02:00:00:00:00:01' })),
      'eth1:web': [{ address: '10.1.0.2', mac: '02:00:00:00:00:01' }],
      eth10: [{ address: '10.9.0.1', mac: '02:00:00:00:00:02' }],
    }),
    read: (name, file) => files[`${name} ${file}`],
  });
  assert.deepEqual(
    states.map(({ mac: own, addresses }) => [own, addresses?.join()]),
    [
      [OWN, '10.1.0.1,fe80::1,10.1.0.2'],
      [OTHER, ''],
      [OTHER, undefined],
      [undefined, undefined],
    ],
  );
});

test('where /sys is another network namespace’s, its interface of the same name is not believed to be ours', () => {
  const states = readInterfaces(['eth1', 'eth2'], {
    list: () => ({
      eth1: [{ address: '10.1.0.1', mac: '02:00:00:00:00:01' }],
      eth2: [{ address: '10.2.0.1', mac: '02:00:00:00:00:01' }],
    }),
    read: (name, file) =>
      name === 'eth1' ? { address: '02:00:00:00:00:02', operstate: 'down' }[file] : undefined,
  });
  assert.deepEqual(
    states.map(({ mac: own, addresses }) => [own, addresses?.join()]),
    [
      [OWN, '10.1.0.1'],
      [OWN, '10.2.0.1'],
    ],
  );
});

test('this machine’s own loopback interface is read', () => {
  const [lo] = readInterfaces(['lo']);
  assert.ok(lo?.addresses?.some((ip) => ip.isLoopback));
});
