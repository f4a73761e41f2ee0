/**
 * One document that is being fetched from one peer, in parts of a fixed size. Pure: what to ask next, and whether it is
 * whole. A part is taken once, at its place, with exactly its length.
 */
import { type DocumentKind, MAX_ASKED_PARTS, PART_BYTES } from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';

export interface Wanted {
  readonly kind: DocumentKind;
  readonly version: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly totalBytes: number;
}

export interface AskedParts {
  readonly first: number;
  readonly count: number;
}

export class Download {
  readonly wanted: Wanted;
  readonly from: RouterId;
  readonly startedMs: number;
  /** When something of it came last, or it was begun. */
  progressMs: number;
  readonly #bytes: Uint8Array;
  readonly #has: Uint8Array;
  #missing: number;
  /** Of the question that is open. */
  #asked: AskedParts = { first: 0, count: 0 };
  #awaited = 0;

  constructor(wanted: Wanted, from: RouterId, nowMs: number) {
    this.wanted = wanted;
    this.from = from;
    this.startedMs = nowMs;
    this.progressMs = nowMs;
    this.#bytes = new Uint8Array(wanted.totalBytes);
    this.#missing = Math.ceil(wanted.totalBytes / PART_BYTES);
    this.#has = new Uint8Array(this.#missing);
  }

  /** All that was asked for has come: ask for more. */
  get isAnswered(): boolean {
    return this.#awaited === 0;
  }

  /** The document; undefined while something is missing. Not verified. */
  get whole(): Uint8Array | undefined {
    return this.#missing === 0 ? this.#bytes : undefined;
  }

  /** The next question: from the first part that is missing, or was lost. Undefined: it is whole. */
  ask(): AskedParts | undefined {
    const first = this.#has.indexOf(0);
    if (first < 0) return undefined;
    const count = Math.min(MAX_ASKED_PARTS, this.#has.length - first);
    this.#asked = { first, count };
    this.#awaited = this.#has.subarray(first, first + count).filter((has) => has === 0).length;
    return this.#asked;
  }

  /** It was asked for: now, or before and has come already (a question that was asked twice is answered twice). */
  expects(part: number): boolean {
    const { first, count } = this.#asked;
    return this.#has[part] === 1 || (part >= first && part < first + count);
  }

  /** Of an expected part. False: it has another length than it must have. */
  take(part: number, content: Uint8Array, nowMs: number): boolean {
    if (this.#has[part] === 1) return true;
    const start = part * PART_BYTES;
    if (content.length !== Math.min(PART_BYTES, this.#bytes.length - start)) return false;
    this.#bytes.set(content, start);
    this.#has[part] = 1;
    this.#missing--;
    this.#awaited--;
    this.progressMs = nowMs;
    return true;
  }
}
