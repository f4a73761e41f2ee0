/**
 * 10,000 histories with a mad router (see mad-histories.ts) in five files, so that two run at a time and none for too long.
 * `VINE_SEED=n` plays one history (mad-trace.ts shows what is said in it), `VINE_HISTORIES=n` as many as that in each file.
 */
import { test } from 'node:test';
import { playMadHistory, statistics } from './mad-histories.js';

const HISTORIES = 2_000;

/** @param part which of the five, from 0 */
export function testMadHistories(part: number): void {
  test('whatever one router says, no other is harmed, and when it is taken out everything is as it was', (t) => {
    const only = process.env.VINE_SEED;
    const first = only === undefined ? 1 + part * HISTORIES : Number(only);
    const count = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : 1;
    for (let seed = first; seed < first + count; seed++) playMadHistory(seed);
    t.diagnostic(`seeds ${first} to ${first + count - 1}: ${JSON.stringify(statistics)}`);
  });
}

/** The judge blames no lie for what happens without one. */
export function testHonestHistories(count: number): void {
  test('the same histories without a lie hold', () => {
    for (let seed = 1; seed <= count; seed++) playMadHistory(seed, { lies: false });
  });
}
