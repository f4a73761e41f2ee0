/**
 * A store's two files. What they say is never believed: whoever reads a page compares it with its digest.
 *
 *     pages    entry n's page at n × page size
 *     index    4,096 bytes: "VINEPAGE", be32 version, be32 page size, 16 bytes that name the store, at 64: the names of up to
 *              32 other stores; then a record for each entry (records.ts)
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryLock } from './lock.js';
import { MOST_PEERS } from './peers.js';
import { RECORD_BYTES, Records } from './records.js';

export const NAME_BYTES = 16;
const HEAD_BYTES = 4096;
const PEERS_AT = 64;
const MAGIC = 'VINEPAGE';
const VERSION = 1;
const RECORDS_AT_ONCE = 16_384;
const FLAGS = 0o102; // O_RDWR | O_CREAT: kept as it is when it is there

export interface Head {
  /** 16 bytes, hexadecimal. */
  readonly name: string;
  /** Of other stores, by their bits; empty: none. */
  readonly peers: readonly string[];
}

interface Opened {
  readonly lock: DirectoryLock;
  readonly pages: FileHandle;
  readonly index: FileHandle;
}

export class StoreDisk {
  readonly #lock: DirectoryLock;
  readonly #pages: FileHandle;
  readonly #index: FileHandle;

  private constructor(
    { lock, pages, index }: Opened,
    readonly pageBytes: number,
    readonly head: Head,
  ) {
    this.#lock = lock;
    this.#pages = pages;
    this.#index = index;
  }

  /** Rejects when the directory cannot be used, or another process uses it; nothing is left open then. */
  static async open(directory: string, pageBytes: number): Promise<StoreDisk> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = await DirectoryLock.take(directory);
    const files: FileHandle[] = [];
    try {
      const pages = await open(join(directory, 'pages'), FLAGS, 0o600);
      files.push(pages);
      const index = await open(join(directory, 'index'), FLAGS, 0o600);
      files.push(index);
      return await StoreDisk.#read({ lock, pages, index }, pageBytes);
    } catch (error) {
      for (const file of files) await file.close();
      await lock.release();
      throw error;
    }
  }

  static async #read(opened: Opened, pageBytes: number): Promise<StoreDisk> {
    const old = await readHead(opened.index, pageBytes);
    if (old !== undefined) return new StoreDisk(opened, pageBytes, old);
    await opened.index.truncate(0);
    await opened.pages.truncate(0);
    const head = { name: randomBytes(NAME_BYTES).toString('hex'), peers: [] };
    const disk = new StoreDisk(opened, pageBytes, head);
    await disk.writePeers([]);
    return disk;
  }

  /** Whatever is behind so many entries is cut off. */
  async cut(entries: number): Promise<void> {
    const indexBytes = (await this.#index.stat()).size;
    await this.#index.truncate(Math.min(indexBytes, HEAD_BYTES + entries * RECORD_BYTES));
    await this.#pages.truncate(Math.min((await this.#pages.stat()).size, entries * this.pageBytes));
  }

  /** All records, some at a time, in memory that the next ones take. */
  async *records(): AsyncGenerator<Records> {
    const buffer = Buffer.allocUnsafe(RECORDS_AT_ONCE * RECORD_BYTES);
    for (let first = 0; ; first += RECORDS_AT_ONCE) {
      const { bytesRead } = await this.#index.read(buffer, 0, buffer.length, placeOf(first));
      const whole = bytesRead - (bytesRead % RECORD_BYTES);
      if (whole > 0) yield new Records(first, buffer.subarray(0, whole));
      if (bytesRead < buffer.length) return;
    }
  }

  /** Undefined: the file ends before. Rejects with the system's error. */
  async read(entry: number): Promise<Buffer | undefined> {
    const page = Buffer.allocUnsafe(this.pageBytes);
    const { bytesRead } = await this.#pages.read(page, 0, page.length, entry * this.pageBytes);
    return bytesRead === page.length ? page : undefined;
  }

  /** The pages of entries that follow each other. */
  async writePages(first: number, pages: Uint8Array): Promise<void> {
    await writeAll(this.#pages, pages, first * this.pageBytes);
  }

  /** After the pages: a record without its page is found out when it is used, a page without its record is lost. */
  async writeRecords({ first, bytes }: Records): Promise<void> {
    await writeAll(this.#index, bytes, placeOf(first));
  }

  async writePeers(peers: readonly string[]): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32BE(VERSION, 8);
    head.writeUInt32BE(this.pageBytes, 12);
    head.write(this.head.name, 16, 'hex');
    for (const [bit, peer] of peers.entries()) head.write(peer, PEERS_AT + bit * NAME_BYTES, 'hex');
    await writeAll(this.#index, head, 0);
  }

  async close(): Promise<void> {
    await this.#pages.close();
    await this.#index.close();
    await this.#lock.release();
  }
}

function placeOf(entry: number): number {
  return HEAD_BYTES + entry * RECORD_BYTES;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function readHead(index: FileHandle, pageBytes: number): Promise<Head | undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await index.read(head, 0, HEAD_BYTES, 0);
  if (bytesRead < HEAD_BYTES || head.toString('latin1', 0, 8) !== MAGIC) return undefined;
  if (head.readUInt32BE(8) !== VERSION || head.readUInt32BE(12) !== pageBytes) return undefined;
  const peers = Array.from({ length: MOST_PEERS }, (_, bit) => nameAt(head, PEERS_AT + bit * NAME_BYTES));
  return { name: nameAt(head, 16), peers };
}

/** Empty: it is all zero. */
function nameAt(head: Buffer, at: number): string {
  const name = head.toString('hex', at, at + NAME_BYTES);
  return name === '0'.repeat(2 * NAME_BYTES) ? '' : name;
}
