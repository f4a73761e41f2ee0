/** Whatever stands in the files, the answer is a configuration or errors; nothing is thrown, no error is empty. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gndtDigest } from '../../../src/config/digest.js';
import { formatConfigError, type Outcome } from '../../../src/tables/files/error.js';
import { parseFiles, type TableConfig } from '../../../src/tables/files/parse.js';
import { DIRECTORY, type Json, sample } from './sample.js';

function check(outcome: Outcome<TableConfig>, ownWords: boolean): void {
  if ('value' in outcome) {
    gndtDigest(outcome.value.gndt);
    return;
  }
  assert.ok(outcome.errors.length > 0);
  for (const error of outcome.errors) {
    assert.match(error.file, /^(router|gndt|lndt)\.json$/);
    assert.ok(error.message.length > 0);
    // No piece of the mutated files spells these words; the random ones of the first tests might.
    if (ownWords) assert.doesNotMatch(formatConfigError(error), /undefined|\[object/);
  }
}

function read(router: string, gndt: string, lndt: string, ownWords = false): void {
  const texts = { router: { value: router }, gndt: { value: gndt }, lndt: { value: lndt } };
  check(parseFiles(texts, DIRECTORY), ownWords);
}

test('any text', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 });
  fc.assert(
    fc.property(text, text, text, (a, b, c) => read(a, b, c)),
    { numRuns: 300 },
  );
});

test('any JSON', () => {
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(json, json, json, (a, b, c) => read(a, b, c)),
    { numRuns: 300 },
  );
});

/** Values that are nearly right, or right in another place. */
const odd: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    ...['blue', 'green', 'vr-a', 'vr-b', '10.1.0.0/24', '10.1.0.9', '::/0', '0.0.0.0/0', 'fd00::1'],
  ),
  fc.constantFrom<Json>(
    ...['udp://192.0.2.1:7700', 'udp://[::1]:1', 'tcp://0.0.0.0:0', '52:54:00:00:00:09', '', '%'],
    ...['udp://vr-b.example.net:7700', 'tcp://vr_b:1', 'udp://-.:1', 'udp://xn--:1', 'udp://a.:99999'],
  ),
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1,
    1.5,
    65_535,
    1e300,
    [],
    {},
    [[]],
    { mobility: null },
    { __proto__: null },
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);

/** The sample with each value, here and there, replaced, left out or doubled. */
function mutated(value: Json, next: () => number, replacement: () => Json): Json {
  const dice = next();
  if (dice === 0) return replacement();
  if (Array.isArray(value)) {
    const items = value.map((item) => mutated(item, next, replacement));
    return dice === 1 ? [...items, ...items] : dice === 2 ? items.slice(1) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [key, mutated(item, next, replacement)] as const,
  );
  if (dice === 3) entries.pop();
  if (dice === 4) entries.push(['__proto__', replacement()]);
  return Object.fromEntries(entries);
}

test('correct files with a few wrong values', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat({ max: 24 })), fc.infiniteStream(odd), (dice, values) => {
      const next = (): number => dice.next().value;
      const replacement = (): Json => values.next().value;
      const text = (value: Json): string => JSON.stringify(mutated(value, next, replacement));
      const { router, gndt, lndt } = sample();
      read(text(router), text(gndt), text(lndt), true);
    }),
    { numRuns: 1500 },
  );
});
