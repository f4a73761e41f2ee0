import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Clock, Timer } from '../../../src/net/clock.js';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { DIRECTORY_FORM, decodeState, encodeState } from '../../../src/router/state/state-file.js';
import { StateStore } from '../../../src/router/state/state-store.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../../src/tables/record.js';

const root = mkdtempSync(join(tmpdir(), 'vine-state-'));
after(() => rmSync(root, { recursive: true }));

/** Time that passes only when told to. */
class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; action: () => void }>();

  nowMs(): number {
    return this.#now;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(_name: string, delayMs: number, action: () => void): Timer {
    const timer = { at: this.#now + delayMs, action };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.#now)) {
      if (this.#timers.delete(timer)) timer.action();
    }
  }
}

const record = (ip: string, over: Partial<NodeRecord> = {}): NodeRecord => ({
  vnet: 1,
  ip: Ip.of(ip),
  mac: mac('52:54:00:00:00:09'),
  router: 'vr-a',
  seq: 3,
  state: 'here',
  stamp: 1_700_000_000_000_123,
  ...over,
});

let count = 0;
function fresh() {
  const directory = join(root, `state-${count++}`);
  const clock = new ManualClock();
  const errors: string[] = [];
  const store = new StateStore(directory, DIRECTORY_FORM, clock, (message) => errors.push(message));
  return { directory, clock, errors, store, path: join(directory, 'directory.json') };
}

function spoil(text: string) {
  const setup = fresh();
  mkdirSync(setup.directory);
  writeFileSync(setup.path, text);
  return { ...setup, aside: `${setup.path}.corrupt-1700000000000` };
}

test('the first start: nothing to load, the directory is made for its owner only', () => {
  const { store, directory } = fresh();
  assert.deepEqual(store.load(), { records: [] });
  assert.equal(statSync(directory).mode & 0o777, 0o700);
});

