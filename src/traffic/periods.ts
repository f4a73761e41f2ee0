/**
 * What a router has counted, in periods of 30 s that begin at :00 and :30 of the wall clock on every router. Time is handed in.
 * A running period has room for `TABLE_PAIRS`; of one that has ended the largest `PERIOD_PAIRS` are kept, the rest summed by
 * sites. All periods together have `mostBytes`: when they are more, the oldest keep fewer pairs, and at last none is left of
 * them. What is no longer there by pair is there by sites, as long as the period is.
 */
import { type Counted, NOTHING } from './counted.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';
import { PairTable } from './pair-table.js';
import { countedPairs, decodeCounted, encodeCounted, SiteNumbers } from './period-codec.js';

export const PERIOD_SECONDS = 30;
const PERIOD_MS = PERIOD_SECONDS * 1_000;
/** Of a period that has ended. */
export const PERIOD_PAIRS = 4_096;
export const DEFAULT_KEEP_SECONDS = 86_400;
/** 24 hours of 700 IPv4 or 350 IPv6 pairs in each period; measured (docs/performance.md). */
export const MOST_BYTES = 32 * 1_048_576;
/** For the object and the array around the bytes. */
const PERIOD_OVERHEAD_BYTES = 256;
/** What is left of the oldest periods when there is not enough room, step by step. */
const FEWER_PAIRS = [512, 128, 0];
/** The newest tenth keeps all it has. */
const NEWEST_SHARE = 10;

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

type PairKey = Parameters<PairTable['add']>[0];

export class Periods {
  #keepSeconds: number;
  readonly #mostBytes: number;
  readonly #sites = new SiteNumbers();
  /** Oldest first. */
  readonly #ended: Ended[] = [];
  #bytes = 0;
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

  /** Ends the running period when its time is over; also when the clock was set back before its beginning. */
  roll(wallMs: number): boolean {
    const now = startOf(wallMs);
    if (now === this.#startSeconds) return false;
    this.#keep({
      startSeconds: this.#startSeconds,
      bytes: this.#encode(this.#running.counted(PERIOD_PAIRS)),
    });
    this.#running = new PairTable();
    this.#startSeconds = now;
    this.#dropOld(now);
    this.#fit();
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
    for (const { startSeconds, bytes } of [...this.#ended])
      if (startSeconds >= fromSeconds && startSeconds < toSeconds)
        yield { startSeconds, counted: decodeCounted(bytes, this.#sites) };
  }

  /** The one before the running one; nothing when there is none. */
  last(): Counted {
    const last = this.#ended.at(-1);
    const isBefore = last !== undefined && last.startSeconds === this.#startSeconds - PERIOD_SECONDS;
    return isBefore ? decodeCounted(last.bytes, this.#sites) : NOTHING;
  }

  /** What the periods that have ended take. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#ended.length;
  }

  #encode(counted: Counted): Uint8Array {
    return encodeCounted(counted, this.#sites);
  }

  #keep(ended: Ended): void {
    this.#ended.push(ended);
    this.#bytes += sizeOf(ended);
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

  #fit(): void {
    // Who asks asks mostly about the last of them.
    const older = this.#ended.slice(0, -Math.ceil(this.#ended.length / NEWEST_SHARE));
    for (const most of FEWER_PAIRS) {
      for (const ended of older) {
        if (this.#bytes <= this.#mostBytes) return;
        if (countedPairs(ended.bytes) > most) this.#cut(ended, most);
      }
    }
    while (this.#bytes > this.#mostBytes && this.#ended.length > 0) this.#drop();
  }

  #cut(ended: Ended, most: number): void {
    const table = new PairTable();
    table.addAll(decodeCounted(ended.bytes, this.#sites));
    this.#bytes -= sizeOf(ended);
    ended.bytes = this.#encode(table.counted(most));
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
