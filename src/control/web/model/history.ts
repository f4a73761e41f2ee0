/** The last values of something, for a chart: bounded, oldest first. */
export class History {
  readonly #most: number;
  readonly #columns: number[][];

  /** @param columns beside the time; @param most points that are kept */
  constructor(columns: number, most: number) {
    this.#most = most;
    this.#columns = Array.from({ length: columns + 1 }, () => []);
  }

  add(atMs: number, ...values: readonly number[]): void {
    const row = [atMs / 1000, ...values];
    for (const [i, column] of this.#columns.entries()) {
      column.push(row[i] ?? 0);
      if (column.length > this.#most) column.shift();
    }
  }

  /** Unix seconds, then the columns. */
  get columns(): readonly (readonly number[])[] {
    return this.#columns;
  }
}
