/** The journal's file: records are written behind each other, those of one moment together. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeFrame, encodeHead, encodeMark, FRAMES_AT, type NamedHead, SECTOR_BYTES } from './layout.js';
import { syncData, writeAt } from './positioned.js';

export const JOURNAL = 'journal';
const NEW = 'journal.new';
/** Records that are there are put into one frame up to so many bytes; a longer one has a frame of its own. */
const FRAME_BYTES = 1024 * 1024;
/** What is read at once, by Node's limit. */
export const MOST_JOURNAL_BYTES = 2 ** 31 - 1;
const GROWN_BYTES = 4 * 1024 * 1024;
const GROWN_TIMES = 3;
const MOST_GROWN_BYTES = 512 * 1024 * 1024;

interface Waiting {
  readonly record: Buffer;
  done(): void;
  failed(error: unknown): void;
}

interface Written {
  readonly file: FileHandle;
  readonly head: NamedHead;
  readonly frames: number;
  readonly end: number;
}

export class Journal {
  #file: FileHandle;
  #head: NamedHead;
  #frames: number;
  #end: number;
  #durable: number;
  /** The file's when it was written anew. */
  #firstEnd: number;
  #firstFrames: number;
  #queue: Waiting[] = [];
  #isWriting = false;
  #isHeld = false;
  #whenIdle: (() => void) | undefined;
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;
  #marking: Promise<void> | undefined;
  #failure: Error | undefined;
  /** Rises when records could not be written: whatever was not known to be in the file before is to be said again. */
  generation = 0;

  private constructor(
    private readonly directory: string,
    written: Written,
  ) {
    this.#file = written.file;
    this.#head = written.head;
    this.#frames = written.frames;
    this.#durable = written.frames;
    this.#end = written.end;
    this.#firstEnd = written.end;
    this.#firstFrames = written.frames;
  }

  /** A journal with these records takes the place of the one that is there. Rejects with the system's error; then that stays. */
  static async write(directory: string, head: NamedHead, records: Iterable<Buffer>): Promise<Journal> {
    return new Journal(directory, await replaceFile(directory, head, records));
  }

  /** Why nothing can be made durable any more: the system says it once, and forgets what it could not write. All rejects with it then. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Frames that are in the file. */
  get frames(): number {
    return this.#frames;
  }

  /** It is time to write it anew. */
  get isLong(): boolean {
    return this.#end - this.#firstEnd > mayGrow(this.#firstEnd);
  }

  get firstFrames(): number {
    return this.#firstFrames;
  }

