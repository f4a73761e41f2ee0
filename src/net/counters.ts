/**
 * Counters declare what they count, where their names are: a table of names and classes. Whoever shows losses selects them
 * by class and cannot miss one; a name that is in no table does not compile.
 */

/** `drop`: something was refused or lost. `event`: anything else that happened. */
export type CounterClass = 'drop' | 'event';

/**
 * Classes by name: lower case, with underscores, stable, since operators and metrics see them. A name that ends in `*`
 * declares a family: the reason, type or verdict behind it is not known here.
 */
export type CounterTable = Readonly<Record<string, CounterClass>>;

/** What may be counted with a table: its names, and anything in its families. */
export type CounterName<Table extends CounterTable> = {
  [Name in keyof Table & string]: Name extends `${infer Start}*` ? `${Start}${string}` : Name;
}[keyof Table & string];

const FORM = /^[a-z][a-z0-9_]*\*?$/;

/** Counts by the names of one table. A count exists from the first time on. */
export class DeclaredCounters<const Table extends CounterTable> {
  readonly classes: Table;
  /** By the names as they were given: what is counted is counted while somebody waits, and looked at when there is time. */
  readonly #counts = new Map<string, number>();

  constructor(classes: Table) {
    this.classes = classes;
  }

  /** Dashes in `name` (reasons have them) become underscores. */
  count(name: CounterName<Table>, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get(name: CounterName<Table>): number {
    return this.#shown().get(shownAs(name)) ?? 0;
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#shown()].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #shown(): ReadonlyMap<string, number> {
    const shown = new Map<string, number>();
    for (const [name, count] of this.#counts) {
      const key = shownAs(name);
      shown.set(key, (shown.get(key) ?? 0) + count);
    }
    return shown;
  }
}

function shownAs(name: string): string {
  return name.replaceAll('-', '_');
}

/** All tables together. */
export class CounterClasses {
  readonly #names = new Map<string, CounterClass>();
  /** Longest first: `records_refused_*` before `records_*`. */
  readonly #families: (readonly [start: string, is: CounterClass])[] = [];

  /** Throws for a name of another form, and for one that two tables give two classes. */
  constructor(tables: readonly CounterTable[]) {
    for (const [name, is] of tables.flatMap((table) => Object.entries(table))) {
      if (!FORM.test(name)) throw new Error(`"${name}" is no counter's name`);
      const known = this.#names.get(name);
      if (known !== undefined && known !== is)
        throw new Error(`${name} is declared as ${known} and as ${is}`);
      this.#names.set(name, is);
      if (name.endsWith('*')) this.#families.push([name.slice(0, -1), is]);
    }
    this.#families.sort(([a], [b]) => b.length - a.length);
  }

  /** By its own name, else by the family with the longest beginning. Undefined: nobody has declared it. */
  of(name: string): CounterClass | undefined {
    return this.#names.get(name) ?? this.#families.find(([start]) => name.startsWith(start))?.[1];
  }
}

/** A table whose names begin with something more where they are shown. */
export function prefixed(prefix: string, table: CounterTable): CounterTable {
  return Object.fromEntries(Object.entries(table).map(([name, is]) => [`${prefix}${name}`, is]));
}
