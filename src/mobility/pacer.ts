/**
 * Frames on their way to the LANs, so many at a time: a large network or a whole cluster's move must not hold up what
 * counts first. A broadcast moves everybody's traffic and goes before what is said to hosts one by one.
 */
import type { LanIndex } from '../tables/model.js';
import type { Context } from './context.js';

/** Frames put on the LANs at once; more wait a tick. */
const FRAMES_PER_TICK = 64;
const TICK_MS = 1;

interface Batch {
  readonly lan: LanIndex;
  readonly frames: Iterator<Uint8Array>;
  /** Called after its first frame. */
  sent: (() => void) | undefined;
}

export class Pacer {
  readonly #context: Context;
  readonly #urgent: Batch[] = [];
  readonly #later: Batch[] = [];
  #left = FRAMES_PER_TICK;
  #ticking = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Sends what may be sent now before it returns. Frames are made when they are sent. */
  send(lan: LanIndex, frames: Iterable<Uint8Array>, isUrgent: boolean, firstSent?: () => void): void {
    const batch: Batch = { lan, frames: frames[Symbol.iterator](), sent: firstSent };
    (isUrgent ? this.#urgent : this.#later).push(batch);
    this.#drain();
  }

  #drain(): void {
    while (this.#left > 0) {
      const queue = this.#urgent.length > 0 ? this.#urgent : this.#later;
      const batch = queue.shift();
      if (batch === undefined) break;
      const next = batch.frames.next();
      if (next.done === true) continue;
      // In turn: every node's first frame, its gateway's, is out before anybody's last.
      queue.push(batch);
      this.#left--;
      this.#context.ports.sendFrame(batch.lan, next.value);
      batch.sent?.();
      batch.sent = undefined;
    }
    if (this.#ticking || this.#left === FRAMES_PER_TICK) return;
    this.#ticking = true;
    this.#context.timers.after('announce', TICK_MS, () => {
      this.#ticking = false;
      this.#left = FRAMES_PER_TICK;
      this.#drain();
    });
  }
}
