/** What host names meant last: the file, what is wrong with it, when it is written. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { nameForm } from '../../../src/router/state/name-file.js';
import { NameMemory } from '../../../src/router/state/name-memory.js';
import { StateStore } from '../../../src/router/state/state-store.js';
import type { KeptName } from '../../../src/tunnel/names/names.js';
import { SimClock } from '../../support/sim-clock.js';

const root = mkdtempSync(join(tmpdir(), 'vine-names-'));
after(() => rmSync(root, { recursive: true }));

const FORM = nameForm(new Uint8Array(32).fill(9));
const WALL_MS = 1_767_225_600_000;

function kept(name: string, ...addresses: string[]): KeptName {
  return { name, addresses: addresses.map((text) => Ip.of(text)), resolvedWallMs: WALL_MS };
}

const BOTH = [kept('b.example.net', '192.0.2.2', '2001:db8::2'), kept('c.example.net.', '192.0.2.3')];
const encoded = (names: readonly KeptName[]): string => [...FORM.encode(names)].join('');

let count = 0;
function fresh(text?: string, names = new Set(BOTH.map(({ name }) => name))) {
  const directory = join(root, `state-${count++}`);
  const path = join(directory, 'names.json');
  mkdirSync(directory);
  if (text !== undefined) writeFileSync(path, text);
  const clock = new SimClock(WALL_MS);
  const store = new StateStore(directory, FORM, clock, (message) => assert.fail(message));
  const memory = new NameMemory({ store, clock, names: () => names });
  const written = (): readonly KeptName[] => FORM.decode(readFileSync(path, 'utf8')).records;
  return { directory, path, clock, memory, written };
}

const plain = (names: readonly KeptName[]): unknown =>
  names.map(({ name, addresses, resolvedWallMs }) => [name, addresses.map(String), resolvedWallMs]);

test('the form on disk is fixed: a router of this version reads what another wrote', () => {
  const lines =
    '{"name":"b.example.net","addresses":["192.0.2.2","2001:db8::2"],"resolved":1767225600000},\n' +
    '{"name":"c.example.net.","addresses":["192.0.2.3"],"resolved":1767225600000}';
  const sum = createHash('sha256').update(lines).digest('hex');
  const text = `{ "version": 1, "router": "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=", "sum": "${sum}", "names": [\n${lines}\n] }\n`;
  assert.equal(encoded(BOTH), text);
  const { records, damage } = FORM.decode(text);
  assert.deepEqual([plain(records), damage], [plain(BOTH), undefined]);
  assert.deepEqual(FORM.decode(encoded([])), { records: [], damage: undefined });
});

/** A file whose sum is right, however wrong the rest. */
function withLine(over: Readonly<Record<string, unknown>>): string {
  const line = JSON.stringify({ name: 'b.example.net', addresses: ['192.0.2.2'], resolved: 5, ...over });
  return JSON.stringify({
    version: 1,
    router: 'CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=',
    sum: createHash('sha256').update(line).digest('hex'),
    names: [JSON.parse(line)],
  });
}

const WRONG: readonly (readonly [what: string, text: string, damage: RegExp])[] = [
  ['no JSON', 'x', /not JSON/],
  ['something else', '[]', /not of the form/],
  ['a key more', JSON.stringify({ ...JSON.parse(encoded(BOTH)), more: 1 }), /not of the form/],
  ['another version', encoded(BOTH).replace('"version": 1', '"version": 2'), /version 2, expected 1/],
  ['another router', encoded(BOTH).replace('CQkJ', 'AQkJ'), /another key/],
  ['an address changed by hand', encoded(BOTH).replace('192.0.2.3', '192.0.2.4'), /changed since/],
  ['a name taken out', encoded(BOTH).replace(/\{"name":"b[^\n]*\n/, ''), /changed since/],
  ['no name', withLine({ name: 'b_example' }), /names\[0\]: name/],
  ['an address as a name', withLine({ name: '192.0.2.1' }), /names\[0\]: name/],
  ['no address', withLine({ addresses: [] }), /names\[0\]: addresses/],
  ['too many addresses', withLine({ addresses: Array(7).fill('192.0.2.1') }), /names\[0\]: addresses/],
  ['loopback', withLine({ addresses: ['127.0.0.1'] }), /127\.0\.0\.1 is loopback/],
  ['multicast', withLine({ addresses: ['ff02::1'] }), /ff02::1 is multicast/],
  ['a time before all times', withLine({ resolved: -1 }), /names\[0\]: resolved/],
  ['a time after all times', withLine({ resolved: 1e300 }), /names\[0\]: resolved/],
  ['half a millisecond', withLine({ resolved: 1.5 }), /names\[0\]: resolved/],
  ['an unknown field', withLine({ more: 1 }), /names\[0\]/],
];

for (const [what, text, damage] of WRONG) {
  test(`${what}: put aside, said, nothing used`, () => {
    const { directory, memory } = fresh(text);
    assert.equal(memory.warnings.length, 1);
    assert.match(memory.warnings[0] ?? '', damage);
    assert.deepEqual(readdirSync(directory), [`names.json.corrupt-${WALL_MS}`]);
    assert.equal(memory.kept('b.example.net'), undefined);
  });
}

test('whatever becomes of a byte, nothing but what was written is read', () => {
  const text = encoded(BOTH);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
      const spoilt = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
      const { records } = FORM.decode(spoilt);
      assert.ok(records.length === 0 || JSON.stringify(plain(records)) === JSON.stringify(plain(BOTH)));
    }),
  );
});

test('written when a name means something else, seldom when it does not, and only names of the configuration', async () => {
  const { clock, memory, path, written } = fresh();
  const [b, c] = BOTH;
  assert.ok(b && c);
  for (const one of [b, c, kept('stranger.example.net', '192.0.2.9')]) memory.resolved(one);
  assert.equal(existsSync(path), false);
  clock.advance(200);
  await memory.idle();
  assert.deepEqual(plain(written()), plain(BOTH));
  rmSync(path);
  memory.resolved({ ...b, addresses: b.addresses.toReversed(), resolvedWallMs: WALL_MS + 3_599_999 });
  clock.advance(60_000);
  await memory.idle();
  assert.equal(existsSync(path), false, 'the order alone was written');
  memory.resolved({ ...b, resolvedWallMs: WALL_MS + 3_600_000 });
  memory.resolved(kept(c.name, '192.0.2.4'));
  clock.advance(5_000);
  await memory.idle();
  assert.deepEqual(
    written().map(({ addresses }) => String(addresses[0])),
    ['192.0.2.2', '192.0.2.4'],
  );
  const again = fresh(readFileSync(path, 'utf8'));
  assert.equal(String(again.memory.kept(c.name)?.addresses), '192.0.2.4');
  again.memory.save();
  assert.deepEqual(again.written().length, 2);
});
