/**
 * Makes batches of a stream's tokens: pages that the other side has become references. Pure: what is known of pages is asked
 * of a book that is handed in, and sending is the caller's.
 */
import { createHash } from 'node:crypto';
import type { Token } from '../stream/token.js';
import { BatchWriter } from './batch.js';
import { MOST_PIECE_BYTES } from './limits.js';
import type { Total } from './message.js';

export interface PageBook {
  digest(page: Uint8Array): Buffer;
  /** Whether the other side has the page, or another stream brings it. */
  whereIs(digest: Buffer, urgent: boolean): 'nowhere' | 'there' | 'coming';
  /** The page itself goes with the batch that is being made. */
  goes(digest: Buffer, page: Uint8Array): void;
}

export interface MadeBatch {
  readonly serial: number;
  readonly urgent: boolean;
  readonly instructions: Buffer;
  readonly streamBytes: number;
  /** The SHA-256 of the stream up to the batch's end. */
  readonly checkpoint: Buffer;
  /** What the other side may ask for: the pages that it is believed to have, by key (latin1). */
  readonly references: ReadonlyMap<string, Uint8Array>;
  /** Digests of the pages that are in it. */
  readonly pages: readonly Buffer[];
}

export interface MakerCounts {
  readonly pages: number;
  readonly pagesNew: number;
  readonly pagesReferenced: number;
  /** What was left to send when pages had become references, before compression. */
  readonly instructionBytes: number;
}

const NOTHING = new Uint8Array(0);

/** A batch is closed when it stands for so much. */
const FULL_BYTES = 2 * MOST_PIECE_BYTES;

export class BatchMaker {
  readonly #hash = createHash('sha256');
  readonly #writer = new BatchWriter();
  readonly #ready: MadeBatch[] = [];
  #serial = 0;
  #urgent = false;
  #bytes = 0;
  /** Of the stream's end, one run of memory that the hash has not had yet. A call of it for each token would take as long as the hash. */
  #unhashed: Uint8Array = NOTHING;
  #references = new Map<string, Uint8Array>();
  #pages: Buffer[] = [];
  #new = 0;
  #referenced = 0;
  #instructionBytes = 0;

  constructor(private readonly book: PageBook) {}

  get counts(): MakerCounts {
    const [pagesNew, pagesReferenced] = [this.#new, this.#referenced];
    const instructionBytes = this.#instructionBytes;
    return { pages: pagesNew + pagesReferenced, pagesNew, pagesReferenced, instructionBytes };
  }

  /** Of the stream, so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#ready.length === 0 && this.#writer.streamBytes === 0;
  }

  /** @param urgent the guest stands still */
  add(tokens: readonly Token[], urgent: boolean): void {
    this.#urgent = urgent;
    for (const token of tokens) {
      if (token.kind === 'page') this.#addPage(token.bytes);
      else this.#addVerbatim(token.bytes);
    }
  }

  /** The next one; undefined: there is nothing. What is begun is closed: nothing waits for more. */
  take(): MadeBatch | undefined {
    if (this.#ready.length === 0) this.#close();
    return this.#ready.shift();
  }

  /** Of all that was added. */
  total(): Total {
    return { sha256: this.#digest(), bytes: this.#bytes };
  }

  #addVerbatim(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MOST_PIECE_BYTES) {
      const piece = bytes.subarray(at, at + MOST_PIECE_BYTES);
      this.#writer.verbatim(piece);
      this.#added(piece);
    }
  }

  #addPage(page: Uint8Array): void {
    const digest = this.book.digest(page);
    const where = this.book.whereIs(digest, this.#urgent);
    if (where !== 'nowhere') {
      this.#writer.reference(digest, where === 'coming' ? 'coming' : 'reference');
      this.#references.set(digest.toString('latin1', 0, 16), page);
      this.#referenced++;
    } else {
      this.#writer.page(page);
      this.book.goes(digest, page);
      this.#pages.push(digest);
      this.#new++;
    }
    this.#added(page);
  }

  #added(bytes: Uint8Array): void {
    this.#unhashed = followedBy(this.#unhashed, bytes) ?? this.#hashed(bytes);
    this.#bytes += bytes.length;
    if (this.#writer.streamBytes >= FULL_BYTES) this.#close();
  }

  /** What comes next; the hash has all before it. */
  #hashed(next: Uint8Array): Uint8Array {
    if (this.#unhashed.length > 0) this.#hash.update(this.#unhashed);
    return next;
  }

  #digest(): Buffer {
    this.#unhashed = this.#hashed(NOTHING);
    return this.#hash.copy().digest();
  }

  #close(): void {
    const { streamBytes } = this.#writer;
    if (streamBytes === 0) return;
    const instructions = this.#writer.take();
    this.#instructionBytes += instructions.length;
    this.#ready.push({
      ...{ serial: ++this.#serial, urgent: this.#urgent, instructions, streamBytes },
      checkpoint: this.#digest(),
      references: this.#references,
      pages: this.#pages,
    });
    this.#references = new Map();
    this.#pages = [];
  }
}

/** Both as one, where they are side by side in memory. */
function followedBy(first: Uint8Array, next: Uint8Array): Uint8Array | undefined {
  const isBeside = first.buffer === next.buffer && first.byteOffset + first.length === next.byteOffset;
  return isBeside ? new Uint8Array(first.buffer, first.byteOffset, first.length + next.length) : undefined;
}
