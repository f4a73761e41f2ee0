/**
 * Frames on their way to the LANs, so many at a time: a large network or a whole cluster's move must not hold up what
 * counts first. A broadcast moves everybody's traffic and goes before what is said to hosts one by one.
 */
import type { LanIndex } from '../tables/model.js';
import type { Context } from './context.js';

/** Frames put on the LANs at once. */
const MOST_AT_ONCE = 64;
/** Afterwards, so many a tick: a quarter of a core at most, while claims and announcements of other nodes come in. */
const FRAMES_PER_TICK = 16;
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
  #left = MOST_AT_ONCE;
  #ticking = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Sends what may be sent now before it returns; of an urgent batch that is at least the first frame, however many
   * others there are. Frames are made when they are sent: what has become untrue while it waited is not said.
   */
  send(lan: LanIndex, frames: Iterable<Uint8Array>, isUrgent: boolean, firstSent?: () => void): void {
    const batch: Batch = { lan, frames: frames[Symbol.iterator](), sent: firstSent };
    if (!isUrgent) this.#later.push(batch);
    else if (this.#sendOne(batch)) this.#urgent.push(batch);
    this.#drain();
  }

  #drain(): void {
    while (this.#left > 0) {
      const queue = this.#urgent.length > 0 ? this.#urgent : this.#later;
      const batch = queue.shift();
      if (batch === undefined) break;
      // In turn: every node's first frame, its gateway's, is out before anybody's last.
      if (this.#sendOne(batch)) queue.push(batch);
    }
    this.#refillLater();
  }

  /** False: it had no more. */
  #sendOne(batch: Batch): boolean {
    const next = batch.frames.next();
    if (next.done === true) return false;
    this.#left--;
    this.#context.ports.sendFrame(batch.lan, next.value);
    const { sent } = batch;
    batch.sent = undefined;
    sent?.();
    return true;
  }

  #refillLater(): void {
    if (this.#ticking || this.#left === MOST_AT_ONCE) return;
    this.#ticking = true;
    this.#context.timers.after('announce', TICK_MS, () => {
      this.#ticking = false;
      this.#left = Math.min(MOST_AT_ONCE, Math.max(0, this.#left) + FRAMES_PER_TICK);
      this.#drain();
    });
  }
}
