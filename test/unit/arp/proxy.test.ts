/**
 * The network of these tests: vr-a (this router) is home of 10.1.0.0/24 and fd01::/64, vr-b of 10.2.0.0/24 and
 * fd02::/64. In vnet 1 nothing is shared; vnet 2 has the large subnets 10.0.0.0/8 and fd00::/8.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probe } from '../../../src/arp/announce.js';
import { type ArpPacket, decodeNeighbourFrame, type NeighbourFrame } from '../../../src/arp/frame.js';
import { linkLocalOf } from '../../../src/arp/ipv6.js';
import { type ProxyView, shouldAnswer } from '../../../src/arp/proxy.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, type Mac, mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { NetworkConfig, NodeRecord, WireguardClient } from '../../../src/tables/model.js';

const ASKER = mac('02:00:00:00:00:02');
const CLASSIC = 1;
const LARGE_V4 = 2;
const LARGE_V6 = 3;

interface Node {
  readonly ip: string;
  readonly router: string;
  readonly mac?: Mac;
  /** LAN of the HWDT's binding; undefined = no binding. */
  readonly lan?: number;
  readonly state?: 'withdrawn';
}

/** The last byte's worth of MAC, so that each address has its own. */
function macOf(ip: string): Mac {
  return mac(`02:00:00:00:00:${ip.slice(-1).padStart(2, '0')}`);
}

const NETWORKS: readonly (readonly [string, string, string])[] = [
  ['10.1.0.0/24', 'vr-a', '10.1.0.254'],
  ['10.2.0.0/24', 'vr-b', '10.2.0.254'],
  ['fd01::/64', 'vr-a', 'fd01::fe'],
  ['fd02::/64', 'vr-b', 'fd02::fe'],
];

/** Native to vr-a's network, and on no LAN. */
const clients = ['10.1.0.5', 'fd01::5'].map(
  (ip): WireguardClient => ({ vnet: CLASSIC, ip: Ip.of(ip), publicKey: new Uint8Array(32), via: 'vr-a' }),
);

function viewOf(nodes: readonly Node[], unauthorised: readonly string[]): ProxyView {
  const records = nodes.map(
    (node): NodeRecord => ({
      vnet: CLASSIC,
      ip: Ip.of(node.ip),
      mac: node.mac ?? macOf(node.ip),
      router: node.router,
      seq: 1,
      state: node.state ?? 'here',
      stamp: 1,
    }),
  );
  const networks = NETWORKS.map(
    ([prefix, router, gateway]): NetworkConfig => ({
      vnet: CLASSIC,
      prefix: Prefix.of(prefix),
      router,
      gateway: Ip.of(gateway),
      allow: undefined,
    }),
  );
  const subnets = new Map([
    [LARGE_V4, Prefix.of('10.0.0.0/8')],
    [LARGE_V6, Prefix.of('fd00::/8')],
  ]);
  return {
    gndt: {
      self: 'vr-a',
      vnet: (id) => ({ name: `vnet${id}`, id, subnet: subnets.get(id) }),
      networkOf: (_vnet, ip) => networks.find((network) => network.prefix.contains(ip)),
      clientAt: (_vnet, ip) => clients.find((client) => client.ip.equals(ip)),
    },
    directory: {
      here: (_vnet, ip) => records.find((record) => record.state === 'here' && record.ip.equals(ip)),
      byMac: (_vnet, at) => records.filter((record) => record.state === 'here' && record.mac === at),
    },
    lndt: { authorises: (_vnet, ip) => !unauthorised.includes(ip.key) },
    hwdt: {
      get: (_vnet, ip) => {
        const lan = nodes.find((node) => node.ip === ip.key)?.lan;
        return lan === undefined ? undefined : { lan };
      },
    },
  };
}

function ask(target: string, asker: string, from: Mac = ASKER): NeighbourFrame {
  const frame = decodeNeighbourFrame(probe(Ip.of(target), from, BROADCAST_MAC, Ip.of(asker)));
  assert.ok(typeof frame !== 'string');
  return frame;
}

interface Case {
  readonly what: string;
  readonly asker: string;
  readonly target: string;
  readonly nodes?: readonly Node[];
  readonly unauthorised?: readonly string[];
  readonly from?: Mac;
  /** Single-large-subnet mode. */
  readonly large?: boolean;
  readonly expected: boolean;
}

const AWAY: Node = { ip: '10.1.0.9', router: 'vr-b' };
const VISITOR: Node = { ip: '10.2.0.9', router: 'vr-a', lan: 0 };

