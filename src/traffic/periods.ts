/**
 * What a router has counted, in periods of 30 s that begin at :00 and :30 of the wall clock on every router. Time is handed in.
 * A running period has room for `TABLE_PAIRS`; of one that has ended the largest `PERIOD_PAIRS` are kept, the rest summed by
 * sites. All periods together have `mostBytes`: when they are more, the older ones keep fewer pairs, and at last none is left of
 * them. What is no longer there by pair is there by sites, as long as the period is.
 */
import { type Counted, NOTHING } from './counted.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';
import { type Largest, PairTable } from './pair-table.js';
import { countedPairs, cutCounted, decodeCounted, encodeCounted, SiteNumbers } from './period-codec.js';

export const PERIOD_SECONDS = 30;
const PERIOD_MS = PERIOD_SECONDS * 1_000;
/** Of a period that has ended. */
export const PERIOD_PAIRS = 4_096;
export const DEFAULT_KEEP_SECONDS = 86_400;
/** 24 hours of some 600 IPv4 or 270 IPv6 pairs in each period; what the process takes for it: test/unit/traffic/memory. */
export const MOST_BYTES = 32 * 1_048_576;
/** For the object and the array around the bytes. */
const PERIOD_OVERHEAD_BYTES = 256;
/** What is left of the oldest periods when there is not enough room, step by step. */
const FEWER_PAIRS = [512, 128, 0];

export interface PeriodsOptions {
  readonly keepSeconds?: number;
  readonly mostBytes?: number;
}

/** A period that has ended. */
interface Ended {
  /** Unix time. */
  readonly startSeconds: number;
  bytes: Uint8Array;
}

/** One that has ended a moment ago, as it was counted. */
interface Untidied {
  readonly startSeconds: number;
  readonly table: PairTable;
  /** What is kept of it, when it has been chosen. */
  largest?: Largest;
}

type PairKey = Parameters<PairTable['add']>[0];

export class Periods {
  #keepSeconds: number;
  readonly #mostBytes: number;
  readonly #sites = new SiteNumbers();
  /** Oldest first. */
  readonly #ended: Ended[] = [];
  #bytes = 0;
  /** Oldest first. */
  readonly #untidied: Untidied[] = [];
  #running = new PairTable();
  #startSeconds: number;

  /** @param wallMs Unix time now */
  constructor(
    wallMs: number,
    { keepSeconds = DEFAULT_KEEP_SECONDS, mostBytes = MOST_BYTES }: PeriodsOptions = {},
  ) {
    this.#keepSeconds = keepSeconds;
    this.#mostBytes = mostBytes;
    this.#startSeconds = startOf(wallMs);
  }

  /** What was counted goes into the period that runs, whose time is that since the last `roll`. */
  add(key: PairKey, counts: TrafficCounts): void {
    this.#running.add(key, counts);
  }

  addRest(sites: Omit<SiteTraffic, 'packets' | 'bytes'>, counts: TrafficCounts): void {
    this.#running.addRest(sites, counts);
  }

  addUnattributed(counts: TrafficCounts): void {
    this.#running.addUnattributed(counts);
  }

  /**
   * Ends the running period when its time is over; also when the clock was set back before its beginning. What there is to do
   * for it is left to `tidy`.
   */
  roll(wallMs: number): boolean {
    const now = startOf(wallMs);
    if (now === this.#startSeconds) return false;
    this.#untidied.push({ startSeconds: this.#startSeconds, table: this.#running });
    this.#running = new PairTable();
    this.#startSeconds = now;
    this.#dropOld(now);
    return true;
  }

  /** A little of what is to be done after periods have ended, some milliseconds of it; false when nothing is left. */
  tidy(): boolean {
    const next = this.#untidied[0];
    if (next === undefined) return this.#fitOne();
    if (next.largest === undefined) {
      next.largest = next.table.largest(PERIOD_PAIRS);
      return true;
    }
    this.#untidied.shift();
    const { startSeconds, largest } = next;
    const ended = { startSeconds, bytes: encodeCounted(largest, this.#sites) };
    this.#ended.push(ended);
    this.#bytes += sizeOf(ended);
    this.#dropOld(this.#startSeconds);
    return true;
  }

  setKeepSeconds(keepSeconds: number): void {
    this.#keepSeconds = keepSeconds;
    this.#dropOld(this.#startSeconds);
  }

  /** Of the running one; Unix time. */
  get startSeconds(): number {
    return this.#startSeconds;
  }

  running(): Counted {
    return this.#running.counted();
  }

  /** Those that began in [from, to), oldest first; decoded one by one as they are taken. */
  *between(fromSeconds: number, toSeconds: number): Generator<{ startSeconds: number; counted: Counted }> {
    while (this.#untidied.length > 0) this.tidy();
    for (const { startSeconds, bytes } of [...this.#ended])
      if (startSeconds >= fromSeconds && startSeconds < toSeconds)
        yield { startSeconds, counted: decodeCounted(bytes, this.#sites) };
  }

  /** The one before the running one; nothing when there is none. */
  last(): Counted {
    while (this.#untidied.length > 0) this.tidy();
    const last = this.#ended.at(-1);
    const isBefore = last !== undefined && last.startSeconds === this.#startSeconds - PERIOD_SECONDS;
    return isBefore ? decodeCounted(last.bytes, this.#sites) : NOTHING;
  }

  /** What the periods that have ended take, when they are tidied. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#ended.length + this.#untidied.length;
  }

  #dropOld(nowSeconds: number): void {
    for (let oldest = this.#ended[0]; oldest !== undefined; oldest = this.#ended[0]) {
      // A clock that was set back leaves some that are in the future: they go when they are as far away.
      if (Math.abs(nowSeconds - oldest.startSeconds) <= this.#keepSeconds) return;
      this.#drop();
    }
  }

  #drop(): void {
    const oldest = this.#ended.shift();
    if (oldest !== undefined) this.#bytes -= sizeOf(oldest);
  }

  /** False: it fits. */
  #fitOne(): boolean {
    if (this.#bytes <= this.#mostBytes) return false;
    const older = this.#ended.slice(0, this.#newestFrom());
    for (const most of FEWER_PAIRS) {
      const large = older.find(({ bytes }) => countedPairs(bytes) > most);
      if (large === undefined) continue;
      this.#cut(large, most);
      return true;
    }
    this.#drop();
    return true;
  }

  /** Who asks asks mostly about the last of them: those keep all they have, as long as it is no more than half of the room. */
  #newestFrom(): number {
    let left = this.#mostBytes / 2;
    let from = this.#ended.length;
    while (from > 0) {
      left -= sizeOf(this.#ended[from - 1] as Ended);
      if (left < 0) break;
      from--;
    }
    return from;
  }

  #cut(ended: Ended, most: number): void {
    this.#bytes -= sizeOf(ended);
    ended.bytes = cutCounted(ended.bytes, most, this.#sites, (others, unattributed) => {
      const table = new PairTable();
      for (const site of others) table.addRest(site, site);
      table.addUnattributed(unattributed);
      return table.largest(0);
    });
    this.#bytes += sizeOf(ended);
  }
}

/** Of the period that holds the time: seconds of Unix time, a multiple of 30. */
export function startOf(wallMs: number): number {
  return Math.floor(wallMs / PERIOD_MS) * PERIOD_SECONDS;
}

function sizeOf({ bytes }: Ended): number {
  return bytes.length + PERIOD_OVERHEAD_BYTES;
}
