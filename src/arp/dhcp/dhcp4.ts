/**
 * DHCP for IPv4 (RFC 2131 §2, options: RFC 2132), the UDP payload:
 *
 *     0    1       2      3      4     8      10      12       16       20       24       28       44      108    236
 *     +----+-------+------+------+-----+------+-------+--------+--------+--------+--------+--------+-------+------+--
 *     | op | htype | hlen | hops | xid | secs | flags | ciaddr | yiaddr | siaddr | giaddr | chaddr | sname | file | …
 *     +----+-------+------+------+-----+------+-------+--------+--------+--------+--------+--------+-------+------+--
 *
 * then the cookie 99.130.83.99 and options `code, length, value`; 0 is a pad, 255 the end. What sname and file hold
 * instead of names (option 52) is not read: what is looked for here, no server puts there. Plain BOOTP is no DHCP.
 */
import { Ip } from '../../net/ip.js';
import { isGroupMac, type Mac, readMac, ZERO_MAC } from '../../net/mac.js';
import { MAX_DHCP_BYTES } from '../../tables/limits.js';
import { readU16, writeU16 } from '../ethernet.js';
import type { DhcpDropReason } from './drop-reason.js';

const FIXED_BYTES = 236;
const COOKIE = 0x63825363;
const OPTIONS_START = FIXED_BYTES + 4;
/** RFC 1542 §2.1: relays and servers may drop shorter ones. */
const LEAST_BYTES = 300;
const BOOT_REQUEST = 1;
const BOOT_REPLY = 2;
const ETHERNET = 1;
const FLAGS_OFFSET = 10;
const BROADCAST_FLAG = 0x8000;
const CHADDR_OFFSET = 28;

/** RFC 2132 §9. */
export const Dhcp4Option = {
  pad: 0,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverIdentifier: 54,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  /** RFC 3046: between relay and server. */
  relayAgent: 82,
  end: 255,
} as const;

export type Dhcp4Request = 'discover' | 'request' | 'decline' | 'release' | 'inform';
export type Dhcp4Reply = 'offer' | 'ack' | 'nak' | 'force-renew';

/** RFC 2132 §9.6; FORCERENEW: RFC 3203 §4. */
const REQUESTS: ReadonlyMap<number, Dhcp4Request> = new Map([
  [1, 'discover'],
  [3, 'request'],
  [4, 'decline'],
  [7, 'release'],
  [8, 'inform'],
]);
const REPLIES: ReadonlyMap<number, Dhcp4Reply> = new Map([
  [2, 'offer'],
  [5, 'ack'],
  [6, 'nak'],
  [9, 'force-renew'],
]);

interface Common {
  readonly family: 4;
  readonly xid: number;
  /** `chaddr`: the client's. */
  readonly mac: Mac;
  /** The client's address, if it has one. */
  readonly ciaddr: Ip;
  readonly yiaddr: Ip;
  /** Of the relay between client and server; unspecified without one. */
  readonly giaddr: Ip;
  readonly requested: Ip | undefined;
  readonly server: Ip | undefined;
  /** 0xffffffff: for ever. */
  readonly leaseSeconds: number | undefined;
  /** As hexadecimal text. */
  readonly clientId: string | undefined;
  /** The message without the zeros behind its options. */
  readonly bytes: Uint8Array;
}

export type Dhcp4Message =
  | (Common & { readonly from: 'client'; readonly kind: Dhcp4Request })
  | (Common & { readonly from: 'server'; readonly kind: Dhcp4Reply });

/** One option, its value being a part of the message. */
interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

export function decodeDhcp4(bytes: Uint8Array): Dhcp4Message | DhcpDropReason {
  if (bytes.length <= OPTIONS_START) return 'too-short';
  if (bytes[1] !== ETHERNET || bytes[2] !== 6) return 'hardware';
  const mac = readMac(bytes, CHADDR_OFFSET);
  if (mac === ZERO_MAC || isGroupMac(mac)) return 'chaddr';
  if (readU32(bytes, FIXED_BYTES) !== COOKIE) return 'cookie';
  const read = readOptions(bytes);
  if (typeof read === 'string') return read;
  const { options, end } = read;
  if (end > MAX_DHCP_BYTES) return 'too-long';
  const addressIn = (code: number): Ip | undefined => {
    const value = options.get(code);
    return value === undefined ? undefined : Ip.read(4, value, 0);
  };
  const lease = options.get(Dhcp4Option.leaseTime);
  const clientId = options.get(Dhcp4Option.clientIdentifier);
  const common: Common = {
    family: 4,
    xid: readU32(bytes, 4),
    mac,
    ciaddr: Ip.read(4, bytes, 12),
    yiaddr: Ip.read(4, bytes, 16),
    giaddr: Ip.read(4, bytes, 24),
    requested: addressIn(Dhcp4Option.requestedAddress),
    server: addressIn(Dhcp4Option.serverIdentifier),
    leaseSeconds: lease === undefined ? undefined : readU32(lease, 0),
    clientId: clientId === undefined ? undefined : Buffer.from(clientId).toString('hex'),
    bytes: Uint8Array.from(bytes.subarray(0, end)),
  };
  return typed(common, bytes[0] ?? 0, options.get(Dhcp4Option.messageType)?.[0] ?? 0);
}

