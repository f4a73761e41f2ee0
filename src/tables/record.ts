/** How node records compare and how they are summed up; what `Directory` is built on. */
import { macHigh, macLow } from '../net/mac.js';
import type { NodeRecord } from './model.js';

/**
 * The highest sequence number and the highest stamp that any router takes from a wire or a file, and that any gives out.
 * Below 2^53, so that what follows from one (the next) is still an exact integer. As a stamp it is a time in the year 2112.
 */
export const MAX_SEQUENCE = 2 ** 52;
export const MAX_STAMP = 2 ** 52;

/** No record that its router keeps has this stamp: it is before all that any clock gives. */
export const DISOWNED_STAMP = 1;

/**
 * Does its router say by it that it knows nothing of the node? It ends a record of that router's, as a tombstone does, but
 * nothing is kept of it: a router that is asked for what it never had would have to keep a tombstone of each.
 */
export function isDisowned({ state, stamp }: NodeRecord): boolean {
  return state === 'withdrawn' && stamp === DISOWNED_STAMP;
}

/**
 * Orders the records of one (vnet, ip): positive when `a` beats `b`, 0 when they say the same. Higher sequence number,
 * then greater router id (by UTF-16 code units, never by locale: all routers must agree), then, from one router, the
 * greater stamp. A router never gives out one stamp twice; should it do so (a restored disk), the state, the freeze and the
 * MAC decide, so that the order of arrival still does not matter.
 */
export function compareRecords(a: NodeRecord, b: NodeRecord): number {
  if (a.seq !== b.seq) return a.seq - b.seq;
  if (a.router !== b.router) return a.router < b.router ? -1 : 1;
  if (a.stamp !== b.stamp) return a.stamp - b.stamp;
  if (a.state !== b.state) return a.state === 'withdrawn' ? 1 : -1;
  if (a.frozen !== b.frozen) return a.frozen === true ? 1 : -1;
  return a.mac - b.mac;
}

/**
 * 32 bits over every field of a record, the same on every machine. Summed modulo 2^32 over a set of records they make
 * a hash that does not depend on order and that one record can be taken out of again. It finds differences between
 * honest tables; it is no protection against forgery (records come over authenticated sessions).
 */
export function hashRecord(record: NodeRecord): number {
  const { family, w0, w1, w2, w3 } = record.ip;
  let hash = mix(record.vnet, family);
  hash = mix(mix(mix(mix(hash, w0), w1), w2), w3);
  hash = mix(mix(hash, macHigh(record.mac)), macLow(record.mac));
  hash = mixNumber(mixNumber(hash, record.seq), record.stamp);
  hash = mix(hash, (record.state === 'here' ? 1 : 2) + (record.frozen === true ? 4 : 0));
  for (let i = 0; i < record.router.length; i++) hash = mix(hash, record.router.charCodeAt(i));
  return finish(mix(hash, record.router.length));
}

/** Adds or takes away (sign −1) one record's hash. */
export function addHash(sum: number, hash: number, sign: 1 | -1): number {
  return (sum + sign * hash) >>> 0;
}

/** An integer of up to 53 bits. */
function mixNumber(hash: number, value: number): number {
  return mix(mix(hash, Math.floor(value / 0x1_0000_0000)), value % 0x1_0000_0000);
}

/** One round of MurmurHash3 (x86, 32 bits). */
function mix(hash: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** MurmurHash3's final avalanche. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
