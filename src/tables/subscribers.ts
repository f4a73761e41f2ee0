/** Those who want to hear of changes. They are called synchronously, in the order in which they subscribed. */
export class Subscribers<Arguments extends readonly unknown[]> {
  readonly #listeners = new Set<{ readonly listener: (...args: Arguments) => void }>();

  /** Returns how to stop listening; stopping twice is harmless. */
  subscribe(listener: (...args: Arguments) => void): () => void {
    // An entry of its own, so that one function subscribed twice is called twice and can be stopped once.
    const entry = { listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  notify(...args: Arguments): void {
    for (const { listener } of this.#listeners) listener(...args);
  }
}
