import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding/forwarding-compiler.js';
import {
  ForwardingTable,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../../src/tables/forwarding/forwarding-table.js';
import { NodeActivity } from '../../../src/tables/forwarding/node-activity.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig, network, RED, record } from './fixtures.js';

const { authorised, visiting, departed, pinned, inSubnet } = RouteFlag;
const M9 = mac('52:54:00:00:00:09');
const M8 = mac('52:54:00:00:00:08');
const A = 0;
const B = 1;
const C = 2;

const NETWORKS = [
  network(BLUE, '10.1.0.0/24', 'vr-a', { gateway: '10.1.0.254' }),
  network(BLUE, '10.2.0.0/24', 'vr-b', { gateway: '10.2.0.254' }),
  network(BLUE, '172.16.3.0/24', 'vr-a'),
  network(BLUE, 'fd00:1::/64', 'vr-a'),
  network(RED, '10.1.0.0/24', 'vr-c'),
];

/** vr-a with LANs 0 and 1 in blue and 2 in red. */
function setUp(entries: [prefix: string, mac?: Mac][] = [['10.1.0.0/25']]) {
  const gndt = new Gndt(
    gndtConfig(NETWORKS, [
      { name: 'blue', id: BLUE, subnet: Prefix.of('10.0.0.0/8') },
      { name: 'red', id: RED, subnet: undefined },
    ]),
    'vr-a',
  );
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  const hwdt = new Hwdt(clock);
  const list = entries.map(([prefix, pin]) => ({ vnet: BLUE, prefix: Prefix.of(prefix), mac: pin }));
  const lndt = new Lndt(list, gndt, directory);
  const table = ForwardingTable.create({ slots: 256 });
  const lans = lansOf([
    { index: 0, vnet: BLUE, addresses: [Ip.of('10.1.0.2'), Ip.of('fe80::2')] },
    { index: 1, vnet: BLUE, addresses: [Ip.of('172.16.3.2')] },
    { index: 2, vnet: RED, addresses: [Ip.of('192.0.2.2')] },
  ]);
  const compiler = new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans });
  compiler.rebuild();
  const route = (ip: string, vnet = BLUE) => table.matched(vnet, Ip.of(ip))?.route;
  const matched = (ip: string, vnet = BLUE) => table.matched(vnet, Ip.of(ip))?.prefix.key;
  return { clock, directory, hwdt, lans, table, compiler, route, matched };
}

/** The fields of a route that follow from its network; the rest as given. */
function expected(network: number, homePeer: number, more: Partial<Route>): Route {
  return {
    kind: RouteKind.none,
    peer: -1,
    lan: -1,
    mac: ZERO_MAC,
    network,
    homePeer,
    previousPeer: -1,
    flags: 0,
    pinnedMac: undefined,
    ...more,
  };
}

describe('networks', () => {
  test('one whose home is another VR goes to that peer', () => {
    const { route, matched } = setUp();
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24');
    assert.deepEqual(route('10.2.0.9'), expected(2, B, { kind: RouteKind.peer, peer: B, flags: inSubnet }));
    assert.deepEqual(route('10.1.0.9', RED), expected(5, C, { kind: RouteKind.peer, peer: C }));
    assert.equal(route('192.0.2.9'), undefined);
  });

  test('one whose home is here is on the LAN that has an address in it, else on the vnet’s first', () => {
    const { route } = setUp();
    assert.deepEqual(
      route('10.1.0.200'),
      expected(1, -1, { kind: RouteKind.onLink, lan: 0, flags: inSubnet }),
    );
    assert.deepEqual(route('172.16.3.9'), expected(3, -1, { kind: RouteKind.onLink, lan: 1 }));
    assert.deepEqual(route('fd00:1::9'), expected(4, -1, { kind: RouteKind.onLink, lan: 0 }));
  });

  test('gateways are set', () => {
    const { table } = setUp();
    const out = new Int32Array(5);
    assert.equal(table.gateway(1, out), true);
    assert.deepEqual([...out], [4, 0, 0, 0, 0x0a0200fe]);
    assert.equal(table.gateway(2, out), false);
  });
});

