/**
 * Neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4, §7.1) over Ethernet (RFC 2464 §6).
 *
 *     0      1      2          4            8        24
 *     +------+------+----------+------------+--------+----------------------------+
 *     | type | code | checksum | R S O flags| target | options: type, length, …   |
 *     +------+------+----------+------------+--------+----------------------------+
 *
 * type 135 (solicitation: no flags) or 136 (advertisement), code 0, hop limit 255: nobody beyond the link can have
 * sent it. An option's length counts 8 bytes, itself included; 0 would never end and makes the message void.
 * Option 1 (source) or 2 (target) holds a MAC in exactly 8 bytes.
 */
import { Ip } from '../net/ip.js';
import { isGroupMac, type Mac, readMac, writeMac, ZERO_MAC } from '../net/mac.js';
import type { NeighbourDropReason } from './drop-reason.js';
import { createFrame, ETHERNET_HEADER_BYTES, type EthernetHeader, EtherType, writeU16 } from './ethernet.js';
import {
  type Icmpv6Location,
  IPV6_HEADER_BYTES,
  icmpv6Checksum,
  locateIcmpv6,
  solicitedNodeAddress,
  writeIpv6Header,
} from './ipv6.js';

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const FIXED_BYTES = 24;
const LINK_ADDRESS_OPTION_BYTES = 8;
const SOURCE_LINK_ADDRESS = 1;
const TARGET_LINK_ADDRESS = 2;
const HOP_LIMIT = 255;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;

export interface NeighbourSolicitation {
  readonly kind: 'ns';
  readonly ethernetSource: Mac;
  readonly ethernetDestination: Mac;
  /** `::` in duplicate address detection (RFC 4862 §5.4.2). */
  readonly source: Ip;
  readonly destination: Ip;
  readonly target: Ip;
  /** Undefined when the option is missing; always so with source `::`. */
  readonly sourceMac: Mac | undefined;
}

export interface NeighbourAdvertisement {
  readonly kind: 'na';
  readonly ethernetSource: Mac;
  readonly ethernetDestination: Mac;
  readonly source: Ip;
  readonly destination: Ip;
  readonly target: Ip;
  /** Undefined when the option is missing, as an answer to a unicast solicitation may have it. */
  readonly targetMac: Mac | undefined;
  readonly override: boolean;
  readonly solicited: boolean;
  readonly router: boolean;
}

type NeighbourMessage = NeighbourSolicitation | NeighbourAdvertisement;

/** Decodes what follows a header whose type is IPv6. */
export function decodeNdp(header: EthernetHeader, bytes: Uint8Array): NeighbourMessage | NeighbourDropReason {
  const location = locateIcmpv6(bytes);
  if (typeof location === 'string') return location;
  const type = bytes[location.start];
  if (location.length === 0 || (type !== SOLICITATION && type !== ADVERTISEMENT)) return 'nd-other-type';
  const fault = faultOfMessage(bytes, location);
  if (fault !== undefined) return fault;
  const common = {
    ethernetSource: header.source,
    ethernetDestination: header.destination,
    source: location.source,
    destination: location.destination,
    target: Ip.read(6, bytes, location.start + 8),
  };
  return type === SOLICITATION
    ? solicitation(common, bytes, location)
    : advertisement(common, bytes, location);
}

/** The checks that both kinds share, RFC 4861 §7.1.1 and §7.1.2. */
function faultOfMessage(bytes: Uint8Array, location: Icmpv6Location): NeighbourDropReason | undefined {
  if (location.hopLimit !== HOP_LIMIT) return 'nd-hop-limit';
  if (location.length < FIXED_BYTES) return 'nd-too-short';
  if (icmpv6Checksum(bytes, location) !== 0) return 'nd-checksum';
  if (bytes[location.start + 1] !== 0) return 'nd-code';
  const target = Ip.read(6, bytes, location.start + 8);
  return target.isGroup || target.isUnspecified || target.isLoopback ? 'nd-target' : undefined;
}

