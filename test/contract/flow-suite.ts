/** What the flow memory of an engine promises (src/dataplane/flows/engine-flows.ts). */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { C } from '../../src/dataplane/counters.js';
import { FlowHarvest } from '../../src/dataplane/flows/flow-harvest.js';
import { type Mac, mac } from '../../src/net/mac.js';
import { virtualMac } from '../../src/tables/gateway.js';
import { Random } from '../fuzz/random.js';
import { ipPacket, pattern, TcpFlag, tcpPacket, udpPacket } from '../support/ip-packet.js';
import { SimClock } from '../support/sim-clock.js';
import { ADDRESSES, FlowRouter, MACS, type Outcome, type Place, VNET } from './flow-router.js';
import type { World } from './world.js';

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

const between = (family: Family, from: Place, to: Place) => ({
  source: ADDRESSES[family][from],
  destination: ADDRESSES[family][to],
});
const udp = (family: Family, from: Place, to: Place, length = 100): Uint8Array =>
  udpPacket({ ...between(family, from, to), payload: pattern(length) });

export function flowSuite(world: World): void {
  const flow = (
    name: string,
    body: (router: FlowRouter) => void | Promise<void>,
    memory: { readonly entries?: number; readonly ring?: number } = { entries: 256, ring: 16 },
  ) =>
    it(name, async (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      const router = new FlowRouter({ world, clock: new SimClock(), memory });
      try {
        await body(router);
      } finally {
        router.close();
      }
    });

  for (const family of FAMILIES) {
    flow(
      `IPv${family}: forwards what it has been told of, as it was told, without handing it up`,
      async (router) => {
        const { link } = router;
        const toRemote = (): void => router.frame(link.farMac, link.nearMac, udp(family, 'host', 'remote'));
        const toHost = (): void => router.overlay('remote', udp(family, 'remote', 'host'));
        const toClient = (): void => router.frame(link.farMac, link.nearMac, udp(family, 'host', 'client'));
        const fromClient = (): void => router.message('client', udp(family, 'client', 'host'));
        const outcomes: Outcome[] = [];
        for (let i = 0; i < 4; i++) {
          for (const send of [toRemote, toHost, toClient, fromClient]) send();
          assert.equal(router.work(), i === 0 ? 4 : 0);
          outcomes.push(await router.outcome());
        }
        const [first, ...others] = outcomes;
        assert.deepEqual(
          [first?.frames.length, first?.messages.remote.length, first?.messages.client.length],
          [2, 1, 1],
        );
        for (const other of others) assert.deepEqual(sorted(other), first && sorted(first));
        assert.equal(router.counter('flowHits'), 12);
        assert.equal(router.counter('flowMisses'), 4);
        assert.deepEqual(
          [C.to_tunnel, C.to_lan, C.to_client].map((index) => router.counters[index]),
          [4, 8, 4],
        );
      },
    );

    flow(`IPv${family}: hands up what is not plain, and what comes behind it of the same flow`, (router) => {
      const { link } = router;
      const frames = (...packets: readonly Uint8Array[]): number => {
        for (const packet of packets) router.frame(link.farMac, link.nearMac, packet);
        return router.work();
      };
      const plain = udp(family, 'host', 'remote');
      const other = udp(family, 'host', 'remote2');
      assert.equal(frames(plain, other), 2);
      assert.equal(frames(plain, other, plain), 0);
      const ways = between(family, 'host', 'remote');
      const odd: Record<string, Uint8Array> = {
        'the last hop': ipPacket({ ...ways, ttl: 1 }),
        'a SYN': tcpPacket({ ...ways, flags: TcpFlag.syn }),
        'half a TCP header': ipPacket({ ...ways, protocol: 6, payload: pattern(10) }),
        'too large': udp(family, 'host', 'remote', 1_440),
        ...(family === 4
          ? { 'IP options': withOptions(plain), 'a fragment': fragment(plain) }
          : {
              'an extension header': udpPacket({ ...ways, hopByHop: true, payload: pattern(10) }),
              'a fragment': ipPacket({ ...ways, protocol: 44, payload: pattern(40) }),
            }),
      };
      for (const [name, packet] of Object.entries(odd)) {
        assert.equal(frames(packet), 1, name);
        assert.equal(frames(plain, packet, plain, other, plain), 3, `${name}, and behind it`);
        assert.equal(frames(plain), 0, `after ${name}`);
      }
      assert.equal(frames(tcpPacket({ ...ways, payload: pattern(100) })), 0);
    });

    flow(`IPv${family}: hands up what a peer sends with fewer hops, or wrong lengths`, (router) => {
      const packet = udp(family, 'remote', 'host');
      router.overlay('remote', packet);
      assert.equal(router.work(), 1);
      for (const hops of [4, 5, 255]) {
        router.overlay('remote', packet, { hops });
        assert.equal(router.work(), 0);
      }
      router.overlay('remote', packet, { hops: 3 });
      assert.equal(router.work(), 1);
      router.overlay('remote', packet, { vnet: 2 });
      assert.equal(router.work(), 1);
      router.overlay('second', packet);
      assert.equal(router.work(), 1);
      const long = packet.slice();
      new DataView(long.buffer).setUint16(family === 4 ? 2 : 4, 1_000);
      router.overlay('remote', long);
      assert.equal(router.work(), 1);
      router.message('remote', packet);
      assert.equal(router.work(), 1, 'without overlay header');
      router.overlay('remote', packet);
      assert.equal(router.work(), 0);
    });

    flow(`IPv${family}: another MAC does not ride on what is known of a node`, async (router) => {
      const { link } = router;
      const packet = udp(family, 'pinned', 'remote');
      for (let i = 0; i < 2; i++) router.frame(MACS.pinned, link.nearMac, packet);
      router.work();
      router.frame(MACS.pinned, link.nearMac, packet);
      assert.equal(router.work(), 0);
      await router.outcome();
      // One that differs in the last bytes, and one in the first.
      for (const stranger of [MACS.stranger, mac('52:54:00:00:00:21')]) {
        router.frame(stranger, link.nearMac, packet);
        assert.equal(router.work(), 1);
      }
      assert.equal(router.counters[C.drop_source_unauthorised], 2);
      assert.deepEqual((await router.outcome()).messages.remote, []);
      // Nor does another MAC of ours: to whom a frame was sent decides what becomes of it.
      router.frame(MACS.pinned, virtualMac(42, family), packet);
      assert.equal(router.work(), 1);
    });
  }

  flow('counts the packets of each entry, and those of none', (router) => {
    const { link } = router;
    const packet = udp(4, 'host', 'remote');
    for (let i = 0; i < 10; i++) {
      router.frame(link.farMac, link.nearMac, packet);
      router.work();
    }
    router.frame(
      link.farMac,
      link.nearMac,
      tcpPacket({ ...between(4, 'host', 'remote'), flags: TcpFlag.syn }),
    );
    router.work();
    const [entry] = entriesOf(router.memories?.lan);
    assert.deepEqual([entry?.packets, entry?.bytes], [11n, BigInt(10 * packet.length + 52)]);
  });

  for (const family of FAMILIES) {
    flow(`IPv${family}: counts also what it is not told to keep, and leaves it to TypeScript`, (router) => {
      const { link } = router;
      const syn = tcpPacket({ ...between(family, 'host', 'remote'), flags: TcpFlag.syn });
      const harvest = harvestOf(router.memories?.lan);
      for (let i = 0; i < 3; i++) {
        router.frame(link.farMac, link.nearMac, syn);
        assert.equal(router.work(), 1);
      }
      assert.deepEqual(harvest(), [{ to: router.remote.a.peer, packets: 3, bytes: 3 * syn.length }]);
      const returned = udp(family, 'remote', 'host');
      router.overlay('remote', returned, { hops: 3 });
      assert.equal(router.work(), 1);
      const fromTunnel = harvestOf(router.memories?.tunnel)();
      assert.deepEqual(fromTunnel, [{ to: link.near.index, packets: 1, bytes: returned.length }]);
    });

    flow(`IPv${family}: counts what was held once it is sent`, (router) => {
      const packet = udp(family, 'remote', 'unknown');
      const harvest = harvestOf(router.memories?.tunnel);
      router.overlay('remote', packet);
      router.work();
      assert.deepEqual(harvest(), []);
      router.set(family, 'unknown', {});
      router.work();
      assert.deepEqual(harvest(), [{ to: router.link.near.index, packets: 1, bytes: packet.length }]);
    });

    flow(`IPv${family}: counts apart what goes another way`, (router) => {
      const { link } = router;
      const packet = udp(family, 'host', 'remote');
      const harvest = harvestOf(router.memories?.lan);
      const send = (times: number): void => {
        for (let i = 0; i < times; i++) {
          router.frame(link.farMac, link.nearMac, packet);
          router.work();
        }
      };
      send(3);
      router.sitePeers.setActive(router.remote.a.peer, router.second.a.peer);
      send(2);
      assert.deepEqual(
        harvest().sort((a, b) => a.packets - b.packets),
        [
          { to: router.second.a.peer, packets: 2, bytes: 2 * packet.length },
          { to: router.remote.a.peer, packets: 3, bytes: 3 * packet.length },
        ],
      );
    });
  }

  flow('goes on by itself, and comes back to be stopped or when it is woken', (router) => {
    const before = router.turns[0] ?? 0;
    router.frame(router.link.farMac, router.link.nearMac, udp(4, 'host', 'remote'));
    assert.equal(router.work(), 1);
    router.frame(router.link.farMac, router.link.nearMac, udp(4, 'host', 'remote'));
    router.stop[0] = 1;
    assert.equal(router.lan.engine.receive(10_000), 0);
    assert.equal(router.counter('flowHits'), 1);
    router.stop[0] = 0;
    world.addon.wake(router.lan.wakeupFd);
    assert.equal(router.lan.engine.receive(10_000), 0);
    assert.ok((router.turns[0] ?? 0) > before);
  });

  flow(
    'gives the place of an entry to another one, and its counts on',
    (router) => {
      const { link } = router;
      const places = ['remote', 'remote2', 'client', 'visiting'] as const;
      for (let round = 0; round < 3; round++) {
        for (const place of places) {
          for (let i = 0; i < 5; i++) {
            router.frame(link.farMac, link.nearMac, udp(4, 'host', place));
            router.work();
          }
        }
      }
      assert.equal(router.counter('flowsReplaced'), 10);
      const words = new BigUint64Array(router.memories?.lan ?? new SharedArrayBuffer(0));
      const inEntries = entriesOf(router.memories?.lan).reduce((sum, { packets }) => sum + packets, 0n);
      const inRing = 4n * 5n;
      // The ring had room for four; six entries' counts are nobody's.
      assert.equal(inEntries, 10n);
      assert.equal((words[4] ?? 0n) + inEntries + inRing, 60n);
    },
    { entries: 2, ring: 4 },
  );

  /** What a decision depends on, changed; the packet after it is decided anew, and differently. */
  const changes: Record<string, (router: FlowRouter) => void> = {
    'a route': (router) => router.set(4, 'host', { mac: MACS.stranger }),
    'the role on a LAN': (router) => router.roles.set(router.link.near.index, 'standby'),
    'the MTU of a peer': (router) => {
      router.peerMtu[router.remote.a.peer] = 600;
      router.table.touch();
    },
    'the active router of a site': (router) =>
      router.sitePeers.setActive(router.remote.a.peer, router.second.a.peer),
    'the site of a router': (router) => router.sitePeers.setSite(router.remote.a.peer, 77),
    'MACs elsewhere': (router) => void router.macs.add(VNET, MACS.elsewhere),
    'the machines that are watched': (router) => router.activityMacs.delete(VNET, router.link.farMac),
  };
  for (const [name, change] of Object.entries(changes)) {
    flow(`decides anew when something changes: ${name}`, (router) => {
      const { link } = router;
      const send = (): number => {
        router.frame(link.farMac, link.nearMac, udp(4, 'host', 'remote'));
        router.overlay('remote', udp(4, 'remote', 'host'));
        return router.work();
      };
      assert.equal(send(), 2);
      assert.equal(send(), 0);
      change(router);
      assert.equal(send(), 2);
      assert.equal(router.counter('flowStale'), 2);
    });
  }

  for (const seed of [1, 2, 3])
    it(`does with random packets what is done without it (seed ${seed})`, async (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      await compare(world, seed, 700);
    });
}

