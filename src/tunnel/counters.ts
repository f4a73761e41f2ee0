/** Named counts, for `vinectl counters`. A name exists from its first count on. */
export class Counters {
  readonly #counts = new Map<string, number>();

  /** Dashes in `name` (drop reasons have them) become underscores. */
  add(name: string, by = 1): void {
    const key = name.replaceAll('-', '_');
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  toObject(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
