import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scoreRule } from '../../../../bench/advice/score-rule.js';
import { Placement } from '../../../../src/traffic/advice/placement.js';
import type { Problem, Unit } from '../../../../src/traffic/advice/problem.js';
import { search } from '../../../../src/traffic/advice/search.js';
import { Random } from '../../../fuzz/random.js';
import { costOf, drawProblem, isAdmitted, optimumOf } from './small-cases.js';

const CASES = 200;
const SEED = 19;

test('200 small cases: within 5 % of the optimum, of the cost and of what can be saved; never worse than S-CORE', () => {
  const random = new Random(SEED);
  let [possible, saved, byScore, exact] = [0, 0, 0, 0];
  for (let number = 0; number < CASES; number++) {
    const problem = drawProblem(random);
    const found = search(problem);
    const sites = [...found.sites()];
    const cost = costOf(problem, sites);
    const optimum = optimumOf(problem);
    const now = costOf(
      problem,
      problem.units.map(({ site }) => site),
    );
    assert.ok(isAdmitted(problem, sites), `case ${number}: passes a limit`);
    assert.ok(Math.abs(cost - found.total()) < 1e-6, `case ${number}: counts ${found.total()} for ${cost}`);
    assert.ok(cost <= optimum * 1.05 + 1e-9, `case ${number}: ${cost} for ${optimum}`);
    const score = costOf(problem, [...scoreRule(problem).sites()]);
    assert.ok(cost <= score + 1e-9, `case ${number}: ${cost}, by S-CORE's rule ${score}`);
    possible += now - optimum;
    saved += now - cost;
    byScore += now - score;
    if (cost <= optimum + 1e-9) exact++;
  }
  console.log(`saved ${saved} of ${possible}, by S-CORE ${byScore}; exact ${exact} of ${CASES}`);
  assert.ok(saved >= 0.95 * possible);
  assert.ok(byScore < saved, "S-CORE's rule alone saves less");
});

test('the table of a placement agrees with the definition, whatever was changed', () => {
  const random = new Random(5);
  for (let number = 0; number < 100; number++) {
    const problem = drawProblem(random);
    const placement = new Placement(problem);
    for (let step = 0; step < 20; step++) {
      const before = [...placement.sites()];
      const [unit, other] = [random.below(placement.unitCount), random.below(placement.unitCount)];
      const site = random.below(placement.siteCount);
      const moved = before.with(unit, site);
      const cost = costOf(problem, before);
      assertNear(placement.delta(unit, site), costOf(problem, moved) - cost);
      const [p = 0, q = 0] = [before[unit], before[other]];
      if (p !== q)
        assertNear(
          placement.swapDelta(unit, other),
          costOf(problem, before.with(unit, q).with(other, p)) - cost,
        );
      const elsewhere = random.below(placement.siteCount);
      if (unit !== other)
        assertNear(
          placement.pairDelta({ unit, site }, { unit: other, site: elsewhere }),
          costOf(problem, moved.with(other, elsewhere)) - cost,
        );
      const members = [...new Set([unit, other, random.below(placement.unitCount)])];
      const gathered = before.map((at, u) => (members.includes(u) ? site : at));
      const deltas = new Float64Array(placement.siteCount);
      placement.gatherDeltas(members, deltas);
      assertNear(deltas[site] as number, costOf(problem, gathered) - cost);
      if (Number.isFinite(placement.delta(unit, site))) placement.move(unit, site);
    }
  }
});

function assertNear(got: number, wanted: number): void {
  if (Number.isFinite(wanted)) assert.ok(Math.abs(got - wanted) < 1e-6, `${got}, expected ${wanted}`);
  else assert.equal(got, wanted);
}

test('fits and admits agree with the limits of the definition', () => {
  const random = new Random(6);
  let refused = 0;
  for (let number = 0; number < 300; number++) {
    const problem = drawProblem(random);
    const placement = new Placement(problem);
    const now = problem.units.map(({ site }) => site);
    for (let step = 0; step < 10; step++) {
      const [unit, other] = [random.below(now.length), random.below(now.length)];
      const [p = 0, q = 0] = [now[unit], now[other]];
      if (p === q) continue;
      const single = isAdmitted(problem, now.with(unit, q));
      assert.equal(placement.fits(unit, q), single);
      assert.equal(placement.admits([{ unit, site: q }]), single);
      const swap = isAdmitted(problem, now.with(unit, q).with(other, p));
      assert.equal(placement.fits(unit, q, other) && placement.fits(other, p, unit), swap);
      assert.equal(
        placement.admits([
          { unit, site: q },
          { unit: other, site: p },
        ]),
        swap,
      );
      refused += Number(!single) + Number(!swap);
    }
  }
  assert.ok(refused > 100, `${refused} refusals are too few to mean anything`);
});

test('the same problem has the same answer', () => {
  const problem = drawProblem(new Random(11));
  assert.deepEqual(search(problem).sites(), search(problem).sites());
});

test('no units, one site: nothing to do', () => {
  const capacity = { nodes: 1, memoryBytes: 1 };
  assert.equal(search({ units: [], capacities: [capacity], price: [[0]], talks: [], apart: [] }).total(), 0);
  const unit = { site: 0, nodes: 1, memoryBytes: 1, moving: [0], fixed: [7] };
  assert.equal(
    search({ units: [unit], capacities: [capacity], price: [[0]], talks: [], apart: [] }).total(),
    7,
  );
});

/** Groups that talk among themselves alone, scattered over sites that are as full as they may be: all talk can be within sites. */
function scattered(random: Random, groups: number, size: number): Problem {
  const [count, sites] = [groups * size, groups];
  const order = Array.from({ length: count }, (_, u) => u);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  const units = order.map((_, u): Unit => {
    const site = Math.floor(order.indexOf(u) / size);
    const moving = Array.from({ length: sites }, (_, to) => Number(to !== site));
    return { site, nodes: 1, memoryBytes: 1, moving, fixed: moving.map(() => 0) };
  });
  const talks = units.flatMap((_, from) =>
    Array.from({ length: size }, (_, i) => ({
      from,
      to: from - (from % size) + i,
      bytesPerDay: 10 + random.below(90),
    })).filter(({ to }) => to !== from),
  );
  const capacity = { nodes: size, memoryBytes: Number.POSITIVE_INFINITY };
  const price = units
    .slice(0, sites)
    .map((_, from) => units.slice(0, sites).map((_, to) => Number(from !== to)));
  return { units, capacities: price.map(() => capacity), price, talks, apart: [] };
}

test('groups that are scattered over full sites are put together, where single moves find no room', () => {
  const random = new Random(8);
  for (const [groups, size] of [
    [4, 5],
    [6, 10],
    [20, 10],
  ] as const) {
    const problem = scattered(random, groups, size);
    const now = new Placement(problem).total();
    const found = search(problem).total();
    // What is left is the moves themselves, one each at most.
    assert.ok(found <= groups * size, `${groups} groups of ${size}: ${found} of ${now}`);
    assert.equal(scoreRule(problem).total(), now, "S-CORE's rule knows no swaps");
  }
});
