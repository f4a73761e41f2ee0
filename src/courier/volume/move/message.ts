/** What couriers say of a volume that moves, as frames; decoders answer a value or why it is none. All numbers big-endian. */
import { z } from 'zod';
import { NAME } from '../../../net/name.js';
import { printable } from '../../stream/item.js';
import { type Frame, type FrameName, frameOf } from '../../wire/frame.js';
import { decodeJson } from '../../wire/json.js';
import { HAVE_BYTES, MOST_ENTRIES, REMAINING_BYTES } from '../../wire/volume-frames.js';
import {
  type ChunkVersion,
  type DestinationSays,
  type Remaining,
  type SourceSays,
  VERSIONS_END,
} from '../chunk/says.js';

const NAMED = z.string().regex(NAME);
const RANDOM = z.string().regex(/^[0-9a-f]{32}$/);

const OPEN = z.strictObject({
  session: RANDOM,
  /** Of the volume since its first move. */
  volume: RANDOM,
  /** A name that the listener's configuration has. */
  name: NAMED,
  owner: z.union([z.literal(''), NAMED]),
  store: RANDOM,
  phase: z.enum(['pushing', 'given', 'released', 'abandoned']),
  sizeBytes: z.int().min(512),
  chunkBytes: z.int().min(4096),
  /** SHA-256; null: there is none. */
  base: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});

const OPENED = z.union([
  z.strictObject({ store: RANDOM }),
  /** Nothing of the session is here, or needed. */
  z.strictObject({ store: RANDOM, nothing: z.enum(['forgotten', 'finished']) }),
  z.strictObject({ refused: z.string().max(512) }),
]);

export type VolumeOpen = z.infer<typeof OPEN>;
export type VolumeOpened = z.infer<typeof OPENED>;

export const encodeOpen = (open: VolumeOpen): Buffer =>
  frameOf('volume-open', Buffer.from(JSON.stringify(open)));
export const decodeOpen = (payload: Buffer): VolumeOpen | string => decodeJson(OPEN, payload, 'volume');
export const encodeOpened = (opened: VolumeOpened): Buffer =>
  frameOf('volume-opened', Buffer.from(JSON.stringify(opened)));
export const decodeOpened = (payload: Buffer): VolumeOpened | string => decodeJson(OPENED, payload, 'volume');

export function encodeSource(message: SourceSays): readonly Buffer[] {
  switch (message.say) {
    case 'not-yet':
      return [frameOf('volume-not-yet', text(message.why))];
    case 'given':
      return listOf('volume-given', message.remaining, REMAINING_BYTES, (entry, bytes) => {
        bytes.writeUInt32BE(entry.chunk);
        bytes.writeBigUInt64BE(BigInt(entry.version), 4);
        bytes.writeUInt32BE(Math.min(entry.writes, 0xffff_ffff), 12);
      });
    case 'abandoned':
      return [frameOf('volume-abandoned')];
    case 'released':
      return [frameOf('volume-released')];
  }
}

export function encodeDestination(message: DestinationSays): readonly Buffer[] {
  switch (message.say) {
    case 'have':
      return listOf('volume-have', message.chunks, HAVE_BYTES, writeVersion);
    case 'ack':
      return listOf('volume-ack', message.chunks, HAVE_BYTES, writeVersion);
    case 'ask':
      return [frameOf('volume-ask')];
    case 'pull': {
      const payload = Buffer.alloc(5);
      payload.writeUInt32BE(message.chunk);
      payload[4] = message.isUrgent ? 1 : 0;
      return [frameOf('volume-pull', payload)];
    }
    case 'pulling': {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(message.remaining);
      return [frameOf('volume-pulling', payload)];
    }
    case 'finished':
      return [frameOf('volume-finished')];
    case 'forgotten':
      return [frameOf('volume-forgotten')];
    case 'refused':
      return [frameOf('volume-refused', text(message.why))];
  }
}

/** What the source says; lists come in several frames. */
export class SourceReader {
  readonly #given: List<Remaining>;

  /** @param chunks that the volume has */
  constructor(chunks: number) {
    this.#given = new List(chunks, REMAINING_BYTES, (entry) => ({
      ...versionOf(entry),
      writes: entry.readUInt32BE(12),
    }));
  }

  /** Undefined: more of it has to come. */
  read({ name, payload }: Frame): SourceSays | string | undefined {
    switch (name) {
      case 'volume-not-yet':
        return { say: 'not-yet', why: readText(payload) };
      case 'volume-given': {
        const remaining = this.#given.push(payload);
        return isList(remaining) ? { say: 'given', remaining } : remaining;
      }
      case 'volume-abandoned':
        return { say: 'abandoned' };
      case 'volume-released':
        return { say: 'released' };
      default:
        return `${name} frame where none may be`;
    }
  }
}

/** What the destination says; lists come in several frames. */
export class DestinationReader {
  readonly #have: List<ChunkVersion>;
  readonly #ack: List<ChunkVersion>;

  /** @param chunks that the volume has */
  constructor(private readonly chunks: number) {
    this.#have = new List(chunks, HAVE_BYTES, versionOf);
    this.#ack = new List(chunks, HAVE_BYTES, versionOf);
  }

