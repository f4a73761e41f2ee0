/**
 * How many bytes the elements of table messages take on the wire (proto/vine.proto), by arithmetic: an upper bound that is
 * only a few bytes above the truth. To encode them only to find out would cost more than to send them.
 */
import type { Ip } from '../net/ip.js';
import type { NodeRecord, SiteId } from '../tables/model.js';
import type {
  ClaimResultMessage,
  MoveClaim,
  NodesMessage,
  SiteDigest,
  StaleMessage,
} from './table-message.js';
import type { TrafficRow } from './traffic-message.js';

/** `id`, `epoch`, `ack_epoch`, `oldest`, each a tag and 53 bits; the first byte; the body's tag and length. */
const ENVELOPE_BYTES = 4 * 9 + 1 + 4;
/** A claim's or query's number, in whatever message has one. */
const NUMBER_BYTES = 9;
/** Everything around the list of a table message. */
export const AROUND_BYTES = ENVELOPE_BYTES + NUMBER_BYTES;

/** A tag, and a MAC with its length. */
const MAC_BYTES = 2 + 6;
/** A tag, and a truth or a word of an enumeration. */
const WORD_BYTES = 2;

export function recordBytes({ vnet, ip, router, seq, stamp, frozen }: NodeRecord): number {
  const numbers = number(vnet) + number(seq) + number(stamp);
  const words = frozen === undefined ? WORD_BYTES : 2 * WORD_BYTES;
  return element(numbers + address(ip) + MAC_BYTES + text(router) + words);
}

/** Without its records, and as if they were long: its own length then takes two bytes. */
export function bareMoveBytes({ vnet, sinceDetectionUs, trigger, objection, against }: MoveClaim): number {
  const flags = (objection === undefined ? 0 : 1) + (trigger === 'search' ? 1 : 0);
  const words = (1 + flags) * WORD_BYTES;
  const name = against === undefined ? 0 : text(against);
  return 3 + number(vnet) + MAC_BYTES + number(Math.ceil(sinceDetectionUs)) + words + name;
}

export function moveBytes(move: MoveClaim): number {
  let bytes = bareMoveBytes(move);
  for (const record of move.records) bytes += recordBytes(record);
  return bytes;
}

export function resultBytes({ vnet, ip, seq, router }: ClaimResultMessage['results'][number]): number {
  const name = router === undefined ? 0 : text(router);
  return element(number(vnet) + address(ip) + number(seq) + 2 * WORD_BYTES + name);
}

export function staleBytes({ vnet, ip, seq, router }: StaleMessage['records'][number]): number {
  return element(number(vnet) + address(ip) + number(seq) + text(router));
}

export function digestBytes({ site, highestStamp, count, hash }: SiteDigest): number {
  return element(text(site) + number(highestStamp) + number(count) + number(hash));
}

export function nodeBytes({ ip }: NodesMessage['nodes'][number]): number {
  return element(address(ip) + MAC_BYTES);
}

/** Without the names of its sites. */
export function trafficRowBytes({ period, vnet, source, destination, packets, bytes }: TrafficRow): number {
  const ends =
    (source === undefined ? 0 : address(source)) + (destination === undefined ? 0 : address(destination));
  return element(3 * WORD_BYTES + number(period) + number(vnet) + ends + number(packets) + number(bytes));
}

export function siteNameBytes(site: SiteId): number {
  return text(site);
}

/** A tag, a length (of at most 16 KB), and so many bytes. */
function element(bytes: number): number {
  return (bytes < 128 ? 2 : 3) + bytes;
}

/** A tag and a varint. */
function number(value: number): number {
  let bytes = 2;
  for (let left = value; left >= 128; left /= 128) bytes++;
  return bytes;
}

function address(ip: Ip): number {
  return 2 + ip.bits / 8;
}

function text(value: string): number {
  return element(Buffer.byteLength(value));
}