describe("the machine's own addresses on its LANs", () => {
  test('one that is added is its own at once, and one that is taken away is an address of the LAN again', () => {
    const { lans, route } = setUp([['10.1.0.0/24']]);
    assert.equal(route('10.1.0.7')?.kind, RouteKind.onLink);
    lans.readdress(0, [Ip.of('10.1.0.2'), Ip.of('10.1.0.7'), Ip.of('fd00:1::7')]);
    assert.equal(route('10.1.0.7')?.kind, RouteKind.own);
    assert.equal(route('fd00:1::7')?.kind, RouteKind.own);
    assert.equal(route('10.1.0.2')?.kind, RouteKind.own);
    lans.readdress(0, [Ip.of('10.1.0.7')]);
    assert.equal(route('10.1.0.2')?.kind, RouteKind.onLink);
    assert.equal(route('fd00:1::7')?.kind, RouteKind.onLink);
  });

  test('a network goes to the LAN that has an address in it now, its nodes without a binding too', () => {
    const { lans, route, directory } = setUp([['172.16.3.0/24']]);
    directory.originate(BLUE, Ip.of('172.16.3.9'), M9, 1);
    assert.equal(route('172.16.3.9')?.lan, 1);
    lans.readdress(1, []);
    assert.equal(route('172.16.3.200')?.lan, 0);
    assert.equal(route('172.16.3.9')?.lan, 0);
    lans.readdress(1, [Ip.of('172.16.3.2')]);
    assert.equal(route('172.16.3.9')?.lan, 1);
  });
});

describe('LNDT entries', () => {
  test('a part of a home network is a route of its own, a pin included', () => {
    const { route, matched } = setUp([['10.1.0.0/25'], ['10.1.0.9', M9], ['10.2.0.0/25'], ['192.0.2.0/24']]);
    assert.equal(matched('10.1.0.8'), '10.1.0.0/25');
    assert.deepEqual(
      route('10.1.0.8'),
      expected(1, -1, { kind: RouteKind.onLink, lan: 0, flags: inSubnet | authorised }),
    );
    assert.deepEqual(
      route('10.1.0.9'),
      expected(1, -1, {
        kind: RouteKind.onLink,
        lan: 0,
        flags: inSubnet | authorised | pinned,
        pinnedMac: M9,
      }),
    );
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24', 'not in another VR’s network');
    assert.equal(route('192.0.2.9'), undefined, 'not in no network');
  });

  test('an entry that covers a home network authorises the network’s route', () => {
    for (const entry of ['10.1.0.0/24', '10.0.0.0/8', '0.0.0.0/0']) {
      const { route, matched } = setUp([[entry, M9]]);
      assert.equal(matched('10.1.0.9'), '10.1.0.0/24');
      assert.equal(route('10.1.0.9')?.flags, inSubnet | authorised | pinned);
      assert.equal(route('10.2.0.9')?.flags, inSubnet);
    }
  });

  test('the gateway of a home network is authorised without an entry', () => {
    const { route } = setUp([]);
    assert.equal(route('10.1.0.254')?.flags, inSubnet | authorised);
    assert.equal(route('10.1.0.253')?.flags, inSubnet);
    assert.equal(route('10.2.0.254')?.flags, inSubnet);
  });
});

test('the gateway machine’s own addresses are own, whatever else is said of them', () => {
  const { route, directory, hwdt } = setUp();
  directory.apply(record('10.1.0.2', 'vr-b', 5, 1));
  hwdt.learn(1, BLUE, M9, Ip.of('10.1.0.2'), 'gratuitous');
  assert.deepEqual(
    route('10.1.0.2'),
    expected(1, -1, { kind: RouteKind.own, lan: 0, flags: inSubnet | authorised }),
  );
  assert.deepEqual(route('fe80::2'), expected(0, -2, { kind: RouteKind.own, lan: 0 }));
  assert.deepEqual(route('192.0.2.2', RED), expected(0, -2, { kind: RouteKind.own, lan: 2 }));
});

