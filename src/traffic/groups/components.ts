/** Connected components by union and find (Tarjan 1975): path halving, the smaller tree below the larger one. */
export class Components {
  readonly #parents: Int32Array;
  readonly #sizes: Int32Array;

  /** @param count things with the numbers 0 … count − 1, each a component by itself */
  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, n) => n);
    this.#sizes = new Int32Array(count).fill(1);
  }

  /** One number for everything in the component of `n`. */
  find(n: number): number {
    const parents = this.#parents;
    let at = n;
    while (parents[at] !== at) {
      parents[at] = parents[parents[at] as number] as number;
      at = parents[at] as number;
    }
    return at;
  }

  /** How many things are in the component of `n`. */
  sizeOf(n: number): number {
    return this.#sizes[this.find(n)] as number;
  }

  join(a: number, b: number): void {
    let [large, small] = [this.find(a), this.find(b)];
    if (large === small) return;
    if (this.sizeOf(large) < this.sizeOf(small)) [large, small] = [small, large];
    this.#parents[small] = large;
    (this.#sizes[large] as number) += this.#sizes[small] as number;
  }

  /** Components of two and more, each in rising order, in the order of their first. */
  all(): number[][] {
    const byRoot = new Map<number, number[]>();
    for (let n = 0; n < this.#parents.length; n++) {
      const root = this.find(n);
      const members = byRoot.get(root);
      if (members === undefined) byRoot.set(root, [n]);
      else members.push(n);
    }
    return [...byRoot.values()].filter(({ length }) => length > 1);
  }
}
