/**
 * Real-time precedence for the control thread while it works little. A move's work is a millisecond, and every wait for
 * a processor comes on top of the outage; so the thread goes before all others. It must not when it is busy: a peer that
 * comes up with 100,000 records would stop the packets of a gateway with one processor. Two things end it: the kernel,
 * when the thread has run for `LONGEST_MS` without waiting, and a look at what it used, for many turns with short waits.
 */
import type { NativeAddon } from '../dataplane/engine.js';
import type { Clock, Timer } from '../net/clock.js';

/** Packets that wait so long are late, not lost: the sockets' buffers hold more. */
const LONGEST_MS = 25;
const LOOK_MS = 1000;
/** Of a processor, from one look to the next: more than a burst of fifty moves takes. */
const BUSY = 0.1;
const CALM = 0.05;
/** So many calm looks before it is taken again. */
const CALM_LOOKS = 5;

export type RealTimePorts = Pick<
  NativeAddon,
  'takeRealTime' | 'leaveRealTime' | 'hasRealTime' | 'threadCpuMs'
>;

export class RealTimePrecedence {
  readonly #clock: Clock;
  readonly #thread: RealTimePorts;
  #timer: Timer | undefined;
  #calmLooks = 0;
  #seen = { atMs: 0, cpuMs: 0 };

  constructor(clock: Clock, thread: RealTimePorts) {
    this.#clock = clock;
    this.#thread = thread;
  }

  /** Answers why it cannot be had, once and for all: nothing more happens then. */
  start(): string | undefined {
    const problem = this.#take();
    if (problem === undefined) this.#look();
    return problem;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#thread.leaveRealTime();
  }

  #take(): string | undefined {
    try {
      this.#thread.takeRealTime(LONGEST_MS);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #look(): void {
    this.#seen = { atMs: this.#clock.nowMs(), cpuMs: this.#thread.threadCpuMs() };
    this.#timer = this.#clock.after('real-time', LOOK_MS, () => {
      this.#judge(this.#share());
      this.#look();
    });
  }

  /** Of a processor since the last look. */
  #share(): number {
    const { atMs, cpuMs } = this.#seen;
    return (this.#thread.threadCpuMs() - cpuMs) / Math.max(1, this.#clock.nowMs() - atMs);
  }

  #judge(share: number): void {
    if (this.#thread.hasRealTime()) {
      if (share > BUSY) this.#thread.leaveRealTime();
      this.#calmLooks = 0;
      return;
    }
    this.#calmLooks = share < CALM ? this.#calmLooks + 1 : 0;
    if (this.#calmLooks < CALM_LOOKS) return;
    this.#calmLooks = 0;
    // Refused now, it was allowed before: another try comes with the next calm time.
    this.#take();
  }
}