type Common = Pick<
  NeighbourMessage,
  'ethernetSource' | 'ethernetDestination' | 'source' | 'destination' | 'target'
>;

function solicitation(
  common: Common,
  bytes: Uint8Array,
  location: Icmpv6Location,
): NeighbourSolicitation | NeighbourDropReason {
  const sourceMac = linkAddress(bytes, location, SOURCE_LINK_ADDRESS);
  if (typeof sourceMac === 'string') return sourceMac;
  if (common.source.isUnspecified) {
    const toGroup = common.destination.equals(solicitedNodeAddress(common.target));
    if (!toGroup || sourceMac !== undefined) return 'nd-unspecified-source';
  }
  return { kind: 'ns', ...common, sourceMac };
}

function advertisement(
  common: Common,
  bytes: Uint8Array,
  location: Icmpv6Location,
): NeighbourAdvertisement | NeighbourDropReason {
  const targetMac = linkAddress(bytes, location, TARGET_LINK_ADDRESS);
  if (typeof targetMac === 'string') return targetMac;
  if (common.source.isUnspecified) return 'nd-unspecified-source';
  const flags = bytes[location.start + 4] ?? 0;
  const solicited = (flags & SOLICITED) !== 0;
  if (solicited && common.destination.isGroup) return 'nd-solicited-group';
  return {
    kind: 'na',
    ...common,
    targetMac,
    override: (flags & OVERRIDE) !== 0,
    solicited,
    router: (flags & ROUTER) !== 0,
  };
}

/** The MAC of the first option of that type, undefined when there is none. Every option's length is checked. */
function linkAddress(
  bytes: Uint8Array,
  location: Icmpv6Location,
  type: number,
): Mac | undefined | NeighbourDropReason {
  const end = location.start + location.length;
  let found: Mac | undefined;
  let offset = location.start + FIXED_BYTES;
  while (offset < end) {
    const length = 8 * (bytes[offset + 1] ?? 0);
    if (offset + 2 > end || length === 0 || offset + length > end) return 'nd-option-length';
    if (bytes[offset] === type && found === undefined) {
      if (length !== LINK_ADDRESS_OPTION_BYTES) return 'nd-option-length';
      found = readMac(bytes, offset + 2);
      if (isGroupMac(found) || found === ZERO_MAC) return 'nd-link-address';
    }
    offset += length;
  }
  return found;
}

/** A complete frame with hop limit 255 and checksum. */
export function encodeNdp(message: NeighbourMessage): Uint8Array {
  const mac = message.kind === 'ns' ? message.sourceMac : message.targetMac;
  const length = FIXED_BYTES + (mac === undefined ? 0 : LINK_ADDRESS_OPTION_BYTES);
  const header = {
    destination: message.ethernetDestination,
    source: message.ethernetSource,
    etherType: EtherType.ipv6,
  };
  const bytes = createFrame(header, IPV6_HEADER_BYTES + length);
  const start = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
  const { source, destination } = message;
  const location = { source, destination, hopLimit: HOP_LIMIT, start, length };
  writeIpv6Header(bytes, location);
  bytes[start] = message.kind === 'ns' ? SOLICITATION : ADVERTISEMENT;
  bytes[start + 4] = message.kind === 'ns' ? 0 : flagsOf(message);
  message.target.write(bytes, start + 8);
  if (mac !== undefined) {
    bytes[start + FIXED_BYTES] = message.kind === 'ns' ? SOURCE_LINK_ADDRESS : TARGET_LINK_ADDRESS;
    bytes[start + FIXED_BYTES + 1] = LINK_ADDRESS_OPTION_BYTES / 8;
    writeMac(mac, bytes, start + FIXED_BYTES + 2);
  }
  writeU16(bytes, start + 2, icmpv6Checksum(bytes, location));
  return bytes;
}

function flagsOf(message: NeighbourAdvertisement): number {
  return (
    (message.router ? ROUTER : 0) | (message.solicited ? SOLICITED : 0) | (message.override ? OVERRIDE : 0)
  );
}
