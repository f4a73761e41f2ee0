/**
 * Whether a description that was just applied stands. Pure.
 *
 *   applied ──60 s, at most a quarter lost──▶ stands
 *      └─────more than a quarter lost for 60 s without a break──▶ undone
 *
 * Lost is who was reached before and is not now, whether the new version still names it or not; not counted is whom the new
 * version says it takes away (`removes`). Each router judges by what it sees itself and by nobody's word, so a mad member
 * can add no more than its own absence. A description that cuts a third of the routers off leaves every router with more
 * than a quarter of its peers lost, on both sides of the cut: that is why the limit is a quarter and not a half.
 */
import type { RouterId } from '../tables/model.js';

export const TRIAL_MS = 60_000;
/** More than this share of the peers that it had. */
const LOST_SHARE = 1 / 4;

export interface Trial {
  /** Who was reached before, without those that are taken away on purpose. */
  readonly before: ReadonlySet<RouterId>;
  readonly startedMs: number;
  /** Since when too many are lost; undefined: they are not. */
  readonly tooManySinceMs: number | undefined;
}

export interface TrialStep {
  readonly trial: Trial;
  readonly verdict: 'goes-on' | 'stands' | 'undo';
  readonly lost: readonly RouterId[];
}

/** Of one that goes on. */
export interface TrialView {
  readonly lost: readonly RouterId[];
  /** Who was reached before, how many. */
  readonly of: number;
  readonly remainingMs: number;
}

export function beginTrial(reached: Iterable<RouterId>, removes: readonly RouterId[], nowMs: number): Trial {
  const before = new Set(reached);
  for (const router of removes) before.delete(router);
  return { before, startedMs: nowMs, tooManySinceMs: undefined };
}

/** Once a second, and whenever somebody comes or goes. */
export function stepTrial(trial: Trial, reached: ReadonlySet<RouterId>, nowMs: number): TrialStep {
  const lost = [...trial.before].filter((router) => !reached.has(router));
  const isTooMany = lost.length > trial.before.size * LOST_SHARE;
  const tooManySinceMs = isTooMany ? (trial.tooManySinceMs ?? nowMs) : undefined;
  return {
    trial: { ...trial, tooManySinceMs },
    verdict: verdictOf(trial.startedMs, tooManySinceMs, nowMs),
    lost,
  };
}

function verdictOf(
  startedMs: number,
  tooManySinceMs: number | undefined,
  nowMs: number,
): TrialStep['verdict'] {
  if (tooManySinceMs !== undefined) return nowMs - tooManySinceMs >= TRIAL_MS ? 'undo' : 'goes-on';
  return nowMs - startedMs >= TRIAL_MS ? 'stands' : 'goes-on';
}

/** Why the next version has to wait, for people. */
export function stillTried(version: number | undefined, { lost, of, remainingMs }: TrialView): string {
  const ends = lost.length > of * LOST_SHARE ? 'is undone' : 'stands';
  return `version ${version} is on trial here: it ${ends} in ${Math.ceil(remainingMs / 1_000)} s if nothing changes (${lost.length} of ${of} peers are lost); publish then ("vinectl network list" shows it)`;
}
