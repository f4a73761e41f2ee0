/**
 * Small numbers for things that have names: the data plane's numbers of peers and networks. A name keeps its number for
 * as long as it is there, whatever comes and goes around it. A number that has become free is given to another name
 * only after a while: packets and messages of the workers may still speak of the one before.
 */

/** Far longer than a batch or a message between threads is on its way. */
export const QUARANTINE_MS = 60_000;

/** What `plan` has found; to be handed to `adopt` before anything else changes. */
export interface IndexPlan {
  readonly taken: ReadonlyMap<string, number>;
  /** Numbers that become free. */
  readonly released: readonly number[];
}

export class StableIndexes {
  readonly #limit: number;
  #taken: ReadonlyMap<string, number> = new Map();
  /** When each number that was taken once became free; in the order of becoming free. */
  readonly #freeSinceMs = new Map<number, number>();

  /** @param limit numbers are 0 … limit − 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** −1 for a name that is not there. */
  get(name: string): number {
    return this.#taken.get(name) ?? -1;
  }

  /**
   * Numbers for exactly these names (each once): theirs for those that have one, the lowest free ones in the given order
   * for the others. Changes nothing. Undefined when there are not enough that may be given now.
   */
  plan(names: readonly string[], nowMs: number): IndexPlan | undefined {
    const taken = new Map<string, number>();
    const inUse = new Set(this.#taken.values());
    const wanted = new Set(names);
    const isFree = (index: number): boolean =>
      !inUse.has(index) &&
      nowMs - (this.#freeSinceMs.get(index) ?? Number.NEGATIVE_INFINITY) >= QUARANTINE_MS;
    let next = 0;
    for (const name of names) {
      const known = this.#taken.get(name);
      if (known === undefined) {
        while (next < this.#limit && !isFree(next)) next++;
        if (next === this.#limit) return undefined;
        taken.set(name, next++);
      } else {
        taken.set(name, known);
      }
    }
    const released = [...this.#taken].flatMap(([name, index]) => (wanted.has(name) ? [] : [index]));
    return { taken, released };
  }

  adopt(plan: IndexPlan, nowMs: number): void {
    for (const index of plan.taken.values()) this.#freeSinceMs.delete(index);
    for (const index of plan.released) this.#freeSinceMs.set(index, nowMs);
    this.#taken = plan.taken;
  }
}
