/** How the fake engine splits packets and completes checksums. */
import type { FrameOffload } from './fake-network.js';
import { familyOf, internetChecksum, layer4Of, pseudoHeader, statedLength, TcpFlag } from './ip-packet.js';

const TCP = 6;
const UDP = 17;
const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const;
const MAX_SEGMENTS = 1400;

/** The packets to send; undefined when the headers do not fit what the offload fields claim. */
export function splitPacket(
  packet: Uint8Array,
  offload: FrameOffload,
  mtu: number,
): Uint8Array[] | undefined {
  const family = familyOf(packet);
  if (packet.length < (family === 4 ? 20 : 40) || (family !== 4 && family !== 6)) return undefined;
  const { protocol, offset } = layer4Of(packet);
  const tcp = protocol === TCP && !isFragment(packet);
  const type = offload.gsoType & ~GSO.ecn;
  if (type === GSO.none) {
    if (!tcp || packet.length <= mtu) return complete(packet, offload);
    const vouched = (offload.flags & (NEEDS_CSUM | DATA_VALID)) !== 0;
    return vouched || checksumHolds(packet) ? cut(packet, tcpHeaders(packet), packet.length, mtu) : undefined;
  }
  if (type === (family === 4 ? GSO.tcp4 : GSO.tcp6) && tcp) {
    return cut(packet, tcpHeaders(packet), offload.gsoSize, mtu);
  }
  if (type === GSO.udp && protocol === UDP) return cut(packet, offset + 8, offload.gsoSize, 65_535);
  return undefined;
}

export function tcpHeaders(packet: Uint8Array): number {
  const { offset } = layer4Of(packet);
  const length = ((packet[offset + 12] ?? 0) >>> 4) * 4;
  return length < 20 ? Number.POSITIVE_INFINITY : offset + length;
}

function isFragment(packet: Uint8Array): boolean {
  return familyOf(packet) === 4 && ((((packet[6] ?? 0) << 8) | (packet[7] ?? 0)) & 0x3fff) !== 0;
}

function checksumHolds(packet: Uint8Array): boolean {
  const segment = packet.subarray(layer4Of(packet).offset);
  return internetChecksum(pseudoHeader(packet, TCP, segment.length), segment) === 0;
}

function complete(packet: Uint8Array, offload: FrameOffload): Uint8Array[] | undefined {
  const copy = packet.slice();
  if ((offload.flags & NEEDS_CSUM) === 0) return [copy];
  const { checksumStart: start, checksumOffset: field } = offload;
  if (start < 20 || field < 0 || start + field + 2 > packet.length) return undefined;
  const sum = internetChecksum(copy.subarray(start));
  new DataView(copy.buffer).setUint16(start + field, field === 6 && sum === 0 ? 0xffff : sum);
  return [copy];
}

function cut(packet: Uint8Array, headers: number, largest: number, mtu: number): Uint8Array[] | undefined {
  const each = Math.min(largest, mtu - headers);
  const payload = packet.length - headers;
  if (payload < 0 || !(each > 0) || payload / each > MAX_SEGMENTS) return undefined;
  const count = Math.max(1, Math.ceil(payload / each));
  return Array.from({ length: count }, (_, i) => {
    const piece = packet.subarray(headers + i * each, headers + Math.min((i + 1) * each, payload));
    const segment = new Uint8Array(Buffer.concat([packet.subarray(0, headers), piece]));
    fixIp(segment, i);
    fixLayer4(segment, i * each, { first: i === 0, last: i === count - 1 });
    return segment;
  });
}

function fixIp(segment: Uint8Array, index: number): void {
  const view = new DataView(segment.buffer);
  if (familyOf(segment) === 6) {
    view.setUint16(4, segment.length - 40);
    return;
  }
  view.setUint16(2, segment.length);
  view.setUint16(4, view.getUint16(4) + index);
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(segment.subarray(0, layer4Of(segment).offset)));
}

function fixLayer4(segment: Uint8Array, advance: number, place: { first: boolean; last: boolean }): void {
  const { protocol, offset } = layer4Of(segment);
  const bytes = segment.subarray(offset);
  const view = new DataView(segment.buffer, offset);
  const field = protocol === TCP ? 16 : 6;
  if (protocol === TCP) {
    view.setUint32(4, view.getUint32(4) + advance);
    const cleared = (place.last ? 0 : TcpFlag.fin | TcpFlag.psh) | (place.first ? 0 : TcpFlag.cwr);
    bytes[13] = (bytes[13] ?? 0) & ~cleared;
  } else {
    view.setUint16(4, bytes.length);
  }
  view.setUint16(field, 0);
  const sum = internetChecksum(pseudoHeader(segment, protocol, bytes.length), bytes);
  view.setUint16(field, protocol === UDP && sum === 0 ? 0xffff : sum);
}

/** The IP packet of a received frame, without padding; undefined when it is malformed. */
export function packetOfFrame(bytes: Uint8Array, gsoType: number): Uint8Array | undefined {
  const etherType = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
  const packet = bytes.subarray(14);
  const family = familyOf(packet);
  const minimum = family === 4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  if (etherType !== (family === 4 ? 0x0800 : 0x86dd) || minimum < 20 || packet.length < minimum)
    return undefined;
  if (gsoType !== 0) return packet;
  const length = statedLength(packet);
  return length < 20 || length > packet.length ? undefined : packet.subarray(0, length);
}

/** The packet as fragments where it is larger than the MTU and may be cut (RFC 791 §3.2); else as it is. */
export function fragmentPacket(packet: Uint8Array, mtu: number): Uint8Array[] {
  const view = Buffer.from(packet);
  if (packet.length <= mtu || familyOf(packet) !== 4 || (view.readUInt16BE(6) & 0x4000) !== 0)
    return [packet];
  const header = (view.readUInt8(0) & 0x0f) * 4;
  const each = Math.floor((mtu - header) / 8) * 8;
  const field = view.readUInt16BE(6);
  const fragments: Uint8Array[] = [];
  for (let at = 0; header + at < packet.length; at += each) {
    const last = header + at + each >= packet.length;
    const part = Buffer.concat([view.subarray(0, header), view.subarray(header + at, header + at + each)]);
    part.writeUInt16BE(part.length, 2);
    part.writeUInt16BE(((field & 0x1fff) + at / 8) | (last ? field & 0x2000 : 0x2000), 6);
    if (at > 0) dropUncopied(part, header);
    part.writeUInt16BE(0, 10);
    part.writeUInt16BE(internetChecksum(part.subarray(0, header)), 10);
    fragments.push(new Uint8Array(part));
  }
  return fragments;
}

function dropUncopied(header: Buffer, length: number): void {
  for (let at = 20; at < length; ) {
    const kind = header[at] ?? 0;
    if (kind === 0) return;
    const size = kind === 1 ? 1 : (header[at + 1] ?? 0);
    if (size < 1 || at + size > length) return;
    if ((kind & 0x80) === 0) header.fill(1, at, at + size);
    at += size;
  }
}
