/**
 * The control thread's end of the way up: takes what the workers of one direction have handed up, and works on it in slices, so
 * that timers and captured frames never wait for more than one of these, whatever comes. Queues take turns (`queueOf`): a peer with
 * much to say delays the others by one message each.
 */
import type { Clock, Timer } from '../../net/clock.js';
import { markDone, type Punt, queueOf } from './punt.js';
import { PuntReader } from './punt-ring.js';

/** Work at one go, and what follows it when more is left. */
const SLICE_MS = 2;
const REST_MS = 1;
/** Taken out of the ring in one go: 0.02 ms, or 0.3 when the code has not run for a while. */
const MOST_AT_ONCE = 64;

/** One worker's way up. */
export interface PuntSource {
  /** Of `createPuntRing`; the inbox is its one reader. */
  readonly ring: SharedArrayBuffer;
  /** See `PuntPort`. */
  readonly bell: Int32Array;
}

export interface PuntInboxOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly sources: readonly PuntSource[];
  /** By `Tally`: units worked on. */
  readonly done: Int32Array;
  readonly work: (punt: Punt) => void;
}

export class PuntInbox {
  readonly #options: PuntInboxOptions;
  readonly #readers: readonly PuntReader[];
  /** By `queueOf`; the one whose turn it is comes first. */
  readonly #queues = new Map<number, Punt[]>();
  /** Milliseconds worked that have not been rested for, as of `#asOfMs`. */
  #debtMs = 0;
  #asOfMs = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: PuntInboxOptions) {
    this.#options = options;
    this.#readers = options.sources.map(({ ring }) => new PuntReader(ring));
  }

  /** A worker has handed something up since this was called last. */
  rung(): void {
    for (const { bell } of this.#options.sources) Atomics.store(bell, 0, 0);
    if (this.#timer === undefined) this.#slice();
  }

  /** Nothing is worked on any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #slice(): void {
    const { clock } = this.#options;
    const startedMs = clock.nowMs();
    const restedMs = startedMs - this.#asOfMs;
    const debtMs = Math.max(0, this.#debtMs - (restedMs * SLICE_MS) / REST_MS);
    let nowMs = startedMs;
    let isLeft = true;
    while (isLeft && !this.#stopped && debtMs + nowMs - startedMs < SLICE_MS) {
      isLeft = this.#step();
      nowMs = clock.nowMs();
    }
    this.#debtMs = debtMs + nowMs - startedMs;
    this.#asOfMs = nowMs;
    if (!isLeft || this.#stopped) return;
    this.#timer = clock.after('punts', (this.#debtMs * REST_MS) / SLICE_MS, () => this.#resume());
  }

  #resume(): void {
    this.#timer = undefined;
    this.#slice();
  }

  /** Takes what has come, and works on one message. False: there is none. */
  #step(): boolean {
    for (const reader of this.#readers) for (const punt of reader.take(MOST_AT_ONCE)) this.#sort(punt);
    for (const [number, queue] of this.#queues) {
      this.#workOn(number, queue);
      return true;
    }
    return false;
  }

  #sort(punt: Punt): void {
    const number = queueOf(punt);
    const queue = this.#queues.get(number);
    if (queue === undefined) this.#queues.set(number, [punt]);
    else queue.push(punt);
  }

  #workOn(number: number, queue: Punt[]): void {
    const punt = queue.shift();
    this.#queues.delete(number);
    if (queue.length > 0) this.#queues.set(number, queue);
    if (punt === undefined) return;
    this.#options.work(punt);
    markDone(this.#options.done, punt);
  }
}
