/** Named counts. Names are stable, with underscores and a common prefix: operators and metrics see them. */
export class Counters {
  readonly #counts = new Map<string, number>();

  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  view(): Readonly<Record<string, number>> {
    const named = [...this.#counts].map(([name, value]): [string, number] => [
      `mobility_${name.replaceAll('-', '_')}`,
      value,
    ]);
    return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
