/**
 * VRRP version 3 advertisements (RFC 9568 §5), each as a whole IP packet:
 *
 *     IP header: TTL or hop limit 255, protocol 112, from the sender's own address to 224.0.0.18 or ff02::12
 *     0                1      2          3       4                     6          8
 *     +----------------+------+----------+-------+---------------------+----------+-------------+
 *     | version 3 type 1 | VRID | priority | count | 0, interval (12 bits) | checksum | addresses … |
 *     +----------------+------+----------+-------+---------------------+----------+-------------+
 *
 * Behind a TTL of 255 there is no other router: a packet from off the link has less.
 *
 * The checksum of IPv6 covers a pseudo-header (RFC 8200 §8.1). Of IPv4 RFC 9568 §5.2.8 leaves the pseudo-header out; the
 * RFC before it, 5798, was read with and without one, and Debian 12's keepalived 2.2.7 takes advertisements with
 * it only. So ours have it, and either is taken.
 */
import { checksumOf, sumOfWords } from '../arp/checksum.js';
import { readU16, writeU16 } from '../arp/ethernet.js';
import { type Family, Ip } from '../net/ip.js';
import { VRRP } from '../net/ip-protocol.js';

const GROUP_4 = Ip.v4(0xe0000012);
const GROUP_6 = Ip.v6(0xff020000, 0, 0, 0x12);
const VERSION = 3;
const ADVERTISEMENT = 1;
const TTL = 255;
/** What routing protocols have: class selector 6, "internetwork control" (RFC 4594 §3.2). */
const TRAFFIC_CLASS = 0xc0;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const FIXED_BYTES = 8;
const MAX_BYTE = 0xff;
const MAX_INTERVAL_CS = 0xfff;

export interface Advertisement {
  /** Of the sender; its family is the advertisement's. IPv6: link-local. */
  readonly source: Ip;
  /** 1 to 255. */
  readonly vrid: number;
  /** 0 to 255. 255 is for who has the addresses as its own; with 0 the sender steps down. */
  readonly priority: number;
  /** Between two advertisements; 1 to 4,095 hundredths of a second. */
  readonly maxIntervalCs: number;
  /** Of the virtual router; 1 to 255. IPv6: the first is link-local (§5.2.9). */
  readonly addresses: readonly Ip[];
}

/**
 * Why a packet is not used. Each is a counter of its own, as RFC 8347 names them (YANG; the MIB of RFC 6527 has the same),
 * but for the first: what is no VRRP packet to the group at all.
 */
export const ADVERTISEMENT_DROP_REASONS = [
  'ip_header_errors',
  'ip_ttl_errors',
  'version_errors',
  'invalid_type_packets',
  'packet_length_errors',
  'checksum_errors',
  'interval_errors',
  'address_list_errors',
  'vrid_errors',
] as const;

export type AdvertisementDropReason = (typeof ADVERTISEMENT_DROP_REASONS)[number];

/** Where advertisements are sent to. */
export function advertisementGroup(family: Family): Ip {
  return family === 4 ? GROUP_4 : GROUP_6;
}

/** Where the message lies in its packet. */
interface Location {
  readonly family: Family;
  readonly source: Ip;
  readonly ttl: number;
  readonly start: number;
  readonly length: number;
}

/**
 * The checks of RFC 9568 §7.1, in its order, with those of its errata 8299 to 8301. Never throws; keeps no reference to
 * `packet`, and what follows the IP packet's end (an Ethernet frame's padding) is ignored.
 * @param vrid the one that is meant here; every other's are `vrid_errors`
 */
export function decodeAdvertisement(
  packet: Uint8Array,
  vrid: number,
): Advertisement | AdvertisementDropReason {
  const location = (packet[0] ?? 0) >>> 4 === 6 ? locateV6(packet) : locateV4(packet);
  if (location === undefined) return 'ip_header_errors';
  const { family, source, start, length } = location;
  const byte = (offset: number): number => packet[start + offset] ?? 0;
  if (location.ttl !== TTL) return 'ip_ttl_errors';
  if (length === 0) return 'packet_length_errors';
  if (byte(0) >>> 4 !== VERSION) return 'version_errors';
  if ((byte(0) & 0xf) !== ADVERTISEMENT) return 'invalid_type_packets';
  const count = byte(3);
  if (length !== FIXED_BYTES + count * bytesOf(family)) return 'packet_length_errors';
  if (!hasGoodChecksum(packet, location)) return 'checksum_errors';
  const maxIntervalCs = readU16(packet, start + 4) & MAX_INTERVAL_CS;
  if (maxIntervalCs === 0) return 'interval_errors';
  const addresses = Array.from({ length: count }, (_, i) =>
    Ip.read(family, packet, start + FIXED_BYTES + i * bytesOf(family)),
  );
  if (!isAddressList(addresses, family)) return 'address_list_errors';
  if (byte(1) !== vrid) return 'vrid_errors';
  return { source, vrid, priority: byte(2), maxIntervalCs, addresses };
}

