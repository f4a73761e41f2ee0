/** What a page is known by. */
import * as crypto from 'node:crypto';

/** On the wire and in the index: the beginning of the SHA-256. The whole one is on disk. */
export const KEY_BYTES = 16;
export const DIGEST_BYTES = 32;

/** A key as a map's key: its bytes as latin1. */
export type PageKey = string;

export function keyOf(digest: Uint8Array, at = 0): PageKey {
  return Buffer.from(digest.buffer, digest.byteOffset + at, KEY_BYTES).toString('latin1');
}

/**
 * Digests of one owner's pages: SHA-256 over the owner's mark and the page, so that the same page of two owners has two digests, is
 * stored twice, and nobody learns from a saved transfer that another owner has it. Without an owner it is the page's SHA-256.
 */
export class Digester {
  readonly #work: Buffer;
  readonly #markBytes: number;

  /** @param owner empty: pages are shared by all owners who say so */
  constructor(
    readonly owner: string,
    readonly pageBytes: number,
  ) {
    const mark = owner === '' ? Buffer.alloc(0) : sha256(Buffer.from(`vine-courier owner ${owner}`));
    this.#markBytes = mark.length;
    this.#work = Buffer.alloc(mark.length + pageBytes);
    mark.copy(this.#work);
  }

  /** The whole digest. */
  of(page: Uint8Array): Buffer {
    if (this.#markBytes === 0) return sha256(page);
    this.#work.set(page, this.#markBytes);
    return sha256(this.#work);
  }
}

/**
 * In one call where Node has it (from 20.12 on): it makes no object for each page. By way of text, so that a digest is a piece of Node's
 * common memory: memory of its own for 32 bytes takes as long as a quarter of the hash, and V8 has to free it.
 */
export const sha256: (bytes: Uint8Array) => Buffer =
  typeof crypto.hash === 'function'
    ? (bytes) => Buffer.from(crypto.hash('sha256', bytes, 'binary'), 'latin1')
    : (bytes) => crypto.createHash('sha256').update(bytes).digest();
