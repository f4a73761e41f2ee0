/**
 * A fuzz target: feeds one decoder of the tunnel what nobody in his right mind would send, and says what became of it.
 * Each case is made from its own random numbers alone, so that a finding is repeated by its seed and its number.
 */
import { Random } from './random.js';

export interface Target {
  readonly name: string;
  /** What must become of some of the short form's cases: that a decoder refuses everything would prove nothing. */
  readonly outcomes: readonly string[];
  /** Begins a run. The function works on one case and tells what became of it; it throws when that is a finding. */
  open(): (random: Random) => string;
}

/** Spreads seeds that follow each other, which xorshift alone does not. */
export function randomOf(seed: number, number: number): Random {
  let mixed = Math.imul(seed ^ Math.imul(number + 1, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  return new Random(mixed ^ (mixed >>> 13));
}

/** Works on one case. A finding says how to come back to it. */
export function runCase(
  target: Target,
  work: (random: Random) => string,
  seed: number,
  number: number,
): string {
  try {
    return work(randomOf(seed, number));
  } catch (cause) {
    throw new Error(`finding: node dist/test/fuzz/run.js ${target.name} --seed ${seed} --case ${number}`, {
      cause,
    });
  }
}
