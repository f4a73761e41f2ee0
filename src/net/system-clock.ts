/** The machine's clock. The only module that reads time or starts timers; everything else is handed a `Clock`. */
import type { Clock, Timer } from './clock.js';

export const systemClock: Clock = {
  /** CLOCK_MONOTONIC, the zero that the native addon uses too. */
  nowMs(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },

  wallMs(): number {
    return Date.now();
  },

  after(_name: string, delayMs: number, action: () => void): Timer {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
