/**
 * Frames on their way to the LANs, so many at a time: a large network or a whole cluster's move must not hold up what
 * counts first. What moves everybody's traffic (a broadcast, a node's gateway entry) goes at once, and what is said to
 * hosts one by one at the next tick, when the claims are out, or when a burst is over.
 */
import type { LanIndex } from '../tables/model.js';
import type { Context } from './context.js';

/** Frames put on the LANs in one go. */
const MOST_AT_ONCE = 64;
/** After those, so many a tick: a quarter of a core at most, while claims and announcements of other nodes come in. */
const FRAMES_PER_TICK = 16;
const TICK_MS = 1;
/** What is not urgent waits for the end of a burst, but no longer than this. */
const LONGEST_MS = 50;

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
  /** When what is not urgent was handed in first; of the monotonic clock. */
  #laterMs = 0;
  #ticking = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Of an urgent batch sends what may be sent now before it returns, and at least the first frame, however many others
   * there are; of another one nothing. Frames are made when they are sent: what has become untrue while it waited is
   * not said.
   */
  send(lan: LanIndex, frames: Iterable<Uint8Array>, isUrgent: boolean, firstSent?: () => void): void {
    const batch: Batch = { lan, frames: frames[Symbol.iterator](), sent: firstSent };
    if (isUrgent) this.#sendUrgent(batch);
    else {
      if (this.#later.length === 0) this.#laterMs = this.#context.clock.nowMs();
      this.#later.push(batch);
    }
    this.#goOnLater();
  }

  #sendUrgent(batch: Batch): void {
    if (!this.#sendOne(batch)) return;
    this.#urgent.push(batch);
    this.#drain(this.#urgent);
  }

  /** In turn: every node's first frame, its gateway's, is out before anybody's last. */
  #drain(queue: Batch[]): void {
    while (this.#left > 0) {
      const batch = queue.shift();
      if (batch === undefined) return;
      if (this.#sendOne(batch)) queue.push(batch);
    }
  }

  /** False: it had no more. */
  #sendOne(batch: Batch): boolean {
    const next = batch.frames.next();
    if (next.done === true) return false;
    // Another router of the site serves that LAN, and says it.
    if (!this.#context.lans.isActive(batch.lan)) return false;
    this.#left--;
    this.#context.ports.sendFrame(batch.lan, next.value);
    const { sent } = batch;
    batch.sent = undefined;
    sent?.();
    return true;
  }

  #goOnLater(): void {
    const isIdle = this.#left === MOST_AT_ONCE && this.#urgent.length === 0 && this.#later.length === 0;
    if (this.#ticking || isIdle) return;
    this.#ticking = true;
    this.#context.timers.after('announce', TICK_MS, () => {
      this.#ticking = false;
      this.#left = Math.min(MOST_AT_ONCE, Math.max(0, this.#left) + FRAMES_PER_TICK);
      this.#drain(this.#urgent);
      if (this.#isLaterDue()) this.#drain(this.#later);
      this.#goOnLater();
    });
  }

  /** A cluster's moves come one upon the other: the first frames of each go before what can wait. */
  #isLaterDue(): boolean {
    return !this.#context.burst.isOn || this.#context.clock.nowMs() - this.#laterMs >= LONGEST_MS;
  }
}
