/** Builds and checks IP packets the slow, obvious way, as the judge of what an engine made of them. */

export const TcpFlag = { fin: 0x01, syn: 0x02, psh: 0x08, ack: 0x10, ece: 0x40, cwr: 0x80 } as const;

export type Family = 4 | 6;

export interface PacketOptions {
  readonly family: Family;
  readonly payload: Uint8Array;
  readonly identification?: number;
  /** IPv6: an 8-byte hop-by-hop header of padding in front of layer 4. */
  readonly hopByHop?: boolean;
}

export interface TcpOptions extends PacketOptions {
  readonly sequence: number;
  readonly flags: number;
}

const TCP = 6;
const UDP = 17;
const SOURCE_PORT = 40000;
const DESTINATION_PORT = 5201;

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
  const tail = new Uint8Array(8);
  view(tail).setUint32(0, length);
  tail[7] = protocol;
  const addresses = familyOf(packet) === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  return Buffer.concat([addresses, tail]);
}

export function familyOf(packet: Uint8Array): number {
  return (packet[0] ?? 0) >>> 4;
}

function ipHeader(options: PacketOptions, protocol: number, length: number): Uint8Array {
  if (options.family === 4) return ipv4Header(options, protocol, length);
  const extension = options.hopByHop === true ? 8 : 0;
  const header = new Uint8Array(40 + extension);
  header[0] = 0x60;
  view(header).setUint16(4, extension + length);
  header[6] = extension === 0 ? protocol : 0;
  header[7] = 64;
  header.set([0xfd, 0, 0, 1], 8);
  header[23] = 1;
  header.set([0xfd, 0, 0, 2], 24);
  header[39] = 9;
  // Next header, length 0 (8 bytes), one PadN option over the rest.
  if (extension !== 0) header.set([protocol, 0, 1, 4, 0, 0, 0, 0], 40);
  return header;
}

function ipv4Header(options: PacketOptions, protocol: number, length: number): Uint8Array {
  const header = new Uint8Array(20);
  header[0] = 0x45;
  view(header).setUint16(2, 20 + length);
  view(header).setUint16(4, options.identification ?? 7);
  header[6] = 0x40;
  header[8] = 64;
  header[9] = protocol;
  header.set([10, 1, 0, 5], 12);
  header.set([10, 2, 0, 9], 16);
  view(header).setUint16(10, internetChecksum(header));
  return header;
}

export function tcpPacket(options: TcpOptions): Uint8Array {
  // 12 bytes of options: two NOPs and a timestamp, as every Linux sender has them.
  const header = new Uint8Array(32);
  view(header).setUint16(0, SOURCE_PORT);
  view(header).setUint16(2, DESTINATION_PORT);
  view(header).setUint32(4, options.sequence);
  view(header).setUint32(8, 77);
  header[12] = 0x80;
  header[13] = options.flags;
  view(header).setUint16(14, 501);
  header.set([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], 20);
  return seal(ipHeader(options, TCP, 32 + options.payload.length), header, options.payload, TCP, 16);
}

export function udpPacket(options: PacketOptions): Uint8Array {
  const header = new Uint8Array(8);
  view(header).setUint16(0, SOURCE_PORT);
  view(header).setUint16(2, DESTINATION_PORT);
  view(header).setUint16(4, 8 + options.payload.length);
  return seal(ipHeader(options, UDP, 8 + options.payload.length), header, options.payload, UDP, 6);
}

function seal(ip: Uint8Array, header: Uint8Array, payload: Uint8Array, protocol: number, field: number) {
  const sum = internetChecksum(pseudoHeader(ip, protocol, header.length + payload.length), header, payload);
  view(header).setUint16(field, protocol === UDP && sum === 0 ? 0xffff : sum);
  return new Uint8Array(Buffer.concat([ip, header, payload]));
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
  if (internetChecksum(pseudoHeader(packet, protocol, segment.length), segment) !== 0)
    faults.push('checksum');
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
