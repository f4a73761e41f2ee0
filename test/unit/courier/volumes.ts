/** Volumes in directories of their own, a clock that stands, and what a crash leaves of them. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { FRAMES_AT, SECTOR_BYTES } from '../../../src/courier/volume/files/layout.js';
import { openVolume, type VolumePlace } from '../../../src/courier/volume/files/opening.js';
import type { FileVolume } from '../../../src/courier/volume/files/volume.js';
import type { Clock } from '../../../src/net/clock.js';

export const CHUNK = 256 * 1024;
export const KIB = 1024;

/** Timers never come: whoever wants digests asks for them. */
export class StandingClock implements Clock {
  now = 0;
  nowMs(): number {
    return this.now;
  }
  wallMs(): number {
    return this.now;
  }
  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }
}

export function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'volume-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A pattern that tells where it is and when it was written: 512 bytes a sector. */
export function pattern(length: number, seed: number): Buffer {
  const data = Buffer.alloc(length);
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    data.fill(1 + ((seed * 31 + at / SECTOR_BYTES) % 250), at, at + SECTOR_BYTES);
    data.writeUInt32BE(seed >>> 0, at);
    data.writeUInt32BE(at, at + 4);
  }
  return data;
}

export function open(directory: string, more: Partial<VolumePlace> = {}): Promise<FileVolume> {
  const place = { directory, sizeBytes: 4 * CHUNK, base: undefined, clock: new StandingClock() };
  return openVolume({ ...place, ...more });
}

/** As the directory is now, as if its process was killed. */
export function killed(directory: string, to: string): string {
  mkdirSync(to);
  for (const name of ['data', 'journal', 'base.json'])
    if (existsSync(join(directory, name))) copyFileSync(join(directory, name), join(to, name));
  return to;
}

/** Frames of a journal: where each ends, and how many of them are known to be durable. */
export function framesOf(journal: Buffer): { ends: readonly number[]; durable: number } {
  const ends: number[] = [];
  let durable = Number(journal.readBigUInt64BE(SECTOR_BYTES));
  for (let at = FRAMES_AT; at < journal.length && journal.readUInt32BE(at) !== 0; ) {
    durable = Math.max(durable, Number(journal.readBigUInt64BE(at + 16)));
    at = Math.ceil((at + 32 + journal.readUInt32BE(at + 4)) / SECTOR_BYTES) * SECTOR_BYTES;
    ends.push(at);
  }
  return { ends, durable };
}

export function change(path: string, edit: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, edit(bytes) ?? bytes);
}

export async function assertReads(volume: FileVolume, wanted: Buffer, what: string): Promise<void> {
  const read = await volume.read(0, wanted.length);
  if (read.equals(wanted)) return;
  let at = 0;
  while (read[at] === wanted[at]) at++;
  assert.fail(`${what}: sector ${Math.floor(at / SECTOR_BYTES)} differs`);
}
