/**
 * S-CORE's rule (Tso et al., "Scalable Traffic-Aware Virtual Machine Management for Cloud Data Centers", ICDCS 2014): a token
 * goes round; whoever has it looks at the sites of those it talks with, the heaviest talk first, and goes to the one that
 * lowers the cost most, if that is more than its migration costs and there is room. Rounds until nobody goes.
 */
import { Placement } from '../../src/traffic/advice/placement.js';
import type { Problem } from '../../src/traffic/advice/problem.js';

const MOST_ROUNDS = 50;

export function scoreRule(problem: Problem): Placement {
  const placement = new Placement(problem);
  for (let round = 0; round < MOST_ROUNDS; round++) if (!passToken(placement)) break;
  return placement;
}

/** @returns whether anybody has gone */
export function passToken(placement: Placement): boolean {
  let moved = false;
  for (let unit = 0; unit < placement.unitCount; unit++) {
    const site = bestOfPartners(placement, unit);
    if (site === undefined) continue;
    placement.move(unit, site);
    moved = true;
  }
  return moved;
}

function bestOfPartners(placement: Placement, unit: number): number | undefined {
  const partners = placement.partners[unit];
  let [least, best]: [number, number | undefined] = [-1e-9, undefined];
  for (const site of new Set(Array.from(partners?.units ?? [], (partner) => placement.at(partner)))) {
    const delta = placement.delta(unit, site);
    if (site !== placement.at(unit) && delta < least && placement.fits(unit, site))
      [least, best] = [delta, site];
  }
  return best;
}
