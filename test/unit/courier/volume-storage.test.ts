import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CHUNK, change, directoryOf, KIB, killed, open, pattern, StandingClock } from './volumes.js';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Of a directory, while something is being done in it. */
const MOST_COPIES = 60;

test('a new volume is zeroes, and keeps what is written, over restarts', async (t) => {
  const directory = directoryOf(t);
  const first = await open(directory);
  assert.equal(first.size, 4 * CHUNK);
  assert.deepEqual(await first.read(0, 4 * CHUNK), Buffer.alloc(4 * CHUNK));
  assert.equal(first.modified.size, 0);
  const data = pattern(300 * KIB, 1);
  await first.write(100 * KIB, data);
  assert.deepEqual([...first.modified.keys()], [0, 1]);
  await first.keep('role', { side: 'source', peers: ['b'] });
  const versions = [...first.modified.values()].map(({ version }) => version);
  await first.close();
  const second = await open(directory);
  assert.deepEqual(await second.read(100 * KIB, 300 * KIB), data);
  assert.deepEqual(await second.read(0, 100 * KIB), Buffer.alloc(100 * KIB));
  assert.deepEqual(
    [...second.modified.values()].map(({ version }) => version),
    versions,
    'closed in order',
  );
  assert.deepEqual(second.records.get('role'), { side: 'source', peers: ['b'] });
  await second.keep('role', undefined);
  await second.close();
  const third = await open(directory);
  assert.equal(third.records.size, 0);
  await third.close();
});

test('a base: what was not written is the base’s, sector by sector', async (t) => {
  const directory = directoryOf(t);
  const base = join(directory, 'base.img');
  const content = pattern(2 * CHUNK + 1024, 7).subarray(0, 2 * CHUNK + 1000);
  writeFileSync(base, content);
  const place = { base, sizeBytes: undefined };
  const volume = await open(join(directory, 'v'), place);
  assert.equal(volume.size, 2 * CHUNK + 1024, 'whole sectors');
  const wanted = Buffer.concat([content, Buffer.alloc(24)]);
  assert.deepEqual(await volume.read(0, volume.size), wanted);
  const written = pattern(4096, 9);
  await volume.write(CHUNK - 2048, written);
  wanted.set(written, CHUNK - 2048);
  await volume.zero(8 * KIB, 4 * KIB);
  wanted.fill(0, 8 * KIB, 12 * KIB);
  await volume.write(2 * CHUNK, written.subarray(0, 512));
  wanted.set(written.subarray(0, 512), 2 * CHUNK);
  assert.deepEqual(await volume.read(0, volume.size), wanted);
  await volume.zero(0, CHUNK);
  wanted.fill(0, 0, CHUNK);
  assert.deepEqual(await volume.read(0, volume.size), wanted);
  assert.deepEqual(volume.extents(0, 2 * CHUNK), [
    { length: CHUNK, isHole: true },
    { length: CHUNK, isHole: false },
  ]);
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), place);
  assert.deepEqual(await copy.read(0, copy.size), wanted);
  await copy.close();
  await volume.close();
  // Another base is refused, by its digest, and a base that has changed with it.
  change(base, (bytes) => bytes.fill(1, 5, 6));
  await assert.rejects(
    open(join(directory, 'v'), place),
    /another base image: SHA-256 [0-9a-f]{64}, here is SHA-256/,
  );
  await assert.rejects(open(join(directory, 'v')), /has 525312 bytes, and not 1048576/);
  await assert.rejects(
    open(join(directory, 'v'), { sizeBytes: 2 * CHUNK + 1024 }),
    /another base image.* is none/,
  );
});

test('zeroes are holes: whole chunks, and parts where there is no base', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(directory);
  await volume.zero(0, 4 * CHUNK);
  assert.equal(volume.modified.size, 0, 'zeroes on zeroes');
  await volume.write(0, pattern(2 * CHUNK, 3));
  await volume.zero(64 * KIB, CHUNK);
  assert.deepEqual(volume.extents(0, 4 * CHUNK), [
    { length: 64 * KIB, isHole: false },
    { length: CHUNK, isHole: true },
    { length: 192 * KIB, isHole: false },
    { length: 2 * CHUNK, isHole: true },
  ]);
  assert.deepEqual(volume.extents(32 * KIB, 3 * CHUNK, 2), [
    { length: 32 * KIB, isHole: false },
    { length: CHUNK, isHole: true },
  ]);
  assert.deepEqual(volume.extents(32 * KIB, 64 * KIB, 2), [
    { length: 32 * KIB, isHole: false },
    { length: 32 * KIB, isHole: true },
  ]);
  assert.deepEqual(volume.extents(2 * CHUNK, 2 * CHUNK, 1), [{ length: 2 * CHUNK, isHole: true }]);
  assert.deepEqual(await volume.read(64 * KIB, CHUNK), Buffer.alloc(CHUNK));
  await volume.write(96 * KIB, pattern(512, 4));
  assert.deepEqual(await volume.read(96 * KIB, 1024), Buffer.concat([pattern(512, 4), Buffer.alloc(512)]));
  assert.equal(volume.storedBytes, 2 * CHUNK - CHUNK + 512);
  await volume.close();
});