test('what was saved is loaded: own, visiting and departed nodes, both families, tombstones', () => {
  const { store, path, directory, errors } = fresh();
  const records = [
    record('10.1.0.9'),
    record('10.1.0.10', { router: 'vr-b', seq: MAX_SEQUENCE, vnet: 65_535 }),
    record('fd00:1::9', { state: 'withdrawn', seq: 1, stamp: 1, mac: mac('fe:ff:ff:ff:ff:ff') }),
  ];
  store.save(records);
  assert.deepEqual(errors, []);
  assert.deepEqual(store.load(), { records });
  assert.deepEqual(readdirSync(directory), ['directory.json']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('the form on disk is fixed: a router of this version reads what another wrote', () => {
  const text =
    '{ "version": 1, "records": [\n' +
    '{"vnet":1,"ip":"10.1.0.9","mac":"52:54:00:00:00:09","router":"vr-a","seq":3,"state":"here","stamp":1700000000000123},\n' +
    '{"vnet":1,"ip":"fd00::9","mac":"52:54:00:00:00:09","router":"vr-b","seq":4,"state":"withdrawn","stamp":5}\n' +
    '] }\n';
  const records = [
    record('10.1.0.9'),
    record('fd00::9', { router: 'vr-b', seq: 4, state: 'withdrawn', stamp: 5 }),
  ];
  assert.equal(encodeState(records), text);
  assert.deepEqual(decodeState(text), { records, damage: undefined });
});

test('any record survives', () => {
  const word = fc.nat({ max: 0xffffffff });
  const ip = fc
    .oneof(
      word.map((address) => Ip.v4(address)),
      fc.tuple(word, word, word, word).map((words) => Ip.v6(...words)),
    )
    .filter((any) => !any.isGroup && !any.isUnspecified && !any.isLoopback && !any.isLinkLocal);
  // A single machine's MAC: the group bit is clear, and it is not zero.
  const unicast = fc
    .tuple(fc.nat({ max: 0xff }), fc.integer({ min: 1, max: 2 ** 40 - 1 }))
    .map(([first, rest]) => ((first & 0xfe) * 2 ** 40 + rest) as Mac);
  const any = fc.record(
    {
      vnet: fc.integer({ min: 1, max: 65_535 }),
      ip,
      mac: unicast,
      router: fc.constantFrom('vr-a', 'B.2', 'x'),
      seq: fc.integer({ min: 1, max: MAX_SEQUENCE }),
      state: fc.constantFrom<NodeRecord['state']>('here', 'withdrawn'),
      stamp: fc.integer({ min: 1, max: MAX_STAMP }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(any), (records) => {
      assert.deepEqual(decodeState(encodeState(records)), { records, damage: undefined });
    }),
  );
});

test('a scheduled write happens within a second, once, with what is true by then', async () => {
  const { store, clock, path } = fresh();
  let records = [record('10.1.0.1')];
  let asked = 0;
  const snapshot = () => {
    asked++;
    return records;
  };
  store.schedule(snapshot);
  clock.advance(400);
  assert.equal(existsSync(path), false);
  records = [record('10.1.0.2')];
  store.schedule(snapshot); // does not put the write off
  clock.advance(100);
  await store.idle();
  assert.deepEqual(store.load().records, records);
  clock.advance(10_000);
  await store.idle();
  assert.equal(asked, 1);
});

test('a save at once takes the place of what was scheduled', async () => {
  const { store, clock } = fresh();
  store.schedule(() => [record('10.1.0.1')]);
  store.save([record('10.1.0.2')]);
  clock.advance(10_000);
  assert.deepEqual(store.load().records, [record('10.1.0.2')]);
  store.schedule(() => [record('10.1.0.3')]); // and the next change is scheduled anew
  clock.advance(500);
  await store.idle();
  assert.deepEqual(store.load().records, [record('10.1.0.3')]);
});

test('many moves in a moment are one write, and those during it one more', async () => {
  const { store, clock } = fresh();
  let asked = 0;
  let records = [record('10.1.0.1')];
  const snapshot = () => {
    asked++;
    return records;
  };
  for (let i = 0; i < 50; i++) store.saveSoon(snapshot);
  clock.advance(19);
  assert.equal(asked, 0);
  clock.advance(1);
  records = [record('10.1.0.2')];
  for (let i = 0; i < 50; i++) {
    store.saveSoon(snapshot);
    clock.advance(20);
  }
  await store.idle();
  assert.equal(asked, 2);
  assert.deepEqual(store.load().records, records);
});

test('100,000 records are encoded and written in parts, with turns for others in between', async () => {
  const { store, clock } = fresh();
  const all = Array.from({ length: 100_000 }, (_, n) => record(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
  let [taken, most] = [0, 0];
  let isWatching = true;
  const watch = (): void => {
    most = Math.max(most, taken);
    taken = 0;
    if (isWatching) setImmediate(watch);
  };
  setImmediate(watch);
  store.saveSoon(function* () {
    for (const one of all) {
      taken++;
      yield one;
    }
  });
  clock.advance(20);
  await store.idle();
  isWatching = false;
  assert.ok(most <= 512, `${most} records in one turn`);
  assert.deepEqual(store.load(), { records: all });
});

test('a move does not wait for what is only scheduled, and takes its place', async () => {
  const { store, clock } = fresh();
  store.schedule(() => [record('10.1.0.1')]);
  store.saveSoon(() => [record('10.1.0.2')]);
  clock.advance(20);
  await store.idle();
  assert.deepEqual(store.load().records, [record('10.1.0.2')]);
  clock.advance(10_000);
  await store.idle();
  assert.deepEqual(store.load().records, [record('10.1.0.2')]);
});

test('a write that is under way does not replace what was saved after it', async () => {
  const { store, clock } = fresh();
  store.saveSoon(() => [record('10.1.0.1')]);
  clock.advance(20);
  store.save([record('10.1.0.2')]);
  await store.idle();
  assert.deepEqual(store.load().records, [record('10.1.0.2')]);
});

const BAD_RECORD =
  '{"vnet":1,"ip":"10.1.0.300","mac":"52:54:00:00:00:09","router":"vr-a","seq":3,"state":"here","stamp":5}';

const CORRUPT: readonly (readonly [name: string, text: string, damage: string])[] = [
  ['empty', '', 'not JSON'],
  ['cut short', '{ "version": 1, "records": [\n{"vnet":1', 'not JSON'],
  ['zeros, as after a power failure', '\0'.repeat(4096), 'not JSON'],
  ['another form', '[]', 'not of the form {"version", "records"}'],
  ['no records', '{ "version": 1 }', 'not of the form {"version", "records"}'],
  ['a later version', '{ "version": 2, "records": [] }', 'version 2, expected 1'],
  [
    'nothing good in it',
    `{ "version": 1, "records": [${BAD_RECORD}] }`,
    '1 of 1 records left out: records[0] (10.1.0.300): ip: "10.1.0.300" is no IP address; expected one such as 10.1.0.9 or fd00:1::9',
  ],
];

for (const [name, text, damage] of CORRUPT) {
  test(`a corrupt file is put aside and reported, not deleted: ${name}`, () => {
    const { store, path, aside, errors } = spoil(text);
    assert.deepEqual(store.load(), {
      records: [],
      problem: `${path} is damaged (${damage}); put aside as ${aside}, going on with 0 of its records`,
    });
    assert.equal(readFileSync(aside, 'utf8'), text);
    assert.equal(existsSync(path), false);
    assert.deepEqual(store.load(), { records: [] });
    assert.deepEqual(errors, []);
  });
}

test('of a file with one bad record the good ones are kept, in the file too', () => {
  const good = record('10.1.0.9');
  const text = encodeState([good]).replace('\n] }', `,\n${BAD_RECORD}\n] }`);
  const { store, path, aside } = spoil(text);
  const loaded = store.load();
  assert.deepEqual(loaded.records, [good]);
  assert.match(
    loaded.problem ?? '',
    /1 of 2 records left out: records\[1\] \(10\.1\.0\.300\): .*going on with 1 of its records$/,
  );
  assert.equal(readFileSync(aside, 'utf8'), text);
  assert.equal(readFileSync(path, 'utf8'), encodeState([good]));
  assert.deepEqual(store.load(), { records: [good] });
});

const IMPOSSIBLE: readonly (readonly [
  name: string,
  over: Readonly<Record<string, unknown>>,
  problem: string,
])[] = [
  ['a sequence number that no decoder takes', { seq: MAX_SEQUENCE + 1 }, 'seq: expected a whole number'],
  ['a stamp that no decoder takes', { stamp: Number.MAX_SAFE_INTEGER }, 'stamp: expected a whole number'],
  ['a sequence number of nothing', { seq: 0 }, 'seq: expected a whole number from 1'],
  ['a stamp of nothing', { stamp: 0 }, 'stamp: expected a whole number from 1'],
  ['a negative number', { seq: -1 }, 'seq: expected a whole number'],
  ['a number that is no integer', { stamp: 1.5 }, 'stamp: expected a whole number'],
  ['a multicast address', { ip: '224.0.0.1' }, 'ip: 224.0.0.1 is multicast'],
  ['nobody’s address', { ip: '::' }, 'ip: :: is the unspecified address'],
  ['this machine’s own address', { ip: '127.0.0.1' }, 'ip: 127.0.0.1 is loopback'],
  ['an address that never leaves its LAN', { ip: 'fe80::9' }, 'ip: fe80::9 is link-local'],
  ['a group’s MAC', { mac: '01:00:5e:00:00:01' }, 'mac: 01:00:5e:00:00:01 is no single machine'],
  ['no MAC', { mac: '00:00:00:00:00:00' }, 'mac: 00:00:00:00:00:00 is no single machine'],
  ['a vnet that does not exist', { vnet: 65_536 }, 'vnet: expected a whole number from 1 to 65535'],
];

for (const [name, over, problem] of IMPOSSIBLE) {
  test(`a record with ${name} is left out, the others are used`, () => {
    const [, first = '', second = ''] = encodeState([record('10.1.0.8'), record('10.1.0.9')]).split('\n');
    const spoiled = JSON.stringify({ ...JSON.parse(second), ...over });
    const { records, damage } = decodeState(`{ "version": 1, "records": [${first}${spoiled}] }`);
    assert.deepEqual(records, [record('10.1.0.8')]);
    const ip = over.ip ?? '10.1.0.9';
    assert.ok(damage?.startsWith(`1 of 2 records left out: records[1] (${ip}): ${problem}`), damage);
  });
}

test('five bad records are named, more are counted', () => {
  const lines = Array.from({ length: 7 }, (_, n) => `{"ip":"10.1.0.${n}"}`);
  const { damage } = decodeState(`{ "version": 1, "records": [${lines.join(',')}] }`);
  assert.match(damage ?? '', /^7 of 7 records left out: .*\(10\.1\.0\.4\): .*; and 2 more$/);
  assert.ok(!damage?.includes('10.1.0.5'));
});

test('a second corrupt file in the same millisecond does not replace the first', () => {
  const { store, path, aside } = spoil('one');
  store.load();
  writeFileSync(path, 'two');
  store.load();
  assert.equal(readFileSync(aside, 'utf8'), 'one');
  assert.equal(readFileSync(`${aside}-1`, 'utf8'), 'two');
});

test('decoding throws for no text', () => {
  const near = fc
    .jsonValue({ maxDepth: 3 })
    .map((value) => `{ "version": 1, "records": [${JSON.stringify(value)}] }`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), near), (text) => {
      const { records, damage } = decodeState(text);
      assert.deepEqual([records, typeof damage], [[], 'string']);
    }),
  );
});

test('a write that fails is reported, tried again, and the old file stays whole', async () => {
  const { store, clock, errors, directory, path } = fresh();
  store.save([record('10.1.0.1')]);
  // Nothing can be written there, not even by root.
  for (const suffix of ['tmp', 'new']) mkdirSync(`${path}.${suffix}`);
  store.save([record('10.1.0.2')]);
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? '', new RegExp(`^cannot write ${path}: EISDIR`));
  assert.deepEqual(store.load().records, [record('10.1.0.1')]);
  clock.advance(5000);
  await store.idle();
  assert.equal(errors.length, 2);
  rmSync(join(directory, 'directory.json.new'), { recursive: true });
  clock.advance(5000);
  await store.idle();
  assert.equal(errors.length, 2);
  assert.deepEqual(store.load().records, [record('10.1.0.2')]);
});

test('a state directory that cannot be made: reported by load and by save', () => {
  const { directory } = fresh();
  writeFileSync(directory, 'in the way');
  const errors: string[] = [];
  const store = new StateStore(join(directory, 'vine'), DIRECTORY_FORM, new ManualClock(), (message) =>
    errors.push(message),
  );
  assert.match(store.load().problem ?? '', /^cannot make .*ENOTDIR/);
  store.save([record('10.1.0.1')]);
  assert.match(errors[0] ?? '', /^cannot write .*ENOTDIR/);
});

test('a state directory that is there keeps its mode', () => {
  const { store, directory } = fresh();
  mkdirSync(directory);
  chmodSync(directory, 0o750);
  store.save([]);
  assert.equal(statSync(directory).mode & 0o777, 0o750);
});

/** Saves without end, in every round one more record than in the one before. */
const WRITER = `
  const [, storeUrl, formUrl, ipUrl, directory] = process.argv;
  const { StateStore } = await import(storeUrl);
  const { DIRECTORY_FORM } = await import(formUrl);
  const { Ip } = await import(ipUrl);
  const clock = { nowMs: () => 0, wallMs: () => 0, after: () => ({ cancel() {} }) };
  const store = new StateStore(directory, DIRECTORY_FORM, clock, (message) => { throw new Error(message); });
  const records = [];
  for (let i = 1; ; i++) {
    records.push({ vnet: 1, ip: Ip.v4(i), mac: i, router: 'vr-a', seq: i, state: 'here', stamp: i });
    store.save(records);
    if (i === 20) process.stdout.write('going');
  }`;

test('kill -9 in the middle of writing leaves a whole file', async () => {
  const urls = ['router/state/state-store.js', 'router/state/state-file.js', 'net/ip.js'].map(
    (name) => new URL(`../../../src/${name}`, import.meta.url).href,
  );
  for (let round = 0; round < 4; round++) {
    const { store, directory } = fresh();
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, ...urls, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), gone]);
    child.kill('SIGKILL');
    assert.deepEqual(await gone, [null, 'SIGKILL']);
    const { records, problem } = store.load();
    assert.equal(problem, undefined);
    assert.ok(records.length >= 20);
    assert.equal(records.at(-1)?.seq, records.length);
  }
});