function typed(common: Common, operation: number, type: number): Dhcp4Message | DhcpDropReason {
  if (operation === BOOT_REQUEST) {
    const kind = REQUESTS.get(type);
    return kind === undefined ? 'type' : { ...common, from: 'client', kind };
  }
  if (operation !== BOOT_REPLY) return 'operation';
  const kind = REPLIES.get(type);
  return kind === undefined ? 'type' : { ...common, from: 'server', kind };
}

/** Lengths of the values that are read here; a client identifier has 2 at least. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [Dhcp4Option.requestedAddress, 4],
  [Dhcp4Option.leaseTime, 4],
  [Dhcp4Option.messageType, 1],
  [Dhcp4Option.serverIdentifier, 4],
]);

interface ReadOptions {
  /** Those that are read here, by code. */
  readonly options: ReadonlyMap<number, Uint8Array>;
  /** Behind the last option and the end mark. */
  readonly end: number;
}

/** Every option's length is checked; of those that are read here there is one at most, so that all read the same. */
function readOptions(bytes: Uint8Array): ReadOptions | DhcpDropReason {
  const options = new Map<number, Uint8Array>();
  let offset = OPTIONS_START;
  while (offset < bytes.length && bytes[offset] !== Dhcp4Option.end) {
    const code = bytes[offset] ?? 0;
    if (code === Dhcp4Option.pad) {
      offset++;
      continue;
    }
    const start = offset + 2;
    const length = bytes[offset + 1];
    if (length === undefined || start + length > bytes.length) return 'option-length';
    offset = start + length;
    const wanted = LENGTHS.get(code);
    if (wanted === undefined && code !== Dhcp4Option.clientIdentifier) continue;
    if (wanted === undefined ? length < 2 : length !== wanted) return 'option-length';
    if (options.has(code)) return 'option-repeated';
    options.set(code, bytes.subarray(start, offset));
  }
  return { options, end: Math.min(offset + 1, bytes.length) };
}

/** As it goes to a server: with the broadcast flag, so that the answer is one that whoever brings the message can see. */
export function askedForBroadcast(message: Dhcp4Message): Uint8Array {
  const bytes = padded(message.bytes);
  writeU16(bytes, FLAGS_OFFSET, readU16(bytes, FLAGS_OFFSET) | BROADCAST_FLAG);
  return bytes;
}

/** A copy that is long enough for every receiver. */
export function padded(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(Math.max(LEAST_BYTES, bytes.length));
  copy.set(bytes);
  return copy;
}

/**
 * An acknowledgement made from one that a server gave before: the answer to `request`, with a lease of `leaseSeconds` and
 * the times of RFC 2131 §4.4.5 for renewal (a half) and rebinding (seven eighths).
 */
export function acknowledgeAgain(
  before: Dhcp4Message,
  request: Dhcp4Message,
  leaseSeconds: number,
): Uint8Array {
  const times: readonly (readonly [code: number, seconds: number])[] = [
    [Dhcp4Option.leaseTime, leaseSeconds],
    [Dhcp4Option.renewalTime, Math.floor(leaseSeconds / 2)],
    [Dhcp4Option.rebindingTime, Math.floor((leaseSeconds * 7) / 8)],
  ];
  const kept = allOptions(before.bytes).filter(({ code }) => !REPLACED.has(code));
  const options = [
    ...kept.flatMap(({ code, value }) => [code, value.length, ...value]),
    ...times.flatMap(([code, seconds]) => [code, 4, ...u32(seconds)]),
    Dhcp4Option.end,
  ];
  const bytes = new Uint8Array(Math.max(LEAST_BYTES, OPTIONS_START + options.length));
  bytes.set(before.bytes.subarray(0, OPTIONS_START));
  // xid, and of the second word the flags; no seconds have passed for a server.
  bytes.set(request.bytes.subarray(4, 8), 4);
  writeU16(bytes, 8, 0);
  bytes.set(request.bytes.subarray(FLAGS_OFFSET, 16), FLAGS_OFFSET);
  bytes.set(options, OPTIONS_START);
  return bytes;
}

const REPLACED: ReadonlySet<number> = new Set([
  Dhcp4Option.leaseTime,
  Dhcp4Option.renewalTime,
  Dhcp4Option.rebindingTime,
  Dhcp4Option.relayAgent,
]);

/** Of a message that has been decoded: their lengths are good. */
function allOptions(bytes: Uint8Array): Option[] {
  const options: Option[] = [];
  let offset = OPTIONS_START;
  while (offset < bytes.length && bytes[offset] !== Dhcp4Option.end) {
    const code = bytes[offset] ?? 0;
    if (code === Dhcp4Option.pad) {
      offset++;
      continue;
    }
    const start = offset + 2;
    offset = start + (bytes[offset + 1] ?? 0);
    options.push({ code, value: bytes.subarray(start, offset) });
  }
  return options;
}

/** Reads 4 bytes, network order, unsigned. The caller has checked that they are there. */
function readU32(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset) * 0x1_0000 + readU16(bytes, offset + 2);
}

function u32(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
}
