/** The switch between active and standby, what is said when it is turned, and machines that use our addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcementBroadcast, probe } from '../../../src/arp/announce.js';
import { decodeNeighbourFrame, type NeighbourFrame } from '../../../src/arp/frame.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, formatMac, type Mac, mac } from '../../../src/net/mac.js';
import { Gateways, type GatewaysOptions } from '../../../src/router/lan/gateways.js';
import { followRoles } from '../../../src/router/lan/own-addresses.js';
import type { Lan } from '../../../src/tables/lan.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';

const OWN = mac('02:00:00:00:00:01');
const HOST = mac('52:54:00:00:00:11');
const THIEF = mac('52:54:00:00:00:66');
const BOTH = ['10.1.0.3', 'fd00:1::3'].map(Ip.of);

const setUp = (...lans: Partial<Lan>[]) => setUpWith({}, ...lans);

function setUpWith(options: Pick<GatewaysOptions, 'drainMs'>, ...lans: Partial<Lan>[]) {
  const clock = new SimClock();
  const all = lansOf(lans.map((lan, index) => ({ index, vnet: 1, addresses: [], mac: OWN, ...lan })));
  const sent: string[] = [];
  const events: string[] = [];
  let taken = 0;
  const gateways = new Gateways({
    clock,
    lans: all,
    hub: {
      emit: (level, event, _text, fields) =>
        void events.push(`${level} ${event} ${Object.values(fields ?? {})}`),
    },
    sendFrame: (lan, bytes) => {
      assert.ok(all.isActive(lan), 'who speaks forwards already');
      sent.push(`${clock.nowMs()} ${lan} ${describe(bytes)}`);
    },
    taken: () => taken++,
    ...options,
  });
  const take = (): string[] => sent.splice(0);
  return { clock, lans: all, gateways, take, events, taken: () => taken };
}

function read(bytes: Uint8Array | undefined): NeighbourFrame {
  const frame = decodeNeighbourFrame(bytes ?? new Uint8Array(0));
  assert.ok(typeof frame !== 'string', String(frame));
  return frame;
}

function describe(bytes: Uint8Array): string {
  const frame = read(bytes);
  const about = frame.kind === 'na' || frame.kind === 'ns' ? frame.target : frame.targetIp;
  return `${frame.kind} ${about} from ${formatMac(frame.ethernetSource)}`;
}

const question = (target: string, from: string, asker: Mac): NeighbourFrame =>
  read(probe(Ip.of(target), asker, BROADCAST_MAC, Ip.of(from)));
const claim = (ip: string, by: Mac): NeighbourFrame => read(announcementBroadcast(Ip.of(ip), by, by)[0]);

const TAKEOVER = (atMs: number, lan = 0): string[] => [
  `${atMs} ${lan} arp 10.1.0.3 from 00:00:5e:00:01:07`,
  `${atMs} ${lan} na fd00:1::3 from 00:00:5e:00:02:07`,
];

test('it is active from the start, and says so', () => {
  const { clock, gateways, take } = setUp({ gateway: BOTH, vrid: 7 });
  gateways.start();
  assert.deepEqual(take(), TAKEOVER(0));
  clock.advance(1_999);
  assert.deepEqual(take(), [...TAKEOVER(200), ...TAKEOVER(1_000)]);
});

test('a LAN that is served as ever hears nothing, whatever is switched', () => {
  const { clock, gateways, take } = setUp({});
  gateways.start();
  gateways.setActive(false);
  gateways.setActive(true);
  clock.advance(600_000);
  gateways.frameSeen(0, question('10.1.0.3', '10.1.0.11', HOST), clock.nowMs());
  assert.deepEqual(take(), []);
});

test('taking over is one frame an address and LAN; again soon, and for a switch that was busy after a second', () => {
  const { clock, lans, gateways, take, taken } = setUp(
    { gateway: BOTH, vrid: 7 },
    { gateway: BOTH, vnet: 2, vrid: 7 },
  );
  gateways.setActive(false);
  gateways.start();
  clock.advance(10_000);
  assert.deepEqual(take(), []);
  const roles = followRoles(lans);
  assert.deepEqual([roles.standsBy(0), roles.standsBy(1), roles.standsBy(2)], [true, true, false]);

  gateways.setActive(true);
  assert.deepEqual(take(), [...TAKEOVER(10_000), ...TAKEOVER(10_000, 1)]);
  assert.deepEqual([roles.isActive(0), roles.isActive(1)], [true, true]);
  clock.advance(5_000);
  const again = [10_200, 11_000].flatMap((atMs) => [...TAKEOVER(atMs), ...TAKEOVER(atMs, 1)]);
  assert.deepEqual(take(), again);
  gateways.setActive(true);
  assert.deepEqual(take(), [], 'it was active');
  assert.equal(taken(), 0, 'hosts have the virtual MAC already');
});

test('one LAN alone', () => {
  const { lans, gateways, take } = setUp({ gateway: BOTH, vrid: 7 }, { gateway: BOTH, vnet: 2, vrid: 7 });
  gateways.start();
  take();
  gateways.setActive(false, 1);
  assert.deepEqual([lans.isActive(0), lans.isActive(1)], [true, false]);
  gateways.setActive(true, 1);
  assert.deepEqual(take(), TAKEOVER(0, 1));
  gateways.setActive(true, 5);
  assert.deepEqual(take(), []);
});

test('standing down it drains for a while, which is said once; then it stands by', () => {
  const { clock, lans, gateways, take } = setUp({ gateway: BOTH, vrid: 7 });
  const roles: string[] = [];
  lans.followRoles((lan, role) => roles.push(`${clock.nowMs()} ${lan} ${role}`));
  gateways.start();
  clock.advance(5_000);
  take();
  assert.equal(gateways.isDraining(), false);
  gateways.setActive(false);
  assert.deepEqual([lans.role(0), lans.isActive(0), gateways.isDraining()], ['draining', false, true]);
  clock.advance(600);
  gateways.setActive(false);
  gateways.frameSeen(0, question('10.1.0.3', '10.1.0.11', HOST), clock.nowMs());
  clock.advance(399);
  assert.equal(lans.role(0), 'draining', 'not begun anew');
  clock.advance(1);
  assert.deepEqual([lans.role(0), gateways.isDraining()], ['standby', false]);
  gateways.setActive(false);
  clock.advance(60_000);
  assert.deepEqual(roles, ['5000 0 draining', '6000 0 standby']);
  assert.deepEqual(take(), []);
});

test('active again while it drains, it stays so, and speaks', () => {
  const { clock, lans, gateways, take } = setUp({ gateway: BOTH, vrid: 7 });
  gateways.start();
  clock.advance(1_500);
  take();
  gateways.setActive(false);
  clock.advance(300);
  gateways.setActive(true);
  assert.equal(gateways.isDraining(), false);
  assert.deepEqual(take(), TAKEOVER(1_800));
  clock.advance(1_000);
  assert.equal(lans.role(0), 'active');
});

test('at once there is no draining, and what there was ends', () => {
  const { clock, lans, gateways } = setUp(
    { gateway: BOTH, vrid: 7 },
    { gateway: BOTH, vnet: 2, vrid: 7 },
    { gateway: BOTH, vnet: 3 },
  );
  const rolesNow = (): string => [0, 1, 2].map((lan) => lans.role(lan)).join();
  gateways.start();
  gateways.setActive(false, 0);
  gateways.setActive(false, 2);
  assert.equal(rolesNow(), 'draining,active,draining');
  gateways.setActive(false, undefined, 'at once');
  assert.equal(rolesNow(), 'standby,standby,standby');
  assert.equal(gateways.isDraining(), false);
  gateways.setActive(true, 1);
  clock.advance(10_000);
  assert.equal(rolesNow(), 'standby,active,standby');
});

test('it drains as long as it is told; before the start and behind the end not at all', () => {
  const { clock, lans, gateways } = setUp({ gateway: BOTH, vrid: 7 });
  gateways.setActive(false);
  assert.equal(lans.role(0), 'standby');
  gateways.start();
  gateways.setActive(true);
  gateways.setActive(false);
  gateways.stop();
  clock.advance(60_000);
  assert.equal(lans.role(0), 'draining', 'what comes while the router ends is forwarded');

  const short = setUpWith({ drainMs: 50 }, { gateway: BOTH, vrid: 7 });
  short.gateways.start();
  short.gateways.setActive(false);
  short.clock.advance(49);
  assert.equal(short.lans.role(0), 'draining');
  short.clock.advance(1);
  assert.equal(short.lans.role(0), 'standby');
});

test('standing down in the middle of it, the rest is not said', () => {
  const { clock, gateways, take } = setUp({ gateway: BOTH, vrid: 7 });
  gateways.start();
  take();
  gateways.setActive(false);
  clock.advance(60_000);
  assert.deepEqual(take(), []);
});

test('with its own MAC hosts hear of the gateway addresses first, in paces, then of all else', () => {
  const { clock, gateways, take, taken } = setUp({ gateway: BOTH });
  gateways.setActive(false);
  gateways.start();
  gateways.setActive(true);
  assert.equal(taken(), 1);
  clock.advance(100);
  assert.deepEqual(take(), [
    '0 0 arp 10.1.0.3 from 02:00:00:00:00:01',
    '1 0 arp 10.1.0.3 from 02:00:00:00:00:01',
    '2 0 na fd00:1::3 from 02:00:00:00:00:01',
  ]);
  clock.advance(1_700);
  assert.equal(take().length, 6);
});

test('questions are answered while it is active, on that LAN alone', () => {
  const { clock, gateways, take } = setUp({ gateway: BOTH, vrid: 7 }, { vnet: 2 });
  gateways.start();
  take();
  const ask = (lan: number): string[] => {
    gateways.frameSeen(lan, question('10.1.0.3', '10.1.0.11', HOST), clock.nowMs());
    gateways.frameSeen(lan, question('fd00:1::3', 'fd00:1::11', HOST), clock.nowMs());
    return take();
  };
  assert.deepEqual(ask(0), [
    '0 0 arp 10.1.0.11 from 00:00:5e:00:01:07',
    '0 0 na fd00:1::3 from 00:00:5e:00:02:07',
  ]);
  assert.deepEqual(ask(1), []);
  gateways.setActive(false);
  assert.deepEqual(ask(0), []);
  assert.equal(gateways.counters().gateway_answers, 2);
});

test('another machine that says to have one: told once a minute, shown for three, never answered', () => {
  const { clock, gateways, take, events } = setUp({ gateway: BOTH, vrid: 7 });
  gateways.start();
  clock.advance(1_500);
  take();
  for (const ip of ['10.1.0.3', 'fd00:1::3', '10.1.0.11']) {
    gateways.frameSeen(0, claim(ip, THIEF), clock.nowMs());
    gateways.frameSeen(0, claim(ip, THIEF), clock.nowMs());
  }
  assert.deepEqual(take(), []);
  assert.deepEqual(events, [
    'error gateway_address_in_use lan0,10.1.0.3,52:54:00:00:00:66',
    'error gateway_address_in_use lan0,fd00:1::3,52:54:00:00:00:66',
  ]);
  assert.deepEqual(
    gateways.otherUsers().map(({ ip, mac: by }) => `${ip} ${formatMac(by)}`),
    ['10.1.0.3 52:54:00:00:00:66', 'fd00:1::3 52:54:00:00:00:66'],
  );
  assert.match(
    gateways.warnings().join(),
    /52:54:00:00:00:66 on lan0 says that it has the gateway address 10\.1\.0\.3/,
  );
  assert.deepEqual(gateways.conflicts(), [{ lan: 'lan0', kernel: 0, machine: 2 }]);
  clock.advance(61_000);
  gateways.frameSeen(0, claim('10.1.0.3', THIEF), clock.nowMs());
  assert.equal(events.length, 3);
  clock.advance(180_001);
  assert.deepEqual(gateways.otherUsers(), []);
  assert.deepEqual(gateways.warnings(), []);
});

test('a silent one is asked for, as nobody, from the interface’s own MAC; not while standing by', () => {
  const { clock, gateways, take } = setUp({ gateway: BOTH.slice(0, 1), vrid: 7 });
  gateways.start();
  clock.advance(1_500);
  take();
  clock.advance(120_500);
  const asked = '0 arp 10.1.0.3 from 02:00:00:00:00:01';
  assert.deepEqual(take(), [`2000 ${asked}`, `62000 ${asked}`, `122000 ${asked}`]);
  gateways.setActive(false);
  clock.advance(600_000);
  assert.deepEqual(take(), []);
  gateways.setActive(true);
  take();
  gateways.stop();
  clock.advance(600_000);
  assert.deepEqual(take(), []);
});

test('addresses come and go by a reload; the kernel’s own are warned of', () => {
  const { lans, gateways, take } = setUp({ gateway: BOTH.slice(0, 1), vrid: 7 });
  gateways.start();
  take();
  gateways.reconfigure([{ gateway: BOTH }]);
  assert.deepEqual(take(), TAKEOVER(0));
  gateways.reconfigure([{ gateway: BOTH }]);
  assert.deepEqual(take(), []);
  lans.readdress(0, BOTH.slice(1));
  assert.deepEqual(gateways.warnings(), [
    'the kernel has the gateway address fd00:1::3 on lan0, and answers for it too: take it away there',
  ]);
  assert.deepEqual(gateways.conflicts(), [{ lan: 'lan0', kernel: 1, machine: 0 }]);
});

test('what the site’s other router has said as the active one is no other user’s word after a takeover', () => {
  const { clock, gateways, events } = setUp({ gateway: BOTH });
  gateways.start();
  gateways.frameSeen(0, claim('10.1.0.3', THIEF), clock.nowMs());
  assert.equal(gateways.otherUsers().length, 1);
  gateways.setActive(false);
  clock.advance(1_000);
  gateways.setActive(true);
  assert.deepEqual(gateways.otherUsers(), []);
  gateways.frameSeen(0, claim('fd00:1::3', THIEF), clock.nowMs());
  assert.deepEqual(gateways.otherUsers(), []);
  assert.equal(events.length, 1);
  clock.advance(2_000);
  gateways.frameSeen(0, claim('fd00:1::3', THIEF), clock.nowMs());
  assert.equal(gateways.otherUsers().length, 1);
});
