/** What comes out of a session: overlay headers, relay headers, bare packets of clients. The worker's own decisions. */
import assert from 'node:assert/strict';
import { C } from '../../../src/dataplane/counters.js';
import { RelayTable } from '../../../src/dataplane/forward/relay-table.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { clientMac } from '../../../src/tables/clients.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { ipPacket } from '../../support/ip-packet.js';
import { lansOf } from '../../support/lans.js';
import { networkOf, PacketWorker, routerOf } from '../../support/packet-worker.js';
import { SimClock } from '../../support/sim-clock.js';
import { joined, mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/** This router is vr-a; vr-c is a relay. Peer 3 is a WireGuard client, peer 4 nobody. */
const [A, B, RELAY, CLIENT, NOBODY] = [0, 1, 2, 3, 4];
const ROUTERS = ['vr-a', 'vr-b', 'vr-c'];
/** Engine slots are longer; a longer packet comes in no datagram. */
const LONGEST = 3_000;
const HEADROOM = 64;
const HOST_MAC = mac('52:54:00:00:01:11');
const CLIENT_KEY = new Uint8Array(32).fill(1);
const ADDRESSES = [
  [
    '10.1.0.11',
    '10.1.0.254',
    '10.1.0.201',
    '10.1.0.1',
    '10.1.0.77',
    '10.2.0.11',
    '10.3.0.11',
    '198.51.100.10',
    '224.0.0.5',
    '0.0.0.0',
  ],
  [
    'fd00:1::11',
    'fd00:1::fe',
    'fd00:1::1',
    'fd00:1::77',
    'fd00:2::11',
    'fd00:3::11',
    '2001:db8::10',
    'ff02::5',
    'fe80::1',
    '::',
  ],
];
const OF_B = ['10.2.0.11', 'fd00:2::11'];

class Bench extends PacketWorker {
  relayTag(peer: number): Uint8Array {
    return Uint8Array.of(peer, 1, 2, 3, 4, 5, 6, 7);
  }

  constructor(self: number) {
    const clock = new SimClock();
    const config = {
      vnets: [{ name: 'blue', id: 1, subnet: undefined }],
      routers: ROUTERS.map(routerOf),
      networks: [
        networkOf('10.1.0.0/24', 'vr-a', '10.1.0.254'),
        networkOf('fd00:1::/64', 'vr-a', 'fd00:1::fe'),
        networkOf('10.2.0.0/24', 'vr-b'),
        networkOf('fd00:2::/64', 'vr-b'),
        networkOf('10.3.0.0/24', 'vr-c'),
        networkOf('fd00:3::/64', 'vr-c'),
      ],
      cipher: 'chacha20-poly1305' as const,
      nodes: [{ vnet: 1, ip: Ip.of('10.1.0.201'), publicKey: CLIENT_KEY, via: 'vr-a' }],
    };
    const gndt = new Gndt(config, 'vr-a');
    const directory = new Directory('vr-a', clock);
    const hwdt = new Hwdt(clock);
    const listed = ['10.1.0.0/24', 'fd00:1::/64'].map((prefix) => ({
      vnet: 1,
      prefix: Prefix.of(prefix),
      mac: undefined,
    }));
    const lndt = new Lndt(listed, gndt, directory);
    const table = ForwardingTable.create();
    const lans = lansOf([{ index: 0, vnet: 1, addresses: [Ip.of('10.1.0.1'), Ip.of('fd00:1::1')] }]);
    new ForwardingCompiler({ clock, gndt, lndt, hwdt, directory, table, lans }).rebuild();
    for (const host of ['10.1.0.11', 'fd00:1::11', '10.1.0.254', 'fd00:1::fe']) {
      hwdt.learn(0, 1, HOST_MAC, Ip.of(host), 'arp-request');
      directory.originate(1, Ip.of(host), HOST_MAC, 1);
    }
    directory.originate(1, Ip.of('10.1.0.201'), clientMac(CLIENT_KEY), 1);
    const relays = RelayTable.create(8);
    relays.set(
      [A, B, RELAY].map((peer) => ({
        peer,
        tag: Uint8Array.of(peer, 1, 2, 3, 4, 5, 6, 7),
        isRelay: peer === RELAY,
      })),
    );
    const clientVnets = new Int32Array(new SharedArrayBuffer(64));
    clientVnets[CLIENT] = 1;
    super({
      clock,
      self,
      mac: mac('02:00:00:00:01:01'),
      mtuBytes: 1_420,
      given: {
        table: table.memory,
        relays: relays.memory,
        clientVnets: clientVnets.buffer as SharedArrayBuffer,
      },
    });
  }

  /**
   * Takes a payload in, and tells what became of it; throws when that is nothing, or more than there was.
   * @param room bytes that were received
   */
  take(peer: number, payload: Uint8Array, room = payload.length): string {
    const before = Float64Array.from(this.counters);
    // Time passes: budgets fill again.
    this.clock.advance(1);
    this.message(peer, payload);
    const names = Object.entries(C).flatMap(([name, at]) => (this.counters[at] === before[at] ? [] : [name]));
    const posted = this.posted.splice(0).map(({ type }) => `posted ${type}`);
    const [sent] = this.engine.sent;
    if (sent !== undefined) this.#assertInside(room);
    const trace = [...names, ...posted, ...(sent === undefined ? [] : [sent.kind])];
    assert.ok(trace.length > 0 || payload.length === 0, 'gone without a trace');
    return sent === undefined ? trace.join(', ') || 'empty' : `sent ${sent.kind}`;
  }

  /** Never a byte of another packet. */
  #assertInside(length: number): void {
    const { descriptors } = this.engine;
    const [offset, stated] = [descriptors[0] ?? 0, descriptors[1] ?? 0];
    assert.ok(
      offset >= HEADROOM && stated >= 0 && offset + stated <= HEADROOM + length,
      `sends ${stated} bytes at ${offset} of ${length}`,
    );
  }
}

