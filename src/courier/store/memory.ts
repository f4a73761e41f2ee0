/** Pages in memory, a fixed number, those used longest ago out first. The memory is taken as it is needed, a MiB at a time. */
import { FreeEntries } from './free-entries.js';
import { Recency } from './recency.js';

const PAGES_AT_ONCE = 256;

export class PageMemory {
  readonly #blocks: Buffer[] = [];
  readonly #recency: Recency;
  readonly #entryOf: Int32Array;
  readonly #placeOf: Int32Array;
  readonly #free: FreeEntries;

  /** @param entries how many numbers of entries there are */
  constructor(
    readonly capacity: number,
    entries: number,
    private readonly pageBytes: number,
  ) {
    this.#recency = new Recency(capacity);
    this.#free = new FreeEntries(capacity);
    this.#entryOf = new Int32Array(capacity);
    this.#placeOf = new Int32Array(entries).fill(-1);
  }

  get size(): number {
    return this.#recency.size;
  }

  /** The page's own memory, to be used at once: it may be another page's after the next `add`. */
  get(entry: number): Buffer | undefined {
    const place = this.#placeOf[entry] ?? -1;
    if (place < 0) return undefined;
    this.#recency.use(place);
    return this.#at(place);
  }

  has(entry: number): boolean {
    return (this.#placeOf[entry] ?? -1) >= 0;
  }

  /** Keeps a copy. Answers which entry had to go for it; -1: none. */
  add(entry: number, page: Uint8Array): number {
    let gone = -1;
    let place = this.#free.take();
    if (place < 0) {
      place = this.#recency.oldest();
      gone = this.#entryOf[place] ?? -1;
      this.#placeOf[gone] = -1;
    }
    this.#blockOf(place).set(page, this.#offsetOf(place));
    this.#entryOf[place] = entry;
    this.#placeOf[entry] = place;
    this.#recency.use(place);
    return gone;
  }

  drop(entry: number): void {
    const place = this.#placeOf[entry] ?? -1;
    if (place < 0) return;
    this.#placeOf[entry] = -1;
    this.#recency.drop(place);
    this.#free.giveBack(place);
  }

  #at(place: number): Buffer {
    const at = this.#offsetOf(place);
    return this.#blockOf(place).subarray(at, at + this.pageBytes);
  }

  #offsetOf(place: number): number {
    return (place % PAGES_AT_ONCE) * this.pageBytes;
  }

  #blockOf(place: number): Buffer {
    const number = Math.floor(place / PAGES_AT_ONCE);
    let block = this.#blocks[number];
    if (block === undefined) {
      const pages = Math.min(PAGES_AT_ONCE, this.capacity - number * PAGES_AT_ONCE);
      block = Buffer.alloc(pages * this.pageBytes);
      this.#blocks[number] = block;
    }
    return block;
  }
}
