/** Much of one thing, from a router with a valid key or from a LAN: what it costs the honest routers has a bound. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeNeighbourFrame } from '../../src/arp/frame.js';
import { linkLocalOf } from '../../src/arp/ipv6.js';
import { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import type { NodeRecord } from '../../src/tables/model.js';
import { SimHost } from '../support/sim-lan-host.js';
import { BLUE } from '../support/sim-lan-world.js';
import { HONEST, MAD, MadWorld } from './mad-world.js';
import { World } from './tunnel-world.js';

const LIMITS = { nodesPerLan: 1_000, nodesPerRouter: 2_000 };
/** What the rest of an overlay of this size has. */
const ALL_OTHERS = 100;

/** Room for whatever burst a rate begins with. */
const BURST = 600;

/** The n-th address of site `number`'s IPv6 network that no host has. */
const madeUp = (number: number, n: number): Ip => Ip.v6(0xfd000000 + number, 0, 7, n);

/** How many messages of a kind the mad router has been sent since then. */
function heardBy(all: MadWorld): (type: TableMessage['type']) => number {
  const counts = new Map<string, number>();
  all.mad.onHeard = ({ message }) => {
    counts.set(message.type, (counts.get(message.type) ?? 0) + 1);
  };
  return (type) => counts.get(type) ?? 0;
}

describe('a LAN with a whole /64 in its LNDT', () => {
  const flood = (all: MadWorld, forMs: number, perSecond: number): void => {
    const { world } = all;
    const prefixed = (n: number): SimHost => {
      const host = new SimHost(world.clock, 'flooder', (0x525400aa0000 + (n % 3)) as Mac, [madeUp(1, n)]);
      host.attach(world.site(1).lan);
      return host;
    };
    for (let n = 0; n < (forMs / 1_000) * perSecond; n++) {
      const host = prefixed(n);
      host.announceGratuitous();
      host.detach();
      world.settle(1_000 / perSecond);
    }
  };

  test('does not make records faster than 100 a second', () => {
    const all = new MadWorld({ slots: 8_192 });
    const before = all.world.site(1).directory.size;
    flood(all, 2_000, 2_000);
    all.world.settle(1_000);
    for (const { directory, id } of all.honest) {
      const more = directory.size - before;
      assert(more <= 3 * 100 + BURST, `${id} has ${more} records more`);
    }
  });

  test('does not make more records than a LAN may have, and the nodes that are known are served on', () => {
    const all = new MadWorld({ slots: 4_096, limits: LIMITS });
    flood(all, 15_000, 200);
    all.world.settle(5_000);
    for (const { directory, id } of all.honest) {
      assert(directory.size > 500, `${id} has ${directory.size} records: nothing was made`);
      assert(directory.size <= LIMITS.nodesPerLan + ALL_OTHERS, `${id} has ${directory.size} records`);
    }
    for (const [name, number] of [
      ['h1-1', 2],
      ['h2-1', 3],
    ] as const) {
      const node = all.world.host(name);
      const { id } = all.world.site(number);
      all.world.move(node, all.world.site(number), 'gratuitous', 10);
      all.world.settle(1_000);
      for (const ip of node.ips) assert.equal(all.places(ip), `${id} ${id} ${id}`);
    }
  });

  test('spoofed addresses of no network: not an event for each', () => {
    const all = new MadWorld();
    const { world } = all;
    for (let n = 0; n < 5_000; n++) {
      const ip = n % 2 === 0 ? Ip.v4(0x0a630000 + n) : Ip.v6(0xfd000063, 0, 0, n);
      const host = new SimHost(world.clock, 'spoofer', (0x525400ab0000 + n) as Mac, [ip]);
      host.attach(world.site(1).lan);
      host.announceGratuitous();
      host.detach();
      world.settle(1);
    }
    const { length } = world.site(1).events.filter(({ event }) => event === 'unauthorised_seen');
    assert(length > 0 && length <= BURST, `${length} events`);
  });

  test('an address in no network that does not answer any more is forgotten', () => {
    const all = new MadWorld();
    const { mobility, hwdt } = all.world.site(1);
    const { mac } = all.world.host('h1-1');
    for (const ip of [linkLocalOf(mac), Ip.of('10.99.0.1'), Ip.of('fd00:99::1'), Ip.of('10.2.0.77')]) {
      hwdt.learn(0, BLUE, mac, ip, 'ndp');
      mobility.nodeGone(BLUE, ip);
      assert.equal(hwdt.get(BLUE, ip), undefined, ip.key);
    }
  });
});

