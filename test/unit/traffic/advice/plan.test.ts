import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planSteps } from '../../../../src/traffic/advice/plan.js';
import { search } from '../../../../src/traffic/advice/search.js';
import { Random } from '../../../fuzz/random.js';
import { costOf, drawProblem, isAdmitted } from './small-cases.js';

test('each step pays by itself and keeps the limits, nobody is in two, and all of them lead to the better placement', () => {
  const random = new Random(41);
  const kinds = new Map<number, number>();
  for (let number = 0; number < 300; number++) {
    const problem = drawProblem(random);
    const target = search(problem).sites();
    const { steps, later } = planSteps(problem, target, () => 1, Number.POSITIVE_INFINITY);
    const sites = problem.units.map(({ site }) => site);
    const moved = new Set<number>();
    for (const step of steps) {
      const before = costOf(problem, sites);
      for (const { unit, site } of step) {
        assert.ok(!moved.has(unit) && site === target[unit]);
        moved.add(unit);
        sites[unit] = site;
      }
      assert.ok(costOf(problem, sites) < before, `case ${number}: a step that does not pay`);
      assert.ok(isAdmitted(problem, sites), `case ${number}: passes a limit`);
      kinds.set(step.length, (kinds.get(step.length) ?? 0) + 1);
    }
    assert.ok(
      Math.abs(costOf(problem, sites) - costOf(problem, [...target])) < 1e-6,
      `case ${number}: not there`,
    );
    assert.deepEqual(later, []);
  }
  const larger = [...kinds].filter(([size]) => size > 2).length;
  assert.ok((kinds.get(1) ?? 0) > 50 && (kinds.get(2) ?? 0) > 20 && larger > 0, JSON.stringify([...kinds]));
});

test('no more than there is room for; what is left is told when there would be more that pays', () => {
  const random = new Random(42);
  let [cut, whole] = [0, 0];
  for (let number = 0; number < 200; number++) {
    const problem = drawProblem(random);
    const target = search(problem).sites();
    const most = 1 + random.below(3);
    const { steps, later } = planSteps(problem, target, () => 1, most);
    assert.ok(steps.flat().length <= most);
    const all = planSteps(problem, target, () => 1, Number.POSITIVE_INFINITY).steps.flat().length;
    if (later.length === 0) whole++;
    else cut++;
    assert.equal(steps.flat().length + later.length, all);
  }
  assert.ok(cut > 20 && whole > 20);
});

test('a unit counts as many machines as it is', () => {
  const unit = { site: 0, nodes: 1, memoryBytes: 1, moving: [0, 1], fixed: [100, 0] };
  const capacity = { nodes: Number.POSITIVE_INFINITY, memoryBytes: Number.POSITIVE_INFINITY };
  const price = [
    [0, 1],
    [1, 0],
  ];
  const problem = { units: [unit, unit], capacities: [capacity, capacity], price, talks: [], apart: [] };
  const steps = (most: number): number => planSteps(problem, Int32Array.of(1, 1), () => 3, most).steps.length;
  assert.deepEqual([2, 3, 5, 6].map(steps), [0, 1, 1, 2]);
});