/** Packets between the addresses that mean something here; rarely whole, rarely true. */
function packet(random: Random): {
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
  readonly source: string;
} {
  const family = random.pick(ADDRESSES);
  const [source, destination] = [random.pick(family), random.pick(family)];
  const payload = random.bytes(random.chance(90) ? random.below(80) : random.below(1_400));
  const whole = ipPacket({
    source,
    destination,
    ttl: random.pick([64, 1, 0, 2, 255]),
    protocol: random.pick([17, 6, 1, 58]),
    payload,
  });
  const isWhole = random.chance(50);
  const bytes = isWhole
    ? joined(whole, new Uint8Array(random.below(16)))
    : mutated(whole, random).subarray(0, LONGEST);
  return { bytes, isWhole, source };
}

function overlayHeader(random: Random): Uint8Array {
  if (random.chance(10)) return random.bytes(random.below(6));
  const vnet = random.chance(85) ? 1 : random.below(65_536);
  return Uint8Array.of(
    random.chance(95) ? 0x10 : random.word(),
    random.pick([4, 4, 3, 1, 0, 255]),
    vnet >>> 8,
    vnet & 0xff,
  );
}

class Overlay {
  readonly #bench = new Bench(A);

  work(random: Random): string {
    const inside = packet(random);
    const header = overlayHeader(random);
    const from = random.pick([B, B, RELAY, NOBODY]);
    const outcome = this.#bench.take(from, joined(header, inside.bytes));
    const isOverlay = header.length === 4 && header[0] === 0x10;
    // With all hops left it has come from where it began: the source must be that site's.
    if (inside.isWhole && isOverlay && header[1] === 4 && outcome.startsWith('sent')) {
      assert.equal(
        from,
        OF_B.includes(inside.source) ? B : RELAY,
        `${inside.source} from peer ${from}: ${outcome}`,
      );
      assert.ok(
        [...OF_B, '10.3.0.11', 'fd00:3::11'].includes(inside.source),
        `${inside.source} from peer ${from}`,
      );
    }
    return outcome;
  }
}

