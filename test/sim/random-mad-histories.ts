/**
 * 10,000 histories with a mad router (see mad-histories.ts) in ten files, so that two run at a time and none for too long.
 * `VINE_SEED=n` plays one history (mad-trace.ts shows what is said in it), `VINE_HISTORIES=n` as many as that in each file.
 */
import { test } from 'node:test';
import { MAD, testKnown } from './known-failures.js';
import { playMadHistory, statistics } from './mad-histories.js';

const HISTORIES = 1_000;

/** @param part which of the ten, from 0 */
export function testMadHistories(part: number): void {
  const only = process.env.VINE_SEED;
  const first = only === undefined ? 1 + part * HISTORIES : Number(only);
  const count = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : 1;
  const last = first + count - 1;
  // Whoever asks for one history wants to see how it fails.
  const known = only === undefined ? MAD : new Set<number>();

  test('whatever one router says, no other is harmed, and when it is taken out everything is as it was', (t) => {
    for (let seed = first; seed <= last; seed++) {
      if (!known.has(seed)) playMadHistory(seed);
    }
    t.diagnostic(`seeds ${first} to ${last}: ${JSON.stringify(statistics)}`);
  });
  testKnown(known, first, last, playMadHistory);
}

/** The judge blames no lie for what happens without one. */
export function testHonestHistories(count: number): void {
  test('the same histories without a lie hold', () => {
    for (let seed = 1; seed <= count; seed++) playMadHistory(seed, { lies: false });
  });
}