/** Each case once more in IPv6: 10.1.0.x is fd01::x, 10.2.0.x is fd02::x. */
const CASES: readonly Case[] = [
  // The target is native here.
  {
    what: 'a native node that is away',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [AWAY],
    expected: true,
  },
  {
    what: 'a native node that is away, its old binding not yet forgotten',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [{ ...AWAY, lan: 0 }],
    expected: true,
  },
  {
    what: 'a native node that is here',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [{ ip: '10.1.0.9', router: 'vr-a', lan: 0 }],
    expected: false,
  },
  {
    what: 'a native node that is here, without a binding yet',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [{ ip: '10.1.0.9', router: 'vr-a' }],
    expected: false,
  },
  {
    what: 'a WireGuard client of this router with a native address',
    asker: '10.1.0.2',
    target: '10.1.0.5',
    nodes: [{ ip: '10.1.0.5', router: 'vr-a' }],
    expected: true,
  },
  {
    what: 'a WireGuard client with a native address whose record has not been made',
    asker: '10.1.0.2',
    target: '10.1.0.5',
    expected: true,
  },
  { what: 'a native address that nobody has', asker: '10.1.0.2', target: '10.1.0.9', expected: false },
  {
    what: 'a native node that was withdrawn at the other VR',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [{ ...AWAY, state: 'withdrawn' }],
    expected: false,
  },
  {
    what: 'an asker that is not authorised',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [AWAY],
    unauthorised: ['10.1.0.2', 'fd01::2'],
    expected: false,
  },
  {
    what: "the network's gateway, authorised or not",
    asker: '10.1.0.254',
    target: '10.1.0.9',
    nodes: [AWAY],
    unauthorised: ['10.1.0.254', 'fd01::fe'],
    expected: true,
  },
  {
    what: "another network's gateway is nobody special",
    asker: '10.2.0.254',
    target: '10.1.0.9',
    nodes: [AWAY],
    unauthorised: ['10.2.0.254', 'fd02::fe'],
    expected: false,
  },
  // Itself.
  {
    what: 'the node itself, moved away a moment ago',
    asker: '10.1.0.3',
    target: '10.1.0.9',
    nodes: [AWAY],
    from: macOf('10.1.0.9'),
    expected: false,
  },
  // The gateway machine's own.
  {
    what: "the gateway machine's own address, also when the directory errs",
    asker: '10.1.0.2',
    target: '10.1.0.1',
    nodes: [{ ip: '10.1.0.1', router: 'vr-b' }],
    expected: false,
  },
  // A visitor asks.
  {
    what: 'a visitor asks for its home gateway',
    asker: '10.2.0.9',
    target: '10.2.0.254',
    nodes: [VISITOR],
    expected: true,
  },
  {
    what: 'a visitor asks for a host at home that nobody knows',
    asker: '10.2.0.9',
    target: '10.2.0.7',
    nodes: [VISITOR],
    expected: true,
  },
  {
    what: 'a visitor asks for another visitor of its home network on this LAN',
    asker: '10.2.0.9',
    target: '10.2.0.8',
    nodes: [VISITOR, { ip: '10.2.0.8', router: 'vr-a', lan: 0 }],
    expected: false,
  },
  {
    what: "a visitor asks for another visitor on this router's other LAN",
    asker: '10.2.0.9',
    target: '10.2.0.8',
    nodes: [VISITOR, { ip: '10.2.0.8', router: 'vr-a', lan: 1 }],
    expected: true,
  },
  {
    what: 'a visitor asks for a host of its home network at a third VR',
    asker: '10.2.0.9',
    target: '10.2.0.8',
    nodes: [VISITOR, { ip: '10.2.0.8', router: 'vr-c' }],
    expected: true,
  },
  {
    what: 'a visitor asks for a native node of this LAN',
    asker: '10.2.0.9',
    target: '10.1.0.9',
    nodes: [VISITOR, { ip: '10.1.0.9', router: 'vr-a', lan: 0 }],
    expected: false,
  },
  {
    what: 'a foreign asker that the directory does not have here',
    asker: '10.2.0.9',
    target: '10.2.0.254',
    nodes: [{ ip: '10.2.0.9', router: 'vr-b' }],
    expected: false,
  },
  {
    what: 'a native asks for a host of another network in classic mode',
    asker: '10.1.0.2',
    target: '10.2.0.7',
    nodes: [{ ip: '10.2.0.7', router: 'vr-b' }],
    expected: false,
  },
  // One large subnet.
  {
    what: 'large subnet: a host of another network',
    asker: '10.1.0.2',
    target: '10.2.0.7',
    nodes: [{ ip: '10.2.0.7', router: 'vr-b' }],
    large: true,
    expected: true,
  },
  {
    what: 'large subnet: an unknown host of another network',
    asker: '10.1.0.2',
    target: '10.2.0.7',
    large: true,
    expected: true,
  },
  {
    what: 'large subnet: a host of another network that is visiting here',
    asker: '10.1.0.2',
    target: '10.2.0.9',
    nodes: [VISITOR],
    large: true,
    expected: false,
  },
  {
    what: 'large subnet: an unknown native address',
    asker: '10.1.0.2',
    target: '10.1.0.7',
    large: true,
    expected: false,
  },
  {
    what: 'large subnet: a native node that is away',
    asker: '10.1.0.2',
    target: '10.1.0.9',
    nodes: [AWAY],
    large: true,
    expected: true,
  },
  {
    what: 'large subnet: an asker that is not authorised',
    asker: '10.1.0.2',
    target: '10.2.0.7',
    unauthorised: ['10.1.0.2', 'fd01::2'],
    large: true,
    expected: false,
  },
  {
    what: 'large subnet: in no network',
    asker: '10.1.0.2',
    target: '10.3.0.7',
    large: true,
    expected: false,
  },
];

