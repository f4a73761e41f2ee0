/**
 * From a better placement to steps that lead there: each pays by itself when those before it have been made, whatever becomes
 * of those behind it. A unit is in one step at most, so that no step undoes another.
 */
import { Components } from '../groups/components.js';
import { type Change, Placement } from './placement.js';
import type { Problem } from './problem.js';

/** Share of the whole cost below which a step is rounding, not a gain. */
const NEGLIGIBLE = 1e-9;

export interface Plan {
  readonly steps: readonly Change[];
  /** Units for which there was no room in the plan although they would gain. */
  readonly later: readonly number[];
}

/**
 * @param target by unit, its site
 * @param sizeOf how many machines a unit is
 * @param most machines in the plan
 */
export function planSteps(
  problem: Problem,
  target: Int32Array,
  sizeOf: (unit: number) => number,
  most: number,
): Plan {
  const placement = new Placement(problem);
  const goals = new Map([...target.entries()].filter(([unit, site]) => placement.at(unit) !== site));
  const steps: Change[] = [];
  const later: number[] = [];
  let room = most;
  for (;;) {
    const step = nextStep(placement, goals);
    if (step === undefined) return { steps, later };
    for (const { unit } of step) goals.delete(unit);
    const size = step.reduce((sum, { unit }) => sum + sizeOf(unit), 0);
    if (size > room) later.push(...step.map(({ unit }) => unit));
    else {
      room -= size;
      steps.push(inOrder(placement, step));
      placement.apply(step);
    }
  }
}

/** The best of the smallest kind of step that pays. */
function nextStep(placement: Placement, goals: ReadonlyMap<number, number>): Change | undefined {
  const least = -NEGLIGIBLE * Math.max(placement.total(), Number.MIN_VALUE);
  const all = [...goals].map(([unit, site]) => ({ unit, site }));
  const kinds = [singles, pairs, connected, (change: Change) => [change]];
  for (const kind of kinds) {
    let [delta, best]: [number, Change | undefined] = [least, undefined];
    for (const change of kind(all, placement)) {
      const found = deltaOf(placement, change);
      if (found < delta && placement.admits(change)) [delta, best] = [found, change];
    }
    if (best !== undefined) return best;
  }
  return undefined;
}

const singles = (all: Change): Change[] => all.map((one) => [one]);

/** Those that talk, or of which one goes to where the other is. */
function pairs(all: Change, placement: Placement): Change[] {
  return all.flatMap((one, i) =>
    all.slice(i + 1).flatMap((other) => {
      const exchange = placement.at(one.unit) === other.site || placement.at(other.unit) === one.site;
      const talk = placement.partners[one.unit]?.units.includes(other.unit);
      return exchange || talk ? [[one, other]] : [];
    }),
  );
}

/** Whoever talks with one another, or needs another's place. */
function connected(all: Change, placement: Placement): Change[] {
  const numbers = new Map(all.map(({ unit }, i) => [unit, i]));
  const byTalk = new Components(all.length);
  const byPlace = new Components(all.length);
  for (const [i, { unit, site }] of all.entries()) {
    for (const partner of placement.partners[unit]?.units ?? []) {
      const other = numbers.get(partner);
      if (other === undefined) continue;
      byTalk.join(i, other);
      byPlace.join(i, other);
    }
    for (const [j, other] of all.entries()) if (placement.at(other.unit) === site) byPlace.join(i, j);
  }
  return [...byTalk.all(), ...byPlace.all()].map((members) => members.map((i) => all[i] as Change[number]));
}

function deltaOf(placement: Placement, change: Change): number {
  let delta = 0;
  const undo: Change[] = [];
  for (const one of change) {
    delta += placement.delta(one.unit, one.site);
    undo.push(placement.apply([one]));
  }
  for (const back of undo.reverse()) placement.apply(back);
  return delta;
}

/** Whoever has room goes first; where nobody has, one has to be more for a moment. */
function inOrder(placement: Placement, step: Change): Change {
  const left = [...step];
  const ordered: Change[number][] = [];
  const undo: Change[] = [];
  while (left.length > 0) {
    const fitting = left.findIndex(({ unit, site }) => placement.fits(unit, site));
    const [next] = left.splice(Math.max(0, fitting), 1);
    if (next === undefined) break;
    undo.push(placement.apply([next]));
    ordered.push(next);
  }
  for (const back of undo.reverse()) placement.apply(back);
  return ordered;
}
