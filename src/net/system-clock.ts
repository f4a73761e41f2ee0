/** The machine's clock. The only module that reads time or starts timers; everything else is handed a `Clock`. */
import type { Clock, Timer } from './clock.js';
import { PreciseWall } from './precise-wall.js';

/** `performance.now()` counts from the thread's start by the same clock, and costs half of `hrtime`, which makes an array. */
const startedMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

const wall = new PreciseWall(
  () => startedMs + performance.now(),
  () => Date.now(),
);

export const systemClock: Clock = {
  /** CLOCK_MONOTONIC, the zero that the native addon uses too (to some microseconds). */
  nowMs(): number {
    return startedMs + performance.now();
  },

  wallMs(): number {
    return wall.nowMs();
  },

  after(_name: string, delayMs: number, action: () => void): Timer {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
