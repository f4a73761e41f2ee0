/** What the site's other router has said of itself in the session, and since when. */
import type { Heartbeat } from '../../pair/heartbeat.js';
import type { PairHeartbeatMessage } from '../../protocol/pair-message.js';

/** What the partner says of what it hears counts when a role has lasted for so long. */
const SETTLED_MS = 500;
/** Whoever is active has announced the virtual MAC since. */
const PASSING_KNOWN_MS = 60_000;
/** The partner's last advertisements may be heard after it has stopped. */
const SPEAKS_ON_MS = 5_000;

/** Where advertisements pass from the active router to the other one, and where frames of the virtual MAC do; by VRID. */
export interface Passing {
  readonly advertised: readonly number[];
  readonly virtual: readonly number[];
}

export class PartnerEar {
  #last: PairHeartbeatMessage | undefined;
  #lastMs: number | undefined;
  #activeSinceMs: number | undefined;
  #activeMs = Number.NEGATIVE_INFINITY;

  /** What it says of its role and its health. */
  heard(message: PairHeartbeatMessage, nowMs: number): Heartbeat {
    const { role, term, soundLans, lans, peersUp } = message;
    this.#last = message;
    this.#lastMs = nowMs;
    if (role === 'active') {
      this.#activeSinceMs ??= nowMs;
      this.#activeMs = nowMs;
    } else this.#activeSinceMs = undefined;
    return { role, term, health: { soundLans, lans, peersUp } };
  }

  /** Milliseconds; undefined: never. */
  agoMs(nowMs: number): number | undefined {
    return this.#lastMs === undefined ? undefined : nowMs - this.#lastMs;
  }

  /** It has been active for a moment: its advertisements should be heard. */
  isSettled(nowMs: number): boolean {
    return this.#activeSinceMs !== undefined && nowMs - this.#activeSinceMs > SETTLED_MS;
  }

  /**
   * Where it hears this router's advertisements.
   * @param activeSinceMs of this router
   * @returns undefined: it cannot be told yet
   */
  hears(activeSinceMs: number, nowMs: number): readonly number[] | undefined {
    return nowMs - activeSinceMs > SETTLED_MS ? this.#last?.heardVrids : undefined;
  }

  /** Has it been active just now? Who advertises may be it then. */
  maySpeak(nowMs: number): boolean {
    return nowMs - this.#activeMs < SPEAKS_ON_MS;
  }

  /**
   * @param activeSinceMs of this router; undefined: it is not active
   * @param own what this router hears
   */
  passing(activeSinceMs: number | undefined, own: Passing, nowMs: number): Passing | undefined {
    const sinceMs = activeSinceMs ?? this.#activeSinceMs;
    if (sinceMs === undefined || this.#last === undefined || nowMs - sinceMs < PASSING_KNOWN_MS)
      return undefined;
    if (activeSinceMs === undefined) return own;
    return { advertised: this.#last.heardVrids, virtual: this.#last.virtualVrids };
  }
}
