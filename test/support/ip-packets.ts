/** Builds and checks IP packets for tests, independently of the product's own code. */
import { Ip } from '../../src/net/ip.js';

/** RFC 1071, written the slow way on purpose: an oracle for the product's incremental sums. */
export function internetChecksum(...parts: Uint8Array[]): number {
  const all = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const padded = all.length % 2 === 0 ? all : Buffer.concat([all, Buffer.from([0])]);
  let sum = 0;
  for (let i = 0; i < padded.length; i += 2) sum += padded.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return ~sum & 0xffff;
}

function pseudoHeader(source: Ip, destination: Ip, protocol: number, length: number): Uint8Array {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail[7] = protocol;
  return Buffer.concat([source.toBytes(), destination.toBytes(), tail]);
}

export interface PacketOptions {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly ttl?: number;
  /** Upper-layer header and payload; its checksum, if any, is the caller's (see `tcpSegment`, `udpDatagram`). */
  readonly payload?: Uint8Array;
}

export function ipPacket({
  source,
  destination,
  protocol = 17,
  ttl = 64,
  payload = new Uint8Array(8),
}: PacketOptions): Buffer {
  const from = Ip.of(source);
  const to = Ip.of(destination);
  if (from.family === 6) {
    const header = Buffer.alloc(40);
    header[0] = 0x60;
    header.writeUInt16BE(payload.length, 4);
    header[6] = protocol;
    header[7] = ttl;
    from.write(header, 8);
    to.write(header, 24);
    return Buffer.concat([header, payload]);
  }
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(0x4000, 6);
  header[8] = ttl;
  header[9] = protocol;
  from.write(header, 12);
  to.write(header, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

export interface SegmentOptions {
  readonly source: string;
  readonly destination: string;
  readonly flags?: number;
  readonly options?: Uint8Array;
  readonly data?: Uint8Array;
  readonly sequence?: number;
}

/** A TCP segment in an IP packet, checksum included. `options` is padded to a multiple of 4. */
export function tcpPacket({
  source,
  destination,
  flags = 0x10,
  options = new Uint8Array(0),
  data = new Uint8Array(0),
  sequence = 1,
}: SegmentOptions): Buffer {
  const padded = Buffer.concat([options, Buffer.alloc((4 - (options.length % 4)) % 4)]);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(40000, 0);
  header.writeUInt16BE(80, 2);
  header.writeUInt32BE(sequence, 4);
  header[12] = ((20 + padded.length) / 4) << 4;
  header[13] = flags;
  header.writeUInt16BE(65535, 14);
  const segment = Buffer.concat([header, padded, data]);
  const pseudo = pseudoHeader(Ip.of(source), Ip.of(destination), 6, segment.length);
  segment.writeUInt16BE(internetChecksum(pseudo, segment), 16);
  return ipPacket({ source, destination, protocol: 6, payload: segment });
}

/** A UDP header with checksum and its payload: what `ipPacket` takes as payload. */
export function udpDatagram({
  source,
  destination,
  sourcePort,
  destinationPort,
  payload,
}: {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  const pseudo = pseudoHeader(Ip.of(source), Ip.of(destination), 17, header.length + payload.length);
  header.writeUInt16BE(internetChecksum(pseudo, header, payload) || 0xffff, 6);
  return Buffer.concat([header, payload]);
}

/** True when the IPv4 header checksum (if any) and the TCP, UDP or ICMP checksum of a whole packet are right. */
export function checksumsHold(packet: Uint8Array): boolean {
  const bytes = Buffer.from(packet);
  const v6 = bytes[0] !== undefined && bytes[0] >>> 4 === 6;
  const headerLength = v6 ? 40 : ((bytes[0] ?? 0) & 0x0f) * 4;
  const protocol = bytes[v6 ? 6 : 9] ?? 0;
  const family = v6 ? 6 : 4;
  const source = Ip.read(family, bytes, v6 ? 8 : 12);
  const destination = Ip.read(family, bytes, v6 ? 24 : 16);
  const upper = bytes.subarray(headerLength);
  if (!v6 && internetChecksum(bytes.subarray(0, headerLength)) !== 0) return false;
  if (protocol === 1) return internetChecksum(upper) === 0;
  return internetChecksum(pseudoHeader(source, destination, protocol, upper.length), upper) === 0;
}