describe('nodes here', () => {
  const native = { kind: RouteKind.host, lan: 0, mac: M9, flags: inSubnet | authorised };

  test('a record of ours gives a host route with its MAC, then with the MAC and LAN of the binding', () => {
    const { route, matched, directory, hwdt } = setUp();
    directory.originate(BLUE, Ip.of('10.1.0.9'), M9, 1);
    assert.equal(matched('10.1.0.9'), '10.1.0.9/32');
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, native));
    hwdt.learn(1, BLUE, M8, Ip.of('10.1.0.9'), 'arp-request');
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, { ...native, lan: 1, mac: M8 }));
    hwdt.forget(BLUE, Ip.of('10.1.0.9'));
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, native));
    directory.withdraw(BLUE, Ip.of('10.1.0.9'));
    assert.equal(matched('10.1.0.9'), '10.1.0.0/25', 'withdrawn: back to what is configured');
  });

  test('without a binding the LAN is the one that the network is on', () => {
    const { route, directory } = setUp();
    directory.originate(BLUE, Ip.of('172.16.3.9'), M9, 1);
    assert.equal(route('172.16.3.9')?.lan, 1);
  });

  test('a binding in a home network is enough; one in another network is not', () => {
    const { route, matched, hwdt } = setUp();
    hwdt.learn(0, BLUE, M9, Ip.of('10.1.0.9'), 'arp-request');
    hwdt.learn(0, BLUE, M9, Ip.of('10.1.0.200'), 'arp-request');
    hwdt.learn(0, BLUE, M9, Ip.of('10.2.0.9'), 'arp-request');
    hwdt.learn(0, BLUE, M9, Ip.of('192.0.2.9'), 'arp-request');
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, native));
    assert.deepEqual(route('10.1.0.200'), expected(1, -1, { ...native, flags: inSubnet }), 'not in the LNDT');
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24');
    assert.equal(matched('192.0.2.9'), undefined);
  });

  test('traffic for a pinned address goes to the pinned MAC, whoever else claims it on the LAN', () => {
    const { route, hwdt } = setUp([['10.1.0.0/24'], ['10.1.0.9', M9]]);
    hwdt.learn(0, BLUE, M8, Ip.of('10.1.0.9'), 'gratuitous');
    const flags = inSubnet | authorised | pinned;
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, { ...native, mac: M9, flags, pinnedMac: M9 }));
  });

  test('a visitor is authorised, and knows its home and where it came from', () => {
    const { clock, route, directory } = setUp();
    directory.apply(record('10.2.0.9', 'vr-c', 1, 1));
    directory.originate(BLUE, Ip.of('10.2.0.9'), M9, 2);
    clock.advance(2_000);
    assert.deepEqual(
      route('10.2.0.9'),
      expected(2, B, { ...native, flags: inSubnet | authorised | visiting, previousPeer: C }),
    );
    directory.withdraw(BLUE, Ip.of('10.2.0.9'));
    assert.equal(route('10.2.0.9')?.kind, RouteKind.peer);
  });

  test('an address that is native nowhere gets no route', () => {
    const { route, directory } = setUp();
    directory.originate(BLUE, Ip.of('192.0.2.9'), M9, 1);
    directory.apply(record('192.0.2.8', 'vr-b', 1, 1));
    assert.equal(route('192.0.2.9'), undefined);
    assert.equal(route('192.0.2.8'), undefined);
  });
});

describe('nodes at other VRs', () => {
  test('one of ours that is away goes to its VR, and is departed', () => {
    const { clock, route, directory, hwdt } = setUp([['10.1.0.0/24'], ['10.1.0.9', M9]]);
    hwdt.learn(0, BLUE, M9, Ip.of('10.1.0.9'), 'arp-request');
    directory.originate(BLUE, Ip.of('10.1.0.9'), M9, 1);
    directory.apply(record('10.1.0.9', 'vr-b', 2, 1));
    clock.advance(2_000);
    const away = { kind: RouteKind.peer, peer: B, flags: inSubnet | departed };
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, { ...away, previousPeer: A }), 'it was here itself');
    directory.apply(record('10.1.0.9', 'vr-c', 3, 1));
    clock.advance(2_000);
    assert.deepEqual(route('10.1.0.9'), expected(1, -1, { ...away, peer: C, previousPeer: B }));
    directory.apply(record('10.1.0.9', 'vr-c', 3, 2, { state: 'withdrawn' }));
    assert.equal(route('10.1.0.9')?.kind, RouteKind.host, 'the binding is still there');
  });

  test('one that is away from another home has a host route; one at home does not need it', () => {
    const { clock, route, matched, directory } = setUp();
    directory.apply(record('10.2.0.9', 'vr-b', 1, 1));
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24');
    directory.apply(record('10.2.0.9', 'vr-c', 2, 1));
    clock.advance(2_000);
    assert.equal(matched('10.2.0.9'), '10.2.0.9/32');
    assert.deepEqual(
      route('10.2.0.9'),
      expected(2, B, { kind: RouteKind.peer, peer: C, flags: inSubnet, previousPeer: B }),
    );
    directory.apply(record('10.2.0.9', 'vr-b', 3, 2));
    clock.advance(2_000);
    assert.deepEqual(
      route('10.2.0.9'),
      expected(2, B, { kind: RouteKind.peer, peer: B, flags: inSubnet, previousPeer: C }),
      'home again: its last VR may still forward packets for it',
    );
    directory.apply(record('10.2.0.9', 'vr-b', 3, 3, { state: 'withdrawn' }));
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24');
  });

  test('one that has just moved: for 2 s its route says so, wherever it is now', () => {
    const { clock, route, directory } = setUp();
    const flagsOf = (ip: string): number => (route(ip)?.flags ?? 0) & RouteFlag.justMoved;
    directory.apply(record('10.2.0.9', 'vr-b', 1, 1));
    directory.apply(record('10.2.0.9', 'vr-c', 2, 1));
    assert.equal(flagsOf('10.2.0.9'), RouteFlag.justMoved);
    clock.advance(1_000);
    directory.originate(BLUE, Ip.of('10.2.0.9'), M9, 3);
    assert.deepEqual([route('10.2.0.9')?.previousPeer, flagsOf('10.2.0.9')], [C, RouteFlag.justMoved]);
    clock.advance(1_999);
    assert.equal(flagsOf('10.2.0.9'), RouteFlag.justMoved);
    clock.advance(1);
    assert.deepEqual([route('10.2.0.9')?.previousPeer, flagsOf('10.2.0.9')], [C, 0]);
    directory.originate(BLUE, Ip.of('10.2.0.9'), M9, 3);
    assert.equal(flagsOf('10.2.0.9'), 0, 'the same again is no move');
  });

  test('a VR that gndt.json does not know attracts nothing', () => {
    const { matched, directory } = setUp();
    directory.apply(record('10.2.0.9', 'vr-x', 9, 1));
    assert.equal(matched('10.2.0.9'), '10.2.0.0/24');
  });
});

