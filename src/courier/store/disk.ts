/**
 * A store's two files. What they say is never believed: whoever reads a page compares it with its digest.
 *
 *     pages    entry n's page at n × page size
 *     index    4,096 bytes: "VINEPAGE", be32 version, be32 page size, 16 bytes that name the store, at 64: the names of up to
 *              32 other stores; then 48 bytes per entry: SHA-256, be64 stamp (larger: used later), be32 which of those
 *              stores have the page too (a bit each), be32 0. All zero: free.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DIGEST_BYTES } from './digest.js';

export const NAME_BYTES = 16;
export const MOST_PEERS = 32;
export const RECORD_BYTES = 48;
const HEAD_BYTES = 4096;
const PEERS_AT = 64;
const MAGIC = 'VINEPAGE';
const VERSION = 1;
const RECORDS_AT_ONCE = 16_384;

export interface Entry {
  readonly entry: number;
  readonly digest: Buffer;
  readonly stamp: number;
  readonly peers: number;
}

export interface Head {
  /** 16 bytes, hexadecimal. */
  readonly name: string;
  readonly peers: readonly string[];
}

export class StoreDisk {
  private constructor(
    private readonly directory: string,
    readonly pageBytes: number,
    private readonly pages: FileHandle,
    private readonly index: FileHandle,
    readonly head: Head,
    /** False: it is new, or was of no use. */
    readonly isOld: boolean,
  ) {}

  /** Rejects when the directory cannot be used, or another process uses it. */
  static async open(directory: string, pageBytes: number): Promise<StoreDisk> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await lock(join(directory, 'lock'));
    const flags = 0o102; // O_RDWR | O_CREAT: kept as it is when it is there
    const pages = await open(join(directory, 'pages'), flags, 0o600);
    const index = await open(join(directory, 'index'), flags, 0o600);
    const old = await readHead(index, pageBytes);
    const head = old ?? { name: randomBytes(NAME_BYTES).toString('hex'), peers: [] };
    const disk = new StoreDisk(directory, pageBytes, pages, index, head, old !== undefined);
    if (old === undefined) {
      await index.truncate(0);
      await pages.truncate(0);
      await disk.writePeers([]);
    }
    return disk;
  }

  /** Pages that are there, as the index says: whatever is behind `capacity` is cut off. */
  async *entries(capacity: number): AsyncGenerator<Entry> {
    await this.index.truncate(Math.min((await this.index.stat()).size, HEAD_BYTES + capacity * RECORD_BYTES));
    await this.pages.truncate(Math.min((await this.pages.stat()).size, capacity * this.pageBytes));
    const buffer = Buffer.alloc(RECORDS_AT_ONCE * RECORD_BYTES);
    for (let first = 0; first < capacity; first += RECORDS_AT_ONCE) {
      const at = HEAD_BYTES + first * RECORD_BYTES;
      const { bytesRead } = await this.index.read(buffer, 0, buffer.length, at);
      for (let number = 0; (number + 1) * RECORD_BYTES <= bytesRead; number++) {
        const record = buffer.subarray(number * RECORD_BYTES, (number + 1) * RECORD_BYTES);
        const stamp = record.readBigUInt64BE(DIGEST_BYTES);
        if (stamp === 0n || stamp > BigInt(Number.MAX_SAFE_INTEGER)) continue;
        yield {
          entry: first + number,
          digest: Buffer.from(record.subarray(0, DIGEST_BYTES)),
          stamp: Number(stamp),
          peers: record.readUInt32BE(DIGEST_BYTES + 8),
        };
      }
      if (bytesRead < buffer.length) return;
    }
  }

  /** Undefined: the file ends before. Rejects with the system's error. */
  async read(entry: number): Promise<Buffer | undefined> {
    const page = Buffer.allocUnsafe(this.pageBytes);
    const { bytesRead } = await this.pages.read(page, 0, page.length, entry * this.pageBytes);
    return bytesRead === page.length ? page : undefined;
  }

  /** The pages of entries that follow each other. */
  async writePages(first: number, pages: Uint8Array): Promise<void> {
    await writeAll(this.pages, pages, first * this.pageBytes);
  }

  /** After the pages: a record without its page is found out when it is used, a page without its record is lost. */
  async writeRecords(entries: readonly Entry[]): Promise<void> {
    let from = 0;
    for (let to = 1; to <= entries.length; to++) {
      if (entries[to]?.entry === (entries[to - 1]?.entry ?? 0) + 1) continue;
      const run = entries.slice(from, to);
      const at = HEAD_BYTES + (run[0]?.entry ?? 0) * RECORD_BYTES;
      await writeAll(this.index, Buffer.concat(run.map(recordOf)), at);
      from = to;
    }
  }

  async writePeers(peers: readonly string[]): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32BE(VERSION, 8);
    head.writeUInt32BE(this.pageBytes, 12);
    head.write(this.head.name, 16, 'hex');
    for (const [number, peer] of peers.entries()) head.write(peer, PEERS_AT + number * NAME_BYTES, 'hex');
    await writeAll(this.index, head, 0);
  }

  async close(): Promise<void> {
    await this.pages.close();
    await this.index.close();
    await unlink(join(this.directory, 'lock')).catch(() => undefined);
  }
}

function recordOf({ digest, stamp, peers }: Entry): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  record.set(digest);
  record.writeBigUInt64BE(BigInt(stamp), DIGEST_BYTES);
  record.writeUInt32BE(peers >>> 0, DIGEST_BYTES + 8);
  return record;
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
  const nameAt = (at: number): string => head.toString('hex', at, at + NAME_BYTES);
  const peers = Array.from({ length: MOST_PEERS }, (_, number) => nameAt(PEERS_AT + number * NAME_BYTES));
  const none = peers.indexOf('0'.repeat(2 * NAME_BYTES));
  return { name: nameAt(16), peers: none < 0 ? peers : peers.slice(0, none) };
}

/** The file has the number of the process that uses the store; one that is gone has left it behind. */
async function lock(path: string): Promise<void> {
  for (;;) {
    try {
      return await writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(path, 'latin1').catch(() => ''));
    if (owner !== process.pid && isAlive(owner)) throw new Error(`${path}: in use by process ${owner}`);
    await unlink(path).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