/** A complete packet. Throws a RangeError for what no advertisement can say: see the fields of `Advertisement`. */
export function encodeAdvertisement(advertisement: Advertisement): Uint8Array {
  const { source, vrid, priority, maxIntervalCs, addresses } = advertisement;
  const { family } = source;
  demand('VRID', vrid, 1, MAX_BYTE);
  demand('priority', priority, 0, MAX_BYTE);
  demand('interval', maxIntervalCs, 1, MAX_INTERVAL_CS);
  demand('number of addresses', addresses.length, 1, MAX_BYTE);
  if (!isSender(source)) throw new RangeError(`nobody can send from ${source}`);
  if (!isAddressList(addresses, family))
    throw new RangeError(`no addresses of a virtual router of IPv${family}: ${addresses.join(', ')}`);
  const length = FIXED_BYTES + addresses.length * bytesOf(family);
  const start = family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const packet = new Uint8Array(start + length);
  if (family === 4) writeV4Header(packet, source);
  else writeV6Header(packet, source);
  packet.set([(VERSION << 4) | ADVERTISEMENT, vrid, priority, addresses.length], start);
  writeU16(packet, start + 4, maxIntervalCs);
  for (const [i, address] of addresses.entries())
    address.write(packet, start + FIXED_BYTES + i * bytesOf(family));
  const sum = sumOfWords(packet, start, packet.length) + pseudoSum(packet, family, length);
  writeU16(packet, start + 6, checksumOf(sum));
  return packet;
}

/** The kernel has checked the header's own checksum and put fragments together before it hands a packet out. */
function locateV4(packet: Uint8Array): Location | undefined {
  const start = 4 * ((packet[0] ?? 0) & 0xf);
  const end = readU16(packet, 2);
  if ((packet[0] ?? 0) >>> 4 !== 4 || start < IPV4_HEADER_BYTES || end < start || end > packet.length)
    return undefined;
  const isFragment = (readU16(packet, 6) & 0x3fff) !== 0;
  if (isFragment || packet[9] !== VRRP || !Ip.read(4, packet, 16).equals(GROUP_4)) return undefined;
  const source = Ip.read(4, packet, 12);
  if (!isSender(source)) return undefined;
  return { family: 4, source, ttl: packet[8] ?? 0, start, length: end - start };
}

/** Behind extension headers there is none: RFC 9568 §5.1.2.4 wants VRRP as the next header. */
function locateV6(packet: Uint8Array): Location | undefined {
  const start = IPV6_HEADER_BYTES;
  const length = readU16(packet, 4);
  if (start + length > packet.length || packet[6] !== VRRP) return undefined;
  if (!Ip.read(6, packet, 24).equals(GROUP_6)) return undefined;
  const source = Ip.read(6, packet, 8);
  if (!isSender(source)) return undefined;
  return { family: 6, source, ttl: packet[7] ?? 0, start, length };
}

function isSender(address: Ip): boolean {
  return !(address.isUnspecified || address.isGroup || address.isLoopback);
}

function isAddressList(addresses: readonly Ip[], family: Family): boolean {
  const first = addresses[0];
  if (first === undefined || (family === 6 && !first.isLinkLocal)) return false;
  return addresses.every((address) => address.family === family && isSender(address));
}

function hasGoodChecksum(packet: Uint8Array, { family, start, length }: Location): boolean {
  const sum = sumOfWords(packet, start, start + length);
  if (checksumOf(sum + pseudoSum(packet, family, length)) === 0) return true;
  return family === 4 && checksumOf(sum) === 0;
}

/** Both addresses as the IP header has them, protocol and length: the same sum for both families. */
function pseudoSum(packet: Uint8Array, family: Family, length: number): number {
  const at = family === 4 ? 12 : 8;
  return sumOfWords(packet, at, at + 2 * bytesOf(family)) + VRRP + length;
}

/** The identification stays 0: a kernel that is given the header fills that in. */
function writeV4Header(packet: Uint8Array, source: Ip): void {
  packet.set([0x45, TRAFFIC_CLASS]);
  writeU16(packet, 2, packet.length);
  packet.set([TTL, VRRP], 8);
  source.write(packet, 12);
  GROUP_4.write(packet, 16);
  writeU16(packet, 10, checksumOf(sumOfWords(packet, 0, IPV4_HEADER_BYTES)));
}

function writeV6Header(packet: Uint8Array, source: Ip): void {
  writeU16(packet, 0, 0x6000 | (TRAFFIC_CLASS << 4));
  writeU16(packet, 4, packet.length - IPV6_HEADER_BYTES);
  packet.set([VRRP, TTL], 6);
  source.write(packet, 8);
  GROUP_6.write(packet, 24);
}

function bytesOf(family: Family): number {
  return family === 4 ? 4 : 16;
}

function demand(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
}
