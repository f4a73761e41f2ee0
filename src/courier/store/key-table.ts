/**
 * From a page's key to the number of its entry: open addressing in typed arrays, since a store of 4 GB has a million of them, and
 * a Map with a million strings takes ten times the room. A key's own bits are its hash: it is a digest's beginning.
 */
export class KeyTable {
  readonly #words: Uint32Array;
  /** Entry + 1 by place; 0: free. */
  readonly #places: Int32Array;
  readonly #mask: number;

  constructor(readonly capacity: number) {
    this.#words = new Uint32Array(capacity * 4);
    this.#places = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2))));
    this.#mask = this.#places.length - 1;
  }

  /** The entry whose key is at `at` of `digest`; -1: none. */
  find(digest: Uint8Array, at = 0): number {
    const key = wordsOf(digest, at);
    for (let place = (key[0] ?? 0) & this.#mask; ; place = (place + 1) & this.#mask) {
      const entry = (this.#places[place] ?? 0) - 1;
      if (entry < 0 || this.#is(entry, key)) return entry;
    }
  }

  /** The key must not be there, nor the entry have one. */
  add(entry: number, digest: Uint8Array, at = 0): void {
    const key = wordsOf(digest, at);
    this.#words.set(key, entry * 4);
    let place = (key[0] ?? 0) & this.#mask;
    while (this.#places[place] !== 0) place = (place + 1) & this.#mask;
    this.#places[place] = entry + 1;
  }

  /** Those behind it that were put further on because of it move up, so that no search ends too early. */
  remove(entry: number): void {
    let hole = this.#home(entry);
    while (this.#places[hole] !== entry + 1) hole = (hole + 1) & this.#mask;
    for (let place = (hole + 1) & this.#mask; this.#places[place] !== 0; place = (place + 1) & this.#mask) {
      const home = this.#home((this.#places[place] ?? 0) - 1);
      if (((place - home) & this.#mask) < ((place - hole) & this.#mask)) continue;
      this.#places[hole] = this.#places[place] ?? 0;
      hole = place;
    }
    this.#places[hole] = 0;
  }

  #home(entry: number): number {
    return (this.#words[entry * 4] ?? 0) & this.#mask;
  }

  #is(entry: number, key: Uint32Array): boolean {
    for (let word = 0; word < 4; word++) if (this.#words[entry * 4 + word] !== key[word]) return false;
    return true;
  }
}

const WORDS = new Uint32Array(4);

/** Big-endian. To be used at once: a table is asked several times for each page, and makes no objects. */
function wordsOf(digest: Uint8Array, at: number): Uint32Array {
  for (let word = 0; word < 4; word++) {
    const from = at + 4 * word;
    const high = ((digest[from] ?? 0) << 24) | ((digest[from + 1] ?? 0) << 16);
    WORDS[word] = high | ((digest[from + 2] ?? 0) << 8) | (digest[from + 3] ?? 0);
  }
  return WORDS;
}
