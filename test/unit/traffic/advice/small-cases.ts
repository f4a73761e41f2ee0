/** Small questions drawn by lot, their optimum by trying everything, and S-CORE's rule. */
import type { Capacity, Problem, Talk, Unit } from '../../../../src/traffic/advice/problem.js';
import type { Random } from '../../../fuzz/random.js';

/** 4 to 7 units at 2 to 4 sites; groups that talk much, some talk beside; limits, prices, and costs of moving. */
export function drawProblem(random: Random): Problem {
  const sites = 2 + random.below(3);
  const count = 4 + random.below(4);
  const price = Array.from({ length: sites }, (_, from) =>
    Array.from({ length: sites }, (_, to) => (from === to ? 0 : 1 + random.below(5))),
  );
  const units = Array.from({ length: count }, () => drawUnit(random, sites));
  const tight = random.chance(50);
  const capacities = Array.from({ length: sites }, (_, site): Capacity => {
    const here = units.filter((unit) => unit.site === site);
    const memoryBytes = here.reduce((sum, unit) => sum + unit.memoryBytes, 0);
    return {
      nodes: tight ? here.length + random.below(2) : Number.POSITIVE_INFINITY,
      memoryBytes: random.chance(30) ? memoryBytes + random.below(8) : Number.POSITIVE_INFINITY,
    };
  });
  const talks: Talk[] = [];
  for (let from = 0; from < count; from++)
    for (let to = 0; to < count; to++)
      if (from !== to && random.chance(from % 3 === to % 3 ? 80 : 25))
        talks.push({ from, to, bytesPerDay: 1 + random.below(from % 3 === to % 3 ? 100 : 20) });
  const apart = random.chance(30) ? [[0, 1 + random.below(count - 1)]] : [];
  return { units, capacities, price, talks, apart };
}

function drawUnit(random: Random, sites: number): Unit {
  const site = random.below(sites);
  const [pinned, cost] = [random.chance(15), random.below(60)];
  return {
    site,
    nodes: 1,
    memoryBytes: 1 + random.below(8),
    moving: Array.from({ length: sites }, (_, to) => {
      if (to === site) return 0;
      return pinned || random.chance(10) ? Number.POSITIVE_INFINITY : cost;
    }),
    fixed: Array.from({ length: sites }, () => (random.chance(30) ? random.below(50) : 0)),
  };
}

/** Straight from the definition. */
export function costOf({ units, talks, price }: Problem, sites: readonly number[]): number {
  let cost = 0;
  for (const [u, { fixed, moving }] of units.entries()) {
    const site = sites[u] as number;
    cost += (fixed[site] as number) + (moving[site] as number);
  }
  for (const { from, to, bytesPerDay } of talks)
    cost += bytesPerDay * (price[sites[from] as number]?.[sites[to] as number] as number);
  return cost;
}

/** A limit that is passed already may not be passed by more. */
export function isAdmitted(problem: Problem, sites: readonly number[]): boolean {
  const { units, capacities, apart } = problem;
  const now = units.map(({ site }) => site);
  const load = (at: readonly number[], site: number, of: (u: number) => number): number =>
    units.reduce((sum, _, u) => sum + (at[u] === site ? of(u) : 0), 0);
  return capacities.every(({ nodes, memoryBytes }, site) => {
    const within = (limit: number, of: (u: number) => number): boolean =>
      load(sites, site, of) <= Math.max(limit, load(now, site, of));
    return (
      within(nodes, (u) => units[u]?.nodes ?? 0) &&
      within(memoryBytes, (u) => units[u]?.memoryBytes ?? 0) &&
      apart.every((list) => within(1, (u) => Number(list.includes(u))))
    );
  });
}

export function optimumOf(problem: Problem): number {
  const sites = problem.units.map(({ site }) => site);
  const count = problem.capacities.length;
  let best = costOf(problem, sites);
  for (let number = 0; number < count ** sites.length; number++) {
    for (let u = 0, rest = number; u < sites.length; u++, rest = Math.floor(rest / count))
      sites[u] = rest % count;
    const cost = costOf(problem, sites);
    if (cost < best && isAdmitted(problem, sites)) best = cost;
  }
  return best;
}
