/**
 * Random histories that do not hold yet (issue 14), in chains of moves, lies and losses that are rarer than one in 1,100. Each
 * is played all the same, and counted as skipped with what fails; one that holds again fails, so that the lists only shrink.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

/** With a mad router. Stolen twice, for longer than 410 ms, or not put right within 60 s of its removal. */
export const MAD: ReadonlySet<number> = new Set([1745, 2290, 2754, 5817, 7987, 8988, 9868]);

/**
 * All honest. 4250, 4344, 5406, 5834, 7203, 8124, 9231: a router that has not seen the moves for which a node was frozen elsewhere does not
 * believe the freeze. 2102, 7122: a node is found later than it should.
 */
export const HONEST: ReadonlySet<number> = new Set([2102, 4250, 4344, 5406, 5834, 7122, 7203, 8124, 9231]);

/** Tests, as skipped ones, those of the known failures that are from `first` to `last`. */
export function testKnown(
  known: ReadonlySet<number>,
  first: number,
  last: number,
  play: (seed: number) => void,
): void {
  for (const seed of known) {
    if (seed < first || seed > last) continue;
    test(`history ${seed} does not hold yet`, (t) => {
      const why = failureOf(() => play(seed));
      assert.ok(why !== undefined, `history ${seed} holds: take it out of known-failures.ts`);
      t.skip(why);
    });
  }
}

function failureOf(play: () => void): string | undefined {
  try {
    play();
  } catch (error) {
    const { message, cause } = error as Error;
    return cause instanceof Error ? `${message}: ${cause.message}` : message;
  }
  return undefined;
}
