/**
 * The journal's records. Each begins with its kind:
 *
 *     1  a chunk's state, if the data that belongs to it is durable    u8 flags, be48 chunk, be64 version, be32 writes,
 *     2  a chunk's state, durable                                      [64 bytes map: not for all and for none], [16 bytes digest]
 *     3  chunks that may be written to from now on                     be48 first, be32 count
 *     4  a record of others                                            be16 bytes of the key, be32 of the value, key, JSON
 *     5  one that is forgotten                                         be16 bytes of the key, key
 *     6  sectors that are in the slot, if the data is durable          be48 chunk, be16 from, be16 to
 *     7  sectors that are zeroes, if …                                 as 6
 *     8  data is durable of frames up to                               be64 number
 *     9  closed in order: versions are as they are written             -
 */
import type { VolumeRecord } from '../storage.js';
import type { ChunkFacts, Under } from './chunk.js';
import { SECTORS } from './layout.js';
import { MAP_BYTES, SectorMap } from './sector-map.js';

export const DIGEST_BYTES = 16;
const STATE_BYTES = 20;
const KIND = {
  pending: 1,
  durable: 2,
  open: 3,
  keep: 4,
  forget: 5,
  fill: 6,
  clear: 7,
  flushed: 8,
  closed: 9,
} as const;
const UNDER: readonly Under[] = ['zero', 'base', 'awaited', 'lost'];
const [IS_OPEN, HAS_MAP, HAS_DIGEST, IS_EMPTY, UNDER_SHIFT] = [1, 2, 4, 8, 4];
export const MOST_KEY_BYTES = 1024;
export const MOST_VALUE_BYTES = 1024 * 1024;

export type JournalRecord =
  | { readonly is: 'state'; readonly isPending: boolean; readonly chunk: number; readonly facts: ChunkFacts }
  | { readonly is: 'open'; readonly first: number; readonly count: number }
  | { readonly is: 'keep'; readonly key: string; readonly value: VolumeRecord }
  | { readonly is: 'forget'; readonly key: string }
  | { readonly is: 'fill' | 'clear'; readonly chunk: number; readonly from: number; readonly to: number }
  | { readonly is: 'flushed'; readonly frames: number }
  | { readonly is: 'closed' };

export function encodeState(chunk: number, facts: ChunkFacts, isPending: boolean): Buffer {
  const { digest } = facts;
  const isEmpty = facts.map?.valid === 0;
  const map = isEmpty ? undefined : facts.map;
  const bytes = Buffer.alloc(STATE_BYTES + (map ? MAP_BYTES : 0) + (digest ? DIGEST_BYTES : 0));
  bytes[0] = isPending ? KIND.pending : KIND.durable;
  const flags = (facts.isOpen ? IS_OPEN : 0) | (map ? HAS_MAP : 0) | (isEmpty ? IS_EMPTY : 0);
  bytes[1] = flags | (digest ? HAS_DIGEST : 0) | (UNDER.indexOf(facts.under) << UNDER_SHIFT);
  bytes.writeUIntBE(chunk, 2, 6);
  bytes.writeBigUInt64BE(BigInt(facts.version), 8);
  bytes.writeUInt32BE(Math.min(facts.writes, 0xffff_ffff), 16);
  if (map) bytes.set(map.bits, STATE_BYTES);
  if (digest) bytes.write(digest, bytes.length - DIGEST_BYTES, 'latin1');
  return bytes;
}

export function encodeOpen(first: number, count: number): Buffer {
  const bytes = Buffer.alloc(11);
  bytes[0] = KIND.open;
  bytes.writeUIntBE(first, 1, 6);
  bytes.writeUInt32BE(count, 7);
  return bytes;
}

/** Throws a RangeError for what is too long. */
export function encodeKeep(key: string, value: VolumeRecord | undefined): Buffer {
  const name = Buffer.from(key);
  const content = value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value));
  if (name.length > MOST_KEY_BYTES || content.length > MOST_VALUE_BYTES)
    throw new RangeError(`the record ${key.slice(0, 40)} is too long`);
  const bytes = Buffer.alloc(value === undefined ? 3 : 7);
  bytes[0] = value === undefined ? KIND.forget : KIND.keep;
  bytes.writeUInt16BE(name.length, 1);
  if (value !== undefined) bytes.writeUInt32BE(content.length, 3);
  return Buffer.concat([bytes, name, content]);
}

export function encodeSectors(is: 'fill' | 'clear', chunk: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(11);
  bytes[0] = KIND[is];
  bytes.writeUIntBE(chunk, 1, 6);
  bytes.writeUInt16BE(from, 7);
  bytes.writeUInt16BE(to, 9);
  return bytes;
}

export function encodeFlushed(frames: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = KIND.flushed;
  bytes.writeBigUInt64BE(BigInt(frames), 1);
  return bytes;
}

export const CLOSED = Buffer.from([KIND.closed]);

/** All records of a frame; undefined: they are none that this program writes. */
export function decodeRecords(bytes: Buffer): readonly JournalRecord[] | undefined {
  const records: JournalRecord[] = [];
  const reader = new Reader(bytes);
  try {
    while (!reader.isAtEnd) records.push(reader.record());
  } catch {
    return undefined;
  }
  return records;
}

/** Throws at what is none. */
class Reader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  record(): JournalRecord {
    const kind = this.#number(1);
    switch (kind) {
      case KIND.pending:
      case KIND.durable:
        return this.#state(kind === KIND.pending);
      case KIND.open:
        return { is: 'open', first: this.#number(6), count: this.#number(4) };
      case KIND.keep: {
        const [nameBytes, valueBytes] = [this.#number(2), this.#number(4)];
        const key = this.#take(nameBytes).toString();
        return { is: 'keep', key, value: JSON.parse(this.#take(valueBytes).toString()) as VolumeRecord };
      }
      case KIND.forget:
        return { is: 'forget', key: this.#take(this.#number(2)).toString() };
      case KIND.fill:
      case KIND.clear:
        return this.#sectors(kind === KIND.fill ? 'fill' : 'clear');
      case KIND.flushed:
        return { is: 'flushed', frames: Number(this.#take(8).readBigUInt64BE()) };
      case KIND.closed:
        return { is: 'closed' };
      default:
        throw new RangeError(`record of kind ${kind}`);
    }
  }

  #state(isPending: boolean): JournalRecord {
    const flags = this.#number(1);
    const chunk = this.#number(6);
    const version = Number(this.#take(8).readBigUInt64BE());
    const writes = this.#number(4);
    const given = (flags & HAS_MAP) === 0 ? undefined : SectorMap.of(this.#take(MAP_BYTES));
    const map = (flags & IS_EMPTY) === 0 ? given : SectorMap.empty();
    const digest = (flags & HAS_DIGEST) === 0 ? undefined : this.#take(DIGEST_BYTES).toString('latin1');
    const under = UNDER[flags >> UNDER_SHIFT];
    if (under === undefined || !Number.isSafeInteger(version)) throw new RangeError('no state');
    const isOpen = (flags & IS_OPEN) !== 0;
    return { is: 'state', isPending, chunk, facts: { under, map, isOpen, digest, version, writes } };
  }

  #sectors(is: 'fill' | 'clear'): JournalRecord {
    const [chunk, from, to] = [this.#number(6), this.#number(2), this.#number(2)];
    if (from >= to || to > SECTORS) throw new RangeError('no sectors');
    return { is, chunk, from, to };
  }

  #number(bytes: number): number {
    return this.#take(bytes).readUIntBE(0, bytes);
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new RangeError('cut off');
    const taken = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