test('what is not of the volume, or no whole sector, is refused', async (t) => {
  const volume = await open(directoryOf(t));
  for (const [offset, length] of [
    [1, 512],
    [0, 511],
    [-512, 512],
    [4 * CHUNK, 512],
    [4 * CHUNK - 512, 1024],
    [Number.NaN, 512],
  ] as const) {
    await assert.rejects(async () => volume.read(offset, length), RangeError);
    await assert.rejects(async () => volume.write(offset, Buffer.alloc(length)), RangeError);
    await assert.rejects(async () => volume.zero(offset, length), RangeError);
  }
  await assert.rejects(async () => volume.put(4, Buffer.alloc(CHUNK), { version: 1, writes: 1 }), RangeError);
  await assert.rejects(async () => volume.put(0, Buffer.alloc(512), { version: 1, writes: 1 }), RangeError);
  await volume.close();
});

test('versions rise with each write, and never fall: not by a crash, not by what the other site says', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'));
  let last = 0;
  for (let round = 0; round < 5; round++) {
    await volume.write(512 * round, pattern(512, round));
    const { version = 0, writes } = volume.modified.get(0) ?? {};
    assert.ok(version > last);
    assert.equal(writes, round + 1);
    last = version;
  }
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')));
  assert.ok(
    (copy.modified.get(0)?.version ?? 0) > last,
    'it may have been written to: nobody knows how often',
  );
  await copy.put(1, pattern(CHUNK, 1), { version: 77, writes: 5 });
  assert.equal(copy.modified.get(1)?.version, 77);
  // What is as new here stays.
  for (const version of [70, 77]) await copy.put(1, pattern(CHUNK, 2), { version, writes: 5 });
  assert.equal(copy.modified.get(1)?.version, 77);
  assert.deepEqual(await copy.read(CHUNK, CHUNK), pattern(CHUNK, 1));
  await copy.put(1, pattern(CHUNK, 2), { version: 78, writes: 5 });
  assert.deepEqual(await copy.read(CHUNK, CHUNK), pattern(CHUNK, 2));
  await copy.flush();
  // What was put is known to the byte: its version stays.
  const third = await open(killed(join(directory, 'copy'), join(directory, 'third')));
  assert.equal(third.modified.get(1)?.version, 78);
  await third.put(2, undefined, { version: 2 ** 45, writes: 1 });
  await third.write(2 * CHUNK, pattern(512, 1));
  assert.equal(third.modified.get(2)?.version, 2 ** 45 + 1);
  const fourth = await open(killed(join(directory, 'third'), join(directory, 'fourth')));
  assert.ok((fourth.modified.get(2)?.version ?? 0) > 2 ** 45 + 1);
  for (const open of [volume, copy, third, fourth]) await open.close();
});

test('awaited chunks: only what was written here is valid, over crashes, and the rest comes under it', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'));
  await volume.write(0, pattern(CHUNK, 1));
  await volume.await(
    new Map([
      [0, { version: 50, writes: 9 }],
      [2, { version: 60, writes: 1 }],
    ]),
  );
  assert.equal(volume.modified.get(0)?.isAwaited, true);
  assert.ok(!volume.isHere(0, 512) && volume.isHere(CHUNK, CHUNK) && !volume.isHere(CHUNK, 2 * CHUNK));
  await assert.rejects(volume.read(0, 512), /still at the other site/);
  const here = pattern(4096, 2);
  await volume.write(8192, here);
  await volume.zero(100 * KIB, 512);
  assert.deepEqual(await volume.read(8192, 4096), here);
  await assert.rejects(volume.read(8192 - 512, 1024), /still at the other site/);
  await volume.flush();
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')));
  assert.ok(copy.isHere(8192, 4096) && copy.isHere(100 * KIB, 512) && !copy.isHere(8192, 4097 + 511));
  assert.ok((copy.modified.get(0)?.version ?? 0) > 50);
  const came = pattern(CHUNK, 3);
  await copy.put(0, came, { version: 50, writes: 9 });
  came.set(here, 8192);
  came.fill(0, 100 * KIB, 100 * KIB + 512);
  assert.deepEqual(await copy.read(0, CHUNK), came);
  assert.equal(copy.modified.get(0)?.isAwaited, false);
  // A write of all of it leaves nothing to wait for.
  await copy.write(2 * CHUNK, pattern(CHUNK, 4));
  assert.equal(copy.modified.get(2)?.isAwaited, false);
  await volume.close();
  await copy.close();
});

