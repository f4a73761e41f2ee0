/**
 * Runs one fuzz target: `node run.js TARGET [--seconds N] [--seed N]`, or one case of it again: `--seed N --case N`.
 * Prints the seed at once, the number of cases every half minute, and at the end what became of them. Ends with 1 and
 * the finding's seed and number when there is one.
 */
import { parseArgs } from 'node:util';
import { runCase } from './target.js';
import { TARGETS } from './targets.js';

const PROGRESS_MS = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, case: { type: 'string' } },
});
const target = TARGETS.find(({ name }) => name === positionals[0]);
if (target === undefined)
  throw new Error(
    `usage: run.js TARGET [--seconds N] [--seed N] [--case N]; targets: ${TARGETS.map(({ name }) => name).join(' ')}`,
  );
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x7fffffff) + 1);
const work = target.open();
if (values.case !== undefined) {
  console.log(runCase(target, work, seed, Number(values.case)));
} else {
  const startMs = performance.now();
  const endMs = startMs + Number(values.seconds) * 1_000;
  const outcomes = new Map<string, number>();
  let cases = 0;
  let toldMs = startMs;
  console.log(`${target.name}: seed ${seed}`);
  for (let nowMs = startMs; nowMs < endMs; nowMs = performance.now()) {
    const outcome = runCase(target, work, seed, cases);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    cases++;
    if (nowMs - toldMs < PROGRESS_MS) continue;
    toldMs = nowMs;
    console.log(`${target.name}: ${cases} cases after ${Math.round((nowMs - startMs) / 1_000)} s`);
  }
  const most = [...outcomes].sort(([, a], [, b]) => b - a).map(([outcome, count]) => `${outcome} ${count}`);
  console.log(`${target.name}: ${most.join(', ')}`);
  console.log(`${target.name}: ${cases} cases, nothing found`);
}