function toV6(ip: string): string {
  const octets = ip.split('.').map(Number);
  return `fd0${octets[1]}::${octets[3]?.toString(16)}`;
}

function lanOf(vnet: number) {
  return { index: 0, vnet, addresses: [Ip.of('10.1.0.1'), Ip.of('fd01::1'), Ip.of('fe80::1')] };
}

for (const family of [4, 6] as const) {
  const at = (ip: string): string => (family === 4 ? ip : toV6(ip));
  for (const { what, asker, target, nodes = [], unauthorised = [], from, large, expected } of CASES) {
    test(`IPv${family}: ${what} → ${expected ? 'answers' : 'silent'}`, () => {
      const view = viewOf(
        nodes.map((node) => ({ ...node, ip: at(node.ip), mac: node.mac ?? macOf(node.ip) })),
        unauthorised,
      );
      const largeVnet = family === 4 ? LARGE_V4 : LARGE_V6;
      const frame = ask(at(target), at(asker), from);
      assert.equal(shouldAnswer(frame, lanOf(large === true ? largeVnet : CLASSIC), view), expected);
    });
  }
}

/** A view that would answer anything asked for 10.1.0.9 and fd01::9, both away. */
const WILLING = viewOf([AWAY, { ip: 'fd01::9', router: 'vr-b' }], []);
const LAN = lanOf(CLASSIC);

test('a question that differs from those below only in being one is answered', () => {
  assert.ok(shouldAnswer(ask('10.1.0.9', '10.1.0.2'), LAN, WILLING));
  assert.ok(shouldAnswer(ask('fd01::9', 'fd01::2'), LAN, WILLING));
});

function arp(change: Partial<ArpPacket>): ArpPacket {
  const frame = ask('10.1.0.9', '10.1.0.2');
  assert.ok(frame.kind === 'arp');
  return { ...frame, ...change };
}

test('only questions are answered', () => {
  const gratuitous = arp({ senderIp: Ip.of('10.1.0.9') });
  const arpProbe = arp({ senderIp: Ip.of('0.0.0.0') });
  const reply = arp({ operation: 2 });
  const rarp = arp({ kind: 'rarp', operation: 3 });
  const solicitation = ask('fd01::9', 'fd01::2');
  assert.ok(solicitation.kind === 'ns');
  const dad: NeighbourFrame = { ...solicitation, source: Ip.of('::'), sourceMac: undefined };
  const self: NeighbourFrame = { ...solicitation, source: solicitation.target };
  const advertisement: NeighbourFrame = {
    ...solicitation,
    kind: 'na',
    targetMac: ASKER,
    override: true,
    solicited: true,
    router: false,
  };
  for (const frame of [gratuitous, arpProbe, reply, rarp, dad, self, advertisement]) {
    assert.equal(shouldAnswer(frame, LAN, WILLING), false, frame.kind);
  }
});

test('a unicast question to any MAC is answered as well: caches re-check by unicast, also at the old MAC', () => {
  assert.ok(shouldAnswer(arp({ ethernetDestination: macOf('10.1.0.9') }), LAN, WILLING));
});

test('group and unspecified addresses are nobody', () => {
  for (const targetIp of ['255.255.255.255', '224.0.0.1', '0.0.0.0', '127.0.0.1'].map(Ip.of)) {
    assert.equal(shouldAnswer(arp({ targetIp }), LAN, WILLING), false);
  }
});

test('an IPv6 asker with a link-local address is the node here that has its MAC', () => {
  const visitor: Node = { ip: 'fd02::9', router: 'vr-a', lan: 0, mac: ASKER };
  const frame = ask('fd02::fe', linkLocalOf(ASKER).key);
  assert.equal(shouldAnswer(frame, LAN, viewOf([visitor], [])), true);
  assert.equal(shouldAnswer(frame, LAN, viewOf([visitor], ['fd02::9'])), false, 'not authorised');
  assert.equal(shouldAnswer(frame, LAN, viewOf([{ ...visitor, router: 'vr-b' }], [])), false, 'not here');
  assert.equal(shouldAnswer(frame, LAN, viewOf([], [])), false, 'unknown');
});

test('IPv6: a visitor asks for its default router of before by its link-local address', () => {
  const old = 'fe80::a';
  const visitor: Node = { ip: 'fd02::9', router: 'vr-b', lan: 0, mac: ASKER };
  const here: Node = { ...visitor, router: 'vr-a' };
  for (const from of [linkLocalOf(ASKER), Ip.of('fd02::9')]) {
    const frame = decodeNeighbourFrame(probe(Ip.of(old), ASKER, BROADCAST_MAC, from));
    assert(typeof frame !== 'string');
    assert.equal(shouldAnswer(frame, LAN, viewOf([here], [])), true, 'nobody here has it');
    assert.equal(shouldAnswer(frame, LAN, viewOf([visitor], [])), false, 'it is not here');
    assert.equal(shouldAnswer(frame, LAN, viewOf([{ ...here, ip: 'fd01::9' }], [])), false, 'it is at home');
  }
});