test('a chunk that is put anew: whoever dies in between has not its content, and the version of before', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(join(directory, 'v'), { clock });
  await volume.put(1, pattern(CHUNK, 1), { version: 5, writes: 1 });
  await volume.flush();
  const putting = volume.put(1, pattern(CHUNK, 2), { version: 6, writes: 2 });
  // The journal says first that it is given up; copies are as of any moment in between.
  const copies: string[] = [];
  for (let isOver = false; !isOver; ) {
    // A slow disk gives time for more than anybody can look at.
    if (isOver || copies.length < MOST_COPIES)
      copies.push(killed(join(directory, 'v'), join(directory, `copy-${copies.length}`)));
    isOver = await Promise.race([
      putting.then(() => true),
      new Promise<boolean>((done) => setImmediate(done, false)),
    ]);
  }
  copies.push(killed(join(directory, 'v'), join(directory, 'last')));
  const seen = new Set<string>();
  for (const path of copies) {
    const copy = await open(path, { clock });
    const { version, isAwaited } = copy.modified.get(1) ?? {};
    const content = isAwaited === true ? undefined : await copy.read(CHUNK, CHUNK);
    seen.add(`${version} ${isAwaited}`);
    if (content !== undefined) assert.deepEqual(content, pattern(CHUNK, version === 5 ? 1 : 2));
    await copy.put(1, pattern(CHUNK, 2), { version: 6, writes: 2 });
    assert.deepEqual(await copy.read(CHUNK, CHUNK), pattern(CHUNK, 2));
    assert.equal(copy.modified.get(1)?.version, 6);
    await copy.close();
  }
  assert.ok(seen.has('6 false') && seen.has('5 false'), [...seen].join(', '));
  await volume.close();
});

test('what is forgotten is the base’s again, also for whoever dies in between', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'));
  await volume.write(0, pattern(4 * CHUNK, 1));
  await volume.keep('role', 'b');
  const forgetting = volume.forget();
  const copies: string[] = [];
  for (let isOver = false; !isOver; ) {
    isOver = await Promise.race([
      forgetting.then(() => true),
      new Promise<boolean>((done) => setImmediate(done, false)),
    ]);
    // A slow disk gives time for more than anybody can look at.
    if (isOver || copies.length < MOST_COPIES)
      copies.push(killed(join(directory, 'v'), join(directory, `copy-${copies.length}`)));
  }
  assert.equal(volume.modified.size, 0);
  for (const path of copies) {
    const copy = await open(path);
    assert.equal(copy.problem, null);
    const isForgotten = copy.modified.size === 0;
    assert.deepEqual(
      await copy.read(0, 4 * CHUNK),
      isForgotten ? Buffer.alloc(4 * CHUNK) : pattern(4 * CHUNK, 1),
    );
    // Nothing shows through beside what is written then.
    await copy.write(512, pattern(512, 2));
    if (isForgotten) assert.deepEqual((await copy.read(0, CHUNK)).subarray(1024), Buffer.alloc(CHUNK - 1024));
    assert.equal(copy.records.get('role'), 'b');
    await copy.close();
  }
  await volume.write(CHUNK, pattern(512, 3));
  assert.deepEqual(await volume.read(CHUNK, 1024), Buffer.concat([pattern(512, 3), Buffer.alloc(512)]));
  await volume.close();
});

test('awaited, and zeroes come: what was written here stays', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(directory);
  await volume.await(new Map([[1, { version: 5, writes: 1 }]]));
  await volume.write(CHUNK + 512, pattern(512, 1));
  await volume.put(1, undefined, { version: 5, writes: 1 });
  assert.deepEqual(
    await volume.read(CHUNK, 1536),
    Buffer.concat([Buffer.alloc(512), pattern(512, 1), Buffer.alloc(512)]),
  );
  await volume.close();
});

