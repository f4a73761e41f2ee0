/**
 * Random histories that do not hold yet. Each is played all the same, and counted as skipped with what fails; one that holds
 * again fails, so that the lists only shrink. At present there are none.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

/** With a mad router. */
export const MAD: ReadonlySet<number> = new Set<number>();

/** All honest. */
export const HONEST: ReadonlySet<number> = new Set<number>();

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
