import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_DEPTH, parseJson } from '../../../src/tables/files/json-text.js';

const MISTAKES: readonly (readonly [text: string, where: string, message: string])[] = [
  ['', '1:1', 'expected a value, got the end of the file'],
  ['{\n  "id": "vr-a",\n}', '2:15', 'no "," may stand before "}"'],
  ['[1, 2,]', '1:6', 'no "," may stand before "]"'],
  ['{ "id" "vr-a" }', '1:8', 'expected ":" after the key, got "\\""'],
  ['{ id: 1 }', '1:3', 'expected a key in double quotes, got "id"'],
  ["{ 'id': 1 }", '1:3', 'expected a key in double quotes, got "\'"'],
  ['{\n  "a": 1\n  "b": 2\n}', '3:3', 'expected "," or "}", got "\\""'],
  ['{ "a": vr-a }', '1:8', 'expected a value, got "vr-a" (text needs double quotes)'],
  ['{ "a": 01 }', '1:8', 'expected a value, got "01" (text needs double quotes)'],
  ['{ "a": True }', '1:8', 'expected a value, got "True" (text needs double quotes)'],
  ['{ "a": 1 ', '1:10', 'expected "," or "}", got the end of the file'],
  ['[1', '1:3', 'expected "," or "]", got the end of the file'],
  ['{} {}', '1:4', 'expected the end of the file, got "{"'],
  ['{ "a": 1, "a": 2 }', '1:11', 'the key "a" stands twice in this object'],
  ['{ "a": 1, "\\u0061": 2 }', '1:11', 'the key "a" stands twice in this object'],
  ['{ // note\n}', '1:3', 'expected a key in double quotes, got a comment, which JSON does not have'],
  ['[ # note\n]', '1:3', 'expected a value, got a comment, which JSON does not have'],
  ['["abc]', '1:2', 'this text is not closed by a double quote on its line'],
  ['["C:\\path"]', '1:2', 'this text holds a control character or a bad escape (write \\n, \\t, \\\\)'],
  ['["a\tb"]', '1:2', 'this text holds a control character or a bad escape (write \\n, \\t, \\\\)'],
  ['['.repeat(MAX_DEPTH + 2), `1:${MAX_DEPTH + 2}`, `nested more than ${MAX_DEPTH} deep`],
  ['['.repeat(1_000_000), `1:${MAX_DEPTH + 2}`, `nested more than ${MAX_DEPTH} deep`],
];

for (const [text, where, message] of MISTAKES) {
  test(`${where} of ${JSON.stringify(text.slice(0, 40))}`, () => {
    const outcome = parseJson(text);
    assert.ok('problem' in outcome);
    const { line, column, message: said } = outcome.problem;
    assert.deepEqual([`${line}:${column}`, said], [where, message]);
  });
}

test('reads what JSON.parse reads, for any JSON value and any layout', () => {
  const indent = fc.constantFrom('', '  ', '\t');
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), indent, (value, space) => {
      const text = JSON.stringify(value, null, space);
      const outcome = parseJson(text);
      assert.ok('value' in outcome);
      assert.deepEqual(outcome.value, JSON.parse(text));
    }),
  );
});

test('takes exactly the texts that JSON.parse takes, but for repeated keys', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"\\n"',
      '"\\x"',
      '"',
      '1',
      '-0.5e3',
      '1.',
      'true',
      'nul',
      ' ',
      '\n',
      '\u0007',
      '\ud800',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const outcome = parseJson(text);
      if ('problem' in outcome && outcome.problem.message.includes('stands twice')) return;
      assert.equal('value' in outcome, acceptedByJsonParse(text), text);
    }),
    { numRuns: 2000 },
  );
});

function acceptedByJsonParse(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('"__proto__" is an ordinary key and changes no prototype', () => {
  const outcome = parseJson('{ "__proto__": { "id": 1 } }');
  assert.ok('value' in outcome);
  assert.deepEqual(Object.entries(outcome.value ?? {}), [['__proto__', { id: 1 }]]);
  assert.equal(Object.getPrototypeOf(outcome.value), Object.prototype);
});

test('texts of megabytes are read', () => {
  const long = `"${'x\\n'.repeat(1_000_000)}"`;
  const outcome = parseJson(`[${long}]`);
  assert.deepEqual(outcome, { value: [JSON.parse(long)] });
});
