/** Terms on disk: what is kept, what is refused, what is forgotten. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Terms } from '../../../src/router/pair/terms.js';
import { SimClock } from '../../support/sim-clock.js';

const SITES: ReadonlyMap<string, readonly string[]> = new Map([
  ['here', ['vr-1', 'vr-2']],
  ['there', ['vr-3', 'vr-4']],
  ['vr-5', ['vr-5']],
]);
let stateDir: string;
const open = (sites = SITES): Terms =>
  new Terms({ stateDir, clock: new SimClock(), gndt: { sites, self: 'here' }, onError: assert.fail });

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'terms-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

test('a network without sites of two has no such file', async () => {
  const terms = open();
  assert.equal(terms.own, 0);
  await terms.stop();
  assert.equal(existsSync(join(stateDir, 'terms.json')), false);
});

test('the own term is on disk when the call returns; the others are with the next write', async () => {
  const terms = open();
  terms.follow('there', 3, 'vr-4');
  terms.storeOwn(7, 'vr-1');
  const again = open();
  assert.equal(again.own, 7);
  assert.deepEqual([...again.others()], [['there', 3, 'vr-4']]);
  terms.follow('there', 4, 'vr-3');
  await terms.stop();
  assert.deepEqual([...open().others()], [['there', 4, 'vr-3']]);
});

test('of sites that are no more, or have other routers, nothing is kept', () => {
  const terms = open();
  terms.follow('there', 3, 'vr-4');
  terms.storeOwn(7, 'vr-1');
  const sites = new Map([
    ['here', ['vr-1', 'vr-9']],
    ['there', ['vr-3', 'vr-8']],
  ]);
  const again = open(sites);
  assert.equal(again.own, 7);
  assert.deepEqual([...again.others()], []);
});

for (const [what, text] of [
  ['no JSON', '{'],
  ['another version', '{ "version": 2, "sites": [] }'],
  [
    'a term beyond the range',
    '{ "version": 1, "sites": [{"site":"here","term":281474976710657,"active":"vr-1"}] }',
  ],
  ['a negative term', '{ "version": 1, "sites": [{"site":"here","term":-1,"active":"vr-1"}] }'],
  ['a name that is none', '{ "version": 1, "sites": [{"site":"a b","term":1,"active":"vr-1"}] }'],
] as const) {
  test(`${what}: nothing is used, the file is put aside, and it is said`, () => {
    writeFileSync(join(stateDir, 'terms.json'), text);
    const terms = open();
    assert.equal(terms.own, 0);
    assert.match(terms.problem ?? '', /terms\.json is damaged \(.+\); put aside as /);
    terms.storeOwn(1, 'vr-1');
    assert.match(readFileSync(join(stateDir, 'terms.json'), 'utf8'), /"term":1/);
  });
}
