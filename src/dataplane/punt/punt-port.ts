/** The worker's end of the way up to the control thread: what a turn of its loop hands up goes in one piece. */
import type { MessagePort } from 'node:worker_threads';
import type { Punt } from './punt.js';

/** Taken apart by the control thread in one go: some 0.3 ms. */
const MOST_AT_ONCE = 64;

export class PuntPort {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  readonly #bell: Int32Array;
  readonly #ring: () => void;
  #batch: Punt[] = [];

  /**
   * @param bell one word, 1 from when it is rung until the control thread has heard it
   * @param ring wakes the control thread, which then looks at `port` (`PuntInbox.rung`)
   */
  constructor(port: Pick<MessagePort, 'postMessage'>, bell: Int32Array, ring: () => void) {
    this.#port = port;
    this.#bell = bell;
    this.#ring = ring;
  }

  add(punt: Punt): void {
    this.#batch.push(punt);
    if (this.#batch.length >= MOST_AT_ONCE) this.flush();
  }

  flush(): void {
    if (this.#batch.length === 0) return;
    this.#port.postMessage(this.#batch);
    this.#batch = [];
    if (Atomics.exchange(this.#bell, 0, 1) === 0) this.#ring();
  }
}
