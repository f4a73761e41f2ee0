/**
 * Walks the way of a packet, on scratch tables, before a worker serves. The first packets of a router would otherwise
 * pay for its JavaScript being interpreted: at the rate of a ping some thousand of them, 10 to 45 µs each where 1 µs is
 * enough at full rate (measured, 2-core virtual machine).
 */

import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import { ICMP, TCP, UDP } from '../../net/ip-protocol.js';
import { type Mac, macFromHalves, macHigh, macLow, ZERO_MAC } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import {
  ForwardingTable,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../tables/forwarding/forwarding-table.js';
import { MacTable } from '../../tables/forwarding/mac-table.js';
import { createPacketCounters, createVnetCounters } from '../counters.js';
import { D, DESCRIPTOR_WORDS, type Engine, Kind } from '../engine.js';
import { type Forwarder, PacketPath } from '../forward/packet-path.js';
import { INITIAL_HOPS } from '../forward/worker-context.js';
import { LanAddressTable } from '../lan-addresses.js';
import { LanRoles } from '../lan-roles.js';
import { PeerShares } from '../punt/peer-shares.js';
import { type Punt, Tally } from '../punt/punt.js';
import { PuntPort } from '../punt/punt-port.js';
import { createPuntRing, PuntReader } from '../punt/punt-ring.js';
import { ControlWord, type WorkerInput, WorkerWord } from '../worker-input.js';

/** Enough for the optimising compiler to have taken everything; some 50 ms (test/unit/dataplane/worker/warm-up.test.ts). */
const ROUNDS = 30_000;
/**
 * Between two looks at the clock, and how long it may take: where the processors are busy the compiler comes late, all
 * rounds then took a second or more, and a router that takes over for another one has no second.
 */
const ROUNDS_PER_LOOK = 500;
const LIMIT_MS = 80;
const VNET = 1;
const PEER = 0;
/** No path needs a TCP segment of theirs cut, and no packet is too large for it. */
const MTU_BYTES = 1_400;
const HOSTS = 16;
const OWN = { macHigh: 0x0200, macLow: 1 } as const;
const TCP_SYN = 0x02;
const TCP_ACK = 0x10;
const PROTOCOLS = [TCP, UDP, ICMP];
const OVERLAY_HEADER_BYTES = 4;
const OVERLAY_FIRST_BYTE = 0x10;
const CONTROL_FIRST_BYTE = 0x21;
const INITIATION_BYTES = 148;
const PAYLOAD_BYTES = 64;
/** That one message hands up, and room for them. */
const MOST_PUNTS = 2;
const RING_BYTES = 16_384;

/** Decides over the first `count` descriptors. A function of its own, so that the warm-up reaches it. */
export function decideAll(forwarder: Forwarder, count: number): void {
  for (let i = 0; i < count; i++) forwarder.decide(i);
}

/** Decides over invented packets in the engine's memory; nothing is sent, counted or reported. For before its first `receive`. */
export function warmUp(engine: Engine, input: WorkerInput, clock: Pick<Clock, 'nowMs'>): void {
  const ring = createPuntRing(RING_BYTES);
  const reader = new PuntReader(ring);
  const punts = new PuntPort(ring, new Int32Array(new SharedArrayBuffer(4)), () => {});
  const ports = { punt: (punt: Punt) => punts.add(punt), closeStream: () => {} };
  const { lan, tunnel, delivery } = new PacketPath(engine, scratchInput(input), ports, clock);
  const isLan = input.engine.role === 'lan';
  const forwarder = isLan ? lan : tunnel;
  const samples = isLan ? frames() : messages();
  const { packets, descriptors } = engine;
  const offset = engine.scratchOffset(0);
  const untilMs = clock.nowMs() + LIMIT_MS;
  for (let round = 0; round < ROUNDS; round++) {
    if (round % ROUNDS_PER_LOOK === 0 && clock.nowMs() > untilMs) break;
    const { bytes, words } = samples[round % samples.length] as Sample;
    packets.set(bytes, offset);
    descriptors.fill(0, 0, DESCRIPTOR_WORDS);
    descriptors[D.offset] = offset;
    descriptors[D.length] = bytes.length;
    for (const [word, value] of words) descriptors[word] = value;
    decideAll(forwarder, 1);
    punts.flush();
    reader.take(MOST_PUNTS);
    delivery.releaseHeld();
  }
  descriptors.fill(0, 0, DESCRIPTOR_WORDS);
}

/** The worker's own view with everything that a decision reads or writes replaced, but for the engine's memory. */
function scratchInput(input: WorkerInput): WorkerInput {
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const vnets = new Uint8Array(shared(VNET + 1)).fill(1);
  const peerMtu = new Int32Array(shared(4)).fill(MTU_BYTES);
  const control = new Int32Array(shared(ControlWord.count * 4));
  control[ControlWord.serving] = 1;
  const lan = { fd: -1, index: 0, ...OWN, mtuBytes: 1500, vnetHeader: true };
  return {
    ...input,
    engine: { ...input.engine, lans: [lan], lanRoles: LanRoles.create(1).memory, tuns: [] },
    lanVnets: [VNET],
    tunsFrom: 1,
    lanAddresses: LanAddressTable.create(1).memory,
    gatewayLans: [false],
    vnets: vnets.buffer as SharedArrayBuffer,
    table: scratchTable().memory,
    macs: MacTable.create(4).memory,
    activity: shared(2 * 4),
    activityMacs: MacTable.create(4).memory,
    clientVnets: shared(4),
    peerMtu: peerMtu.buffer as SharedArrayBuffer,
    counters: createPacketCounters().buffer as SharedArrayBuffer,
    vnetCounters: createVnetCounters().buffer as SharedArrayBuffer,
    puntsDone: shared(4 * Tally.count),
    puntShares: PeerShares.create().memory,
    control: control.buffer as SharedArrayBuffer,
    words: shared(4 * WorkerWord.count),
  };
}

const FAMILIES = [
  {
    local: '10.0.0.0/24',
    remote: '198.18.0.0/24',
    group: '239.1.2.3',
    host: (n: number) => `10.0.0.${n}`,
    other: (n: number) => `198.18.0.${n}`,
  },
  {
    local: 'fd00:1::/64',
    remote: '2001:db8::/64',
    group: 'ff05::2',
    host: (n: number) => `fd00:1::${n}`,
    other: (n: number) => `2001:db8::${n}`,
  },
] as const;

/** A network here, all of whose hosts are known, and one at a peer; for each family. */
function scratchTable(): ForwardingTable {
  const table = ForwardingTable.create({ slots: 64 });
  const route = (of: Partial<Route>): Route => ({
    kind: RouteKind.none,
    peer: -1,
    lan: -1,
    mac: ZERO_MAC,
    network: 1,
    homePeer: -1,
    previousPeer: -1,
    flags: RouteFlag.authorised,
    pinnedMac: undefined,
    ...of,
  });
  for (const { local, remote, host } of FAMILIES) {
    table.set(VNET, Prefix.of(local), route({ kind: RouteKind.onLink, lan: 0 }));
    table.set(
      VNET,
      Prefix.of(remote),
      route({ kind: RouteKind.peer, peer: PEER, network: 2, homePeer: PEER, flags: 0 }),
    );
    for (let n = 1; n <= HOSTS; n++) {
      const address = Ip.of(host(n));
      const prefix = Prefix.containing(address, address.family === 4 ? 32 : 128);
      table.set(VNET, prefix, route({ kind: RouteKind.host, lan: 0, mac: hostMac(n) }));
    }
  }
  return table;
}

const hostMac = (n: number): Mac => macFromHalves(0x5254, 0x80000000 + n);

/** What lies in the engine's memory, and what its descriptor says beyond offset and length. */
interface Sample {
  readonly bytes: Uint8Array;
  readonly words: readonly (readonly [word: number, value: number])[];
}

/** From hosts here to the peer's network; a few for other machines, to groups, and with a hop too few. */
function frames(): Sample[] {
  const samples: Sample[] = [];
  for (let n = 1; n <= HOSTS; n++) {
    const from = [
      [D.kind, Kind.frame],
      [D.srcMacHigh, macHigh(hostMac(n))],
      [D.srcMacLow, macLow(hostMac(n))],
    ] as const;
    const toUs = [...from, [D.dstMacHigh, OWN.macHigh], [D.dstMacLow, OWN.macLow]] as const;
    for (const { host, other, group } of FAMILIES) {
      const [source, destination] = [Ip.of(host(n)), Ip.of(other(n))];
      for (const protocol of PROTOCOLS)
        samples.push({ bytes: packet(source, destination, protocol, n), words: toUs });
      if (n % 4 !== 0) continue;
      samples.push({ bytes: packet(source, destination, UDP, n), words: from });
      samples.push({ bytes: packet(source, Ip.of(group), UDP, n), words: toUs });
      samples.push({ bytes: packet(destination, source, UDP, n), words: toUs });
      samples.push({ bytes: packet(source, destination, UDP, n, 1), words: toUs });
    }
  }
  return samples;
}

/** From the peer's network to hosts here; a few keep-alives, control and handshake messages. */
function messages(): Sample[] {
  const samples: Sample[] = [];
  const message = [
    [D.kind, Kind.message],
    [D.from, PEER],
  ] as const;
  for (let n = 1; n <= HOSTS; n++) {
    for (const { host, other } of FAMILIES) {
      const [source, destination] = [Ip.of(other(n)), Ip.of(host(n))];
      for (const protocol of PROTOCOLS)
        samples.push({ bytes: overlay(packet(source, destination, protocol, n)), words: message });
    }
    if (n % 4 !== 0) continue;
    samples.push({ bytes: new Uint8Array(0), words: [...message, [D.sessionFlags, 1]] });
    samples.push({ bytes: new Uint8Array(PAYLOAD_BYTES).fill(CONTROL_FIRST_BYTE), words: message });
    samples.push({ bytes: new Uint8Array(INITIATION_BYTES).fill(1), words: [[D.kind, Kind.handshake]] });
  }
  return samples;
}

function overlay(inner: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(OVERLAY_HEADER_BYTES + inner.length);
  bytes.set([OVERLAY_FIRST_BYTE, INITIAL_HOPS, VNET >>> 8, VNET & 0xff]);
  bytes.set(inner, OVERLAY_HEADER_BYTES);
  return bytes;
}

function packet(source: Ip, destination: Ip, protocol: number, n: number, ttl = 64): Uint8Array {
  const header = source.family === 4 ? 20 : 40;
  const bytes = new Uint8Array(header + PAYLOAD_BYTES);
  const view = new DataView(bytes.buffer);
  if (source.family === 4) {
    bytes.set([0x45, 0, 0, bytes.length, 0, n, 0x40, 0, ttl, protocol]);
    source.write(bytes, 12);
    destination.write(bytes, 16);
  } else {
    bytes.set([0x60, 0, 0, 0, 0, PAYLOAD_BYTES, protocol, ttl]);
    source.write(bytes, 8);
    destination.write(bytes, 24);
  }
  if (protocol === TCP) {
    const isSyn = n % 4 === 0;
    view.setUint8(header + 12, (isSyn ? 6 : 5) << 4);
    view.setUint8(header + 13, isSyn ? TCP_SYN : TCP_ACK);
    // Maximum segment size 1,460 (RFC 9293 §3.2): more than the path takes.
    if (isSyn) view.setUint32(header + 20, 0x020405b4);
  }
  return bytes;
}
