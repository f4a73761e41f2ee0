/**
 * What a journal's frames come to. Records whose data may not be durable count as long as the machine runs on: the kernel has what a
 * killed process wrote. After another boot only those count that a later record says are durable.
 */
import { isUntouched, MOVE_KEY, type VolumeRecord } from '../storage.js';
import { Chunk, type ChunkFacts } from './chunk.js';
import { CHUNK_BYTES, type NamedHead, SECTOR_BYTES, SECTORS } from './layout.js';
import { decodeRecords, type JournalRecord } from './records.js';

/** Versions of an epoch: none is written to so often in one run. */
export const EPOCH_VERSIONS = 2 ** 32;
const MOST_EPOCHS = 2 ** 20;

export interface Replayed {
  readonly chunks: Map<number, Chunk>;
  readonly records: Map<string, VolumeRecord>;
  /** The next one. */
  readonly epoch: number;
  readonly hasCleanSlots: boolean;
}

/** A text: what is wrong with it. */
export function replay(head: NamedHead, frames: readonly Buffer[], boot: string): Replayed | string {
  const decoded: (readonly JournalRecord[])[] = [];
  for (const [index, frame] of frames.entries()) {
    const records = decodeRecords(frame);
    if (records === undefined) return `frame ${index + 1} has records that are not known`;
    decoded.push(records);
  }
  const isClosed = decoded.at(-1)?.at(-1)?.is === 'closed';
  const isSameBoot = isClosed || head.boot === boot;
  let flushed = 0;
  for (const record of decoded.flat())
    if (record.is === 'flushed') flushed = Math.max(flushed, record.frames);
  const state = new State(head.sizeBytes);
  for (const [index, records] of decoded.entries())
    for (const record of records)
      if (!state.apply(record, isSameBoot || index + 1 <= flushed))
        return `frame ${index + 1} has a record of a chunk that is not there`;
  const epoch = state.nextEpoch(head.epoch);
  if (epoch >= MOST_EPOCHS) return 'its versions are exhausted';
  const { chunks, records } = state;
  if (!isClosed && !isUntouched(records.get(MOVE_KEY))) state.raise(epoch * EPOCH_VERSIONS);
  return { chunks, records, epoch, hasCleanSlots: head.hasCleanSlots && isSameBoot };
}

class State {
  readonly chunks = new Map<number, Chunk>();
  readonly records = new Map<string, VolumeRecord>();
  readonly #count: number;

  constructor(private readonly sizeBytes: number) {
    this.#count = Math.ceil(sizeBytes / CHUNK_BYTES);
  }

  /** @param hasData the data of a pending record is there. False: there is no such chunk */
  apply(record: JournalRecord, hasData: boolean): boolean {
    switch (record.is) {
      case 'state':
        if (record.chunk >= this.#count) return false;
        if (hasData || !record.isPending) this.#state(record.chunk, record.facts);
        return true;
      case 'open':
        return this.#open(record.first, record.count);
      case 'fill':
      case 'clear':
        if (hasData) this.#sectors(record.is, record.chunk, record.from, record.to);
        return record.chunk < this.#count;
      case 'keep':
        this.records.set(record.key, record.value);
        return true;
      case 'forget':
        this.records.delete(record.key);
        return true;
      case 'flushed':
      case 'closed':
        return true;
    }
  }

  /** Higher than all versions that were ever used. */
  nextEpoch(last: number): number {
    let highest = last;
    for (const { version } of this.chunks.values())
      highest = Math.max(highest, Math.floor(version / EPOCH_VERSIONS));
    return highest + 1;
  }

  /** Of what may have been written to nobody knows how often. */
  raise(version: number): void {
    for (const chunk of this.chunks.values()) if (chunk.isOpen) chunk.version = version;
  }

  #state(index: number, facts: ChunkFacts): void {
    const chunk = new Chunk(facts);
    // One that was opened ahead: nobody says when it is written to.
    if (chunk.isOpen) chunk.digest = undefined;
    this.chunks.set(index, chunk);
  }

  #open(first: number, count: number): boolean {
    if (first + count > this.#count) return false;
    for (let index = first; index < first + count; index++) {
      const chunk = this.chunks.get(index);
      if (chunk === undefined) continue;
      chunk.isOpen = true;
      chunk.digest = undefined;
    }
    return true;
  }

  #sectors(is: 'fill' | 'clear', index: number, from: number, to: number): void {
    const sectors = Math.min(SECTORS, Math.ceil(this.sizeBytes / SECTOR_BYTES) - index * SECTORS);
    const chunk = this.chunks.get(index);
    if (is === 'fill') chunk?.fill(from, to, sectors);
    else chunk?.clear(from, to, sectors);
  }
}
