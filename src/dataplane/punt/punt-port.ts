/** The worker's end of the way up to the control thread: what a turn of its loop hands up is told in one go. */
import type { Punt } from './punt.js';
import { PuntWriter } from './punt-ring.js';

/** In a turn that hands up more, the control thread begins before the worker ends. */
const MOST_UNTOLD = 64;

export class PuntPort {
  readonly #writer: PuntWriter;
  readonly #bell: Int32Array;
  readonly #wake: () => void;
  #untold = 0;

  /**
   * @param ring of `createPuntRing`; this is its one writer
   * @param bell one word, 1 from when it is rung until the control thread has heard it
   * @param wake wakes the control thread, which then looks into the ring (`PuntInbox.rung`)
   */
  constructor(ring: SharedArrayBuffer, bell: Int32Array, wake: () => void) {
    this.#writer = new PuntWriter(ring);
    this.#bell = bell;
    this.#wake = wake;
  }

  /** Copies it. False: there is no room. */
  add(punt: Punt): boolean {
    if (!this.#writer.put(punt)) return false;
    this.#untold++;
    if (this.#untold >= MOST_UNTOLD) this.flush();
    return true;
  }

  flush(): void {
    if (this.#untold === 0) return;
    this.#untold = 0;
    this.#writer.publish();
    if (Atomics.exchange(this.#bell, 0, 1) === 0) this.#wake();
  }
}
