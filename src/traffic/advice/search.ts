/**
 * Looks for a better placement from the one that is: single moves, units that change places, clusters that gather at a site, and
 * chains of moves of which the first ones may cost something (Kernighan and Lin 1970). When none of these helps any more, a few
 * units are put anywhere and the search goes on from there, the best placement being kept; how often depends on the size.
 */
import { clustersOf } from './clusters.js';
import { type Change, Placement } from './placement.js';
import type { Problem } from './problem.js';

/** Share of the whole cost below which a change is rounding, not a gain. */
const NEGLIGIBLE = 1e-9;
/** How many moves a chain has at most. */
const CHAIN = 12;
/** Sites that are tried for a cluster when the best ones are full. */
const MOST_TRIED = 8;
/** Sizes up to which it is tried that any two change places, in every step of a chain. */
const FEW_UNITS = 40;
/** Of units × sites over all restarts: what keeps a search well below a second. */
const RESTART_WORK = 12_000;
const MOST_RESTARTS = 120;
/** Units that a restart puts elsewhere, at most; and how often it draws until that is admitted. */
const MOST_KICKED = 5;
const DRAWS = 20;

/** The same answer for the same problem: the restarts' numbers have a fixed seed. */
export function search(problem: Problem): Placement {
  const run = new Search(new Placement(problem));
  run.improve();
  const size = Math.max(1, problem.units.length * problem.capacities.length);
  const restarts = Math.min(MOST_RESTARTS, Math.floor(RESTART_WORK / size));
  for (let i = 0; i < restarts; i++) run.restart();
  return run.placement;
}

class Search {
  readonly placement: Placement;
  readonly #clusters: readonly (readonly number[])[];
  /** By site, of the cluster that is looked at. */
  readonly #deltas: Float64Array;
  readonly #least: number;
  readonly #random = lehmer(1);

  constructor(placement: Placement) {
    this.placement = placement;
    const alone = placement.problem.units.map((_, unit) => [unit]);
    this.#clusters = [...alone, ...clustersOf(placement.problem)];
    this.#deltas = new Float64Array(placement.siteCount);
    // Over 0 also where nothing costs anything: a change that saves nothing would be made, and unmade, for ever.
    this.#least = Math.max(NEGLIGIBLE * placement.total(), Number.MIN_VALUE);
  }

