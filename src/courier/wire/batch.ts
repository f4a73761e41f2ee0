/**
 * What a batch says: the stream's next bytes, in their order, as instructions.
 *
 *     0  varint length, bytes     verbatim
 *     1  page                     a page that the receiver keeps
 *     2  16 bytes                 a page that it has: the beginning of its digest
 *     3  16 bytes                 a page that another stream brings, and may have brought
 *
 * varint: seven bits a byte, the lowest first, at most three bytes.
 */
import { PAGE_BYTES } from '../stream/token.js';
import { MOST_BATCH_BYTES, MOST_INSTRUCTION_BYTES } from './limits.js';

const VERBATIM = 0;
const PAGE = 1;
const REFERENCE = 2;
const COMING = 3;
export const REFERENCE_BYTES = 16;
const MOST_VARINT_BYTES = 3;

export type Instruction =
  | { readonly is: 'verbatim'; readonly bytes: Buffer }
  | { readonly is: 'page'; readonly bytes: Buffer }
  | { readonly is: 'reference' | 'coming'; readonly key: Buffer };

/** Collects instructions; those bytes that follow each other verbatim become one. */
export class BatchWriter {
  #done: Uint8Array[] = [];
  #doneBytes = 0;
  #verbatim: Uint8Array[] = [];
  #verbatimBytes = 0;
  #streamBytes = 0;

  /** Of the stream. */
  get streamBytes(): number {
    return this.#streamBytes;
  }

  /** A little less than what the instructions take. */
  get instructionBytes(): number {
    return this.#doneBytes + this.#verbatimBytes;
  }

  verbatim(bytes: Uint8Array): void {
    this.#verbatim.push(bytes);
    this.#verbatimBytes += bytes.length;
    this.#streamBytes += bytes.length;
  }

  page(page: Uint8Array): void {
    this.#add(PAGE_TAG, page);
    this.#streamBytes += PAGE_BYTES;
  }

  /** @param digest of the page; its beginning is enough */
  reference(digest: Uint8Array, is: 'reference' | 'coming'): void {
    this.#add(is === 'coming' ? COMING_TAG : REFERENCE_TAG, digest.subarray(0, REFERENCE_BYTES));
    this.#streamBytes += PAGE_BYTES;
  }

  /** All instructions; the writer is empty afterwards. */
  take(): Buffer {
    this.#closeVerbatim();
    const instructions = Buffer.concat(this.#done);
    this.#done = [];
    this.#doneBytes = 0;
    this.#streamBytes = 0;
    return instructions;
  }

  #add(...parts: readonly Uint8Array[]): void {
    this.#closeVerbatim();
    this.#put(...parts);
  }

  #closeVerbatim(): void {
    if (this.#verbatimBytes === 0) return;
    this.#put(Uint8Array.of(VERBATIM, ...varint(this.#verbatimBytes)), ...this.#verbatim);
    this.#verbatim = [];
    this.#verbatimBytes = 0;
  }

  #put(...parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#done.push(part);
      this.#doneBytes += part.length;
    }
  }
}

const PAGE_TAG = Uint8Array.of(PAGE);
const REFERENCE_TAG = Uint8Array.of(REFERENCE);
const COMING_TAG = Uint8Array.of(COMING);

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return [...bytes, left];
    bytes.push((left & 0x7f) | 0x80);
  }
}

/** The instructions, as views; or why they are none. `streamBytes` is what they must stand for. */
export function readBatch(bytes: Buffer, streamBytes: number): readonly Instruction[] | string {
  if (bytes.length > MOST_INSTRUCTION_BYTES || streamBytes > MOST_BATCH_BYTES) return 'batch too large';
  const instructions: Instruction[] = [];
  let at = 0;
  let standsFor = 0;
  while (at < bytes.length) {
    const head = headAt(bytes, at);
    if (typeof head === 'string') return head;
    const from = at + head.headBytes;
    const piece = bytes.subarray(from, from + head.bytes);
    if (piece.length < head.bytes) return 'instruction cut off';
    const { is } = head;
    const isHere = is === 'verbatim' || is === 'page';
    instructions.push(isHere ? { is, bytes: piece } : { is, key: piece });
    at = from + head.bytes;
    standsFor += isHere ? head.bytes : PAGE_BYTES;
    if (standsFor > streamBytes) return 'batch longer than it says';
  }
  return standsFor === streamBytes ? instructions : 'batch shorter than it says';
}

interface Head {
  readonly is: Instruction['is'];
  readonly headBytes: number;
  readonly bytes: number;
}

function headAt(bytes: Buffer, at: number): Head | string {
  switch (bytes[at]) {
    case PAGE:
      return { is: 'page', headBytes: 1, bytes: PAGE_BYTES };
    case REFERENCE:
      return { is: 'reference', headBytes: 1, bytes: REFERENCE_BYTES };
    case COMING:
      return { is: 'coming', headBytes: 1, bytes: REFERENCE_BYTES };
    case VERBATIM:
      return verbatimAt(bytes, at + 1);
    default:
      return `instruction ${bytes[at]}`;
  }
}

function verbatimAt(bytes: Buffer, at: number): Head | string {
  let length = 0;
  for (let count = 0; count < MOST_VARINT_BYTES; count++) {
    const byte = bytes[at + count];
    if (byte === undefined) return 'instruction cut off';
    length |= (byte & 0x7f) << (7 * count);
    if (byte < 0x80)
      return length === 0 ? 'nothing verbatim' : { is: 'verbatim', headBytes: 2 + count, bytes: length };
  }
  return 'length of more than three bytes';
}
