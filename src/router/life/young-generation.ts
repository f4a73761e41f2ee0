/**
 * Collects V8's young generation of the control thread when it is half full, between moves: V8 itself does it when there
 * is no room left, and what takes up the last of it is most often a move, which makes more objects at once than anything
 * else. It takes about a millisecond.
 */
import { getHeapSpaceStatistics } from 'node:v8';
import type { Clock, Timer } from '../../net/clock.js';

const LOOK_MS = 500;
const FULL = 0.5;

export interface YoungSpace {
  /** 0 … 1 */
  fullness(): number;
  collect(): void;
}

export class YoungGeneration {
  readonly #clock: Clock;
  readonly #space: YoungSpace;
  #timer: Timer | undefined;

  constructor(clock: Clock, space: YoungSpace) {
    this.#clock = clock;
    this.#space = space;
  }

  start(): void {
    this.#timer = this.#clock.after('young-generation', LOOK_MS, () => {
      if (this.#space.fullness() >= FULL) this.#space.collect();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

/** The calling thread's; undefined when Node was started without --expose-gc. */
export function youngSpace(): YoungSpace | undefined {
  const collect = globalThis.gc;
  if (collect === undefined) return undefined;
  return {
    fullness: () => {
      const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
      if (space === undefined) return 0;
      const { space_used_size: used, space_available_size: free } = space;
      return used / Math.max(1, used + free);
    },
    collect: () => collect({ type: 'minor' }),
  };
}
