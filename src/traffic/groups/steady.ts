/**
 * Keeps groups from flickering: what is found anew in each period is reported when it has been found in three periods
 * running; until then the groups of before stand.
 */
import type { Grouping } from './groups.js';
import { keyOf, type TalkingNode } from './weights.js';

/** Periods in which a change must be found, each time the same, before it is reported. */
export const HOLD_PERIODS = 3;

type Groups = Grouping['groups'];

export interface SteadyGroups {
  /** What is reported. */
  readonly groups: Groups;
  /** What was found instead, and in how many periods running. */
  readonly candidate: { readonly groups: Groups; readonly periods: number } | undefined;
}

/** Before the first period: no groups. */
export const NO_GROUPS: SteadyGroups = { groups: [], candidate: undefined };

/** The state after a period in which `found` was found. A period that nothing is known of is not handed in. */
export function nextGroups(state: SteadyGroups, found: Groups): SteadyGroups {
  if (sameGroups(found, state.groups)) return { groups: state.groups, candidate: undefined };
  const before = state.candidate;
  const periods = before !== undefined && sameGroups(found, before.groups) ? before.periods + 1 : 1;
  if (periods < HOLD_PERIODS) return { groups: state.groups, candidate: { groups: found, periods } };
  return { groups: found, candidate: undefined };
}

/** The same members, in whatever order. */
export function sameGroups(one: Groups, other: Groups): boolean {
  if (one.length !== other.length) return false;
  const texts = new Set(one.map(textOf));
  return other.every((group) => texts.has(textOf(group)));
}

const textOf = (group: readonly TalkingNode[]): string => group.map(keyOf).sort().join('\n');
