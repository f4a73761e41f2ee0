/** What every packet engine may put together on the way to a LAN, and how far datagrams travel in trains. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { Action, VIRTIO_NEEDS_CSUM } from '../../src/dataplane/engine.js';
import { macHigh, macLow } from '../../src/net/mac.js';
import { splitPacket } from '../support/fake-segment.js';
import { essence, flowOf, randomStream, tcp, udp } from '../support/flow-packets.js';
import {
  faultsOf,
  pattern,
  TcpFlag,
  tcpPacket,
  udpPacket,
  withPartialChecksum,
} from '../support/ip-packet.js';
import { type Described, openPair, Rig } from './rig.js';
import type { LanLink, World } from './world.js';

const PSH = TcpFlag.ack | TcpFlag.psh;
const TUNNEL = { action: Action.tunnel, vnet: 1, hops: 4, mtu: 1420 };
const GSO_TCP4 = 1;
const GSO_UDP = 5;

/** `count` segments of 1,000 bytes in sequence; the packet at `odd` is made by `other`. */
function run(count: number, odd = -1, other: (sequence: number) => Uint8Array = () => new Uint8Array(0)) {
  return Array.from({ length: count }, (_, i) => (i === odd ? other(i * 1000) : tcp(4, i * 1000, 1000)));
}

/** Name, packets, and the frames that an engine which coalesces as it should makes of them. */
const CASES: readonly (readonly [string, readonly Uint8Array[], number])[] = [
  ['a run of segments', run(10), 1],
  ['the same over IPv6', Array.from({ length: 10 }, (_, i) => tcp(6, i * 1000, 1000)), 1],
  ['PSH ends a super-packet', run(10, 4, (at) => tcp(4, at, 1000, PSH)), 2],
  ['a short segment ends one', [...run(3), tcp(4, 3000, 500), tcp(4, 3500, 1000)], 2],
  ['a longer segment begins one', [tcp(4, 0, 500), tcp(4, 500, 1000), tcp(4, 1500, 1000)], 2],
  ['FIN stays alone', [...run(3), tcp(4, 3000, 1000, TcpFlag.ack | TcpFlag.fin)], 2],
  ['an acknowledgement in between keeps its place', [...run(2), tcp(4, 2000, 0), ...run(3).slice(2)], 3],
  ['a gap', run(5, 2, () => tcp(4, 99_000, 1000)), 3],
  ['other TTL', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { ttl: 9 })), 3],
  ['other TOS', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { tos: 3 })), 3],
  ['other acknowledgement', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { acknowledgement: 5 })), 3],
  ['other window', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { window: 5 })), 3],
  ['other options', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { timestamp: 5 })), 3],
  ['urgent pointer', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { urgent: 5 })), 3],
  ['a broken checksum', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { badChecksum: true })), 3],
  ['a broken first checksum', run(3, 0, (at) => tcp(4, at, 1000, TcpFlag.ack, { badChecksum: true })), 2],
  ['a broken IP checksum', run(3, 1, (at) => tcp(4, at, 1000, TcpFlag.ack, { badIpChecksum: true })), 3],
  [
    'identifications that do not count up, where fragments may be made',
    [7, 8, 10].map((identification, i) =>
      tcp(4, i * 1000, 1000, TcpFlag.ack, { mayFragment: true, identification }),
    ),
    2,
  ],
  [
    'two flows, interleaved',
    Array.from({ length: 10 }, (_, i) =>
      tcp(4, (i >> 1) * 1000, 1000, TcpFlag.ack, { port: 1000 + (i & 1) }),
    ),
    2,
  ],
  ['a super-packet is never larger than an IP packet can be', run(70), 2],
  ['datagrams of one size', Array.from({ length: 30 }, (_, i) => udp(4, i, 100)), 1],
  [
    'the same over IPv6, the last one shorter',
    [udp(6, 0, 100), udp(6, 1, 100), udp(6, 2, 20), udp(6, 3, 20)],
    2,
  ],
  ['as many datagrams as every kernel takes', Array.from({ length: 100 }, (_, i) => udp(4, i, 10)), 2],
  ['datagrams without a checksum', [0, 1].map((i) => udp(4, i, 100, { withoutChecksum: true })), 2],
  ['empty datagrams', [udp(4, 0, 0), udp(4, 1, 0)], 2],
];