/** The same packets and changes for a router with a flow memory and for one without: what leaves and what is counted is the same. */
async function compare(world: World, seed: number, steps: number): Promise<void> {
  const random = new Random(seed);
  const clock = new SimClock();
  const routers = [
    new FlowRouter({ world, clock, memory: { entries: 16, ring: 4 } }),
    new FlowRouter({ world, clock }),
  ] as const;
  const senders = Array.from({ length: 8 }, () => sender(random));
  try {
    for (let step = 0; step < steps; step++) {
      // Nothing that is limited by rate is limited here.
      await clock.advance(10_000);
      const story: string[] = [];
      if (random.chance(5)) {
        const change = random.pick(CHANGES)(random);
        story.push('change');
        for (const router of routers) change(router);
      }
      for (let packets = random.below(5); packets >= 0; packets--) {
        const send = random.chance(93) ? random.pick(senders) : sender(random);
        const put = send(random, packets);
        for (const router of routers) put(router);
      }
      for (const router of routers) router.work();
      const [withMemory, without] = [await routers[0].outcome(), await routers[1].outcome()];
      const where = `seed ${seed}, step ${step} ${story.join()}`;
      assert.deepEqual(sorted(withMemory), sorted(without), where);
      assert.deepEqual(routers[0].books(), routers[1].books(), where);
      assert.deepEqual(routers[0].punts.map(kindOf).sort(), routers[1].punts.map(kindOf).sort(), where);
    }
    const [hits, misses] = [routers[0].counter('flowHits'), routers[0].counter('flowMisses')];
    assert.ok(hits > (hits + misses) / 5, `${hits} known, ${misses} not`);
    assert.ok(routers[0].counter('flowStale') > 0 && routers[0].counter('flowsReplaced') > 0);
  } finally {
    for (const router of routers) router.close();
  }
}

