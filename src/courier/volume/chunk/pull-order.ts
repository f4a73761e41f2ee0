/** Which chunks are fetched from where the volume was, and in which order: those that a read waits for, then most writes first. Pure. */
import type { ChunkVersion, Remaining } from './says.js';

/** Asked for at once; the other side answers in the order of the questions, urgent ones first. */
export const MOST_PULLS = 16;

export class PullOrder {
  readonly #remaining: Map<number, Remaining>;
  /** Fewest writes first: the last is taken. Those that do not remain any more are passed over. */
  #queue: Remaining[];
  #urgent = new Set<number>();
  /** Asked for; true: as urgent. */
  readonly #inFlight = new Map<number, boolean>();
  /** Came, and could not be kept. */
  readonly #failed = new Set<number>();

  constructor(remaining: Iterable<Remaining>) {
    this.#queue = [...remaining].sort((one, other) => one.writes - other.writes);
    this.#remaining = new Map(this.#queue.map((one) => [one.chunk, one]));
  }

  get remaining(): number {
    return this.#remaining.size;
  }

  get(chunk: number): Remaining | undefined {
    return this.#remaining.get(chunk);
  }

  /** A read waits for it. */
  wanted(chunk: number): void {
    if (this.#remaining.has(chunk) && this.#inFlight.get(chunk) !== true) this.#urgent.add(chunk);
  }

  /** To be asked for now; it counts as asked for. */
  next(): (ChunkVersion & { readonly isUrgent: boolean }) | undefined {
    for (const chunk of this.#urgent) {
      this.#urgent.delete(chunk);
      const one = this.#remaining.get(chunk);
      if (one !== undefined && !this.#failed.has(chunk)) return this.#asks(one, true);
    }
    while (this.#inFlight.size < MOST_PULLS) {
      const one = this.#queue.pop();
      if (one === undefined) return undefined;
      const { chunk } = one;
      if (this.#remaining.has(chunk) && !this.#inFlight.has(chunk) && !this.#failed.has(chunk))
        return this.#asks(one, false);
    }
    return undefined;
  }

  /** It is here, or is not needed any more. */
  done(chunk: number): void {
    this.#remaining.delete(chunk);
    this.#inFlight.delete(chunk);
    this.#urgent.delete(chunk);
    this.#failed.delete(chunk);
  }

  /** It came and could not be kept: it is asked for after `again`. */
  failed(chunk: number): void {
    if (!this.#remaining.has(chunk)) return;
    this.#inFlight.delete(chunk);
    this.#failed.add(chunk);
  }

  again(): void {
    for (const chunk of this.#failed) this.#back(chunk);
    this.#failed.clear();
  }

  /** What was asked for does not come. */
  lost(): void {
    for (const [chunk, isUrgent] of this.#inFlight) {
      if (isUrgent) this.#urgent.add(chunk);
      else this.#back(chunk);
    }
    this.#inFlight.clear();
  }

  #back(chunk: number): void {
    const one = this.#remaining.get(chunk);
    if (one !== undefined) this.#queue.push(one);
  }

  #asks({ chunk, version }: Remaining, isUrgent: boolean): ChunkVersion & { readonly isUrgent: boolean } {
    this.#inFlight.set(chunk, isUrgent);
    return { chunk, version, isUrgent };
  }
}
