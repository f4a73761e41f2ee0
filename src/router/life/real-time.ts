/**
 * Real-time precedence for the router's threads, each while it works little. A move's work is a millisecond, a packet's
 * some microseconds, and every wait for a processor comes on top of the outage; so they go before all others. They must
 * not when they are busy: a peer that comes up with 100,000 records, or a flood, would stop whatever else a gateway with
 * one processor does. Two things end it: the kernel, when a thread has run for `LONGEST_MS` without waiting, and a look
 * at what it used, for many turns with short waits.
 */
import type { NativeAddon } from '../../dataplane/engine.js';
import type { Clock, Timer } from '../../net/clock.js';

/** Packets that wait so long are late, not lost: the sockets' buffers hold more. */
const LONGEST_MS = 25;
const LOOK_MS = 1000;
/** Of a processor, from one look to the next: more than a burst of fifty moves takes. */
const BUSY = 0.1;
const CALM = 0.05;
/** So many calm looks before it is taken again. */
const CALM_LOOKS = 5;

export interface RealTimePorts extends Pick<NativeAddon, 'takeRealTime' | 'leaveRealTime' | 'hasRealTime'> {
  /** What the thread has had of a processor; 0 when it cannot be told. */
  cpuSeconds(thread: number): number;
}

/** Of one thread, by the kernel's number. */
export class RealTimePrecedence {
  readonly #clock: Clock;
  readonly #ports: RealTimePorts;
  readonly #thread: number;
  #timer: Timer | undefined;
  #calmLooks = 0;
  #seen = { atMs: 0, cpuSeconds: 0 };

  constructor(clock: Clock, ports: RealTimePorts, thread: number) {
    this.#clock = clock;
    this.#ports = ports;
    this.#thread = thread;
  }

  /** Answers why it cannot be had: nothing more happens then. */
  start(): string | undefined {
    const problem = this.#take();
    if (problem === undefined) this.#look();
    return problem;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ports.leaveRealTime(this.#thread);
  }

  #take(): string | undefined {
    // Then nobody could see that it is busy.
    if (this.#ports.cpuSeconds(this.#thread) === 0) return 'what the thread uses cannot be told';
    try {
      this.#ports.takeRealTime(this.#thread, LONGEST_MS);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #look(): void {
    this.#seen = { atMs: this.#clock.nowMs(), cpuSeconds: this.#ports.cpuSeconds(this.#thread) };
    this.#timer = this.#clock.after('real-time', LOOK_MS, () => {
      this.#judge(this.#share());
      this.#look();
    });
  }

  /** Of a processor since the last look. */
  #share(): number {
    const { atMs, cpuSeconds } = this.#seen;
    const usedMs = (this.#ports.cpuSeconds(this.#thread) - cpuSeconds) * 1000;
    return usedMs / Math.max(1, this.#clock.nowMs() - atMs);
  }

  #judge(share: number): void {
    if (this.#ports.hasRealTime(this.#thread)) {
      if (share > BUSY) this.#ports.leaveRealTime(this.#thread);
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
