/** When what has changed is asked for: together with what else changes in a moment, and not all the time. No clock in it. */
import type { Topic } from './changes.js';

/** Rates are looked at so often. */
export const LOOK_MS = 2_000;
/** Without an event: a blackout is told after the move, for one. */
export const TABLES_MS = 10_000;

/** Fifty moves in a moment are few answers. */
const GATHER_MS = 150;
/** From one look to the next. The nodes are all there are, with all routes. */
const APART_MS: Readonly<Record<Topic, number>> = { routers: 0, nodes: 1_000, moves: 0 };

export class Pace {
  readonly #due = new Map<Topic, number>();
  readonly #asked = new Map<Topic, number>();

  /** What is wanted already is not put off. */
  want(topics: readonly Topic[], nowMs: number): void {
    for (const topic of topics) {
      const nextMs = (this.#asked.get(topic) ?? Number.NEGATIVE_INFINITY) + APART_MS[topic];
      if (!this.#due.has(topic)) this.#due.set(topic, Math.max(nowMs + GATHER_MS, nextMs));
    }
  }

  /** When there is something to take; undefined: nothing is wanted. */
  get nextMs(): number | undefined {
    return this.#due.size === 0 ? undefined : Math.min(...this.#due.values());
  }

  /** To be asked for now. */
  take(nowMs: number): Topic[] {
    const topics = [...this.#due].filter(([, dueMs]) => dueMs <= nowMs).map(([topic]) => topic);
    for (const topic of topics) {
      this.#due.delete(topic);
      this.#asked.set(topic, nowMs);
    }
    return topics;
  }

  /** Nothing is wanted any more. */
  forget(): void {
    this.#due.clear();
  }
}
