import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkAdvice } from '../../../src/tables/files/advice-checks.js';
import { ADVICE_DEFAULTS, ADVICE_FILE, adviceSchema } from '../../../src/tables/files/advice-file.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { GNDT_FILE, gndtSchema } from '../../../src/tables/files/gndt-file.js';
import { parseFile } from '../../../src/tables/files/schema.js';

const CONFIG = fileURLToPath(new URL('../../../../config/', import.meta.url));
const GNDT = readFileSync(`${CONFIG}gndt.json`, 'utf8');

function errorsOf(file: object, change: object = {}): string[] {
  const gndt = parseFile(GNDT_FILE, JSON.stringify({ ...JSON.parse(GNDT), ...change }), gndtSchema);
  assert.ok('value' in gndt);
  const parsed = parseFile(ADVICE_FILE, JSON.stringify(file), adviceSchema);
  const errors = 'errors' in parsed ? parsed.errors : checkAdvice(parsed.value, gndt.value);
  return errors.map(formatConfigError);
}

test('the example is good, and so is nothing at all', () => {
  assert.deepEqual(errorsOf(JSON.parse(readFileSync(`${CONFIG}advice.json`, 'utf8'))), []);
  assert.deepEqual(errorsOf({}), []);
  const parsed = parseFile(ADVICE_FILE, '{}', adviceSchema);
  assert.ok('value' in parsed);
  const { assume, most, restMinutes, pricePerGb } = parsed.value;
  assert.deepEqual({ ...assume, most, restMinutes, pricePerGb }, ADVICE_DEFAULTS);
});

test('values: what would be right is said', () => {
  assert.deepEqual(
    errorsOf({ sites: [{ id: 'vr-a', machines: -1 }], most: 0, assume: { mbitPerSecond: 0 } }),
    [
      'advice.json: sites[0].machines: expected a whole number from 0 to 1000000, got -1',
      'advice.json: assume.mbitPerSecond: expected a number from 1 to 1000000, got 0',
      'advice.json: most: expected a whole number from 1 to 1000, got 0',
    ],
  );
  assert.match(
    errorsOf({ machines: [{ ip: '10.1.0.300' }] })[0] ?? '',
    /machines\[0\]\.ip: "10\.1\.0\.300" is no IP/,
  );
  assert.match(errorsOf({ pinned: [] })[0] ?? '', /pinned: unknown key/);
  assert.match(errorsOf({ apart: [{ ips: ['10.1.0.9'] }] })[0] ?? '', /apart\[0\]\.ips/);
});

test('names that gndt.json does not have, and things that stand twice', () => {
  const file = {
    sites: [{ id: 'vr-a' }, { id: 'vr-a' }, { id: 'vr-x' }],
    links: [
      { from: 'vr-a', to: 'vr-a' },
      { from: 'vr-a', to: 'vr-b' },
      { from: 'vr-b', to: 'vr-a' },
      { from: 'vr-a', to: 'vr-b' },
    ],
    machines: [{ ip: '10.1.0.9', sites: ['vr-y'] }, { ip: '10.1.0.9', vnet: 'red' }, { ip: '10.1.0.9' }],
  };
  assert.deepEqual(errorsOf(file), [
    'advice.json: sites[2].id: "vr-x" is not a site in gndt.json (did you mean "vr-a"?); there are vr-a, vr-b',
    'advice.json: sites[1].id: "vr-a" is the site of sites[0] already',
    'advice.json: links[0].to: "vr-a" is the same site; expected another one',
    'advice.json: links[3]: is the same way as links[1]',
    'advice.json: machines[0].sites[0]: "vr-y" is not a site in gndt.json (did you mean "vr-a"?); there are vr-a, vr-b',
    'advice.json: machines[1].vnet: "red" is not a vnet in gndt.json; there is only blue',
    'advice.json: machines[2].ip: 10.1.0.9/32 is that of machines[0] already',
  ]);
});

test('a vnet has to be named where there are several; a router may be named for its site', () => {
  const vnets = [
    { name: 'blue', id: 1 },
    { name: 'red', id: 2 },
  ];
  assert.deepEqual(errorsOf({ together: [{ ips: ['10.1.0.9', '10.1.0.10'] }] }, { vnets }), [
    'advice.json: together[0].vnet: missing; gndt.json has the vnets blue, red',
  ]);
  const sites = [{ id: 'north', routers: ['vr-a'] }];
  assert.deepEqual(
    errorsOf({ sites: [{ id: 'vr-a' }], links: [{ from: 'north', to: 'vr-b' }] }, { sites }),
    [],
  );
  assert.match(errorsOf({ sites: [{ id: 'vr-a' }, { id: 'north' }] }, { sites })[0] ?? '', /already/);
});
