/** How much of a processor each packet worker has had lately: since the look before, or the one before that. */
import type { Clock } from '../../net/clock.js';

/** Looks that follow each other sooner say the same. */
const LEAST_MS = 1_000;

interface Look {
  readonly atMs: number;
  readonly seconds: number;
  readonly load: number;
}

export class WorkerLoads {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #cpuSeconds: (thread: number) => number;
  readonly #looks = new Map<string, Look>();

  /** @param cpuSeconds what a thread has had of processors since its start; 0 when it cannot be told */
  constructor(clock: Pick<Clock, 'nowMs'>, cpuSeconds: (thread: number) => number) {
    this.#clock = clock;
    this.#cpuSeconds = cpuSeconds;
  }

  /** 0 … 1, to three places; 0 at the first look, and when it cannot be told. @param thread the kernel's number; 0: not known */
  of(worker: string, thread: number): number {
    const nowMs = this.#clock.nowMs();
    const before = this.#looks.get(worker);
    if (before !== undefined && nowMs - before.atMs < LEAST_MS) return before.load;
    const seconds = thread === 0 ? 0 : this.#cpuSeconds(thread);
    const used = before === undefined ? 0 : (seconds - before.seconds) / ((nowMs - before.atMs) / 1_000);
    const load = Math.round(1_000 * Math.min(1, Math.max(0, used))) / 1_000;
    this.#looks.set(worker, { atMs: nowMs, seconds, load });
    return load;
  }
}
