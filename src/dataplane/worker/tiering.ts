/**
 * When V8's optimising compiler takes a function: what it takes in the middle of a burst of moves is done when the burst
 * is over, and until then its own threads have a third of two processors (docs/decisions.md).
 */
import { setFlagsFromString } from 'node:v8';

/** In bytes of bytecode run. The first is V8's own. */
const SOON_BUDGET = 67_584;
const LATER_BUDGET = 1_000_000;
/** From this V8 on (Node 24 has 13.6) functions are counted by their calls; it complains of the flag on stderr. */
const FIRST_WITHOUT_BUDGET = 13;

/**
 * For the control thread, before anything else: the functions that run from now on are taken much later than V8 would
 * take them, but are taken if they stay hot.
 */
export function compileLater(): void {
  setBudget(LATER_BUDGET);
}

/** For packet workers, before the first one starts. Functions that have run before keep the budget that they have. */
export function compileSoon(): void {
  setBudget(SOON_BUDGET);
}

function setBudget(bytes: number): void {
  if (Number.parseInt(process.versions.v8, 10) < FIRST_WITHOUT_BUDGET)
    setFlagsFromString(`--interrupt-budget=${bytes}`);
}