  /** Until nothing helps. */
  improve(): void {
    while (this.#singles() || this.#gatherings() || this.#swaps() || this.#chain() || this.#pairs());
  }

  /** From somewhere near; back again when that leads to nothing better. */
  restart(): void {
    const { placement } = this;
    const [before, cost] = [placement.sites(), placement.total()];
    const kick = this.#kick();
    if (kick === undefined) return;
    placement.apply(kick);
    this.improve();
    if (placement.total() < cost - this.#least) return;
    for (const [unit, site] of before.entries()) placement.move(unit, site);
  }

  /** What is admitted of what is drawn: a few units anywhere, or each to where the next of them is, which needs no room. */
  #kick(): Change | undefined {
    const { placement } = this;
    for (let draw = 0; draw < DRAWS; draw++) {
      const count = 2 + this.#random(MOST_KICKED - 1);
      const units = [...new Set(Array.from({ length: count }, () => this.#random(placement.unitCount)))];
      const anywhere = this.#random(2) === 0;
      const kick = units.map((unit, i) => {
        const next = units[(i + 1) % units.length] ?? unit;
        return { unit, site: anywhere ? this.#random(placement.siteCount) : placement.at(next) };
      });
      const allowed = kick.every(({ unit, site }) => placement.delta(unit, site) < Number.POSITIVE_INFINITY);
      if (allowed && placement.admits(kick)) return kick;
    }
    return undefined;
  }

  /** Each unit to its best site, until all are there. */
  #singles(): boolean {
    const { placement } = this;
    let [improved, moved] = [false, true];
    while (moved) {
      moved = false;
      for (let unit = 0; unit < placement.unitCount; unit++) {
        const best = this.#bestSite(unit);
        if (best === undefined || best.delta > -this.#least) continue;
        placement.move(unit, best.site);
        improved = moved = true;
      }
    }
    return improved;
  }

  #bestSite(unit: number): { site: number; delta: number } | undefined {
    const { placement } = this;
    let best: { site: number; delta: number } | undefined;
    for (let site = 0; site < placement.siteCount; site++) {
      if (site === placement.at(unit)) continue;
      const delta = placement.delta(unit, site);
      if (delta < (best?.delta ?? Number.POSITIVE_INFINITY) && placement.fits(unit, site))
        best = { site, delta };
    }
    return best;
  }

  /** Each cluster to the site that is best for it; where it is full, others go from there to where they cost least. */
  #gatherings(): boolean {
    let improved = false;
    for (const cluster of this.#clusters) {
      this.placement.gatherDeltas(cluster, this.#deltas);
      const best = this.#deltas.reduce(
        (least, delta, site) => (delta < (this.#deltas[least] ?? 0) ? site : least),
        0,
      );
      if ((this.#deltas[best] as number) < -this.#least) improved = this.#gatherAtBest(cluster) || improved;
    }
    return improved;
  }

  /** The best site first. */
  #gatherAtBest(cluster: readonly number[]): boolean {
    const better = [...this.#deltas.entries()].filter(([, delta]) => delta < -this.#least);
    better.sort(([, one], [, other]) => one - other);
    return better.slice(0, MOST_TRIED).some(([site, delta]) => this.#gather(cluster, site, delta));
  }

  #gather(cluster: readonly number[], site: number, gathered: number): boolean {
    const { placement } = this;
    if (gathered + this.#leastEviction(cluster, site) > -this.#least) return false;
    let delta = gathered;
    const undo: Change[] = [];
    undo.push(
      placement.apply(cluster.flatMap((unit) => (placement.at(unit) === site ? [] : [{ unit, site }]))),
    );
    while (placement.exceeds(site) && delta < -this.#least) {
      const leaves = this.#cheapestToLeave(site, cluster);
      if (leaves === undefined) break;
      delta += leaves.delta;
      undo.push(placement.apply([leaves]));
    }
    if (delta < -this.#least && !placement.exceeds(site)) return true;
    for (const change of undo.reverse()) placement.apply(change);
    return false;
  }

  /** About what it costs that others make room, before anything is moved: most attempts end here. */
  #leastEviction(cluster: readonly number[], site: number): number {
    const { placement } = this;
    const come = cluster.reduce((sum, unit) => {
      return sum + (placement.at(unit) === site ? 0 : (placement.problem.units[unit]?.nodes ?? 0));
    }, 0);
    const missing = come - placement.roomAt(site);
    if (!(missing > 0) || placement.unitCount <= FEW_UNITS) return 0;
    const deltas: number[] = [];
    for (let unit = 0; unit < placement.unitCount; unit++)
      if (placement.at(unit) === site && !cluster.includes(unit)) deltas.push(this.#leastDelta(unit));
    deltas.sort((one, other) => one - other);
    return deltas.slice(0, missing).reduce((sum, delta) => sum + delta, 0);
  }

  /** Wherever there is room or not: those who come leave some behind them. */
  #leastDelta(unit: number): number {
    const { placement } = this;
    let least = Number.POSITIVE_INFINITY;
    for (let site = 0; site < placement.siteCount; site++)
      if (site !== placement.at(unit)) least = Math.min(least, placement.delta(unit, site));
    return least;
  }

  #cheapestToLeave(
    site: number,
    cluster: readonly number[],
  ): { unit: number; site: number; delta: number } | undefined {
    const { placement } = this;
    let cheapest: { unit: number; site: number; delta: number } | undefined;
    for (let unit = 0; unit < placement.unitCount; unit++) {
      if (placement.at(unit) !== site || cluster.includes(unit)) continue;
      const best = this.#bestSite(unit);
      if (best !== undefined && best.delta < (cheapest?.delta ?? Number.POSITIVE_INFINITY))
        cheapest = { unit, ...best };
    }
    return cheapest;
  }

  /** Units that cannot go to a better site because it is full, against one that is there. */
  #swaps(): boolean {
    const { placement } = this;
    let improved = false;
    for (let unit = 0; unit < placement.unitCount; unit++) {
      const wanted = this.#wantedSites(unit);
      if (!wanted.includes(1)) continue;
      const best = this.#bestSwap(unit, (_, site) => wanted[site] === 1);
      if (best === undefined || best.delta > -this.#least) continue;
      placement.apply(best.change);
      improved = true;
    }
    return improved;
  }

  /** By site, 1: it would be better there. Where there are few, all are worth a look. */
  #wantedSites(unit: number): Uint8Array {
    const { placement } = this;
    const most = placement.unitCount <= FEW_UNITS ? Number.MAX_VALUE : -this.#least;
    return Uint8Array.from({ length: placement.siteCount }, (_, site) =>
      Number(placement.delta(unit, site) < most),
    );
  }

  #bestSwap(
    unit: number,
    eligible: (other: number, site: number) => boolean,
  ): { delta: number; change: Change } | undefined {
    const { placement } = this;
    const from = placement.at(unit);
    let best: { delta: number; change: Change } | undefined;
    for (let other = 0; other < placement.unitCount; other++) {
      const site = placement.at(other);
      if (site === from || !eligible(other, site)) continue;
      const delta = placement.swapDelta(unit, other);
      if (!(delta < (best?.delta ?? Number.POSITIVE_INFINITY))) continue;
      if (!placement.fits(unit, site, other) || !placement.fits(other, from, unit)) continue;
      best = {
        delta,
        change: [
          { unit, site },
          { unit: other, site: from },
        ],
      };
    }
    return best;
  }

  /** Where there are few: any two anywhere, the first of which may have no room until the second has gone. */
  #pairs(): boolean {
    const { placement } = this;
    if (placement.unitCount > FEW_UNITS) return false;
    for (let unit = 0; unit < placement.unitCount; unit++)
      for (let site = 0; site < placement.siteCount; site++) {
        const delta = placement.delta(unit, site);
        if (
          site !== placement.at(unit) &&
          delta < Number.POSITIVE_INFINITY &&
          this.#pairWith(unit, site, delta)
        )
          return true;
      }
    return false;
  }

  #pairWith(unit: number, site: number, delta: number): boolean {
    const { placement } = this;
    const from = placement.at(unit);
    placement.move(unit, site);
    const second = this.#secondMove(unit, delta);
    placement.move(unit, from);
    const change = second && [{ unit, site }, second];
    if (change === undefined || !placement.admits(change)) return false;
    placement.apply(change);
    return true;
  }

  #secondMove(first: number, delta: number): Change[number] | undefined {
    const { placement } = this;
    let [least, best]: [number, Change[number] | undefined] = [-this.#least, undefined];
    for (let unit = 0; unit < placement.unitCount; unit++)
      for (let site = 0; site < placement.siteCount; site++) {
        const sum = delta + placement.delta(unit, site);
        if (unit !== first && sum < least && placement.fits(unit, site))
          [least, best] = [sum, { unit, site }];
      }
    return best;
  }

  /** The best moves one after another, each unit once, also those that cost; only what had paid off by then stays. */
  #chain(): boolean {
    const { placement } = this;
    const locked = new Set<number>();
    const undone: Change[] = [];
    let [sum, best, kept] = [0, -this.#least, 0];
    while (undone.length < Math.min(CHAIN, placement.unitCount)) {
      const step = this.#bestStep(locked);
      if (step === undefined) break;
      sum += step.delta;
      undone.push(placement.apply(step.change));
      for (const { unit } of step.change) locked.add(unit);
      if (sum < best) [best, kept] = [sum, undone.length];
    }
    for (const undo of undone.slice(kept).reverse()) placement.apply(undo);
    return kept > 0;
  }

  #bestStep(locked: ReadonlySet<number>): { delta: number; change: Change } | undefined {
    const { placement } = this;
    let best: { delta: number; change: Change } | undefined;
    for (let unit = 0; unit < placement.unitCount; unit++) {
      if (locked.has(unit)) continue;
      const single = this.#bestSite(unit);
      if (single !== undefined && single.delta < (best?.delta ?? Number.POSITIVE_INFINITY))
        best = { delta: single.delta, change: [{ unit, site: single.site }] };
      if (placement.unitCount > FEW_UNITS) continue;
      const swap = this.#bestSwap(unit, (other) => other > unit && !locked.has(other));
      if (swap !== undefined && swap.delta < (best?.delta ?? Number.POSITIVE_INFINITY)) best = swap;
    }
    return best;
  }
}

/** Park and Miller 1988: x → 48271 x mod (2³¹ − 1); numbers below `limit`. */
function lehmer(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 48_271) % 0x7fffffff;
    return state % limit;
  };
}
