/** Where clients and routers were heard last: the file, what is wrong with it, when it is written, what is read of it. */
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
import { endpointForm } from '../../../src/router/state/endpoint-file.js';
import { EndpointMemory } from '../../../src/router/state/endpoint-memory.js';
import { StateStore } from '../../../src/router/state/state-store.js';
import { encodeKey } from '../../../src/tables/files/read.js';
import { MAX_PEERS } from '../../../src/tables/gndt.js';
import type { LastHeard } from '../../../src/tunnel/last-heard.js';
import { SimClock } from '../../support/sim-clock.js';

const root = mkdtempSync(join(tmpdir(), 'vine-endpoints-'));
after(() => rmSync(root, { recursive: true }));

const ROUTER = new Uint8Array(32).fill(9);
const FORM = endpointForm(ROUTER);
const WALL_MS = 1_767_225_600_000;
const keyOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);

function heard(ip: string, over: Partial<LastHeard> = {}): LastHeard {
  return {
    publicKey: keyOf(1),
    address: Ip.of(ip).toBytes(),
    port: 51_820,
    hasSession: true,
    stampUs: WALL_MS * 1_000 - 5,
    ...over,
  };
}

const BOTH = [
  heard('192.0.2.100'),
  heard('2001:db8::7', { publicKey: keyOf(2), port: 1, hasSession: false }),
];
const encoded = (records: readonly LastHeard[]): string => [...FORM.encode(records)].join('');

let count = 0;
function fresh(text?: string, keys = new Set([1, 2, 3].map((seed) => encodeKey(keyOf(seed))))) {
  const directory = join(root, `state-${count++}`);
  const path = join(directory, 'endpoints.json');
  mkdirSync(directory);
  if (text !== undefined) writeFileSync(path, text);
  const clock = new SimClock(WALL_MS);
  const errors: string[] = [];
  const store = new StateStore(directory, FORM, clock, (message) => errors.push(message));
  const memory = new EndpointMemory({ store, clock, keys: () => keys });
  const written = (): readonly LastHeard[] => FORM.decode(readFileSync(path, 'utf8')).records;
  return { directory, path, clock, errors, memory, written };
}

test('the form on disk is fixed: a router of this version reads what another wrote', () => {
  const lines =
    '{"publicKey":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","endpoint":"udp://192.0.2.100:51820","session":true,"stamp":1767225599999995},\n' +
    '{"publicKey":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=","endpoint":"udp://[2001:db8::7]:1","session":false,"stamp":1767225599999995}';
  const sum = createHash('sha256').update(lines).digest('hex');
  const text = `{ "version": 1, "router": "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=", "sum": "${sum}", "heard": [\n${lines}\n] }\n`;
  assert.equal(encoded(BOTH), text);
  assert.deepEqual(FORM.decode(text), { records: BOTH, damage: undefined });
  assert.deepEqual(FORM.decode(encoded([])), { records: [], damage: undefined });
});

/** A file whose sum is right, however wrong the rest. */
function withLine(over: Readonly<Record<string, unknown>>): string {
  const line = JSON.stringify({
    publicKey: encodeKey(keyOf(1)),
    endpoint: 'udp://192.0.2.1:7',
    session: true,
    stamp: 5,
    ...over,
  });
  const sum = createHash('sha256').update(line).digest('hex');
  return `{ "version": 1, "router": "${encodeKey(ROUTER)}", "sum": "${sum}", "heard": [\n${line}\n] }\n`;
}

const good = encoded(BOTH);
const CORRUPT: readonly (readonly [name: string, text: string, damage: string])[] = [
  ['empty', '', 'not JSON'],
  ['cut', good.slice(0, -20), 'not JSON'],
  ['zeros, as after a power failure', '\0'.repeat(4096), 'not JSON'],
  ['another form', '[]', 'not of the form {"version", "router", "sum", "heard"}'],
  ['a later version', good.replace('"version": 1', '"version": 2'), 'version 2, expected 1'],
  [
    "another router's",
    [...endpointForm(keyOf(8)).encode(BOTH)].join(''),
    'written by a router with another key',
  ],
  ['changed', good.replace('192.0.2.100', '192.0.2.101'), 'changed since it was written'],
  ['a line less', good.replace(/,\n.*\n]/, '\n]'), 'changed since it was written'],
  [
    'a group to be called',
    withLine({ endpoint: 'udp://224.0.0.1:7' }),
    'heard[0]: endpoint: "udp://224.0.0.1:7" is multicast or broadcast; expected one router\'s address',
  ],
  [
    'nobody to be called',
    withLine({ endpoint: 'udp://[::]:7' }),
    'heard[0]: endpoint: "udp://[::]:7" says where to listen; expected an address at which others reach this router',
  ],
  [
    'a connection',
    withLine({ endpoint: 'tcp://192.0.2.1:7' }),
    'heard[0]: endpoint: tcp ends with the router',
  ],
  [
    'an address that means nothing without an interface',
    withLine({ endpoint: 'udp://[fe80::1]:7' }),
    'heard[0]: endpoint: fe80::1 is link-local',
  ],
  [
    'no port',
    withLine({ endpoint: 'udp://192.0.2.1:0' }),
    'heard[0]: endpoint: "udp://192.0.2.1:0": the port must be a number from 1 to 65535, with nothing after it',
  ],
  [
    'a stamp of nowhere',
    withLine({ stamp: 2 ** 53 }),
    `heard[0]: stamp: expected a whole number from 0 to ${2 ** 52}, got ${2 ** 53}`,
  ],
  [
    'more than a router can have',
    good.replace('"heard": [', `"heard": [${'0,'.repeat(MAX_PEERS)}`),
    'not of the form {"version", "router", "sum", "heard"}',
  ],
  ['without end', ' '.repeat(2_000_000), '2000000 bytes, more than it ever has'],
];