  /** Undefined: more of it has to come. */
  read({ name, payload }: Frame): DestinationSays | string | undefined {
    switch (name) {
      case 'volume-have': {
        const chunks = this.#have.push(payload);
        return isList(chunks) ? { say: 'have', chunks } : chunks;
      }
      case 'volume-ack': {
        const chunks = this.#ack.push(payload);
        return isList(chunks) ? { say: 'ack', chunks } : chunks;
      }
      case 'volume-ask':
        return { say: 'ask' };
      case 'volume-pull':
        return this.#pull(payload);
      case 'volume-pulling':
        return { say: 'pulling', remaining: payload.readUInt32BE(0) };
      case 'volume-finished':
        return { say: 'finished' };
      case 'volume-forgotten':
        return { say: 'forgotten' };
      case 'volume-refused':
        return { say: 'refused', why: readText(payload) };
      default:
        return `${name} frame where none may be`;
    }
  }

  #pull(payload: Buffer): DestinationSays | string {
    const [chunk, urgent] = [payload.readUInt32BE(0), payload[4] ?? 2];
    if (chunk >= this.chunks) return `pull of chunk ${chunk} of ${this.chunks}`;
    return urgent > 1 ? 'pull neither urgent nor not' : { say: 'pull', chunk, isUrgent: urgent === 1 };
  }
}

export interface VolumeRead {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

export function encodeRead({ number, offset, length }: VolumeRead): Buffer {
  const payload = Buffer.alloc(20);
  payload.writeBigUInt64BE(BigInt(number));
  payload.writeBigUInt64BE(BigInt(offset), 8);
  payload.writeUInt32BE(length, 16);
  return frameOf('volume-read', payload);
}

/** @param mostBytes that may be read at once */
export function decodeRead(payload: Buffer, sizeBytes: number, mostBytes: number): VolumeRead | string {
  const [number, offset] = [payload.readBigUInt64BE(0), payload.readBigUInt64BE(8)];
  const length = payload.readUInt32BE(16);
  if (length === 0 || length > mostBytes) return `read of ${length} bytes`;
  if (offset + BigInt(length) > BigInt(sizeBytes)) return 'read beyond the volume’s end';
  if (offset % 512n !== 0n || length % 512 !== 0) return 'read between sectors';
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) return 'a number beyond 2^53';
  return { number: Number(number), offset: Number(offset), length };
}

function text(why: string): Buffer {
  return Buffer.from(why).subarray(0, 512);
}

/** The wire's text goes to people. */
function readText(payload: Buffer): string {
  return printable(payload.toString('latin1'));
}

function writeVersion({ chunk, version }: ChunkVersion, bytes: Buffer): void {
  bytes.writeUInt32BE(chunk);
  bytes.writeBigUInt64BE(BigInt(version), 4);
}

function versionOf(entry: Buffer): ChunkVersion {
  return { chunk: entry.readUInt32BE(0), version: Number(entry.readBigUInt64BE(4)) };
}

function listOf<Entry>(
  name: FrameName,
  entries: readonly Entry[],
  entryBytes: number,
  write: (entry: Entry, bytes: Buffer) => void,
): readonly Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  do {
    const some = entries.slice(at, at + MOST_ENTRIES);
    at += some.length;
    const payload = Buffer.alloc(1 + some.length * entryBytes);
    payload[0] = at === entries.length ? 1 : 0;
    for (const [number, entry] of some.entries())
      write(entry, payload.subarray(1 + number * entryBytes, 1 + (number + 1) * entryBytes));
    frames.push(frameOf(name, payload));
  } while (at < entries.length);
  return frames;
}

function isList<Entry>(read: readonly Entry[] | string | undefined): read is readonly Entry[] {
  return Array.isArray(read);
}

/** A list that comes in frames. No chunk comes twice: so it is never longer than the volume. */
class List<Entry extends ChunkVersion> {
  #entries = new Map<number, Entry>();

  constructor(
    private readonly chunks: number,
    private readonly entryBytes: number,
    private readonly entryOf: (bytes: Buffer) => Entry,
  ) {}

  push(payload: Buffer): readonly Entry[] | string | undefined {
    const { entryBytes } = this;
    const isLast = payload[0] ?? 2;
    if (isLast > 1 || (payload.length - 1) % entryBytes !== 0) return 'a part of a list of chunks';
    if (isLast === 0 && payload.length === 1) return 'an empty part of a list of chunks';
    for (let at = 1; at < payload.length; at += entryBytes) {
      const entry = this.entryOf(payload.subarray(at, at + entryBytes));
      if (entry.chunk >= this.chunks) return `chunk ${entry.chunk} of ${this.chunks}`;
      if (entry.version >= VERSIONS_END) return 'a version beyond 2^51';
      if (this.#entries.has(entry.chunk)) return `chunk ${entry.chunk} twice`;
      this.#entries.set(entry.chunk, entry);
    }
    if (isLast === 0) return undefined;
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    return entries;
  }
}
