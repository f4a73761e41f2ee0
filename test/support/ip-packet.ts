/** Builds and checks IP packets the slow, obvious way, as the judge of what an engine made of them. */

import { Ip } from '../../src/net/ip.js';

export const TcpFlag = { fin: 0x01, syn: 0x02, psh: 0x08, ack: 0x10, ece: 0x40, cwr: 0x80 } as const;

export type Family = 4 | 6;

/** Between which addresses: two of that family, or these. */
export type Between =
  | { readonly family: Family; readonly source?: never; readonly destination?: never }
  | { readonly family?: never; readonly source: string; readonly destination: string };

export interface IpOptions {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly ttl?: number;
  readonly identification?: number;
  /** IPv6: an 8-byte hop-by-hop header of padding in front of layer 4. */
  readonly hopByHop?: boolean;
  /** Layer 4, its checksum included (`tcpSegment`, `udpDatagram`). */
  readonly payload?: Uint8Array;
}

export type UdpOptions = Between &
  Pick<IpOptions, 'identification' | 'hopByHop'> & {
    readonly payload: Uint8Array;
    readonly sourcePort?: number;
    readonly destinationPort?: number;
  };

export type TcpOptions = Between &
  Pick<IpOptions, 'identification' | 'hopByHop'> & {
    readonly payload?: Uint8Array;
    readonly sequence?: number;
    readonly flags?: number;
    /** Filled up to a multiple of 4 bytes. */
    readonly options?: Uint8Array;
  };

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const SOURCE_PORT = 40000;
const DESTINATION_PORT = 5201;
/** Two NOPs and a timestamp, as every Linux sender has them. */
const TIMESTAMPS = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2);
const ADDRESSES = {
  4: { source: '10.1.0.5', destination: '10.2.0.9' },
  6: { source: 'fd00:1::1', destination: 'fd00:2::9' },
} as const;