const kindOf = ({ type }: { readonly type: string }): string => type;

/** In no order: between flows there is none, and lengths tell a flow's packets apart. */
function sorted({ frames, messages }: Outcome): unknown {
  return [frames, messages.remote, messages.second, messages.client].map((all) => [...all].sort());
}

type Put = (router: FlowRouter) => void;

const CHANGES: readonly ((random: Random) => Put)[] = [
  (random) => {
    const role = random.pick(['active', 'active', 'draining', 'standby'] as const);
    return (router) => router.roles.set(router.link.near.index, role);
  },
  (random) => {
    const [mtu, to] = [
      random.pick([1_400, 1_300, 600]),
      random.pick(['remote', 'client', 'second'] as const),
    ];
    return (router) => {
      router.peerMtu[router[to].a.peer] = mtu;
      router.table.touch();
    };
  },
  (random) => {
    const active = random.pick(['remote', 'second'] as const);
    return (router) => router.sitePeers.setActive(router.remote.a.peer, router[active].a.peer);
  },
  (random) => {
    const [family, place] = [random.pick(FAMILIES), random.pick(['host', 'pinned', 'unknown'] as const)];
    const [mac, peer] = [random.pick(Object.values(MACS)), random.below(8) - 1];
    return (router) => router.set(family, place, { mac, peer });
  },
  (random) => {
    const family = random.pick(FAMILIES);
    return (router) => router.set(family, 'host', { peer: 3 });
  },
  (random) => {
    const isElsewhere = random.chance(50);
    return (router) => {
      if (isElsewhere) router.macs.add(VNET, MACS.elsewhere);
      else router.macs.delete(VNET, MACS.elsewhere);
    };
  },
  (random) => {
    const [of, value] = [random.pick(Object.values(MACS)), 1 + random.below(10)];
    return (router) => void router.activityMacs.add(VNET, of, value);
  },
];

