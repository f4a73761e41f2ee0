/**
 * DHCP for IPv6 (RFC 8415 §8, options: §21), the UDP payload between clients and servers:
 *
 *     0      1                4
 *     +------+----------------+-------------------------------------------------+
 *     | type | transaction-id | options: code (2), length of value (2), value … |
 *     +------+----------------+-------------------------------------------------+
 *
 * Messages of relays (types 12, 13) have another form and are none here. A client is known by its DUID (option 1), which
 * says nothing for sure of its MAC.
 */
import { Ip } from '../../net/ip.js';
import { MAX_DHCP_BYTES } from '../../tables/limits.js';
import { readU16 } from '../ethernet.js';
import type { DhcpDropReason } from './drop-reason.js';

const FIXED_BYTES = 4;
const OPTION_HEADER_BYTES = 4;
/** RFC 8415 §11.1: a type of two bytes, and 1 to 128 more. */
const LEAST_DUID_BYTES = 3;
const MOST_DUID_BYTES = 130;
/** More addresses than a machine asks for at once. */
const MOST_ADDRESSES = 32;

/** RFC 8415 §21. */
export const Dhcp6Option = {
  clientId: 1,
  serverId: 2,
  iaNa: 3,
  iaTa: 4,
  iaAddress: 5,
  auth: 11,
  status: 13,
  iaPd: 25,
} as const;
const { clientId: CLIENT_ID, iaNa: IA_NA, iaTa: IA_TA, iaAddress: IA_ADDRESS } = Dhcp6Option;
/** What comes before the options in an identity association: IAID, T1, T2; IAID. */
export const IA_NA_FIXED_BYTES = 12;
const IA_TA_FIXED_BYTES = 4;
/** Address, preferred and valid lifetime. */
const IA_ADDRESS_FIXED_BYTES = 24;

export type Dhcp6Request =
  | 'solicit'
  | 'request'
  | 'confirm'
  | 'renew'
  | 'rebind'
  | 'release'
  | 'decline'
  | 'information-request';
export type Dhcp6Reply = 'advertise' | 'reply' | 'reconfigure';

const REQUESTS: ReadonlyMap<number, Dhcp6Request> = new Map([
  [1, 'solicit'],
  [3, 'request'],
  [4, 'confirm'],
  [5, 'renew'],
  [6, 'rebind'],
  [8, 'release'],
  [9, 'decline'],
  [11, 'information-request'],
]);
const REPLIES: ReadonlyMap<number, Dhcp6Reply> = new Map([
  [2, 'advertise'],
  [7, 'reply'],
  [10, 'reconfigure'],
]);

interface Common {
  readonly family: 6;
  /** 24 bits. */
  readonly xid: number;
  /** The client's DUID as hexadecimal text; only an information-request, and its reply, may have none. */
  readonly clientId: string | undefined;
  /** Of all identity associations for addresses. */
  readonly addresses: readonly Ip[];
  readonly bytes: Uint8Array;
}

export type Dhcp6Message =
  | (Common & { readonly from: 'client'; readonly kind: Dhcp6Request })
  | (Common & { readonly from: 'server'; readonly kind: Dhcp6Reply });

/** One option, its value being a part of the message. */
export interface Option6 {
  readonly code: number;
  readonly value: Uint8Array;
}

/** The options of a message that has been decoded. */
export function optionsIn({ bytes }: Dhcp6Message): readonly Option6[] {
  return optionsOf(bytes.subarray(FIXED_BYTES)) ?? [];
}

export function decodeDhcp6(bytes: Uint8Array): Dhcp6Message | DhcpDropReason {
  if (bytes.length < FIXED_BYTES) return 'too-short';
  if (bytes.length > MAX_DHCP_BYTES) return 'too-long';
  const options = optionsOf(bytes.subarray(FIXED_BYTES));
  const addresses = options && addressesOf(options);
  if (options === undefined || addresses === undefined) return 'option-length';
  const ids = options.filter(({ code }) => code === CLIENT_ID);
  if (ids.length > 1) return 'option-repeated';
  const id = ids[0]?.value;
  if (id !== undefined && (id.length < LEAST_DUID_BYTES || id.length > MOST_DUID_BYTES))
    return 'option-length';
  const common: Common = {
    family: 6,
    xid: ((bytes[1] ?? 0) << 16) | readU16(bytes, 2),
    clientId: id === undefined ? undefined : Buffer.from(id).toString('hex'),
    addresses,
    bytes: Uint8Array.from(bytes),
  };
  return typed(common, bytes[0] ?? 0);
}

function typed(common: Common, type: number): Dhcp6Message | DhcpDropReason {
  const request = REQUESTS.get(type);
  if (request !== undefined) {
    const mayBeNameless = request === 'information-request';
    if (common.clientId === undefined && !mayBeNameless) return 'type';
    return { ...common, from: 'client', kind: request };
  }
  const kind = REPLIES.get(type);
  if (kind === undefined || (common.clientId === undefined && kind !== 'reply')) return 'type';
  return { ...common, from: 'server', kind };
}

/** Undefined: one of them does not fit. */
export function optionsOf(bytes: Uint8Array): readonly Option6[] | undefined {
  const options: Option6[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const start = offset + OPTION_HEADER_BYTES;
    if (start > bytes.length) return undefined;
    const code = readU16(bytes, offset);
    offset = start + readU16(bytes, offset + 2);
    if (offset > bytes.length) return undefined;
    options.push({ code, value: bytes.subarray(start, offset) });
  }
  return options;
}

/** Undefined: an option in an association does not fit, or there are too many. */
function addressesOf(options: readonly Option6[]): readonly Ip[] | undefined {
  const addresses: Ip[] = [];
  for (const { code, value } of options) {
    if (code !== IA_NA && code !== IA_TA) continue;
    const fixed = code === IA_NA ? IA_NA_FIXED_BYTES : IA_TA_FIXED_BYTES;
    const inner = value.length < fixed ? undefined : optionsOf(value.subarray(fixed));
    if (inner === undefined) return undefined;
    for (const { code: innerCode, value: address } of inner) {
      if (innerCode !== IA_ADDRESS) continue;
      if (address.length < IA_ADDRESS_FIXED_BYTES || addresses.length >= MOST_ADDRESSES) return undefined;
      addresses.push(Ip.read(6, address, 0));
    }
  }
  return addresses;
}