test('after dispose nothing changes; a compiler with other configuration takes the table over', () => {
  const { clock, table, compiler, directory, hwdt, matched } = setUp();
  directory.apply(record('10.1.0.9', 'vr-b', 2, 1));
  compiler.dispose();
  directory.apply(record('10.1.0.8', 'vr-b', 2, 1));
  assert.equal(matched('10.1.0.8'), '10.1.0.0/25');
  const gndt = new Gndt(gndtConfig([network(BLUE, '10.1.0.0/16', 'vr-b')]), 'vr-a');
  const lndt = new Lndt([], gndt, directory);
  new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans: lansOf([]) }).rebuild();
  assert.deepEqual(
    [...table.routes()].map((each) => `${each.vnet} ${each.prefix.key}`),
    ['1 10.1.0.0/16'],
  );
  assert.equal(table.gateway(0, new Int32Array(5)), false, 'old gateways are gone');
});

test('routes that have no room are counted, and placed when there is room again', () => {
  const gndt = new Gndt(gndtConfig([network(BLUE, '10.2.0.0/24', 'vr-b')]), 'vr-a');
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  const inputs = {
    gndt,
    directory,
    hwdt: new Hwdt(clock),
    lndt: new Lndt([], gndt, directory),
    clock,
    lans: lansOf([]),
  };
  const compiler = new ForwardingCompiler({ ...inputs, table: ForwardingTable.create({ slots: 4 }) });
  compiler.rebuild();
  for (let n = 1; n <= 4; n++) directory.apply(record(`10.2.0.${n}`, 'vr-c', 2, n));
  assert.equal(compiler.unplaced, 2);
  directory.apply(record('10.2.0.1', 'vr-c', 2, 11, { state: 'withdrawn' }));
  compiler.rebuild();
  assert.equal(compiler.unplaced, 1);
  directory.apply(record('10.2.0.3', 'vr-c', 2, 13, { state: 'withdrawn' }));
  directory.apply(record('10.2.0.4', 'vr-c', 2, 14, { state: 'withdrawn' }));
  assert.equal(compiler.unplaced, 0);
});

test('a machine that is watched later than its route is made has its number there, as long as it is watched', () => {
  const { directory, hwdt, clock, lans } = setUp();
  const gndt = new Gndt(gndtConfig(NETWORKS), 'vr-a');
  const lndt = new Lndt([{ vnet: BLUE, prefix: Prefix.of('10.1.0.0/25'), mac: undefined }], gndt, directory);
  const table = ForwardingTable.create({ slots: 256 });
  const activity = new NodeActivity('vr-a', directory);
  new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans, activity }).rebuild();
  const numberAt = (ip: string): number | undefined => table.matched(BLUE, Ip.of(ip))?.route.peer;
  hwdt.learn(0, BLUE, M9, Ip.of('10.1.0.9'), 'gratuitous');
  directory.hold(() => {
    directory.originate(BLUE, Ip.of('10.1.0.9'), M9, 1);
    directory.originate(BLUE, Ip.of('10.1.0.8'), M9, 1);
    assert.deepEqual([numberAt('10.1.0.9'), numberAt('10.1.0.8')], [-1, -1]);
  });
  assert.deepEqual([numberAt('10.1.0.9'), numberAt('10.1.0.8')], [0, 0]);
  directory.withdraw(BLUE, Ip.of('10.1.0.8'));
  assert.equal(numberAt('10.1.0.9'), 0);
  // Its binding has a route without a record too.
  directory.withdraw(BLUE, Ip.of('10.1.0.9'));
  assert.equal(numberAt('10.1.0.9'), -1);
});
