/** DHCP messages as clients and servers make them, byte by byte, written without the product's codecs. */

export interface Dhcp4Fields {
  readonly type: number;
  readonly mac: string;
  readonly xid?: number;
  readonly broadcast?: boolean;
  readonly ciaddr?: string;
  readonly yiaddr?: string;
  readonly giaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  readonly leaseSeconds?: number;
  /** Hexadecimal. */
  readonly clientId?: string;
  /** Behind those of the fields, before the end mark. */
  readonly more?: readonly number[];
}

/** RFC 2132 §9.6. */
export const TYPE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
/** RFC 8415 §7.3. */
export const TYPE_6 = {
  solicit: 1,
  advertise: 2,
  request: 3,
  confirm: 4,
  renew: 5,
  rebind: 6,
  reply: 7,
  release: 8,
  decline: 9,
  reconfigure: 10,
  informationRequest: 11,
  relayForward: 12,
} as const;

const SERVERS: ReadonlySet<number> = new Set([TYPE.offer, TYPE.ack, TYPE.nak, 9]);

export const quad = (text = '0.0.0.0'): number[] => text.split('.').map(Number);
export const macBytes = (text: string): number[] => text.split(':').map((byte) => Number.parseInt(byte, 16));
export const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);

export function dhcp4(fields: Dhcp4Fields): Uint8Array {
  const { type, mac, xid = 0x1234_5678 } = fields;
  const option = (code: number, value: readonly number[] | undefined): number[] =>
    value === undefined ? [] : [code, value.length, ...value];
  const optional = (text: string | undefined): number[] | undefined =>
    text === undefined ? undefined : quad(text);
  const lease = fields.leaseSeconds;
  const id = fields.clientId;
  const bytes = [
    ...[SERVERS.has(type) ? 2 : 1, 1, 6, 0, ...u32(xid), 0, 0, fields.broadcast === true ? 0x80 : 0, 0],
    ...[...quad(fields.ciaddr), ...quad(fields.yiaddr), ...quad(), ...quad(fields.giaddr)],
    ...[...macBytes(mac), ...new Array<number>(10 + 64 + 128).fill(0), 0x63, 0x82, 0x53, 0x63],
    ...option(53, [type]),
    ...option(50, optional(fields.requested)),
    ...option(54, optional(fields.server)),
    ...option(51, lease === undefined ? undefined : u32(lease)),
    ...option(61, id === undefined ? undefined : [...Buffer.from(id, 'hex')]),
    ...(fields.more ?? []),
    255,
  ];
  while (bytes.length < 300) bytes.push(0);
  return Uint8Array.from(bytes);
}

export interface Dhcp6Fields {
  readonly type: number;
  readonly xid?: number;
  /** Hexadecimal; default: of type 3 (link-layer) with the MAC. */
  readonly duid?: string | undefined;
  readonly mac?: string;
  /** Of one IA_NA; each as 16 bytes in hexadecimal. */
  readonly addresses?: readonly string[];
  readonly serverDuid?: string;
  /** Of the addresses; default: 300 preferred, 600 valid. */
  readonly lifetimes?: readonly [preferred: number, valid: number];
  /** T1 and T2 of the association; default: 150 and 240. */
  readonly times?: readonly [t1: number, t2: number];
  readonly more?: readonly number[];
}

export const option6 = (code: number, value: readonly number[]): number[] => [
  ...[code >> 8, code & 0xff, value.length >> 8, value.length & 0xff],
  ...value,
];
const hex = (text: string): number[] => [...Buffer.from(text, 'hex')];

export const duidOf = (mac: string): string => `00030001${mac.replaceAll(':', '')}`;

export function dhcp6(fields: Dhcp6Fields): Uint8Array {
  const { type, xid = 0x12_3456, mac, addresses } = fields;
  const duid = fields.duid ?? (mac === undefined ? undefined : duidOf(mac));
  const [preferred, valid] = fields.lifetimes ?? [300, 600];
  const association = addresses?.flatMap((address) =>
    option6(5, [...hex(address), ...u32(preferred), ...u32(valid)]),
  );
  const [t1, t2] = fields.times ?? [150, 240];
  return Uint8Array.from([
    ...[type, (xid >> 16) & 0xff, (xid >> 8) & 0xff, xid & 0xff],
    ...(duid === undefined ? [] : option6(1, hex(duid))),
    ...(fields.serverDuid === undefined ? [] : option6(2, hex(fields.serverDuid))),
    ...(association === undefined ? [] : option6(3, [...u32(1), ...u32(t1), ...u32(t2), ...association])),
    ...(fields.more ?? []),
  ]);
}

export interface UdpFields {
  readonly from: string;
  readonly to: string;
  /** Of one family; IPv6 as 16 bytes in hexadecimal. */
  readonly source: string;
  readonly destination: string;
  readonly ports: readonly [source: number, destination: number];
  readonly payload: Uint8Array;
  /** `partial`: as a kernel leaves it for hardware. */
  readonly checksum?: 'none' | 'partial' | 'wrong';
}

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
export const SERVERS_MAC_6 = '33:33:00:01:00:02';
export const SERVERS_6 = 'ff020000000000000000000000010002';

/** An Ethernet frame. */
export function udpFrame(fields: UdpFields): Uint8Array {
  const { payload, ports, source, destination } = fields;
  const isV4 = source.includes('.');
  const [from, to] = isV4 ? [quad(source), quad(destination)] : [hex(source), hex(destination)];
  const length = 8 + payload.length;
  const pseudo = [...from, ...to, 0, 17, length >> 8, length & 0xff];
  const udp = [ports[0] >> 8, ports[0] & 0xff, ports[1] >> 8, ports[1] & 0xff, length >> 8, length & 0xff];
  const right = sum([...pseudo, ...udp, 0, 0, ...payload]) ^ 0xffff;
  const checks = { none: 0, partial: sum(pseudo), wrong: right ^ 0x0101 };
  const check = fields.checksum === undefined ? right : checks[fields.checksum];
  const head4 = [0x45, 0, (20 + length) >> 8, (20 + length) & 0xff, 0, 0, 0, 0, 64, 17, 0, 0, ...from, ...to];
  const headerSum = sum(head4) ^ 0xffff;
  head4[10] = headerSum >> 8;
  head4[11] = headerSum & 0xff;
  const head6 = [0x60, 0, 0, 0, length >> 8, length & 0xff, 17, 64, ...from, ...to];
  return Uint8Array.from([
    ...[...macBytes(fields.to), ...macBytes(fields.from), ...(isV4 ? [0x08, 0x00] : [0x86, 0xdd])],
    ...[...(isV4 ? head4 : head6), ...udp, check >> 8, check & 0xff, ...payload],
  ]);
}

function sum(bytes: readonly number[]): number {
  let total = 0;
  for (const [i, byte] of bytes.entries()) total += i % 2 === 0 ? byte * 256 : byte;
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}
