/** What an operator should know or do, one sentence each, wherever it comes from. */
export interface WarningSource {
  warnings(): readonly string[];
}

export class Warnings {
  readonly #ofStart: string[] = [];
  readonly #sources: WarningSource[] = [];

  /** For as long as the router runs. */
  add(...warnings: readonly string[]): void {
    this.#ofStart.push(...warnings);
  }

  /** Asked each time: what it warns of comes and goes. */
  follow(source: WarningSource): void {
    this.#sources.push(source);
  }

  all(): string[] {
    return [...this.#sources.flatMap((source) => source.warnings()), ...this.#ofStart];
  }
}
