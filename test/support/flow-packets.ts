/** Packets of several flows, and a random stream of them, to see what coalescing makes of it. */
import {
  internetChecksum,
  layer4Of,
  pattern,
  pseudoHeader,
  TcpFlag,
  tcpPacket,
  udpPacket,
} from './ip-packet.js';

const TCP = 6;
const UDP = 17;

/** Source and destination, for each family. */
export interface Route {
  readonly 4: readonly [Uint8Array, Uint8Array];
  readonly 6: readonly [Uint8Array, Uint8Array];
}

/** From the first host of the lab's site A to that of site B. */
export const siteAtoB: Route = {
  4: [Uint8Array.of(10, 1, 0, 11), Uint8Array.of(10, 2, 0, 11)],
  6: [
    Uint8Array.of(0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11),
    Uint8Array.of(0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11),
  ],
};

const STREAM_PORT = 30_000;
const STREAM_FLOWS = 8;

/** What a test may set in a packet; undefined leaves the builder's value. */
export interface Shape {
  readonly route?: Route;
  readonly port?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly mayFragment?: boolean;
  readonly identification?: number;
  /** TCP. */
  readonly acknowledgement?: number;
  readonly window?: number;
  readonly timestamp?: number;
  readonly urgent?: number;
  readonly badChecksum?: boolean;
  readonly badIpChecksum?: boolean;
  /** UDP over IPv4: the checksum field is 0. */
  readonly withoutChecksum?: boolean;
}

export function tcp(
  family: 4 | 6,
  sequence: number,
  length: number,
  flags: number = TcpFlag.ack,
  shape: Shape = {},
) {
  const payload = pattern(length + (sequence % 251)).subarray(sequence % 251);
  return shaped(tcpPacket({ family, payload, sequence: sequence >>> 0, flags }), shape);
}

export function udp(family: 4 | 6, number: number, length: number, shape: Shape = {}) {
  const payload = pattern(length + (number % 251)).subarray(number % 251);
  return shaped(udpPacket({ family, payload }), shape);
}

/** Sets the fields and makes the checksums right again, or wrong where that is asked for. */
function shaped(packet: Uint8Array, shape: Shape): Uint8Array {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const four = (packet[0] ?? 0) >>> 4 === 4;
  const { protocol, offset } = layer4Of(packet);
  if (shape.route !== undefined) {
    const [source, destination] = shape.route[four ? 4 : 6];
    packet.set(source, four ? 12 : 8);
    packet.set(destination, four ? 16 : 24);
  }
  if (shape.ttl !== undefined) packet[four ? 8 : 7] = shape.ttl;
  if (shape.tos !== undefined && four) packet[1] = shape.tos;
  if (shape.tos !== undefined && !four) view.setUint16(0, 0x6000 | (shape.tos << 4));
  if (shape.identification !== undefined && four) view.setUint16(4, shape.identification);
  if (shape.mayFragment === true && four) packet[6] = 0;
  if (shape.port !== undefined) view.setUint16(offset, shape.port);
  if (protocol === TCP) {
    if (shape.acknowledgement !== undefined) view.setUint32(offset + 8, shape.acknowledgement);
    if (shape.window !== undefined) view.setUint16(offset + 14, shape.window);
    if (shape.urgent !== undefined) view.setUint16(offset + 18, shape.urgent);
    if (shape.timestamp !== undefined) view.setUint32(offset + 24, shape.timestamp);
  }
  fixChecksums(packet, view, shape, { four, protocol, offset });
  return packet;
}

function fixChecksums(
  packet: Uint8Array,
  view: DataView,
  shape: Shape,
  { four, protocol, offset }: { four: boolean; protocol: number; offset: number },
): void {
  const field = offset + (protocol === UDP ? 6 : 16);
  const segment = packet.subarray(offset);
  view.setUint16(field, 0);
  const sum = internetChecksum(pseudoHeader(packet, protocol, segment.length), segment);
  if (shape.withoutChecksum !== true) view.setUint16(field, protocol === UDP && sum === 0 ? 0xffff : sum);
  if (shape.badChecksum === true) view.setUint16(field, view.getUint16(field) ^ 0x0101);
  if (!four) return;
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(packet.subarray(0, offset)) ^ (shape.badIpChecksum === true ? 1 : 0));
}

/** Addresses, protocol and ports: what order is kept within. */
export function flowOf(packet: Uint8Array): string {
  const { protocol, offset } = layer4Of(packet);
  const addresses = (packet[0] ?? 0) >>> 4 === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  return Buffer.concat([addresses, Uint8Array.of(protocol), packet.subarray(offset, offset + 4)]).toString(
    'hex',
  );
}

