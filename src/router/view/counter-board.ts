/** All counters of the router, by stable name: what each part counts, put together when somebody asks. */
import type { CounterClasses } from '../../net/counters.js';

export interface CounterSource {
  counters(): Readonly<Record<string, number | undefined>>;
}

export class CounterBoard {
  readonly #classes: CounterClasses;
  readonly #sources: CounterSource[] = [];

  constructor(classes: CounterClasses) {
    this.#classes = classes;
  }

  add(source: CounterSource): void {
    this.#sources.push(source);
  }

  counters(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const source of this.#sources) {
      for (const [name, value] of Object.entries(source.counters())) all[name] = value ?? 0;
    }
    return all;
  }

  /** Does the name count what was refused or lost? */
  isDrop(name: string): boolean {
    return this.#classes.of(name) === 'drop';
  }
}
