/**
 * Sums by pair in bounded memory. While there is room every pair has its own sum. When there is none the smaller half is
 * summed by sites: a pair that is among the largest is hardly ever among those, and what it may lose is what it had sent
 * until then. So the largest pairs are right as long as they are many times larger than the smallest that are kept.
 */
import { Ip, type IpWords } from '../net/ip.js';
import type { SiteId, VnetId } from '../tables/model.js';
import { byBytes, type Counted, type CountedPair, NO_COUNTS, plus } from './counted.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';

/** What a running period has room for: four times what is kept of it. */
export const TABLE_PAIRS = 16_384;
/** Pairs of sites; what is beyond has no sites. */
export const TABLE_SITE_PAIRS = 4_096;

/** An address in words, as in `Ip.fromWords`; undefined: outside. */
export type Address = { readonly family: 4 | 6; readonly words: IpWords } | undefined;

export interface Pair {
  readonly vnet: VnetId;
  readonly source: Address;
  readonly destination: Address;
  readonly sourceSite: SiteId;
  readonly destinationSite: SiteId;
  packets: number;
  bytes: number;
  /** Of the same ends at other sites. */
  next: Pair | undefined;
}

/** As they are counted: without objects for their addresses, most bytes first. */
export interface Largest {
  readonly pairs: readonly Readonly<Pair>[];
  readonly rest: readonly SiteTraffic[];
  readonly unattributed: TrafficCounts;
}

type PairKey = Omit<Pair, 'packets' | 'bytes' | 'next'>;

interface SiteSum extends SiteTraffic {
  packets: number;
  bytes: number;
}

/** Numbers of ends; two of them are a key. */
const MOST_ENDS = 2 ** 20;

export class PairTable {
  readonly #mostPairs: number;
  #ends = new Map<number | string, number>();
  /** By both ends' numbers. */
  #pairs = new Map<number, Pair>();
  #size = 0;
  readonly #rest = new Map<string, SiteSum>();
  #unattributed: TrafficCounts = NO_COUNTS;

  /** @param mostPairs at least 2 */
  constructor(mostPairs = TABLE_PAIRS) {
    this.#mostPairs = mostPairs;
  }

  get size(): number {
    return this.#size;
  }

  add(key: PairKey, { packets, bytes }: TrafficCounts): void {
    const pair = this.#find(key) ?? this.#make(key);
    pair.packets += packets;
    pair.bytes += bytes;
  }

  addPair(pair: CountedPair, counts: TrafficCounts = pair): void {
    this.add({ ...pair, source: pair.source, destination: pair.destination }, counts);
  }

  addRest(
    { vnet, sourceSite, destinationSite }: Omit<SiteTraffic, 'packets' | 'bytes'>,
    counts: TrafficCounts,
  ): void {
    const key = `${vnet} ${sourceSite} ${destinationSite}`;
    let sum = this.#rest.get(key);
    if (sum === undefined && this.#rest.size >= TABLE_SITE_PAIRS) {
      this.addUnattributed(counts);
      return;
    }
    if (sum === undefined) {
      sum = { vnet, sourceSite, destinationSite, packets: 0, bytes: 0 };
      this.#rest.set(key, sum);
    }
    sum.packets += counts.packets;
    sum.bytes += counts.bytes;
  }

  addUnattributed(counts: TrafficCounts): void {
    this.#unattributed = plus(this.#unattributed, counts);
  }

  addAll(counted: Counted): void {
    for (const pair of counted.pairs) this.addPair(pair);
    for (const site of counted.rest) this.addRest(site, site);
    this.addUnattributed(counted.unattributed);
  }

  /** At most `most` pairs; the others are in the rest. The table stays as it is. */
  counted(most = this.#mostPairs): Counted {
    const { pairs, rest, unattributed } = this.largest(most);
    return { pairs: pairs.map(countedPair), rest, unattributed };
  }