test('overlapping writes are done in the order of the calls', async (t) => {
  const volume = await open(directoryOf(t));
  const writes: Promise<void>[] = [];
  for (let round = 0; round < 50; round++)
    writes.push(volume.write(512 * (round % 7), pattern(8192, round)), volume.zero(0, 512));
  await Promise.all(writes);
  const wanted = Buffer.alloc(16 * KIB);
  for (let round = 0; round < 50; round++) {
    wanted.set(pattern(8192, round), 512 * (round % 7));
    wanted.fill(0, 0, 512);
  }
  assert.deepEqual(await volume.read(0, 16 * KIB), wanted);
  await volume.close();
});

test('a journal that grows is written anew, and nothing is lost', { timeout: 60_000 }, async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'), { sizeBytes: 64 * CHUNK });
  let largest = 0;
  for (let round = 0; round < 12; round++) {
    // Records of a megabyte each, for the most part.
    await volume.keep('large', 'x'.repeat(900_000 + round));
    await volume.write(round * CHUNK, pattern(4096, round));
    await volume.flush();
    largest = Math.max(largest, statSync(join(directory, 'v', 'journal')).size);
  }
  await volume.flush();
  assert.ok(largest < 8_000_000, `${largest} bytes`);
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), { sizeBytes: 64 * CHUNK });
  for (let round = 0; round < 12; round++)
    assert.deepEqual(await copy.read(round * CHUNK, 4096), pattern(4096, round));
  assert.equal(copy.records.get('large'), 'x'.repeat(900_011));
  await copy.close();
  await volume.close();
});

test('a killed process: what it was told is flushed is there', { timeout: 120_000 }, async (t) => {
  const directory = directoryOf(t);
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [script('volume-killed.js'), directory, String(round)]);
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.split('\n').length > 10 + 5 * round) child.kill('SIGKILL');
    });
    await once(child, 'close');
    // Each line: what is flushed by then.
    const last =
      said
        .split('\n')
        .filter((line) => line.endsWith('.'))
        .at(-1) ?? '';
    const flushed = JSON.parse(last.slice(0, -1)) as readonly [number, readonly number[]][];
    const volume = await open(directory, { sizeBytes: 16 * CHUNK });
    for (const [offset, allowed] of flushed) {
      const read = await volume.read(offset, 4096);
      const seed = read.readUInt32BE(0);
      assert.ok(seed >= (allowed[0] ?? 0), `at ${offset}: ${seed}, and ${allowed[0]} was flushed`);
      assert.deepEqual(read, pattern(4096, seed));
    }
    assert.ok(flushed.length > 3);
    await volume.close();
  }
});

test('no space: the write fails, nothing before it is lost, and it goes on when there is some', (t) => {
  const directory = directoryOf(t);
  const program = `${process.execPath} ${script('volume-full.js')}`;
  const inside = `mount -t tmpfs -o size=2m none ${directory} && exec ${program} ${directory}`;
  const ran = spawnSync('unshare', ['-m', 'sh', '-c', inside], { encoding: 'utf8' });
  if (/unshare failed|Operation not permitted|permission denied/.test(ran.stderr)) {
    t.skip('no privilege to mount a small file system');
    return;
  }
  assert.equal(ran.status, 0, ran.stderr);
  assert.ok(!existsSync(join(directory, 'data')));
  const said = JSON.parse(ran.stdout) as { code: string; written: number; kept: number; after: string };
  assert.equal(said.code, 'ENOSPC');
  assert.ok(said.written >= 4, `${said.written} chunks had room`);
  assert.equal(said.kept, said.written);
  assert.equal(said.after, 'written');
});

test('a volume that is forgotten is a new one, also for who opens it again; its records stay', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(directory);
  await volume.write(0, pattern(2 * CHUNK, 1));
  await volume.keep('key', 'value');
  await volume.forget();
  assert.equal(volume.modified.size, 0);
  assert.deepEqual(await volume.read(0, CHUNK), Buffer.alloc(CHUNK));
  await volume.write(CHUNK + 512, pattern(512, 2));
  await volume.close();
  const second = await open(directory);
  assert.equal(second.modified.size, 1);
  assert.deepEqual(await second.read(CHUNK, 512), Buffer.alloc(512));
  assert.deepEqual(await second.read(CHUNK + 512, 512), pattern(512, 2));
  assert.equal(second.records.get('key'), 'value');
  await second.close();
});
