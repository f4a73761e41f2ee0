/**
 * From a better placement to steps that lead there: each pays by itself when those before it have been made, whatever becomes
 * of those behind it. A unit is in one step at most, so that no step undoes another.
 */
import { Components } from '../groups/components.js';
import { clustersOf } from './clusters.js';
import { type Change, Placement } from './placement.js';
import type { Problem } from './problem.js';

/** Share of the whole cost below which a step is rounding, not a gain. */
const NEGLIGIBLE = 1e-9;

export interface Plan {
  readonly steps: readonly Change[];
  /** Units that have no place in the plan although there are further steps that pay; none: there are no such steps. */
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
  const size = (change: Change): number => change.reduce((sum, { unit }) => sum + sizeOf(unit), 0);
  let room = most;
  for (;;) {
    const step = room > 0 ? nextStep(placement, goals, (change) => size(change) <= room) : undefined;
    if (step === undefined) break;
    room -= size(step);
    steps.push(inOrder(placement, step));
    placement.apply(step);
    for (const { unit } of step) goals.delete(unit);
  }
  const isMore = nextStep(placement, goals, () => true) !== undefined;
  return { steps, later: isMore ? [...goals.keys()] : [] };
}

/** Of the smallest kind of step that pays the one that saves most for each unit. */
function nextStep(
  placement: Placement,
  goals: ReadonlyMap<number, number>,
  hasRoom: (change: Change) => boolean,
): Change | undefined {
  const least = -NEGLIGIBLE * Math.max(placement.total(), Number.MIN_VALUE);
  const all = [...goals].map(([unit, site]) => ({ unit, site }));
  for (const kind of [singles, pairs, clusters, connected, whole]) {
    let [rate, best]: [number, Change | undefined] = [0, undefined];
    for (const change of kind(all, placement, goals)) {
      if (!hasRoom(change)) continue;
      const delta = deltaOf(placement, change);
      if (delta < least && delta / change.length < rate && placement.admits(change))
        [rate, best] = [delta / change.length, change];
    }
    if (best !== undefined) return best;
  }
  return undefined;
}

type Kind = (all: Change, placement: Placement, goals: ReadonlyMap<number, number>) => Iterable<Change>;

const singles: Kind = (all) => all.map((one) => [one]);
const whole: Kind = (all) => (all.length > 0 ? [all] : []);

/** Those that talk, and those of which one needs the other's place. */
function* pairs(all: Change, placement: Placement, goals: ReadonlyMap<number, number>): Generator<Change> {
  for (const one of all) {
    for (const unit of placement.partners[one.unit]?.units ?? []) {
      const site = goals.get(unit);
      if (site !== undefined && unit > one.unit) yield [one, { unit, site }];
    }
    if (placement.fits(one.unit, one.site)) continue;
    for (const other of all)
      if (placement.at(other.unit) === one.site && other.unit !== one.unit) yield [one, other];
  }
}

/** Whoever goes to the same site and talks, the heaviest talk first. */
function clusters(all: Change, { problem }: Placement, goals: ReadonlyMap<number, number>): Change[] {
  const talks = problem.talks.filter(({ from, to }) => goals.has(from) && goals.get(from) === goals.get(to));
  const sites = new Map(all.map(({ unit, site }) => [unit, site]));
  return clustersOf({ units: problem.units, talks }).map((units) =>
    units.map((unit) => ({ unit, site: sites.get(unit) as number })),
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
  const [one, other] = change;
  if (one !== undefined && change.length === 1) return placement.delta(one.unit, one.site);
  if (one !== undefined && other !== undefined && change.length === 2) return placement.pairDelta(one, other);
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