  /** As `counted`; the pairs are the table's own. */
  largest(most: number): Largest {
    const [pairs, smaller] = divide([...this.#all()], most);
    const others = new PairTable(2);
    for (const site of this.#rest.values()) others.addRest(site, site);
    for (const pair of smaller) others.addRest(pair, pair);
    return {
      pairs: pairs.sort(byBytes),
      rest: [...others.#rest.values()].sort(byBytes),
      unattributed: plus(this.#unattributed, others.#unattributed),
    };
  }

  *#all(): Generator<Pair> {
    for (const first of this.#pairs.values())
      for (let pair: Pair | undefined = first; pair !== undefined; pair = pair.next) yield pair;
  }

  #find(key: PairKey): Pair | undefined {
    let pair = this.#pairs.get(this.#numberOf(key));
    while (
      pair !== undefined &&
      !(pair.sourceSite === key.sourceSite && pair.destinationSite === key.destinationSite)
    )
      pair = pair.next;
    return pair;
  }

  #make(key: PairKey): Pair {
    if (this.#size >= this.#mostPairs) this.#halve();
    const number = this.#numberOf(key);
    const { vnet, source, destination, sourceSite, destinationSite } = key;
    const next = this.#pairs.get(number);
    const pair: Pair = { vnet, source, destination, sourceSite, destinationSite, packets: 0, bytes: 0, next };
    this.#pairs.set(number, pair);
    this.#size++;
    return pair;
  }

  #halve(): void {
    const [kept, smaller] = divide([...this.#all()], Math.floor(this.#mostPairs / 2));
    for (const pair of smaller) this.addRest(pair, pair);
    this.#ends = new Map();
    this.#pairs = new Map();
    this.#size = kept.length;
    for (const pair of kept) {
      const number = this.#numberOf(pair);
      pair.next = this.#pairs.get(number);
      this.#pairs.set(number, pair);
    }
  }

  #numberOf({ vnet, source, destination }: PairKey): number {
    return this.#endOf(vnet, source) * MOST_ENDS + this.#endOf(vnet, destination);
  }

  #endOf(vnet: VnetId, address: Address): number {
    const key = endKey(vnet, address);
    let number = this.#ends.get(key);
    if (number === undefined) {
      number = this.#ends.size;
      this.#ends.set(key, number);
    }
    return number;
  }
}

/** The `most` largest and the others, each as they came: numbers are sorted instead of pairs, which takes a tenth of the time. */
function divide(pairs: Pair[], most: number): [largest: Pair[], others: Pair[]] {
  if (pairs.length <= most) return [pairs, []];
  const least =
    Float64Array.from(pairs, ({ bytes }) => bytes).sort()[pairs.length - most] ?? Number.POSITIVE_INFINITY;
  let equals = most - pairs.reduce((count, { bytes }) => count + (bytes > least ? 1 : 0), 0);
  const [largest, others]: [Pair[], Pair[]] = [[], []];
  for (const pair of pairs) {
    if (pair.bytes > least || (pair.bytes === least && equals-- > 0)) largest.push(pair);
    else others.push(pair);
  }
  return [largest, others];
}

/** One value for an address in a vnet: a number where it is one. */
function endKey(vnet: VnetId, address: Address): number | string {
  if (address === undefined) return -vnet;
  const [w0, w1, w2, w3] = address.words;
  if (address.family === 4) return vnet * 0x1_0000_0000 + (w3 >>> 0);
  return `${vnet} ${w0 | 0} ${w1 | 0} ${w2 | 0} ${w3 | 0}`;
}

function countedPair({
  vnet,
  source,
  destination,
  sourceSite,
  destinationSite,
  packets,
  bytes,
}: Pair): CountedPair {
  return {
    vnet,
    source: ipOf(source),
    destination: ipOf(destination),
    sourceSite,
    destinationSite,
    packets,
    bytes,
  };
}

function ipOf(address: Address): Ip | undefined {
  return address && (address instanceof Ip ? address : Ip.fromWords(address.family, address.words));
}
