import type { NodeRecord } from './model.js';
import { addHash, hashRecord } from './record.js';

/** Records of a chunk before it is cut in two. */
const MOST_IN_CHUNK = 128;

/** Neighbours in the order; never empty. */
interface Chunk {
  readonly records: NodeRecord[];
  hash: number;
}

/**
 * One router's records in the order of their stamps (of equal ones by address), cut into chunks that each know the sum of
 * their hashes: what `Directory` compares with a peer's digest is the sum over all that are not newer than a stamp, and a
 * peer may send any stamp. Fresh records have the highest stamps and go to the end; anything else may be put in anywhere.
 * Each call costs as much as there are chunks, and one chunk's records; `after` and iterating also what they give.
 */
export class StampOrder {
  readonly #chunks: Chunk[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): NodeRecord | undefined {
    return this.#chunks[0]?.records[0];
  }

  *[Symbol.iterator](): IterableIterator<NodeRecord> {
    for (const { records } of this.#chunks) yield* records;
  }

  /** @param hash the record's */
  add(record: NodeRecord, hash: number): void {
    const index = this.#chunkFor(record);
    const chunk = this.#chunks[index];
    this.#size++;
    if (chunk === undefined) {
      this.#append(record, hash);
      return;
    }
    chunk.records.splice(placeOf(chunk.records, record), 0, record);
    chunk.hash = addHash(chunk.hash, hash, 1);
    if (chunk.records.length > MOST_IN_CHUNK) this.#cut(index, chunk);
  }

  /** The record itself, not one like it; it must be there. @param hash the record's */
  delete(record: NodeRecord, hash: number): void {
    const index = this.#chunkFor(record);
    const chunk = this.#chunks[index];
    const place = chunk === undefined ? -1 : placeOf(chunk.records, record);
    if (chunk?.records[place] !== record) throw new Error('a record is not in the order of its stamp');
    chunk.records.splice(place, 1);
    chunk.hash = addHash(chunk.hash, hash, -1);
    this.#size--;
    this.#join(index, chunk);
  }

  /** How many records are not newer than the stamp, and the sum of their hashes. */
  upTo(stamp: number): { readonly count: number; readonly hash: number } {
    let [count, hash] = [0, 0];
    for (const { records, hash: ofChunk } of this.#chunks) {
      if (isAllUpTo(records, stamp)) {
        count += records.length;
        hash = addHash(hash, ofChunk, 1);
        continue;
      }
      const older = records.slice(0, countUpTo(records, stamp));
      return { count: count + older.length, hash: older.reduce(addTo, hash) };
    }
    return { count, hash };
  }

  /** The records that are newer than the stamp, oldest first. */
  after(stamp: number): NodeRecord[] {
    const found: NodeRecord[] = [];
    for (const { records } of this.#chunks) {
      if (isAllUpTo(records, stamp)) continue;
      const older = found.length === 0 ? countUpTo(records, stamp) : 0;
      for (let i = older; i < records.length; i++) {
        const record = records[i];
        if (record !== undefined) found.push(record);
      }
    }
    return found;
  }

  /** Index of the first chunk whose last record is not before this one; behind the last chunk there is none. */
  #chunkFor(record: NodeRecord): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = this.#chunks[middle]?.records.at(-1);
      if (last !== undefined && compare(last, record) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A chunk that only grows at its end is never cut: it is full, and a new one begins. */
  #append(record: NodeRecord, hash: number): void {
    const last = this.#chunks.at(-1);
    if (last === undefined || last.records.length >= MOST_IN_CHUNK) {
      this.#chunks.push({ records: [record], hash });
      return;
    }
    last.records.push(record);
    last.hash = addHash(last.hash, hash, 1);
  }

  #cut(index: number, chunk: Chunk): void {
    const records = chunk.records.splice(MOST_IN_CHUNK / 2);
    const hash = records.reduce(addTo, 0);
    chunk.hash = addHash(chunk.hash, hash, -1);
    this.#chunks.splice(index + 1, 0, { records, hash });
  }

  /** Lest many chunks of one record be left over. */
  #join(index: number, chunk: Chunk): void {
    const next = this.#chunks[index + 1];
    if (chunk.records.length === 0) {
      this.#chunks.splice(index, 1);
    } else if (next !== undefined && chunk.records.length + next.records.length <= MOST_IN_CHUNK / 2) {
      chunk.records.push(...next.records);
      chunk.hash = addHash(chunk.hash, next.hash, 1);
      this.#chunks.splice(index + 1, 1);
    }
  }
}

/** A strict order: a router has one record of an address. */
function compare(a: NodeRecord, b: NodeRecord): number {
  return (
    a.stamp - b.stamp ||
    a.vnet - b.vnet ||
    a.ip.family - b.ip.family ||
    a.ip.w0 - b.ip.w0 ||
    a.ip.w1 - b.ip.w1 ||
    a.ip.w2 - b.ip.w2 ||
    a.ip.w3 - b.ip.w3
  );
}

/** Where the record is, or would be. */
function placeOf(records: readonly NodeRecord[], record: NodeRecord): number {
  return firstWhere(records, (other) => compare(other, record) >= 0);
}

function addTo(sum: number, record: NodeRecord): number {
  return addHash(sum, hashRecord(record), 1);
}

/** One look tells it of most chunks. */
function isAllUpTo(records: readonly NodeRecord[], stamp: number): boolean {
  const last = records.at(-1);
  return last !== undefined && last.stamp <= stamp;
}

function countUpTo(records: readonly NodeRecord[], stamp: number): number {
  return firstWhere(records, (record) => record.stamp > stamp);
}

/** Index of the first record for which it holds, and from there on for all; their number, if there is none. */
function firstWhere(records: readonly NodeRecord[], holds: (record: NodeRecord) => boolean): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const record = records[middle];
    if (record !== undefined && !holds(record)) low = middle + 1;
    else high = middle;
  }
  return low;
}