/** RFC 1071, two bytes at a time, over several pieces as if they lay in a row. */
export function internetChecksum(...pieces: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(pieces);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Source and destination addresses, protocol and layer 4 length (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoHeader(packet: Uint8Array, protocol: number, length: number): Uint8Array {
  const addresses = familyOf(packet) === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  return pseudoHeaderOf(addresses, protocol, length);
}

function pseudoHeaderOf(addresses: Uint8Array, protocol: number, length: number): Uint8Array {
  const tail = new Uint8Array(8);
  view(tail).setUint32(0, length);
  tail[7] = protocol;
  return Buffer.concat([addresses, tail]);
}

export function familyOf(packet: Uint8Array): number {
  return (packet[0] ?? 0) >>> 4;
}

export function ipPacket(options: IpOptions): Buffer {
  const { protocol = UDP, payload = new Uint8Array(8) } = options;
  const isV4 = Ip.of(options.source).family === 4;
  const header = isV4 ? ipv4Header(options, protocol, payload) : ipv6Header(options, protocol, payload);
  return Buffer.concat([header, payload]);
}

function ipv4Header(options: IpOptions, protocol: number, { length }: Uint8Array): Uint8Array {
  const header = new Uint8Array(20);
  header[0] = 0x45;
  view(header).setUint16(2, 20 + length);
  view(header).setUint16(4, options.identification ?? 7);
  header[6] = 0x40;
  header[8] = options.ttl ?? 64;
  header[9] = protocol;
  Ip.of(options.source).write(header, 12);
  Ip.of(options.destination).write(header, 16);
  view(header).setUint16(10, internetChecksum(header));
  return header;
}

function ipv6Header(options: IpOptions, protocol: number, { length }: Uint8Array): Uint8Array {
  const extension = options.hopByHop === true ? 8 : 0;
  const header = new Uint8Array(40 + extension);
  header[0] = 0x60;
  view(header).setUint16(4, extension + length);
  header[6] = extension === 0 ? protocol : 0;
  header[7] = options.ttl ?? 64;
  Ip.of(options.source).write(header, 8);
  Ip.of(options.destination).write(header, 24);
  // Next header, length 0 (8 bytes), one PadN option over the rest.
  if (extension !== 0) header.set([protocol, 0, 1, 4, 0, 0, 0, 0], 40);
  return header;
}

export function tcpPacket(packet: TcpOptions): Uint8Array {
  const { payload = new Uint8Array(0), sequence = 1, flags = TcpFlag.ack, options = TIMESTAMPS } = packet;
  const header = new Uint8Array(20 + Math.ceil(options.length / 4) * 4);
  view(header).setUint16(0, SOURCE_PORT);
  view(header).setUint16(2, DESTINATION_PORT);
  view(header).setUint32(4, sequence);
  view(header).setUint32(8, 77);
  header[12] = (header.length / 4) << 4;
  header[13] = flags;
  view(header).setUint16(14, 501);
  header.set(options, 20);
  return inPacket(packet, TCP, sealed(packet, TCP, Buffer.concat([header, payload]), 16));
}

export function udpPacket(packet: UdpOptions): Uint8Array {
  return inPacket(packet, UDP, udpDatagram(packet));
}

/** A UDP header and its payload. */
export function udpDatagram(datagram: UdpOptions): Buffer {
  const { payload, sourcePort = SOURCE_PORT, destinationPort = DESTINATION_PORT } = datagram;
  const header = new Uint8Array(8);
  view(header).setUint16(0, sourcePort);
  view(header).setUint16(2, destinationPort);
  view(header).setUint16(4, 8 + payload.length);
  return sealed(datagram, UDP, Buffer.concat([header, payload]), 6);
}

function addressesOf(between: Between): { readonly source: string; readonly destination: string } {
  return between.family === undefined ? between : ADDRESSES[between.family];
}

/** Fills in the checksum, which is at `field`. */
function sealed(between: Between, protocol: number, segment: Buffer, field: number): Buffer {
  const { source, destination } = addressesOf(between);
  const addresses = Buffer.concat([Ip.of(source).toBytes(), Ip.of(destination).toBytes()]);
  const sum = internetChecksum(pseudoHeaderOf(addresses, protocol, segment.length), segment);
  segment.writeUInt16BE(protocol === UDP && sum === 0 ? 0xffff : sum, field);
  return segment;
}

function inPacket(options: TcpOptions | UdpOptions, protocol: number, payload: Uint8Array): Uint8Array {
  return new Uint8Array(ipPacket({ ...options, ...addressesOf(options), protocol, payload }));
}

export interface Layer4 {
  readonly protocol: number;
  readonly offset: number;
}

export function layer4Of(packet: Uint8Array): Layer4 {
  if (familyOf(packet) === 4) return { protocol: packet[9] ?? 0, offset: ((packet[0] ?? 0) & 15) * 4 };
  if (packet[6] === 0) return { protocol: packet[40] ?? 0, offset: 48 };
  return { protocol: packet[6] ?? 0, offset: 40 };
}

export function statedLength(packet: Uint8Array): number {
  return familyOf(packet) === 4 ? view(packet).getUint16(2) : 40 + view(packet).getUint16(4);
}

/** The packet as a virtual NIC's driver gets it: its checksum field holds only the pseudo-header's sum. */
export function withPartialChecksum(packet: Uint8Array): {
  packet: Uint8Array;
  checksumStart: number;
  checksumOffset: number;
} {
  const { protocol, offset } = layer4Of(packet);
  const checksumOffset = protocol === TCP ? 16 : 6;
  const copy = packet.slice();
  const sum = ~internetChecksum(pseudoHeader(packet, protocol, packet.length - offset)) & 0xffff;
  view(copy).setUint16(offset + checksumOffset, sum);
  return { packet: copy, checksumStart: offset, checksumOffset };
}

/** What is wrong with a packet: its lengths or its checksums. Empty when all is right. */
export function faultsOf(packet: Uint8Array): string[] {
  const faults: string[] = [];
  if (statedLength(packet) !== packet.length)
    faults.push(`states ${statedLength(packet)}, has ${packet.length}`);
  if (familyOf(packet) === 4 && internetChecksum(packet.subarray(0, 20)) !== 0) faults.push('IP checksum');
  const { protocol, offset } = layer4Of(packet);
  const segment = packet.subarray(offset);
  const pseudo = protocol === ICMP ? new Uint8Array(0) : pseudoHeader(packet, protocol, segment.length);
  if (internetChecksum(pseudo, segment) !== 0) faults.push('checksum');
  if (protocol === UDP) {
    if (view(segment).getUint16(4) !== segment.length) faults.push('UDP length');
    if (view(segment).getUint16(6) === 0) faults.push('UDP checksum 0');
  }
  return faults;
}

export interface TcpFields {
  readonly identification: number;
  readonly sequence: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

export function tcpFields(packet: Uint8Array): TcpFields {
  const { offset } = layer4Of(packet);
  const header = ((packet[offset + 12] ?? 0) >>> 4) * 4;
  return {
    identification: familyOf(packet) === 4 ? view(packet).getUint16(4) : 0,
    sequence: view(packet).getUint32(offset + 4),
    flags: packet[offset + 13] ?? 0,
    payload: packet.subarray(offset + header),
  };
}

export function udpPayload(packet: Uint8Array): Uint8Array {
  return packet.subarray(layer4Of(packet).offset + 8);
}

/** Bytes that differ from place to place, so that a misplaced one shows. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
}