for (const [name, text, damage] of CORRUPT)
  test(`a file that is no good is put aside and told, and nobody is called: ${name}`, () => {
    const { memory, path, directory } = fresh(text);
    const aside = `${path}.corrupt-${WALL_MS}`;
    assert.deepEqual(memory.warnings, [
      `${path} is damaged (${damage}); put aside as ${aside}, going on with 0 of its records`,
    ]);
    assert.equal(memory.size, 0);
    assert.equal(memory.lastHeard(keyOf(1)), undefined);
    assert.deepEqual(readdirSync(directory), [`endpoints.json.corrupt-${WALL_MS}`]);
    assert.equal(readFileSync(aside, 'utf8'), text);
  });

test('no cut and no other character makes another endpoint of a file', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: good.length - 1 }),
      fc.string({ maxLength: 3 }),
      fc.nat({ max: 3 }),
      (at, put, taken) => {
        const { records, damage } = FORM.decode(good.slice(0, at) + put + good.slice(at + taken));
        // Blanks between words change nothing.
        assert.deepEqual(records, damage === undefined ? BOTH : []);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('decoding throws for no text', () => {
  const near = fc.jsonValue({ maxDepth: 3 }).map((value) => good.replace(/\[.*\]/s, JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), near), (text) => {
      const { records, damage } = FORM.decode(text);
      assert.deepEqual([records, typeof damage], [[], 'string']);
    }),
  );
});

test('what is heard is written at once, then every 2 s at most, and only when it is another', async () => {
  const { memory, clock, path, written, errors } = fresh();
  memory.heard(heard('192.0.2.1'));
  clock.advance(50);
  await memory.idle();
  assert.deepEqual(written(), [heard('192.0.2.1')]);
  for (let i = 2; i <= 10; i++) {
    memory.heard(heard(`192.0.2.${i}`));
    clock.advance(200);
  }
  await memory.idle();
  assert.deepEqual(written(), [heard('192.0.2.1')]);
  clock.advance(2_000);
  await memory.idle();
  assert.deepEqual(written(), [heard('192.0.2.10')]);
  rmSync(path);
  // Every packet and every rekey says the same again.
  for (let i = 0; i < 4; i++) memory.heard(heard('192.0.2.10', { stampUs: WALL_MS * 1_000 + i * 60e6 }));
  clock.advance(10_000);
  await memory.idle();
  assert.equal(existsSync(path), false);
  memory.heard(heard('192.0.2.10', { stampUs: WALL_MS * 1_000 + 300e6 }));
  clock.advance(50);
  await memory.idle();
  assert.equal(written()[0]?.stampUs, WALL_MS * 1_000 + 300e6, 'timestamps must not fall far behind');
  memory.heard(heard('192.0.2.10', { stampUs: WALL_MS * 1_000 + 300e6, hasSession: false }));
  memory.save();
  assert.equal(written()[0]?.hasSession, false);
  assert.deepEqual(errors, []);
});

test('the next start reads it; who is in no file of the configuration any more is left out of it', async () => {
  const first = fresh();
  for (const last of BOTH) first.memory.heard(last);
  first.memory.save();
  const keys = new Set([encodeKey(keyOf(2))]);
  const { memory, clock, written } = fresh(readFileSync(first.path, 'utf8'), keys);
  assert.deepEqual(memory.warnings, []);
  assert.equal(memory.stampFloorUs, 0, 'the clock is right');
  assert.deepEqual(memory.lastHeard(keyOf(2)), BOTH[1]);
  memory.heard(heard('192.0.2.9', { publicKey: keyOf(2) }));
  clock.advance(50);
  await memory.idle();
  assert.deepEqual(written(), [heard('192.0.2.9', { publicKey: keyOf(2) })]);
  // A reload may be undone: in memory it is still known.
  assert.deepEqual(memory.lastHeard(keyOf(1)), BOTH[0]);
});

test('a router that has nobody to remember writes no file', () => {
  const { memory, directory } = fresh();
  memory.save();
  assert.deepEqual(readdirSync(directory), []);
});

test('a clock that was set back is told, and timestamps go on from where they were', () => {
  const stampUs = (WALL_MS + 60_000) * 1_000;
  const { memory, path } = fresh(encoded([heard('192.0.2.1', { stampUs }), heard('192.0.2.2')]));
  assert.deepEqual(memory.warnings, [
    `the clock is 60 s behind the router's last handshakes: set it right, or remove ${path} if it was wrong before`,
  ]);
  // What is on disk may be five minutes older than the last message.
  assert.ok(memory.stampFloorUs >= stampUs + 300e6);
});

test('memory is bounded, whatever reloads bring and take', () => {
  const keys = new Set<string>();
  const { memory } = fresh(undefined, keys);
  for (let i = 0; i < MAX_PEERS + 100; i++) {
    const publicKey = new Uint8Array(32);
    new DataView(publicKey.buffer).setUint32(0, i + 1);
    memory.heard(heard('192.0.2.1', { publicKey }));
  }
  assert.ok(memory.size <= MAX_PEERS, `${memory.size}`);
});
