/** Opens a volume's directory, or makes a new volume in it. What is damaged is named, and nothing is guessed. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../net/clock.js';
import { codeOf } from '../../../net/system-error.js';
import { DirectoryLock } from '../../store/lock.js';
import { FileBase, type VolumeBase } from './base.js';
import { machineBoot } from './boot.js';
import type { Chunk } from './chunk.js';
import { JOURNAL, Journal, MOST_JOURNAL_BYTES } from './journal.js';
import { CHUNK_BYTES, decodeHead, type NamedHead, named, SECTOR_BYTES, scan } from './layout.js';
import { encodeKeep, encodeState } from './records.js';
import { type Replayed, replay } from './replay.js';
import { FileVolume } from './volume.js';

const DATA = 'data';
const FLAGS = 0o102; // O_RDWR | O_CREAT

export interface VolumePlace {
  readonly directory: string;
  /** Of a new volume; undefined: the base's size. */
  readonly sizeBytes: number | undefined;
  /** A local file. */
  readonly base: string | undefined;
  readonly clock: Clock;
  /** As `machineBoot` says it, by default; where nobody says it, each start is one. */
  readonly boot?: string;
}

/** Rejects with the reason: another process has it, it is damaged, it is not what the place says. Nothing is left open then. */
export async function openVolume(place: VolumePlace): Promise<FileVolume> {
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  const lock = await DirectoryLock.take(place.directory);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const base = place.base === undefined ? undefined : await FileBase.open(place.base, place.directory);
    if (base !== undefined) opened.push(base);
    const data = await open(join(place.directory, DATA), FLAGS, 0o600);
    opened.push(data);
    return await start(place, { lock, base, data });
  } catch (error) {
    for (const file of opened) await file.close();
    await lock.release();
    throw error;
  }
}

interface Opened {
  readonly lock: DirectoryLock;
  readonly base: VolumeBase | undefined;
  readonly data: FileHandle;
}

async function start(place: VolumePlace, opened: Opened): Promise<FileVolume> {
  const { directory, sizeBytes, clock } = place;
  const { base, data } = opened;
  const [boot, dataBytes] = [
    place.boot ?? (await machineBoot()) ?? randomBytes(16).toString('hex'),
    (await data.stat()).size,
  ];
  const old = await readJournal(directory, boot);
  const wanted = sizeBytes ?? (base === undefined ? undefined : sectorsUp(base.sizeBytes));
  const size = old?.head.sizeBytes ?? wanted;
  if (size === undefined) throw new Error(`${directory}: a new volume without a base needs a size`);
  if (old === undefined) checkNew(directory, size, base, dataBytes);
  else checkOld(directory, old.head, wanted, base);
  const state = old?.state ?? { chunks: new Map(), records: new Map(), epoch: 1, hasCleanSlots: true };
  loseCut(state.chunks, dataBytes, size);
  if (old !== undefined) await settle(data, size);
  const head = { sizeBytes: size, epoch: state.epoch, baseDigest: base?.digest, boot };
  const journal = await Journal.write(
    directory,
    named({ ...head, hasCleanSlots: state.hasCleanSlots }),
    recordsOf(state),
  );
  // A new volume has its journal first: whoever fails in between leaves no data without one.
  if (old === undefined)
    await settle(data, size).catch(async (error: unknown) => {
      await journal.close();
      throw error;
    });
  return new FileVolume({ ...opened, ...state, journal, boot, clock, sizeBytes: size });
}

/** The data has its size, and is durable: also what a killed process wrote. */
async function settle(data: FileHandle, size: number): Promise<void> {
  await data.truncate(size);
  await data.sync();
}

async function readJournal(
  directory: string,
  boot: string,
): Promise<{ head: NamedHead; state: Replayed } | undefined> {
  const path = join(directory, JOURNAL);
  const bytes = await readFile(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const damaged = (why: string): Error => new Error(`${path}: ${why}`);
  if (bytes.length > MOST_JOURNAL_BYTES) throw damaged('it is too long');
  const head = decodeHead(bytes);
  if (typeof head === 'string') throw damaged(head);
  const scanned = scan(bytes, head.name);
  if (typeof scanned === 'string') throw damaged(scanned);
  const state = replay(head, scanned.frames, boot);
  if (typeof state === 'string') throw damaged(state);
  return { head, state };
}

function checkNew(directory: string, size: number, base: VolumeBase | undefined, dataBytes: number): void {
  if (dataBytes > 0)
    throw new Error(`${directory}: there is data, and no journal that says what of it is valid`);
  if (size < SECTOR_BYTES || size % SECTOR_BYTES !== 0)
    throw new Error(`${directory}: a volume has a multiple of ${SECTOR_BYTES} bytes, not ${size}`);
  if (base !== undefined && base.sizeBytes > size)
    throw new Error(`${directory}: the base has ${base.sizeBytes} bytes, more than the volume's ${size}`);
}

function checkOld(
  directory: string,
  head: NamedHead,
  wanted: number | undefined,
  base: VolumeBase | undefined,
): void {
  if (wanted !== undefined && wanted !== head.sizeBytes)
    throw new Error(`${directory}: the volume there has ${head.sizeBytes} bytes, and not ${wanted}`);
  if (head.baseDigest === base?.digest) return;
  const text = (digest: string | undefined): string => (digest === undefined ? 'none' : `SHA-256 ${digest}`);
  throw new Error(
    `${directory}: the volume there has another base image: ${text(head.baseDigest)}, here is ${text(base?.digest)}`,
  );
}

/** What stood behind the end of a file that somebody has cut. */
function loseCut(chunks: ReadonlyMap<number, Chunk>, dataBytes: number, sizeBytes: number): void {
  for (const [index, chunk] of chunks) {
    const [start, end] = [index * CHUNK_BYTES, Math.min((index + 1) * CHUNK_BYTES, sizeBytes)];
    if (end <= dataBytes || !chunk.hasSlot) continue;
    const there = Math.max(0, Math.floor((dataBytes - start) / SECTOR_BYTES));
    const runs = chunk.map?.runs(there, Math.ceil((end - start) / SECTOR_BYTES));
    if (runs === undefined || [...runs].some(({ isValid }) => isValid)) chunk.empty('lost');
  }
}

function* recordsOf({ chunks, records }: Replayed): Generator<Buffer> {
  for (const [index, chunk] of chunks) yield encodeState(index, chunk, false);
  for (const [key, value] of records) yield encodeKeep(key, value);
}

function sectorsUp(length: number): number {
  return Math.ceil(length / SECTOR_BYTES) * SECTOR_BYTES;
}
