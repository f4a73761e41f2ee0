/** Which machines should move where, what each step saves, what it costs, and when it has paid for itself. */
import { type Built, buildProblem, DAY_MS } from './build.js';
import type {
  Advice,
  AdviceInput,
  AdviceOptions,
  AdviceStep,
  AdvisedMachine,
  AdvisedMove,
  Amount,
} from './input.js';
import { migrationCost } from './migration.js';
import type { Change } from './placement.js';
import { planSteps } from './plan.js';
import { search } from './search.js';

/** The same input has the same advice. */
export function advise(input: AdviceInput, options: AdviceOptions): Advice {
  const built = buildProblem(input, options);
  const { problem, members, notes } = built;
  const target = search(problem).sites();
  const plan = planSteps(problem, target, (unit) => members[unit]?.length ?? 0, options.most);
  const sites = problem.units.map(({ site }) => site);
  const now = trafficOf(built, sites);
  let before = now;
  const steps = plan.steps.map((step): AdviceStep => {
    for (const { unit, site } of step) sites[unit] = site;
    const after = trafficOf(built, sites);
    const saves = { bytes: before.bytes - after.bytes, value: before.value - after.value };
    before = after;
    return describe(input, built, step, saves);
  });
  const later = plan.later.reduce((sum, unit) => sum + (members[unit]?.length ?? 0), 0);
  return { steps, now, after: before, later, notes };
}

function describe(input: AdviceInput, { problem, members }: Built, step: Change, saves: Amount): AdviceStep {
  const moves: AdvisedMove[] = [];
  let [bytes, value] = [0, 0];
  for (const { unit, site } of step) {
    const from = problem.units[unit]?.site ?? 0;
    const [fromId = '', to = ''] = [input.sites[from]?.id, input.sites[site]?.id];
    for (const machine of members[unit] ?? []) {
      const { load } = input.machines[machine] as AdvisedMachine;
      const { rounds: _, ...cost } = migrationCost(load, input.link(fromId, to).bytesPerSecond);
      moves.push({ machine, from: fromId, to, ...cost });
      bytes += cost.bytes;
      value += cost.bytes * (problem.price[from]?.[site] ?? 0);
    }
  }
  const paidBackSeconds = ((value / saves.value) * DAY_MS) / 1000;
  return { kind: kindOf(moves), moves, saves, costs: { bytes, value }, paidBackSeconds };
}

function kindOf(moves: readonly AdvisedMove[]): AdviceStep['kind'] {
  const [one, other] = moves;
  if (moves.length === 1) return 'move';
  return moves.length === 2 && one?.from === other?.to && one?.to === other?.from ? 'swap' : 'group';
}

/** A day's, with the units at these sites; from the definition, since it is what is promised. */
function trafficOf({ problem, bytePrice, fixedBytes }: Built, sites: readonly number[]): Amount {
  let [bytes, value] = [0, 0];
  for (const [unit, { fixed }] of problem.units.entries()) {
    const site = sites[unit] as number;
    value += fixed[site] as number;
    bytes += fixedBytes[unit]?.[site] ?? 0;
  }
  for (const { from, to, bytesPerDay } of problem.talks) {
    const [source, destination] = [sites[from] as number, sites[to] as number];
    value += bytesPerDay * (problem.price[source]?.[destination] ?? 0);
    bytes += bytesPerDay * (bytePrice[source]?.[destination] ?? 0);
  }
  return { bytes, value };
}
