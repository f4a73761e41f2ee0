/**
 * DHCPv6 answers made from a REPLY that a server gave before (RFC 8415 §18.3): to a REBIND the same addresses with what is
 * left of their lifetimes, to a CONFIRM that they are right where the client is.
 */
import { readU16, writeU16 } from '../ethernet.js';
import {
  type Dhcp6Message,
  Dhcp6Option,
  IA_NA_FIXED_BYTES,
  type Option6,
  optionsIn,
  optionsOf,
} from './dhcp6.js';

const REPLY = 7;
const HEADER_BYTES = 4;
const FOR_EVER = 0xffffffff;
/** In an address option: behind the address the preferred, then the valid lifetime. */
const PREFERRED_OFFSET = 16;
const VALID_OFFSET = 20;
/** In an association: behind its id the times for renewal and rebinding. */
const T1_OFFSET = 4;
const T2_OFFSET = 8;

/**
 * Can the REPLY be given again? It grants addresses for a time, each in an association for such (IA_NA) that has nothing to
 * complain of; it grants nothing else, and is not signed.
 */
export function isGrant(reply: Dhcp6Message): boolean {
  const options = optionsIn(reply);
  const has = (code: number): boolean => options.some((option) => option.code === code);
  const other = [Dhcp6Option.auth, Dhcp6Option.iaTa, Dhcp6Option.iaPd].some(has);
  const associations = options.filter(({ code }) => code === Dhcp6Option.iaNa);
  if (other || !has(Dhcp6Option.serverId) || associations.length === 0 || isFailure(options)) return false;
  return associations.every((association) => {
    const inner = within(association);
    return !isFailure(inner) && addressesIn(inner).length > 0;
  });
}

/** Seconds until the first of the granted addresses has run out; infinite when none does. */
export function shortestLifetime(reply: Dhcp6Message): number {
  const lifetimes = optionsIn(reply)
    .filter(({ code }) => code === Dhcp6Option.iaNa)
    .flatMap((association) => addressesIn(within(association)))
    .map(({ value }) => readU32(value, VALID_OFFSET));
  return Math.min(...lifetimes.map((seconds) => (seconds === FOR_EVER ? Number.POSITIVE_INFINITY : seconds)));
}

/** Does the client ask for the associations that were granted, and for nothing else? */
export function asksForTheSame(request: Dhcp6Message, reply: Dhcp6Message): boolean {
  const [asked, granted] = [associationIds(request), associationIds(reply)];
  return asked.length === granted.length && asked.every((id) => granted.includes(id));
}

/** @param passedSeconds since the lifetimes of `reply` began; less than the shortest of them */
export function replyAgain(reply: Dhcp6Message, request: Dhcp6Message, passedSeconds: number): Uint8Array {
  const bytes = Uint8Array.from(reply.bytes);
  bytes.set(request.bytes.subarray(1, HEADER_BYTES), 1);
  // The options read from the copy are parts of it: what is written into them is written into the message.
  for (const option of optionsOf(bytes.subarray(HEADER_BYTES)) ?? []) {
    if (option.code === Dhcp6Option.iaNa) shorten(option, passedSeconds);
  }
  return bytes;
}

/** The answer to a CONFIRM: the addresses are right here. */
export function confirmation(reply: Dhcp6Message, request: Dhcp6Message): Uint8Array {
  const names = optionsIn(reply).filter(
    ({ code }) => code === Dhcp6Option.clientId || code === Dhcp6Option.serverId,
  );
  const options = [...names, { code: Dhcp6Option.status, value: Uint8Array.of(0, 0) }];
  return Uint8Array.from([
    ...[REPLY, ...request.bytes.subarray(1, HEADER_BYTES)],
    ...options.flatMap(({ code, value }) => [...u16(code), ...u16(value.length), ...value]),
  ]);
}

function shorten(association: Option6, passedSeconds: number): void {
  let shortest = FOR_EVER;
  for (const { value } of addressesIn(within(association))) {
    for (const offset of [PREFERRED_OFFSET, VALID_OFFSET]) {
      const seconds = readU32(value, offset);
      if (seconds !== FOR_EVER) writeU32(value, offset, Math.max(0, seconds - passedSeconds));
    }
    shortest = Math.min(shortest, readU32(value, PREFERRED_OFFSET));
  }
  // As servers are recommended to (RFC 8415 §21.4), from the shortest preferred lifetime.
  const isEndless = shortest === FOR_EVER;
  writeU32(association.value, T1_OFFSET, isEndless ? FOR_EVER : Math.floor(shortest * 0.5));
  writeU32(association.value, T2_OFFSET, isEndless ? FOR_EVER : Math.floor(shortest * 0.8));
}

function within({ value }: Option6): readonly Option6[] {
  return optionsOf(value.subarray(IA_NA_FIXED_BYTES)) ?? [];
}

function addressesIn(options: readonly Option6[]): readonly Option6[] {
  return options.filter(({ code }) => code === Dhcp6Option.iaAddress);
}

/** A status that is cut short is none of success. */
function isFailure(options: readonly Option6[]): boolean {
  return options.some(
    ({ code, value }) => code === Dhcp6Option.status && (value.length < 2 || readU16(value, 0) !== 0),
  );
}

/** Kind and id of each: of all that may hold leases. */
function associationIds(message: Dhcp6Message): readonly string[] {
  const kinds: readonly number[] = [Dhcp6Option.iaNa, Dhcp6Option.iaTa, Dhcp6Option.iaPd];
  return optionsIn(message)
    .filter(({ code }) => kinds.includes(code))
    .map(({ code, value }) => `${code} ${Buffer.from(value.subarray(0, 4)).toString('hex')}`);
}

function readU32(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset) * 0x1_0000 + readU16(bytes, offset + 2);
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  writeU16(bytes, offset, value >>> 16);
  writeU16(bytes, offset + 2, value & 0xffff);
}

function u16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}