describe('a mad router', () => {
  test('has a bounded number of records in the tables of others', () => {
    const all = new MadWorld({ slots: 4_096, limits: LIMITS });
    const { mac } = all.world.host('h4-1');
    const perMessage = 15;
    for (let n = 0; n < 3 * LIMITS.nodesPerRouter; n += perMessage) {
      const records = Array.from({ length: perMessage }, (_, i): NodeRecord => {
        const stamp = 1_767_225_600_000_000 + n + i;
        return { vnet: BLUE, ip: madeUp(4, n + i), mac, router: MAD, seq: 1, state: 'here', stamp };
      });
      const message: TableMessage =
        n % 2 === 0
          ? { type: 'records', records }
          : {
              type: 'claim',
              claimId: n,
              moves: [{ vnet: BLUE, mac, records, trigger: 'rarp', sinceDetectionUs: 1 }],
            };
      all.mad.tellAll(HONEST, message);
      all.world.settle(10);
    }
    all.world.settle(2_000);
    for (const { directory, id } of all.honest) {
      assert(directory.size <= LIMITS.nodesPerRouter + ALL_OTHERS, `${id} has ${directory.size} records`);
    }
    const node = all.world.host('h2-1');
    all.world.move(node, all.world.site(1), 'rarp', 10);
    all.world.settle(1_000);
    for (const ip of node.ips) assert.equal(all.places(ip), 'vr-a vr-a vr-a');
  });

  for (const state of ['here', 'withdrawn'] as const) {
    test(`gives back records that were never there (${state}), whenever it is asked: nothing is kept`, () => {
      const all = new MadWorld({ slots: 4_096 });
      const { mac } = all.world.host('h2-1');
      let given = 0;
      all.mad.onHeard = ({ from, message }) => {
        if (message.type !== 'recall') return;
        for (let part = 0; part < 20; part++) {
          const records = Array.from({ length: 15 }, (): NodeRecord => {
            const [ip, stamp] = [madeUp(2, given++), 1_767_225_600_000_000 + given];
            return { vnet: BLUE, ip, mac, router: from, seq: 3, state, stamp };
          });
          all.mad.tell(from, { type: 'returned', records });
        }
      };
      // Each asks for what it has not: it is told of records that it does not know.
      for (let n = 0; n < 30; n++) {
        all.mad.tellAll(HONEST, { type: 'digest', highestStamp: n, count: 1 + n, hash: n });
        all.world.settle(10_000);
      }
      assert(given > 0, 'it was not asked');
      for (const { directory, id } of all.honest) {
        assert(directory.size <= ALL_OTHERS, `${id} has ${directory.size} records after ${given}`);
      }
    });
  }

  test('gives back such records and asks for them itself: no more than 512 tombstones a day are made of them', () => {
    const all = new MadWorld({ slots: 8_192 });
    const { mac } = all.world.host('h2-1');
    let given = 0;
    all.mad.onHeard = ({ from, message }) => {
      if (message.type !== 'recall' || from !== 'vr-b') return;
      for (let part = 0; part < 20; part++) {
        const ips = Array.from({ length: 15 }, () => madeUp(2, given++));
        const [router, state, stamp] = [from, 'here', 1_767_225_600_000_000 + given] as const;
        const records = ips.map((ip): NodeRecord => ({ vnet: BLUE, ip, mac, router, seq: 3, state, stamp }));
        all.mad.tell(from, { type: 'returned', records });
        all.world.clock.after('ask', 2_000, () =>
          all.mad.tell(from, { type: 'whoHas', queryId: given, vnet: BLUE, mac: undefined, ips }),
        );
      }
    };
    for (let n = 0; n < 10; n++) {
      all.mad.tellAll(HONEST, { type: 'digest', highestStamp: n, count: 1 + n, hash: n });
      all.world.settle(10_000);
    }
    assert(given >= 2_000, `${given} were given back`);
    for (const { directory, id } of all.honest) {
      const count = directory.count('vr-b') - directory.countHere('vr-b');
      assert(count >= 512 && count <= 520, `${id} has ${count} tombstones of vr-b's`);
    }
  });

  test('gives back a flood of them at once: the questions on the LAN have a bound, and so has what is remembered', () => {
    const all = new MadWorld({ slots: 4_096 });
    const { mac } = all.world.host('h2-1');
    const [site] = all.honest;
    assert(site);
    let most = 0;
    all.mad.onHeard = ({ from, message }) => {
      if (message.type !== 'recall' || from !== site.id) return;
      for (let given = 0; given < 15_000; given += 15) {
        const records = Array.from({ length: 15 }, (_, i): NodeRecord => {
          const [ip, stamp] = [madeUp(2, given + i), 1_767_225_600_000_000 + given + i];
          return { vnet: BLUE, ip, mac, router: from, seq: 3, state: 'here', stamp };
        });
        all.mad.tell(from, { type: 'returned', records });
      }
      all.world.clock.after('look', 100, () => {
        most = Math.max(most, site.mobility.openWork().probes);
      });
    };
    all.mad.tell(site.id, { type: 'digest', highestStamp: 1, count: 1, hash: 1 });
    all.world.settle(10_000);
    assert(most > 1_000, `${most} were asked: nothing was given back`);
    assert(most <= 2_048, `${most} nodes asked at a time`);
    assert.equal(site.mobility.openWork().probes, 0);
    assert(site.directory.size <= ALL_OTHERS, `${site.directory.size} records`);
  });

  for (const [what, answer, ask] of [
    ['digests that vary', 'records', (n) => ({ type: 'digest', highestStamp: n, count: n % 7, hash: n })],
    [
      'digests that vary and explain nothing',
      'recall',
      (n) => ({ type: 'digest', highestStamp: n, count: 1 + n, hash: n }),
    ],
    ['recalls', 'returned', () => ({ type: 'recall' })],
  ] as [string, TableMessage['type'], (n: number) => TableMessage][]) {
    test(`${what}: a full answer once in 10 s`, () => {
      const all = new MadWorld();
      all.world.settle(12_000);
      const heard = heardBy(all);
      for (let n = 0; n < 500; n++) {
        all.mad.tell('vr-a', ask(n));
        all.world.settle(4);
      }
      all.world.settle(1_000);
      // All of vr-a's records, and all that it has of vr-d's, are fewer than go into three messages.
      assert(heard(answer) <= 3, `${heard(answer)} messages`);
    });
  }

  test('questions: not an answer for each', () => {
    const all = new MadWorld();
    const heard = heardBy(all);
    const { mac } = all.world.host('h1-1');
    for (let n = 0; n < 5_000; n++) {
      const ip = madeUp(1, n);
      const asksMac = n % 2 === 0;
      const what = asksMac ? { mac, ips: [] } : { mac: undefined, ips: [ip] };
      all.mad.tell('vr-a', { type: 'whoHas', queryId: n, vnet: BLUE, ...what });
      all.mad.tell('vr-a', { type: 'nodesOf', queryId: n, vnet: BLUE, prefix: Prefix.of('10.1.0.0/24') });
      if (n % 10 === 0) all.world.settle(1);
    }
    all.world.settle(5_000);
    assert(heard('has') <= 1_000, `${heard('has')} answers to whoHas`);
    assert(heard('nodes') <= 200, `${heard('nodes')} answers to nodesOf`);
  });

  test('hints where nodes are of which it was sent no packet: nobody is asked', () => {
    const all = new MadWorld();
    const asked = (): number =>
      all.honest.reduce((sum, { mobility }) => sum + (mobility.counters().mobility_queries_sent ?? 0), 0);
    const before = asked();
    for (let n = 0; n < 2_000; n++) {
      const [ip, router] = [madeUp(2, n), n % 2 === 0 ? MAD : 'vr-b'];
      all.mad.tell('vr-a', { type: 'redirect', vnet: BLUE, ip, router, seq: 5 });
      if (n % 10 === 0) all.world.settle(1);
    }
    all.world.settle(2_000);
    assert.equal(asked() - before, 0);
  });

  for (const [name, to] of [
    ['h1-1', 1],
    ['h2-1', 2],
  ] as const) {
    test(`false claims of one node (${name}): not an event, a probe or a timer for each`, () => {
      const all = new MadWorld();
      const node = all.world.host(name);
      const site = all.world.site(to);
      const probesBefore = site.mobility.counters().mobility_presence_probes ?? 0;
      const eventsBefore = site.events.length;
      for (let n = 0; n < 3_000; n++) {
        const records = node.ips.map((ip) => all.lie(ip, { seq: 2 + n }));
        const move = { vnet: BLUE, mac: node.mac, records, trigger: 'rarp' as const, sinceDetectionUs: 1 };
        all.mad.tell(site.id, { type: 'claim', claimId: n, moves: [move] });
        all.world.settle(1);
      }
      all.world.settle(1_000);
      const events = site.events.length - eventsBefore;
      assert(events <= BURST, `${events} events`);
      const probes = (site.mobility.counters().mobility_presence_probes ?? 0) - probesBefore;
      assert(probes <= BURST, `${probes} probes on the LAN`);
      for (const [timer, waiting] of site.timers) assert(waiting <= BURST, `${waiting} timers "${timer}"`);
    });
  }

  test('says again and again that a node is beaten, before it has answered: one claim of it when it has', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    const site = all.world.site(2);
    const [ip] = node.ips;
    assert(ip);
    const { seq } = all.record(ip);
    // So that its records were told to the mad router a moment ago.
    all.mad.tell(site.id, { type: 'digest', highestStamp: 0, count: 0, hash: 0 });
    all.world.settle(100);
    const frame = node.frame.bind(node);
    node.frame = () => {};
    const heard = heardBy(all);
    for (let n = 0; n < 50; n++) {
      all.mad.tell(site.id, { type: 'stale', records: [{ vnet: BLUE, ip, seq: seq + 1, router: MAD }] });
      all.world.settle(1);
    }
    node.frame = frame;
    all.world.settle(2_000);
    assert.equal(all.places(ip), 'vr-b vr-b vr-b');
    assert.deepEqual([heard('claim'), all.record(ip).seq], [1, seq + 2]);
  });

  test('names as the hosts of its network addresses of other networks: no host is told of them', () => {
    const silent = (_: string, message: TableMessage): TableMessage | undefined =>
      message.type === 'records' ? undefined : message;
    const all = new MadWorld({ passes: silent });
    const guest = all.world.host('h4-1');
    const victim = all.world.host('h2-1');
    all.mad.onHeard = ({ from, message }) => {
      if (message.type !== 'nodesOf') return;
      const ips = [...victim.ips, ...all.world.host('gw1').ips, Ip.of('198.51.100.1'), madeUp(3, 1)];
      const nodes = ips.map((ip) => ({ ip, mac: guest.mac }));
      all.mad.tell(from, { type: 'nodes', queryId: message.queryId, nodes });
    };
    const { lan } = all.world.site(2);
    const told: string[] = [];
    lan.tap = (from, bytes) => {
      const frame = decodeNeighbourFrame(bytes);
      if (from !== all.world.site(2) || typeof frame === 'string') return;
      if (frame.kind === 'arp') told.push(frame.senderIp.key);
      if (frame.kind === 'na') told.push(frame.target.key);
    };
    all.world.move(guest, all.world.site(2), 'gratuitous', 10);
    all.world.settle(5_000);
    assert(
      all.mad.heard.some(({ message }) => message.type === 'nodesOf'),
      'it was not asked',
    );
    const foreign = told.filter(
      (key) => !/^(10\.4\.|fd00:4:)/.test(key) && !guest.ips.some((ip) => ip.key === key),
    );
    assert.deepEqual([...new Set(foreign)], []);
  });
});

test('a Hello of a size that no packet has: nothing of that size is made or sent', () => {
  for (const innerMtuBytes of [0, 1, 2 ** 16, 2 ** 24, 2 ** 32 - 1]) {
    const world = new World({ routers: ['vr-a', 'vr-b'], seed: 1 });
    const description = { version: '0', capabilities: [], gndtDigest: new Uint8Array(32), innerMtuBytes };
    const a = world.start('vr-a');
    world.start('vr-b', { description });
    for (let passed = 0; passed < 20_000; passed += 50) {
      if (a.stateOf('vr-b') === 'up') a.sendPacket(1);
      world.clock.advance(50);
    }
    const longest = Math.max(...world.sent.map(({ bytes }) => bytes.length));
    assert(longest <= 65_535, `${longest} bytes for ${innerMtuBytes}`);
  }
});
