/**
 * What was counted in a period that has ended, in few bytes: there may be 2,880 of them with 4,096 pairs each. A row a pair,
 * then a row a pair of sites, then what has none:
 *
 *     what (1): source | destination << 2, each 0 outside, 1 IPv4, 2 IPv6; 0x10: a pair of sites
 *     vnet | addresses (4 or 16 each) | source site | destination site | packets | bytes
 *
 * Numbers are LEB128, sites are numbers of `SiteNumbers`. It never leaves this process.
 */
import { Ip } from '../net/ip.js';
import type { SiteId } from '../tables/model.js';
import type { Counted, CountedPair } from './counted.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';
import type { Address, Largest } from './pair-table.js';

const SITES = 0x10;
const MOST_ROW_BYTES = 1 + 2 * 16 + 5 * 8;

/** Numbers for sites' names. They are never forgotten: a network has a thousand. */
export class SiteNumbers {
  readonly #numbers = new Map<SiteId, number>();
  readonly #names: SiteId[] = [];

  numberOf(site: SiteId): number {
    let number = this.#numbers.get(site);
    if (number === undefined) {
      number = this.#names.push(site) - 1;
      this.#numbers.set(site, number);
    }
    return number;
  }

  nameOf(number: number): SiteId {
    return this.#names[number] ?? '';
  }
}

export function encodeCounted(
  { pairs, rest, unattributed }: Largest | Counted,
  sites: SiteNumbers,
): Uint8Array {
  const writer = new Writer((pairs.length + rest.length) * MOST_ROW_BYTES + 32);
  writer.number(pairs.length);
  writer.number(rest.length);
  for (const pair of pairs) {
    writer.byte(kindOf(pair.source) | (kindOf(pair.destination) << 2));
    writer.number(pair.vnet);
    writer.address(pair.source);
    writer.address(pair.destination);
    writeSums(writer, pair, sites);
  }
  writeRest(writer, { rest, unattributed }, sites);
  return writer.taken();
}

/** What is behind the pairs. */
type Rest = Pick<Counted, 'rest' | 'unattributed'>;

function writeRest(writer: Writer, { rest, unattributed }: Rest, sites: SiteNumbers): void {
  for (const site of rest) {
    writer.byte(SITES);
    writer.number(site.vnet);
    writeSums(writer, site, sites);
  }
  writer.number(unattributed.packets);
  writer.number(unattributed.bytes);
}

/**
 * Leaves the first `most` pairs, which are the largest.
 * @param sum of what is not among them
 */
export function cutCounted(
  bytes: Uint8Array,
  most: number,
  sites: SiteNumbers,
  sum: (others: readonly SiteTraffic[], unattributed: TrafficCounts) => Rest,
): Uint8Array {
  const reader = new Reader(bytes);
  const [pairs, rest] = [reader.number(), reader.number()];
  const kept = Math.min(most, pairs);
  const from = reader.at;
  let to = from;
  const others: SiteTraffic[] = [];
  for (let row = 0; row < pairs + rest; row++) {
    if (row === kept) to = reader.at;
    const what = reader.byte();
    const vnet = reader.number();
    if (what !== SITES) reader.skip(lengthOf(what & 3) + lengthOf((what >> 2) & 3));
    const sums = readSums(reader, sites);
    if (row >= kept) others.push({ vnet, ...sums });
  }
  if (pairs + rest === kept) to = reader.at;
  const left = sum(others, { packets: reader.number(), bytes: reader.number() });
  const writer = new Writer(to - from + left.rest.length * MOST_ROW_BYTES + 32);
  writer.number(kept);
  writer.number(left.rest.length);
  writer.copy(bytes.subarray(from, to));
  writeRest(writer, left, sites);
  return writer.taken();
}

export function decodeCounted(bytes: Uint8Array, sites: SiteNumbers): Counted {
  const reader = new Reader(bytes);
  const counts = [reader.number(), reader.number()] as const;
  const pairs: CountedPair[] = [];
  for (let i = 0; i < counts[0]; i++) {
    const what = reader.byte();
    const vnet = reader.number();
    const source = reader.address(what & 3);
    const destination = reader.address((what >> 2) & 3);
    pairs.push({ vnet, source, destination, ...readSums(reader, sites) });
  }
  const rest: SiteTraffic[] = [];
  for (let i = 0; i < counts[1]; i++) {
    reader.byte();
    rest.push({ vnet: reader.number(), ...readSums(reader, sites) });
  }
  return { pairs, rest, unattributed: { packets: reader.number(), bytes: reader.number() } };
}

/** Without looking at them. */
export function countedPairs(bytes: Uint8Array): number {
  return new Reader(bytes).number();
}

function writeSums(writer: Writer, sums: Omit<SiteTraffic, 'vnet'>, sites: SiteNumbers): void {
  writer.number(sites.numberOf(sums.sourceSite));
  writer.number(sites.numberOf(sums.destinationSite));
  writer.number(sums.packets);
  writer.number(sums.bytes);
}

function readSums(reader: Reader, sites: SiteNumbers): Omit<SiteTraffic, 'vnet'> {
  return {
    sourceSite: sites.nameOf(reader.number()),
    destinationSite: sites.nameOf(reader.number()),
    packets: reader.number(),
    bytes: reader.number(),
  };
}

function kindOf(address: Address): 0 | 1 | 2 {
  return address === undefined ? 0 : address.family === 4 ? 1 : 2;
}

const lengthOf = (kind: number): number => (kind === 0 ? 0 : kind === 1 ? 4 : 16);

class Writer {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(room: number) {
    this.#bytes = new Uint8Array(room);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  /** A whole number, 0 … 2^53. */
  number(value: number): void {
    let left = value;
    for (; left >= 128; left = Math.floor(left / 128)) this.byte((left % 128) | 128);
    this.byte(left);
  }

  address(address: Address): void {
    if (address === undefined) return;
    const words = address.words;
    for (let i = address.family === 4 ? 3 : 0; i < 4; i++) {
      const word = words[i] ?? 0;
      this.byte(word >>> 24);
      this.byte((word >>> 16) & 0xff);
      this.byte((word >>> 8) & 0xff);
      this.byte(word & 0xff);
    }
  }

  copy(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A copy of just what was written. */
  taken(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  address(kind: number): Ip | undefined {
    if (kind === 0) return undefined;
    const family = kind === 1 ? 4 : 6;
    const ip = Ip.read(family, this.#bytes, this.#at);
    this.#at += ip.bits / 8;
    return ip;
  }
}
