/** The browser's clock; the only file of the page that reads time or starts timers. */
import type { Clock } from '../../../net/clock.js';

export const browserClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(_name, delayMs, action) {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
