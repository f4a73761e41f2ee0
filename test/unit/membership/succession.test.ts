import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '../../../src/membership/signature.js';
import {
  acceptedKeys,
  compareChains,
  knownKeys,
  MAX_SUCCESSIONS,
  readSuccessions,
  type Succession,
  signSuccession,
  successionDocument,
} from '../../../src/membership/succession.js';

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const key = (n: number): Uint8Array => publicKeyOf(seed(n));
const step = (from: number, to: number, until = 1_000): Succession =>
  signSuccession(seed(from), key(to), until);

function read(document: Uint8Array): readonly Succession[] {
  const chain = readSuccessions(document);
  if (typeof chain === 'string') assert.fail(chain);
  return chain;
}

test('a chain comes back as it was written', () => {
  const chain = [step(1, 2, 500), step(2, 3)];
  assert.deepEqual(read(successionDocument(chain)), chain);
});

test('both keys count until the time that was stated, then the new one', () => {
  const chain = [step(1, 2, 500), step(2, 3, 1_000)];
  assert.deepEqual(acceptedKeys(key(1), [], 0), [key(1)]);
  assert.deepEqual(acceptedKeys(key(1), chain, 499), [key(1), key(2), key(3)]);
  assert.deepEqual(acceptedKeys(key(1), chain, 500), [key(2), key(3)]);
  assert.deepEqual(acceptedKeys(key(1), chain, 1_000), [key(3)]);
  assert.deepEqual(acceptedKeys(key(2), chain, 0), [key(2), key(3)]);
  assert.deepEqual(acceptedKeys(key(3), chain, 0), [key(3)]);
  assert.deepEqual(acceptedKeys(key(9), chain, 0), [key(9)]);
  assert.deepEqual(knownKeys(key(1), chain), [key(1), key(2), key(3)]);
  assert.deepEqual(knownKeys(key(2), chain), [key(2), key(3)]);
});

test('a chain is not taken unless every link holds', () => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /expected 1 to 8/],
    ['cut', successionDocument([step(1, 2)]).slice(0, -1), /cut/],
    ['broken link', successionDocument([step(1, 2), step(3, 4)]), /does not follow/],
    ['of itself', successionDocument([step(1, 1)]), /goes back/],
    ['in a ring', successionDocument([step(1, 2), step(2, 1)]), /goes back/],
    ['forged', successionDocument([{ ...step(1, 2), newKey: key(5) }]), /does not hold/],
    ['longer until', successionDocument([{ ...step(1, 2), untilSeconds: 2_000 }]), /does not hold/],
    ['no base64', Buffer.from(`${'*'.repeat(184)}\n`), /no statement/],
  ];
  for (const [name, document, expected] of cases)
    assert.match(String(readSuccessions(document)), expected, name);
});

test('no more than so many', () => {
  const steps = Array.from({ length: MAX_SUCCESSIONS + 1 }, (_, i) => step(i + 1, i + 2));
  assert.equal(read(successionDocument(steps.slice(1))).length, MAX_SUCCESSIONS);
  assert.match(String(readSuccessions(successionDocument(steps))), /expected 1 to 8/);
});

test('an offered chain is longer, known, forked or foreign to who pins a key', () => {
  const known = [step(1, 2)];
  assert.equal(compareChains(key(1), known, [step(1, 2), step(2, 3)]), 'longer');
  assert.equal(compareChains(key(1), [], known), 'longer');
  assert.equal(compareChains(key(1), known, known), 'known');
  assert.equal(compareChains(key(1), [step(1, 2), step(2, 3)], known), 'known');
  assert.equal(compareChains(key(1), known, [step(1, 3)]), 'forked');
  assert.equal(compareChains(key(1), known, [step(1, 2, 1_001)]), 'forked');
  assert.equal(compareChains(key(7), known, [step(1, 2)]), 'foreign');
  assert.equal(compareChains(key(2), [], [step(1, 2)]), 'known');
});