export function coalesceSuite(world: World): void {
  const lan = (name: string, body: (link: LanLink, near: Rig, far: Rig) => void) =>
    it(name, (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      const link = world.openLink();
      const near = new Rig(world.addon, { role: 'tunnel', lans: [link.near], slots: 128 });
      const far = new Rig(world.addon, { role: 'lan', lans: [link.far], slots: 64 });
      try {
        body(link, near, far);
      } finally {
        near.close();
        far.close();
        link.close();
      }
    });

  for (const [name, packets, frames] of CASES) {
    lan(`to a LAN: ${name}`, (link, near, far) => {
      sendAll(near, link, packets);
      const received = receiveAll(far, packets.length);
      compare(packets, received);
      if (world.coalesces && link.near.vnetHeader) assert.equal(received.length, frames);
    });
  }

  lan('a random stream arrives packet for packet, in order within each flow', (link, near, far) => {
    for (let seed = 1; seed <= 12; seed++) {
      const packets = randomStream(seed, 60);
      sendAll(near, link, packets);
      compare(packets, receiveAll(far, packets.length), `seed ${seed}`);
    }
    if (world.coalesces && link.near.vnetHeader) assert.ok(near.counter('lanPacketsCoalesced') > 50);
  });

  lan('a packet with an offload of its own keeps its place in its flow', (link, near, far) => {
    const open = withPartialChecksum(tcp(4, 2000, 1000));
    const offload = {
      flags: VIRTIO_NEEDS_CSUM,
      checksumStart: open.checksumStart,
      checksumOffset: open.checksumOffset,
    };
    const packets = run(5);
    packets[2] = open.packet;
    sendAll(near, link, packets, (i) => (i === 2 ? offload : {}));
    compare(run(5), receiveAll(far, 5));
  });

  it('datagrams of one size travel in trains of 64 at most', () => {
    const pair = openPair(world);
    const payload = pattern(100 * 130);
    const { packet, checksumStart, checksumOffset } = withPartialChecksum(udpPacket({ family: 4, payload }));
    const fields = {
      flags: VIRTIO_NEEDS_CSUM,
      checksumStart,
      checksumOffset,
      gsoType: GSO_UDP,
      gsoSize: 100,
    };
    pair.a.rig.send(packet, { ...TUNNEL, to: pair.a.peer, ...fields });
    const messages = pair.b.rig.receive(130);
    const received = messages.map(({ bytes }) => bytes.subarray(4 + 28, 4 + 128));
    assert.deepEqual(Buffer.concat(received), Buffer.from(payload));
    assert.equal(pair.a.rig.counter('tunnelDatagramsSent'), 130);
    if (pair.a.udp.segmentation) assert.equal(pair.a.rig.counter('tunnelTrainsSent'), 3);
    if (pair.b.udp.coalescing) assert.equal(pair.b.rig.counter('tunnelTrainsReceived'), 3);
    pair.close();
  });

  it('a train is no longer than a datagram can be; only its last may be shorter', () => {
    const pair = openPair(world);
    const payload = pattern(64_000);
    const whole = tcpPacket({ family: 4, payload, sequence: 1, flags: TcpFlag.ack });
    const { packet, checksumStart, checksumOffset } = withPartialChecksum(whole);
    const fields = {
      flags: VIRTIO_NEEDS_CSUM,
      checksumStart,
      checksumOffset,
      gsoType: GSO_TCP4,
      gsoSize: 1368,
    };
    // 46 segments of 1,368 bytes and one of 1,072: datagrams of 1,456 bytes, of which 44 fit in 65,000.
    const small = udpPacket({ family: 4, payload: pattern(10) });
    const large = udpPacket({ family: 4, payload: pattern(500) });
    const { rig, peer } = pair.a;
    rig.place(0, packet, { ...TUNNEL, to: peer, ...fields });
    for (const [i, after] of [small, large, large].entries())
      rig.place(i + 1, after, { ...TUNNEL, to: peer });
    rig.engine.send(rig.engine.capacity, 4);
    const messages = pair.b.rig.receive(50);
    assert.equal(messages.length, 50);
    const segments = messages.slice(0, 47).map(({ bytes }) => bytes.subarray(4));
    assert.deepEqual(Buffer.concat(segments.map(payloadOf)), Buffer.from(payload));
    assert.deepEqual(messages[47]?.bytes.subarray(4, 4 + small.length), small);
    assert.deepEqual(messages[49]?.bytes.subarray(4, 4 + large.length), large);
    // 44; 2 with the shorter one; the small one alone; the two large ones.
    if (pair.a.udp.segmentation) assert.equal(rig.counter('tunnelTrainsSent'), 3);
    pair.close();
  });
}

/** A TCP segment with the 32 bytes of header that `tcpPacket` makes, without the padding behind it. */
function payloadOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(52, new DataView(packet.buffer, packet.byteOffset).getUint16(2));
}

/** Puts the packets where `receive` would have put them, and sends them to the far end of the link in one call. */
function sendAll(
  rig: Rig,
  { near, farMac }: LanLink,
  packets: readonly Uint8Array[],
  more: (i: number) => object = () => ({}),
): void {
  let offset = 0;
  packets.forEach((packet, i) => {
    rig.engine.packets.set(packet, offset);
    const to = { action: Action.lan, to: near.index, outMacHigh: macHigh(farMac), outMacLow: macLow(farMac) };
    rig.describe(i, { offset, length: packet.length, ...to, ...more(i) });
    offset += packet.length;
  });
  rig.engine.send(0, packets.length);
}

/** Receives frames until they hold `count` packets, or no more come. */
function receiveAll(rig: Rig, count: number): Described[] {
  return rig.receiveWhile((all) => all.flatMap(packetsOf).length < count);
}

/** What the kernel would make of a frame that is cut where it has to be. */
function packetsOf(frame: Described): Uint8Array[] {
  return splitPacket(frame.bytes, frame, Number.POSITIVE_INFINITY) ?? [];
}

/** Every packet arrives once, byte for byte, in the order of its flow; what was right is right, what was wrong is wrong. */
function compare(sent: readonly Uint8Array[], frames: readonly Described[], name = ''): void {
  const received = frames.flatMap(packetsOf);
  assert.equal(received.length, sent.length, name);
  const [before, after] = [byFlow(sent), byFlow(received)];
  for (const [flow, packets] of before) {
    const arrived = after.get(flow) ?? [];
    assert.deepEqual(arrived.map(essence), packets.map(essence), `${name} ${flow}`);
    assert.deepEqual(arrived.map(faultsOf), packets.map(faultsOf), `${name} ${flow}`);
  }
}

function byFlow(packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const flows = new Map<string, Uint8Array[]>();
  for (const packet of packets) {
    const flow = flowOf(packet);
    const known = flows.get(flow);
    if (known === undefined) flows.set(flow, [packet]);
    else known.push(packet);
  }
  return flows;
}