/** The bytes that must arrive: all, but for the identification of IPv4 packets that nobody may fragment (RFC 6864). */
export function essence(packet: Uint8Array): string {
  const copy = Buffer.from(packet);
  const atomic = (copy[0] ?? 0) >>> 4 === 4 && (copy[6] ?? 0) === 0x40;
  // A wrong header checksum must stay wrong by as much: it is compared with the identification taken out of both.
  if (atomic) {
    const sum = copy.readUInt16BE(10) + copy.readUInt16BE(4);
    copy.writeUInt16BE(((sum & 0xffff) + (sum >>> 16)) % 0xffff, 10);
    copy.writeUInt16BE(0, 4);
  }
  return copy.toString('hex');
}

/** Deterministic: the same seed gives the same stream. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 … sides − 1 */
  roll(sides: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * sides);
  }

  oneIn(sides: number): boolean {
    return this.roll(sides) === 0;
  }
}

/** Is it from `randomStream`, and not an answer to it or of someone else? */
export function isOfStream(packet: Uint8Array): boolean {
  const { protocol, offset } = layer4Of(packet);
  const port = ((packet[offset] ?? 0) << 8) | (packet[offset + 1] ?? 0);
  return (protocol === TCP || protocol === UDP) && port >= STREAM_PORT && port < STREAM_PORT + STREAM_FLOWS;
}

/** The packet behind a router: TTL − 1, and the header's checksum as wrong as it was (RFC 1624). */
export function routed(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  if ((copy[0] ?? 0) >>> 4 === 6) {
    copy[7] = (copy[7] ?? 0) - 1;
    return copy;
  }
  copy[8] = (copy[8] ?? 0) - 1;
  const view = new DataView(copy.buffer);
  const sum = view.getUint16(10) + 0x100;
  view.setUint16(10, (sum & 0xffff) + (sum >>> 16));
  return copy;
}

/** `count` packets of eight flows, mostly what bulk transfers send, with every kind of exception in between. */
export function randomStream(seed: number, count: number, route?: Route): Uint8Array[] {
  const dice = new Dice(seed);
  const next = Array.from({ length: STREAM_FLOWS }, () => dice.roll(2 ** 32));
  let flow = 0;
  const packets = Array.from({ length: count }, (_, i) => {
    if (dice.oneIn(3)) flow = dice.roll(STREAM_FLOWS);
    const family = flow & 1 ? 6 : 4;
    const length = dice.oneIn(8) ? 1 + dice.roll(1300) : 1200;
    const shape = { ...randomShape(dice, flow, i), ...(route === undefined ? {} : { route }) };
    if (flow >= 4) return udp(family, i, dice.oneIn(20) ? 0 : length % 700, shape);
    const sequence = ((next[flow] ?? 0) + (dice.oneIn(15) ? dice.roll(5000) : 0)) >>> 0;
    next[flow] = (sequence + length) >>> 0;
    return tcp(family, sequence, dice.oneIn(20) ? 0 : length, randomFlags(dice), shape);
  });
  // Some neighbours change places.
  for (let i = 1; i < packets.length; i++) {
    if (dice.oneIn(12)) packets.splice(i - 1, 2, packets[i] as Uint8Array, packets[i - 1] as Uint8Array);
  }
  return packets;
}

function randomFlags(dice: Dice): number {
  if (!dice.oneIn(6)) return TcpFlag.ack;
  const flags = [
    TcpFlag.psh,
    TcpFlag.fin,
    TcpFlag.syn,
    TcpFlag.ece,
    TcpFlag.cwr,
    0x20,
    TcpFlag.psh,
    TcpFlag.psh,
  ];
  return TcpFlag.ack | (flags[dice.roll(flags.length)] ?? 0);
}

function randomShape(dice: Dice, flow: number, i: number): Shape {
  const port = STREAM_PORT + flow;
  const identification = i & 0xffff;
  if (!dice.oneIn(5)) return { port, identification };
  const kinds: Shape[] = [
    { ttl: 60 + dice.roll(3) },
    { tos: dice.roll(4) },
    { mayFragment: true },
    { acknowledgement: dice.roll(3) },
    { window: dice.roll(3) },
    { timestamp: dice.roll(3) },
    { urgent: dice.roll(2) },
    { badChecksum: true },
    { badIpChecksum: true },
    { withoutChecksum: true },
  ];
  return { port, identification, ...kinds[dice.roll(kinds.length)] };
}
