/** Which of a fixed number of things was used longest ago: a ring of links in typed arrays. */
export class Recency {
  readonly #before: Int32Array;
  readonly #after: Int32Array;
  /** The ring's own link, behind all things. */
  readonly #root: number;
  #size = 0;

  constructor(capacity: number) {
    this.#before = new Int32Array(capacity + 1).fill(-1);
    this.#after = new Int32Array(capacity + 1).fill(-1);
    this.#root = capacity;
    this.#before[capacity] = capacity;
    this.#after[capacity] = capacity;
  }

  get size(): number {
    return this.#size;
  }

  has(thing: number): boolean {
    return this.#after[thing] !== -1;
  }

  /** It is now the one that was used last; it need not have been there. */
  use(thing: number): void {
    this.drop(thing);
    const last = this.#before[this.#root] ?? 0;
    this.#link(last, thing);
    this.#link(thing, this.#root);
    this.#size++;
  }

  drop(thing: number): void {
    if (!this.has(thing)) return;
    this.#link(this.#before[thing] ?? 0, this.#after[thing] ?? 0);
    this.#before[thing] = -1;
    this.#after[thing] = -1;
    this.#size--;
  }

  /** -1: there is none. */
  oldest(): number {
    const first = this.#after[this.#root] ?? this.#root;
    return first === this.#root ? -1 : first;
  }

  /** From the oldest on. */
  *[Symbol.iterator](): Generator<number> {
    for (let thing = this.oldest(); thing !== -1; ) {
      yield thing;
      const next = this.#after[thing] ?? this.#root;
      thing = next === this.#root ? -1 : next;
    }
  }

  #link(before: number, after: number): void {
    this.#after[before] = after;
    this.#before[after] = before;
  }
}
