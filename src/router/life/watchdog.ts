/**
 * Says that all is well only while it is: the main thread because it is the one that says so, and every packet worker
 * because it has gone round its loop since the last look. A worker that hangs silences the watchdog, and the service
 * manager restarts the router.
 */
import type { Clock, Timer } from '../../net/clock.js';

/** Looks in one limit: one may come late, and one may find a worker that was slow for a moment. */
const LOOKS_PER_LIMIT = 4;
/** A worker wakes every 200 ms at the latest; a look that comes sooner than several of these would accuse a healthy one. */
const LEAST_LOOK_MS = 1000;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** The service manager's limit. */
  readonly limitMs: number;
  /** Each worker's count of turns; any change is progress. */
  readonly turns: () => readonly { readonly name: string; readonly turns: number }[];
  /** Called at each look that finds all well. */
  readonly alive: () => void;
  /** Called once when a worker is first found standing still. */
  readonly onStall: (worker: string) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #lookMs: number;
  #seen = new Map<string, number>();
  #stalled = new Set<string>();
  #timer: Timer | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#lookMs = Math.max(LEAST_LOOK_MS, options.limitMs / LOOKS_PER_LIMIT);
  }

  start(): void {
    this.#seen = new Map(this.#options.turns().map(({ name, turns }) => [name, turns]));
    this.#options.alive();
    this.#plan();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #plan(): void {
    this.#timer = this.#options.clock.after('watchdog', this.#lookMs, () => {
      this.#look();
      this.#plan();
    });
  }

  #look(): void {
    const now = this.#options.turns();
    const standing = now.filter(({ name, turns }) => this.#seen.get(name) === turns).map(({ name }) => name);
    this.#seen = new Map(now.map(({ name, turns }) => [name, turns]));
    for (const name of standing) if (!this.#stalled.has(name)) this.#options.onStall(name);
    this.#stalled = new Set(standing);
    if (standing.length === 0) this.#options.alive();
  }
}
