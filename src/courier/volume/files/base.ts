/** A base image: a local file that nobody writes to, and its digest, which is computed once and kept as long as the file is the same. */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAt } from './positioned.js';

const KEPT = 'base.json';
const PIECE_BYTES = 4 * 1024 * 1024;

export interface VolumeBase {
  readonly sizeBytes: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** Zeroes behind its end. Rejects with the system's error. */
  read(into: Buffer, at: number, length: number, offset: number): Promise<void>;
  close(): Promise<void>;
}

export class FileBase implements VolumeBase {
  private constructor(
    private readonly file: FileHandle,
    readonly sizeBytes: number,
    readonly digest: string,
  ) {}

  /**
   * Rejects with the system's error.
   * @param directory where the digest is kept
   */
  static async open(path: string, directory: string): Promise<FileBase> {
    const file = await open(path, 'r');
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw new Error(`${path}: no file`);
      const identity = identityOf(path, facts);
      const kept = await keptDigest(directory, identity);
      const digest = kept ?? (await digestOf(file, facts.size));
      if (kept === undefined) {
        if (identityOf(path, await file.stat()) !== identity)
          throw new Error(`${path}: somebody writes to it`);
        await keepDigest(directory, identity, digest);
      }
      return new FileBase(file, facts.size, digest);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(into: Buffer, at: number, length: number, offset: number): Promise<void> {
    const there = Math.max(0, Math.min(length, this.sizeBytes - offset));
    if (there > 0 && (await readAt(this.file.fd, into, at, there, offset)) < there)
      throw new Error('the base image is shorter than it was');
    into.fill(0, at + there, at + length);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function identityOf(path: string, { dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return JSON.stringify([path, dev, ino, size, mtimeMs, ctimeMs]);
}

async function keptDigest(directory: string, identity: string): Promise<string | undefined> {
  try {
    const kept: unknown = JSON.parse(await readFile(join(directory, KEPT), 'utf8'));
    if (typeof kept !== 'object' || kept === null || !('identity' in kept) || !('sha256' in kept))
      return undefined;
    const { identity: of, sha256 } = kept;
    return of === identity && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)
      ? sha256
      : undefined;
  } catch {
    // It can be computed anew.
    return undefined;
  }
}

async function keepDigest(directory: string, identity: string, sha256: string): Promise<void> {
  const path = join(directory, `${KEPT}.new`);
  await writeFile(path, JSON.stringify({ identity, sha256 }), { mode: 0o600 });
  await rename(path, join(directory, KEPT));
}

async function digestOf(file: FileHandle, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, sizeBytes - at);
    if ((await readAt(file.fd, piece, 0, length, at)) < length)
      throw new Error('it became shorter while it was read');
    hash.update(piece.subarray(0, length));
  }
  return hash.digest('hex');
}