class Relays {
  readonly #relay = new Bench(RELAY);
  readonly #end = new Bench(A);

  work(random: Random): string {
    const bench = random.pick([this.#relay, this.#end]);
    // Nobody is his own peer.
    const from = random.pick([A, B, RELAY, NOBODY].filter((peer) => peer !== bench.self));
    const to = random.chance(90) ? random.pick([A, B, RELAY]) : random.below(6);
    const direction = random.pick([0, 0, 0, 1, 1, 1, 2, 255]);
    const tag = random.chance(95) ? bench.relayTag(to) : random.bytes(8);
    const type = random.pick([1, 2, 3, 4, 4, 4, 4, 0, 5]);
    const message = random.bytes(random.pick([148, 92, 64, 32, 31, 33, 0, 500, 1_200, LONGEST]));
    message.set([type, 0, 0, 0].slice(0, message.length));
    const whole = joined(Uint8Array.of(0x30, direction, 0, 0), tag, message);
    const payload = random.chance(70) ? whole : mutated(whole, random).subarray(0, LONGEST + 40);
    const inside = packet(random);
    const opens = random.chance(50);
    bench.engine.relayed = opens
      ? {
          peer: random.pick([to, A, B, RELAY]),
          payload: random.chance(20) ? whole.subarray(0, 900) : joined(overlayHeader(random), inside.bytes),
        }
      : undefined;
    const given = Uint8Array.from(payload);
    // What a relayed message opens to may be longer here than the message was.
    const room = Math.max(payload.length, bench.engine.relayed?.payload.length ?? 0);
    const outcome = bench.take(from, payload, room);
    this.#assertPassedOn(bench, from, given);
    return outcome;
  }

  /** What is passed on is what came, to whom it said, from whom it came; and only a relay does it. */
  #assertPassedOn(bench: Bench, from: number, payload: Uint8Array): void {
    const [sent] = bench.engine.sent;
    if (sent?.kind !== 'message') return;
    assert.ok(bench === this.#relay && payload[1] === 0 && [A, B].includes(from), 'passed on');
    assert.ok(
      sent.peer !== from && [A, B].includes(sent.peer) && payload[4] === sent.peer,
      'passed on to another',
    );
    assert.deepEqual([...sent.packet.subarray(0, 2)], [0x30, 1]);
    assert.deepEqual([...sent.packet.subarray(4, 12)], [...bench.relayTag(from)]);
    assert.deepEqual([...sent.packet.subarray(12)], [...payload.subarray(12)]);
  }
}

class Clients {
  readonly #bench = new Bench(A);

  work(random: Random): string {
    const inside = packet(random);
    const payload = random.chance(90) ? inside.bytes : joined(overlayHeader(random), inside.bytes);
    const outcome = this.#bench.take(CLIENT, payload);
    if (inside.isWhole && payload === inside.bytes && outcome.startsWith('sent'))
      assert.equal(inside.source, '10.1.0.201', 'a client sends from another address than its own');
    return outcome;
  }
}

function target(
  name: string,
  make: () => { work(random: Random): string },
  outcomes: readonly string[],
): Target {
  return {
    name,
    outcomes,
    open: () => {
      const state = make();
      return (random) => state.work(random);
    },
  };
}

export const overlay = target('overlay', () => new Overlay(), [
  'sent lan',
  'drop_malformed',
  'drop_unknown_vnet',
  'drop_source_not_peers',
  'drop_group_destination',
  'drop_payload_unknown',
]);
export const relay = target('relay', () => new Relays(), [
  'sent message',
  'drop_relay_malformed',
  'drop_relay_refused',
]);
export const clients = target('clients', () => new Clients(), [
  'sent lan',
  'sent tunnel',
  'drop_malformed',
  'drop_source_not_peers',
]);