  /** Resolves when the record is in the file, behind all before it: the death of the process does not take it any more. */
  append(record: Buffer): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ record, done, failed });
      if (!this.#isWriting && !this.#isHeld) void this.#write();
    });
  }

  /** As `append`, of many: a frame has no more of them than whoever reads it takes. */
  async appendAll(records: Iterable<Buffer>): Promise<void> {
    await Promise.all([...batches(records)].map((batch) => this.append(batch)));
  }

  /** Something could not be made durable. Answers what all is rejected with from now on, the first of such errors. */
  async fail(error: unknown): Promise<Error> {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = error instanceof Error ? error : new Error(String(error));
    await this.#disown().catch(() => undefined);
    return this.#failure;
  }

  /** What was in the file before is durable. */
  sync(): Promise<void> {
    if (this.#nextSync !== undefined) return this.#nextSync;
    const begin = (): Promise<void> => {
      this.#nextSync = undefined;
      const syncing = this.#sync();
      this.#syncing = syncing;
      const over = (): void => {
        if (this.#syncing === syncing) this.#syncing = undefined;
      };
      syncing.then(over, over);
      return syncing;
    };
    if (this.#syncing === undefined) return begin();
    this.#nextSync = this.#syncing.then(begin, begin);
    return this.#nextSync;
  }

  /**
   * Written anew. Records that come meanwhile wait for it.
   * @param make what it begins with, as of now; and resolves when that may be written
   */
  async replace(
    make: () => { head: NamedHead; records: Iterable<Buffer>; ready: Promise<void> },
  ): Promise<void> {
    this.#isHeld = true;
    try {
      await this.#written();
      if (this.#failure !== undefined) throw this.#failure;
      const { head, records, ready } = make();
      await ready;
      const written = await replaceFile(this.directory, head, records, (error) => this.fail(error));
      // Its number may be another file's as soon as it is closed.
      await this.#idle();
      const old = this.#file;
      this.#file = written.file;
      this.#head = written.head;
      this.#frames = this.#durable = this.#firstFrames = written.frames;
      this.#end = this.#firstEnd = written.end;
      // It is of no use any more, whatever the system says of it.
      await old.close().catch(() => undefined);
    } finally {
      this.#isHeld = false;
      if (this.#queue.length > 0 && !this.#isWriting) void this.#write();
    }
  }

  async close(): Promise<void> {
    await this.#written();
    await this.#idle();
    await this.#file.close();
  }

  async #written(): Promise<void> {
    if (this.#isWriting)
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
  }

  async #idle(): Promise<void> {
    while (this.#syncing !== undefined || this.#marking !== undefined)
      await (this.#syncing ?? this.#marking)?.catch(() => undefined);
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#queue.length > 0 && !this.#isHeld) {
      const batch = this.#takeBatch();
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const records = batch.length === 1 ? (batch[0]?.record ?? Buffer.alloc(0)) : joined(batch);
        const frame = encodeFrame(this.#head.name, this.#frames + 1, this.#durable, records);
        await writeAt(this.#file.fd, frame, this.#end);
        this.#frames++;
        this.#end += frame.length;
        for (const { done } of batch) done();
      } catch (error) {
        // What waits may lean on what has failed.
        this.generation++;
        for (const { failed } of [...batch, ...this.#queue.splice(0)]) failed(error);
      }
    }
    this.#isWriting = false;
    this.#whenIdle?.();
    this.#whenIdle = undefined;
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#queue) {
      bytes += record.length;
      if (count > 0 && bytes > FRAME_BYTES) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Whoever opens it next believes of what is pending no more than after a crash of the machine, though that runs on. */
  async #disown(): Promise<void> {
    const file = this.#file;
    const boot = randomBytes(this.#head.boot.length / 2).toString('hex');
    await writeAt(file.fd, encodeHead({ ...this.#head, boot }), 0);
    await file.sync();
  }

  async #sync(): Promise<void> {
    const frames = this.#frames;
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await syncData(this.#file.fd);
    } catch (error) {
      throw await this.fail(error);
    }
    this.#durable = frames;
    // A hint for whoever looks for damage: nobody waits for it.
    const marking = writeAt(this.#file.fd, encodeMark(this.#head.name, frames), SECTOR_BYTES);
    this.#marking = marking;
    const over = (): void => {
      if (this.#marking === marking) this.#marking = undefined;
    };
    marking.then(over, over);
  }
}

/** By so much, before it is written anew. */
export function mayGrow(firstBytes: number): number {
  return Math.max(GROWN_BYTES, Math.min(GROWN_TIMES * firstBytes, MOST_GROWN_BYTES));
}

function joined(batch: readonly Waiting[]): Buffer {
  return Buffer.concat(batch.map(({ record }) => record));
}

/** @param unsure the new file has the name, and may have lost it after a crash: neither it nor the old one can be gone on with */
async function replaceFile(
  directory: string,
  head: NamedHead,
  records: Iterable<Buffer>,
  unsure: (error: unknown) => Promise<unknown> = async () => undefined,
): Promise<Written> {
  const path = join(directory, NEW);
  // There is one when the name has changed.
  const folder = await open(directory, 'r');
  try {
    const written = await writeFile(path, head, records);
    try {
      await rename(path, join(directory, JOURNAL));
      await folder.sync().catch(async (error: unknown) => {
        await unsure(error);
        throw error;
      });
      return written;
    } catch (error) {
      await written.file.close();
      throw error;
    }
  } finally {
    await folder.close().catch(() => undefined);
  }
}

async function writeFile(path: string, head: NamedHead, records: Iterable<Buffer>): Promise<Written> {
  const file = await open(path, 'w+', 0o600);
  try {
    let [frames, end] = [0, FRAMES_AT];
    for (const frame of batches(records)) {
      const bytes = encodeFrame(head.name, ++frames, frames, frame);
      await writeAt(file.fd, bytes, end);
      end += bytes.length;
    }
    await writeAt(file.fd, Buffer.concat([encodeHead(head), encodeMark(head.name, frames)]), 0);
    await file.sync();
    return { file, head, frames, end };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function* batches(records: Iterable<Buffer>): Generator<Buffer> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for (const record of records) {
    batch.push(record);
    bytes += record.length;
    if (bytes < FRAME_BYTES) continue;
    yield Buffer.concat(batch);
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield Buffer.concat(batch);
}
