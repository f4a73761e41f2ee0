/** The published JSON Schemas: up to date, and of one mind with the reader. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { jsonSchemaFiles } from '../../../src/config/json-schemas.js';

const CONFIG = fileURLToPath(new URL('../../../../config/', import.meta.url));
const COMMITTED = `${CONFIG}schema/`;

function committed(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${COMMITTED}${name}.schema.json`, 'utf8')) as Record<string, unknown>;
}

test('config/schema holds exactly what the schemas generate (else: node dist/src/config/write-schemas.js)', () => {
  assert.deepEqual(readdirSync(COMMITTED).sort(), [...jsonSchemaFiles().keys()].sort());
  for (const [name, text] of jsonSchemaFiles())
    assert.equal(readFileSync(`${COMMITTED}${name}`, 'utf8'), text);
});

for (const name of ['router', 'gndt', 'lndt']) {
  test(`${name}: a validator that knows only the JSON Schema takes the example and refuses an unknown key`, () => {
    const schema = z.fromJSONSchema(committed(name));
    const example = JSON.parse(readFileSync(`${CONFIG}${name}.json`, 'utf8')) as Record<string, unknown>;
    assert.equal(schema.safeParse(example).success, true);
    assert.equal(schema.safeParse({ ...example, colour: 'red' }).success, false);
    assert.equal(schema.safeParse({}).success, false);
  });
}

test('advice: all of it may be left out; a validator takes the example and refuses an unknown key', () => {
  const schema = z.fromJSONSchema(committed('advice'));
  const example = JSON.parse(readFileSync(`${CONFIG}advice.json`, 'utf8')) as Record<string, unknown>;
  assert.equal(schema.safeParse(example).success, true);
  assert.equal(schema.safeParse({ ...example, colour: 'red' }).success, false);
  assert.equal(schema.safeParse({}).success, true);
});
