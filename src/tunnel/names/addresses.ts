/** What of a resolver's answer is used, and in which order. */
import type { Ip } from '../../net/ip.js';

/** Addresses that are taken of one name; a peer has room for sixteen ways in all (`paths/paths`). */
export const MOST_ADDRESSES = 6;

export interface Skipped {
  readonly address: Ip;
  readonly why: string;
}

export interface Choice {
  readonly addresses: readonly Ip[];
  readonly skipped: readonly Skipped[];
}

/**
 * The addresses that can be a router's, at most `MOST_ADDRESSES`, those in use before others: a pool of names that answers
 * with some of many must not look like a move each time. If they are the same as before, so is their order: resolvers
 * rotate it.
 * @param unusable why this router cannot use an address that is one host's; undefined: it can
 */
export function choose(
  answer: readonly Ip[],
  before: readonly Ip[],
  unusable: (address: Ip) => string | undefined,
): Choice {
  const skipped: Skipped[] = [];
  const fit: Ip[] = [];
  for (const address of answer) {
    const why = unfit(address) ?? unusable(address);
    if (why !== undefined) {
      // Examples: a resolver that lies may name many.
      if (skipped.length < MOST_ADDRESSES) skipped.push({ address, why });
    } else if (!includes(fit, address)) fit.push(address);
  }
  const turns = interleave(fit);
  const stay = turns.filter((address) => includes(before, address));
  const come = turns.filter((address) => !includes(before, address));
  const taken = [...stay, ...come].slice(0, MOST_ADDRESSES);
  if (sameSet(taken, before)) return { addresses: before, skipped };
  return { addresses: turns.filter((address) => includes(taken, address)), skipped };
}

/** Of an address that no router can be reached at. */
export function unfit(address: Ip): string | undefined {
  if (address.isUnspecified || (address.family === 4 && address.w3 >>> 24 === 0)) return 'is unspecified';
  if (address.isGroup) return 'is multicast or broadcast';
  if (address.isLoopback) return 'is loopback';
  if (address.isLinkLocal) return 'is link-local';
  if (address.family === 6 && (address.w0 | address.w1) === 0 && address.w2 === 0xffff)
    return 'is an IPv4 address in the clothes of IPv6';
  return undefined;
}

/**
 * The families take turns, beginning with that of the first (RFC 8305 §4, First Address Family Count 1); within a family
 * the order stays: getaddrinfo(3) has sorted it by RFC 6724. So the second call already goes by the other family, and
 * calls are 250 ms apart at first, which is the Connection Attempt Delay that §5 recommends.
 */
export function interleave(addresses: readonly Ip[]): readonly Ip[] {
  const first = addresses[0]?.family;
  const own = addresses.filter(({ family }) => family === first);
  const other = addresses.filter(({ family }) => family !== first);
  const turns: Ip[] = [];
  for (let i = 0; i < Math.max(own.length, other.length); i++) {
    for (const address of [own[i], other[i]]) if (address !== undefined) turns.push(address);
  }
  return turns;
}

export function sameSet(a: readonly Ip[], b: readonly Ip[]): boolean {
  return a.length === b.length && a.every((address) => includes(b, address));
}

function includes(list: readonly Ip[], address: Ip): boolean {
  return list.some((other) => other.equals(address));
}
