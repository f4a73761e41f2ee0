/** What a stream's sender keeps until the destination has it: what may be asked for, and how much of all may be kept. Pure. */
import { keyOf, type PageKey } from '../store/digest.js';
import type { MadeBatch } from '../wire/batch-maker.js';
import { MOST_UNACKED_BATCHES, MOST_UNACKED_BYTES } from '../wire/limits.js';

type Sent = Pick<MadeBatch, 'serial' | 'streamBytes' | 'pages' | 'references'>;

interface Kept extends Omit<Sent, 'references'> {
  readonly references: Map<string, Uint8Array>;
}

export class Unacked {
  readonly #batches = new Map<number, Kept>();
  #bytes = 0;
  readonly #pages = new Set<PageKey>();

  /** Nothing further may be sent. */
  get isFull(): boolean {
    return this.#bytes >= MOST_UNACKED_BYTES || this.#batches.size >= MOST_UNACKED_BATCHES;
  }

  /** Pages that go, or have gone, and have not been acknowledged. */
  get pages(): ReadonlySet<PageKey> {
    return this.#pages;
  }

  /** With the batch that is being made. */
  goes(page: Uint8Array): void {
    this.#pages.add(keyOf(page));
  }

  sent({ serial, streamBytes, pages, references }: Sent): void {
    this.#batches.set(serial, { serial, streamBytes, pages, references: new Map(references) });
    this.#bytes += streamBytes;
  }

  /** The destination has all up to `serial`. False: that was not sent, or is known. */
  acked(serial: number): boolean {
    if (!this.#batches.has(serial)) return false;
    for (const { serial: number, streamBytes, pages } of this.#batches.values()) {
      if (number > serial) break;
      this.#batches.delete(number);
      this.#bytes -= streamBytes;
      for (const digest of pages) this.#pages.delete(keyOf(digest));
    }
    return true;
  }

  /** Pages that a batch refers to, each once: nobody makes this courier send without end. Undefined: one of them it has not. */
  take(serial: number, keys: readonly Uint8Array[]): readonly Uint8Array[] | undefined {
    const references = this.#batches.get(serial)?.references;
    const pages: Uint8Array[] = [];
    for (const key of keys.map((bytes) => keyOf(bytes))) {
      const page = references?.get(key);
      if (page === undefined) return undefined;
      references?.delete(key);
      pages.push(page);
    }
    return pages;
  }
}