/** One flow, most of whose packets are ordinary. */
function sender(random: Random): (random: Random, number: number) => Put {
  const family = random.pick(FAMILIES);
  const kind = random.pick(['frame', 'frame', 'overlay', 'overlay', 'client'] as const);
  const here = ['host', 'host', 'pinned', 'visiting', 'unauthorised', 'unknown', 'gateway'] as const;
  const there = [
    'remote',
    'remote',
    'remote2',
    'client',
    'departed',
    'outside',
    'group',
    'linkLocal',
  ] as const;
  const isSound = random.chance(70);
  const local = isSound ? random.pick(['host', 'pinned', 'visiting'] as const) : random.pick(here);
  const away = isSound
    ? random.pick(['remote', 'remote2', 'client'] as const)
    : random.pick([...here, ...there] as const);
  const [from, to] =
    kind === 'overlay'
      ? [away, local]
      : kind === 'client'
        ? (['client', random.pick([local, away])] as const)
        : [local, away];
  const macOf: Partial<Record<Place, Mac>> = { pinned: MACS.pinned, gateway: MACS.gateway };
  const usual = macOf[from] ?? mac('02:00:00:00:00:0b');
  const source = isSound ? usual : random.pick(Object.values(MACS));
  const target = isSound
    ? random.pick(['own', 'virtual'] as const)
    : random.pick(['own', 'elsewhere'] as const);
  const router = isSound ? 'remote' : random.pick(['remote', 'second'] as const);
  return (dice, number) => {
    const packet = packetOf(dice, family, from, to, number);
    const [hops, vnet] = [dice.chance(90) ? 4 : dice.below(6), dice.chance(95) ? VNET : dice.below(4)];
    return (at) => {
      if (kind === 'client') at.message('client', packet);
      else if (kind === 'overlay') at.overlay(router, packet, { hops, vnet });
      else {
        const own = target === 'own' ? at.link.nearMac : virtualMac(42, family);
        at.frame(source, target === 'elsewhere' ? MACS.elsewhere : own, packet);
      }
    };
  };
}

