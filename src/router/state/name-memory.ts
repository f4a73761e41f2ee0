/** What host names meant last: for a start without a resolver. Written when one means something else, not for each answer. */
import type { Clock } from '../../net/clock.js';
import type { Gndt } from '../../tables/gndt.js';
import { namesOf } from '../../tunnel/endpoint.js';
import { sameSet } from '../../tunnel/names/addresses.js';
import type { KeptName } from '../../tunnel/names/names.js';
import { MOST_KEPT, nameForm } from './name-file.js';
import { StateStore } from './state-store.js';

/** Names that are resolved together at a start are one write. */
const WRITE_DELAY_MS = 200;
/** Then so seldom: a resolver may give another answer each time. */
const WRITE_EVERY_MS = 5_000;
/** What was only confirmed is written so seldom. */
const CONFIRM_EVERY_MS = 3_600_000;

export interface NameMemoryOptions {
  readonly store: StateStore<KeptName>;
  readonly clock: Clock;
  /** The names that the configuration has now; others are not remembered. */
  readonly names: () => ReadonlySet<string>;
}

export class NameMemory {
  readonly #options: NameMemoryOptions;
  readonly #kept = new Map<string, KeptName>();
  /** As on disk. */
  readonly #written = new Map<string, number>();
  readonly #warnings: string[] = [];
  #lastWriteMs = Number.NEGATIVE_INFINITY;

  /** Reads the file. */
  constructor(options: NameMemoryOptions) {
    this.#options = options;
    const { records, problem } = options.store.load();
    if (problem !== undefined) this.#warnings.push(problem);
    for (const kept of records) this.#kept.set(kept.name, kept);
  }

  /** What was wrong at the start. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  kept(name: string): KeptName | undefined {
    return this.#kept.get(name);
  }

  /** A name has been resolved; perhaps to the same as before. */
  resolved(kept: KeptName): void {
    const before = this.#kept.get(kept.name);
    this.#kept.set(kept.name, kept);
    if (this.#kept.size > MOST_KEPT) this.#forgetStrangers();
    const writtenWallMs = this.#written.get(kept.name) ?? before?.resolvedWallMs;
    const isNews = before === undefined || !sameSet(before.addresses, kept.addresses);
    const isOld = writtenWallMs !== undefined && kept.resolvedWallMs - writtenWallMs >= CONFIRM_EVERY_MS;
    if (!isNews && !isOld) return;
    const dueMs = this.#lastWriteMs + WRITE_EVERY_MS - this.#options.clock.nowMs();
    this.#options.store.schedule(() => this.#snapshot(), Math.max(WRITE_DELAY_MS, dueMs));
  }

  /** Settles when no write is under way. */
  async idle(): Promise<void> {
    await this.#options.store.idle();
  }

  /** At once, and blocks. */
  save(): void {
    if (this.#kept.size > 0) this.#options.store.save(this.#snapshot());
  }

  #snapshot(): KeptName[] {
    this.#lastWriteMs = this.#options.clock.nowMs();
    const names = this.#options.names();
    const kept = [...this.#kept.values()].filter(({ name }) => names.has(name)).slice(0, MOST_KEPT);
    this.#written.clear();
    for (const { name, resolvedWallMs } of kept) this.#written.set(name, resolvedWallMs);
    return kept;
  }

  /** Of those that a reload has taken out some memory is kept: it may be undone. */
  #forgetStrangers(): void {
    const names = this.#options.names();
    for (const name of [...this.#kept.keys()]) if (!names.has(name)) this.#kept.delete(name);
  }
}

/** That of `names.json` in the state directory. @param onError see `StateStore` */
export function openNameMemory(
  stateDir: string,
  gndt: Gndt,
  clock: Clock,
  onError: (message: string) => void,
): NameMemory {
  const own = gndt.config.routers.find(({ id }) => id === gndt.router);
  if (own === undefined) throw new RangeError(`${gndt.router} is not in the GNDT`);
  return new NameMemory({
    store: new StateStore(stateDir, nameForm(own.publicKey), clock, onError),
    clock,
    names: () => new Set(gndt.otherRouters().flatMap(namesOf)),
  });
}
