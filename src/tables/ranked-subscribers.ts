import { Subscribers } from './subscribers.js';

/** So many changes wait to be told to those who hear them later; with the next they are told, whoever holds them back. */
const MOST_UNTOLD = 16;

/**
 * Those who want to hear of changes, in two ranks. The first are told synchronously, while somebody waits for what is said
 * and forwarded because of a change. Those on whom nothing of that depends are told when the first have heard all, and while
 * somebody holds them back (`hold`) not before he is done: in the same turn of the event loop, of one change after the other.
 * Who answers from what he has heard in that rank calls `catchUp` first, so that nobody sees that he hears late.
 */
export class RankedSubscribers<Change> {
  readonly #first = new Subscribers<[Change]>();
  readonly #later = new Subscribers<[Change]>();
  /** What the later ones have not been told yet, oldest first. */
  readonly #untold: Change[] = [];
  /** Calls of `hold`, and changes that the first are being told: one within the other. */
  #holds = 0;
  #isCatchingUp = false;

  /** Returns how to stop listening. */
  subscribe(listener: (change: Change) => void): () => void {
    return this.#first.subscribe(listener);
  }

  subscribeLater(listener: (change: Change) => void): () => void {
    return this.#later.subscribe(listener);
  }

  /** A listener may cause another change: the first all hear of the inner one before the outer one has gone round. */
  notify(change: Change): void {
    this.#untold.push(change);
    this.#holds++;
    try {
      this.#first.notify(change);
    } finally {
      this.#holds--;
      if (this.#holds === 0 || this.#untold.length > MOST_UNTOLD) this.catchUp();
    }
  }

  /** Does the work, and tells the later ones behind it what has changed meanwhile. */
  hold(work: () => void): void {
    this.#holds++;
    try {
      work();
    } finally {
      this.#holds--;
      if (this.#holds === 0) this.catchUp();
    }
  }

  /** Tells the later ones all that there is. What one of them changes comes behind that. */
  catchUp(): void {
    if (this.#untold.length === 0 || this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    try {
      for (let change = this.#untold.shift(); change !== undefined; change = this.#untold.shift()) {
        this.#later.notify(change);
      }
    } finally {
      this.#isCatchingUp = false;
    }
  }
}
