/**
 * When V8's optimising compiler takes a function: what it takes in the middle of a burst of moves is done when the burst
 * is over, and until then its own threads have a third of two processors (docs/decisions.md).
 */
import { setFlagsFromString } from 'node:v8';

/** In bytes of bytecode run. The first is V8's own. */
const SOON_BUDGET = 67_584;
const LATER_BUDGET = 1_000_000;

/**
 * For the control thread, before anything else: the functions that run from now on are taken much later than V8 would
 * take them, but are taken if they stay hot.
 */
export function compileLater(): void {
  setFlagsFromString(`--interrupt-budget=${LATER_BUDGET}`);
}

/** For packet workers, before the first one starts. Functions that have run before keep the budget that they have. */
export function compileSoon(): void {
  setFlagsFromString(`--interrupt-budget=${SOON_BUDGET}`);
}
