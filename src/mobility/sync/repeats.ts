/**
 * Differences that stay. Nothing has changed since the other was told the last time: it refuses something (its gndt.json is
 * another one). It is told again at twice the distance each time.
 */
export class Repeats<Key> {
  /** The state in which each differs, and how often that was seen. */
  readonly #unequal = new Map<Key, { readonly state: string; readonly times: number }>();

  /** It differs in this state. True: as it did before, and it is not time yet to tell it again. */
  isRepeated(key: Key, state: string): boolean {
    const known = this.#unequal.get(key);
    const times = known?.state === state ? known.times + 1 : 1;
    this.#unequal.set(key, { state, times });
    return !Number.isInteger(Math.log2(times));
  }

  forget(key: Key): void {
    this.#unequal.delete(key);
  }

  clear(): void {
    this.#unequal.clear();
  }
}