/** Each of a batch longer than the one before, so that none are put together on their way to a LAN. */
function packetOf(dice: Random, family: Family, from: Place, to: Place, number: number): Uint8Array {
  const ways = between(family, from, to);
  const payload = pattern(40 + 16 * (8 - number) + dice.below(8));
  const isLarge = dice.chance(8);
  const packet = dice.pick([
    () => udpPacket({ ...ways, payload: isLarge ? pattern(600 + dice.below(860)) : payload }),
    () => tcpPacket({ ...ways, payload, sequence: dice.word() >>> 0 }),
    () => tcpPacket({ ...ways, payload, flags: dice.pick([TcpFlag.syn, TcpFlag.fin, TcpFlag.psh]) }),
    () => ipPacket({ ...ways, protocol: dice.pick([1, 47, 58, 132, 0, 44, 60, 99]), payload }),
  ])();
  if (dice.chance(10)) packet[family === 4 ? 8 : 7] = dice.below(3);
  if (family === 4 && dice.chance(10)) packet[6] = dice.pick([0, 0x20, 0x40, 0x60]);
  if (dice.chance(8))
    for (let i = dice.below(3); i >= 0; i--) packet[dice.below(family === 4 ? 40 : 60)] = dice.word();
  return dice.chance(4) ? packet.subarray(0, 1 + dice.below(packet.length)) : packet;
}

function withOptions(packet: Uint8Array): Uint8Array {
  const longer = Buffer.concat([packet.subarray(0, 20), Buffer.from([1, 1, 1, 0]), packet.subarray(20)]);
  longer[0] = 0x46;
  longer.writeUInt16BE(longer.length, 2);
  return longer;
}

function fragment(packet: Uint8Array): Uint8Array {
  const first = packet.slice();
  first[6] = 0x20;
  return first;
}

/** What each has had since the last time. */
function harvestOf(memory = new SharedArrayBuffer(0)) {
  const harvest = new FlowHarvest(memory);
  return () => {
    const all: { to: number; packets: number; bytes: number }[] = [];
    harvest.harvest(({ to }, { packets, bytes }) => all.push({ to, packets, bytes }));
    return all;
  };
}

interface Counted {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** Of the entries in use. */
function entriesOf(memory = new SharedArrayBuffer(0)): Counted[] {
  const words = new Int32Array(memory);
  const wide = new BigUint64Array(memory);
  return Array.from({ length: words[1] ?? 0 }, (_, i) => 64 + 32 * i).flatMap((at) =>
    words[at + 1] === 0 ? [] : [{ packets: wide[at / 2 + 14] ?? 0n, bytes: wide[at / 2 + 15] ?? 0n }],
  );
}
