/** Host names: what is one, against a slow and plain reading of RFC 1035 and RFC 1123; what the JSON Schema lets pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HOST_NAME, readHostName } from '../../../src/tables/files/host-name.js';
import { readEndpoint } from '../../../src/tables/files/read.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';

function isHostName(text: string): boolean {
  if ([...text].some((character) => (character.codePointAt(0) ?? 0) > 126)) return false;
  const name = text.toLowerCase();
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare.length < 1 || bare.length > 253) return false;
  const labels = bare.split('.');
  for (const label of labels) {
    if (label.length < 1 || label.length > 63) return false;
    for (const character of label) if (!`${LETTERS}${DIGITS}-`.includes(character)) return false;
    if (label[0] === '-' || label[label.length - 1] === '-') return false;
  }
  const last = labels[labels.length - 1] ?? '';
  const rest = last.startsWith('0x') ? last.slice(2) : undefined;
  if (rest !== undefined && [...rest].every((character) => `${DIGITS}abcdef`.includes(character)))
    return false;
  return ![...last].every((character) => DIGITS.includes(character));
}

const label = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'ab0x-_A.é \u212a'), maxLength: 8 }),
  fc.constantFrom('a'.repeat(63), 'a'.repeat(64), '0x', '0xff', '10', 'xn--mnchen-3ya', ''),
);
const name = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.')),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);

test('what is a host name, and that it comes out in small letters', () => {
  fc.assert(
    fc.property(name, (text) => {
      const read = readHostName(text);
      assert.equal('value' in read, isHostName(text), text);
      if ('value' in read) assert.equal(read.value, text.toLowerCase());
      else assert.ok(read.problem.includes('is no host name: '));
    }),
    { numRuns: 2_000 },
  );
});

test('the JSON Schema lets pass what the reader takes', () => {
  const pattern = new RegExp(`^${HOST_NAME}$`);
  fc.assert(
    fc.property(name, (text) => {
      if ('value' in readHostName(text)) assert.match(text, pattern);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever stands in an endpoint, it is read or refused with a sentence', () => {
  fc.assert(
    fc.property(
      name,
      fc.oneof(fc.integer({ min: -1, max: 70_000 }).map(String), fc.string()),
      (host, port) => {
        const read = readEndpoint(`udp://${host}:${port}`);
        if ('problem' in read) assert.ok(read.problem.length > 10);
        else if ('name' in read.value) assert.ok(isHostName(read.value.name));
      },
    ),
    { numRuns: 2_000 },
  );
});
