/** Volumes whose disk fails, whose process dies, or whose journal is written anew, at the worst moment for each. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MOST_JOURNAL_BYTES, mayGrow } from '../../../src/courier/volume/files/journal.js';
import { FRAMES_AT } from '../../../src/courier/volume/files/layout.js';
import type { FileVolume } from '../../../src/courier/volume/files/volume.js';
import { pause } from '../../lab/wait.js';
import { beforeOpens, beforeSyncs, beforeWrites, failingSyncs } from './volume-disk.js';
import { CHUNK, change, directoryOf, framesOf, killed, open, pattern, StandingClock } from './volumes.js';

const SIZE = 8 * CHUNK;

async function quiet(volume: FileVolume, clock: StandingClock): Promise<void> {
  clock.now += 20_000;
  await volume.seal();
}

/** The next flush writes the journal anew. */
async function lengthen(volume: FileVolume): Promise<void> {
  for (let round = 0; round < 5; round++) await volume.keep('large', 'x'.repeat(900_000 + round));
}

/** Resolves when the journal was written anew. */
async function grow(volume: FileVolume): Promise<void> {
  await lengthen(volume);
  await volume.flush();
  // In its turn behind the new journal.
  await volume.flush();
}

test('a chunk opened ahead is written to after the journal was written anew: a killed process has it', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(join(directory, 'v'), { clock, sizeBytes: SIZE });
  await volume.write(0, pattern(SIZE, 1));
  await quiet(volume, clock);
  // The second opens those behind it.
  await volume.write(0, pattern(512, 2));
  await volume.write(CHUNK, pattern(512, 2));
  await grow(volume);
  const wanted = pattern(512, 3);
  await volume.write(3 * CHUNK, wanted);
  await volume.flush();
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), { sizeBytes: SIZE });
  assert.deepEqual(await copy.read(3 * CHUNK, 512), wanted);
  assert.equal(copy.problem, null);
  await copy.close();
  await volume.close();
});

test('a chunk is opened just before the journal is written anew: a killed process has what is written to it', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(join(directory, 'v'), { clock, sizeBytes: SIZE });
  await volume.write(0, pattern(SIZE, 1));
  await quiet(volume, clock);
  await lengthen(volume);
  const { version = 0 } = volume.modified.get(3) ?? {};
  const held: (() => void)[] = [];
  const letThrough = beforeSyncs(t, (sync) => held.push(sync));
  const flushed = volume.flush();
  while (held.length === 0) await pause(1);
  // That it is open is said in the old journal, and synced behind the flush: when the new one begins.
  const wanted = pattern(512, 3);
  const written = volume.write(3 * CHUNK, wanted);
  await pause(20);
  letThrough();
  for (const sync of held) sync();
  await Promise.all([flushed, written]);
  await volume.flush();
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), { sizeBytes: SIZE });
  assert.deepEqual(await copy.read(3 * CHUNK, 512), wanted);
  assert.ok((copy.modified.get(3)?.version ?? 0) > version);
  await copy.close();
  await volume.close();
});

for (const [what, touch] of [
  ['written to in part', (volume: FileVolume) => volume.write(CHUNK + 4096, pattern(512, 2))],
  ['written over', (volume: FileVolume) => volume.write(CHUNK, pattern(CHUNK, 2))],
  ['zeroed', (volume: FileVolume) => volume.zero(CHUNK, CHUNK)],
] as const)
  test(`a damaged chunk is ${what}, and the machine loses its power: what was damaged is not read`, async (t) => {
    const directory = directoryOf(t);
    const clock = new StandingClock();
    const place = { clock, sizeBytes: SIZE, boot: '11'.repeat(16) };
    const volume = await open(join(directory, 'v'), place);
    await volume.write(0, pattern(SIZE, 1));
    await quiet(volume, clock);
    await volume.close();
    const path = join(directory, 'v', 'data');
    change(path, (bytes) => bytes.fill(0, CHUNK + 1000, CHUNK + 1001));
    const second = await open(join(directory, 'v'), place);
    assert.equal(await second.verify(), 8);
    assert.match(second.problem ?? '', /: 1$/);
    const data = readFileSync(path);
    await touch(second);
    const lost = killed(join(directory, 'v'), join(directory, 'lost'));
    // Nothing of what was written was flushed.
    writeFileSync(join(lost, 'data'), data);
    const third = await open(lost, { ...place, boot: '22'.repeat(16) });
    await assert.rejects(third.read(CHUNK, 1024), /chunk 1 .*is damaged/);
    assert.match(third.problem ?? '', /: 1$/);
    await third.close();
    await second.close();
  });

test('whoever writes from the beginning on opens no chunk ahead that was not compared, or is damaged', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(join(directory, 'v'), { clock, sizeBytes: SIZE });
  await volume.write(0, pattern(SIZE, 1));
  await quiet(volume, clock);
  await volume.close();
  for (const chunk of [3, 6])
    change(join(directory, 'v', 'data'), (bytes) =>
      bytes.fill(0, chunk * CHUNK + 1000, chunk * CHUNK + 1001),
    );
  const second = await open(join(directory, 'v'), { clock, sizeBytes: SIZE });
  for (const chunk of [0, 1, 2, 4, 5, 6]) await second.read(chunk * CHUNK, 512).catch(() => undefined);
  for (const chunk of [0, 1, 4, 5]) await second.write(chunk * CHUNK, pattern(512, 2));
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), { sizeBytes: SIZE });
  for (const chunk of [3, 6]) await assert.rejects(copy.read(chunk * CHUNK, 512), /is damaged/);
  assert.match(copy.problem ?? '', /: 3, 6$/);
  await copy.close();
  await second.close();
});

for (const [what, fail] of [
  ['a record is kept', (volume: FileVolume) => volume.keep('key', 1)],
  ['a chunk is opened', (volume: FileVolume) => volume.write(0, pattern(512, 2))],
  ['chunks are awaited', (volume: FileVolume) => volume.await(new Map([[5, { version: 1, writes: 1 }]]))],
] as const)
  test(`the journal cannot be synced when ${what}: nothing is flushed or written any more`, async (t) => {
    const clock = new StandingClock();
    const volume = await open(directoryOf(t), { clock, sizeBytes: SIZE });
    await volume.write(0, pattern(CHUNK, 1));
    await quiet(volume, clock);
    failingSyncs(t);
    await assert.rejects(fail(volume), /EIO/);
    assert.match(volume.problem ?? '', /EIO/);
    await assert.rejects(volume.flush(), /EIO/);
    await assert.rejects(volume.write(CHUNK, pattern(512, 3)), /EIO/);
    await assert.rejects(volume.keep('key', 2), /EIO/);
    await assert.rejects(volume.forget(), /EIO/);
    await assert.rejects(volume.close(), /EIO/);
  });

test('a new journal whose name may not be durable: the volume says so, and the old one takes nothing more', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'v');
  const volume = await open(path, { sizeBytes: SIZE });
  await lengthen(volume);
  const letThrough = beforeOpens(t, async (what, opens) => {
    const handle = await opens();
    if (what === path)
      t.mock.method(handle, 'sync', async () => {
        throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
      });
    return handle;
  });
  await volume.flush();
  await assert.rejects(volume.flush(), /EIO/);
  assert.match(volume.problem ?? '', /EIO/);
  await assert.rejects(volume.write(0, pattern(512, 1)), /EIO/);
  letThrough();
  await assert.rejects(volume.close(), /EIO/);
  const second = await open(path, { sizeBytes: SIZE });
  assert.equal(second.records.get('large'), 'x'.repeat(900_004));
  assert.equal(second.problem, null);
  await second.close();
});

test('no descriptor for the directory: the journal that is there stays, and is written anew when there is one', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'v');
  const volume = await open(path, { sizeBytes: SIZE });
  await lengthen(volume);
  const letThrough = beforeOpens(t, async (what, opens) => {
    if (what === path) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    return opens();
  });
  await volume.flush();
  await volume.write(0, pattern(512, 1));
  await volume.keep('key', 1);
  const copy = await open(killed(path, join(directory, 'copy')), { sizeBytes: SIZE });
  assert.equal(copy.records.get('key'), 1);
  assert.deepEqual(await copy.read(0, 512), pattern(512, 1));
  letThrough();
  await copy.close();
  await volume.flush();
  await volume.flush();
  assert.ok(statSync(join(path, 'journal')).size < 2_000_000);
  await volume.close();
});

test('the old journal cannot be closed: what comes then is flushed as ever', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'v');
  let closes = 0;
  const letThrough = beforeOpens(t, async (what, opens) => {
    const handle = await opens();
    const close = handle.close.bind(handle);
    if (what === join(path, 'journal.new'))
      handle.close = async () => {
        await close();
        if (++closes === 1) throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' });
      };
    return handle;
  });
  const volume = await open(path, { sizeBytes: SIZE });
  for (let round = 0; round < 50; round++) await volume.keep('key', round);
  await lengthen(volume);
  await volume.flush();
  while (closes === 0) await pause(5);
  letThrough();
  await volume.write(0, pattern(512, 1));
  await volume.flush();
  const lost = killed(path, join(directory, 'lost'));
  const second = await open(lost, { sizeBytes: SIZE, boot: '22'.repeat(16) });
  assert.deepEqual(await second.read(0, 512), pattern(512, 1));
  await second.close();
  await volume.close();
});

test('a volume is closed when what is under way has ended, and takes nothing more', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(directory, { sizeBytes: SIZE });
  const chunk = pattern(CHUNK, 1);
  const wanted = Buffer.alloc(SIZE);
  await volume.await(new Map([[2, { version: 1, writes: 1 }]]));
  for (let at = 0; at < CHUNK; at += 1024) await volume.write(2 * CHUNK + at, pattern(512, 3));
  // One that takes longer than all the rest of closing.
  const held: (() => void)[] = [];
  const letThrough = beforeWrites(t, (position, write) => {
    if (position === CHUNK) held.push(write);
    else write();
  });
  const work: Promise<unknown>[] = [volume.put(2, chunk, { version: 2, writes: 2 })];
  wanted.set(chunk, 2 * CHUNK);
  for (let at = 0; at < CHUNK; at += 1024) wanted.set(pattern(512, 3), 2 * CHUNK + at);
  work.push(
    volume.write(CHUNK, pattern(512, 4)),
    volume.keep('key', 1),
    volume.read(0, SIZE).catch(() => undefined),
  );
  wanted.set(pattern(512, 4), CHUNK);
  const closed = volume.close();
  for (const refused of [
    () => volume.write(0, pattern(512, 1)),
    () => volume.zero(0, CHUNK),
    () => volume.put(0, chunk, { version: 2, writes: 2 }),
    () => volume.await(new Map([[1, { version: 1, writes: 1 }]])),
    () => volume.keep('key', 2),
    () => volume.forget(),
    () => volume.read(0, 512),
  ])
    await assert.rejects(async () => refused(), /closed/);
  const isClosed = await Promise.race([closed.then(() => true), pause(100).then(() => false)]);
  assert.deepEqual([isClosed, held.length], [false, 1]);
  letThrough();
  for (const go of held) go();
  await Promise.all([...work, closed]);
  const second = await open(directory, { sizeBytes: SIZE });
  assert.deepEqual(await second.read(0, SIZE), wanted);
  assert.equal(second.records.get('key'), 1);
  await second.close();
});

for (const what of ['data', 'journal.new'])
  test(`a new volume whose first start fails at its ${what} starts the next time`, async (t) => {
    const directory = directoryOf(t);
    const letThrough = beforeOpens(t, async (path, opens) => {
      const handle = await opens();
      if (path === join(directory, what))
        t.mock.method(handle, 'sync', async () => {
          throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' });
        });
      return handle;
    });
    await assert.rejects(open(directory, { sizeBytes: SIZE }), /ENOSPC/);
    letThrough();
    const volume = await open(directory, { sizeBytes: SIZE });
    assert.equal(volume.problem, null);
    assert.deepEqual(await volume.read(0, SIZE), Buffer.alloc(SIZE));
    await volume.write(0, pattern(512, 1));
    await volume.close();
  });

test('60,000 chunks are awaited: no frame of the journal is too long for whoever reads it', async (t) => {
  const directory = directoryOf(t);
  const count = 60_000;
  const place = { sizeBytes: count * CHUNK };
  const volume = await open(join(directory, 'v'), place);
  await volume.await(
    new Map(Array.from({ length: count }, (_, chunk) => [chunk, { version: 5, writes: 1 }])),
  );
  const journal = readFileSync(join(directory, 'v', 'journal'));
  const { ends } = framesOf(journal);
  const lengths = ends.map((end, index) => end - (ends[index - 1] ?? FRAMES_AT));
  assert.ok(Math.max(...lengths) < 1_060_000, `frames of ${lengths.join(', ')} bytes`);
  // Nothing is in the data, which is long.
  mkdirSync(join(directory, 'copy'));
  writeFileSync(join(directory, 'copy', 'journal'), journal);
  const second = await open(join(directory, 'copy'), place);
  assert.equal([...second.modified.values()].filter(({ isAwaited }) => isAwaited).length, count);
  await second.close();
  await volume.close();
});

test('nobody flushes: the journal is written anew with the digests, and nothing is lost', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'), { sizeBytes: SIZE });
  await volume.write(CHUNK, pattern(512, 1));
  await lengthen(volume);
  await volume.seal();
  assert.ok(statSync(join(directory, 'v', 'journal')).size < 1_000_000);
  await volume.write(0, pattern(512, 2));
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), { sizeBytes: SIZE });
  assert.deepEqual(await copy.read(CHUNK, 512), pattern(512, 1));
  assert.deepEqual(await copy.read(0, 512), pattern(512, 2));
  assert.equal(copy.records.get('large'), 'x'.repeat(900_004));
  await copy.close();
  await volume.close();
});

test('a journal may grow by what it began with, and never so far that nobody reads it', () => {
  const mib = 1024 * 1024;
  const grown = [0, 1, 100, 540, 1400].map((first) => mayGrow(first * mib) / mib);
  assert.deepEqual(grown, [4, 4, 300, 512, 512]);
  assert.ok(1400 + mayGrow(1400 * mib) / mib < MOST_JOURNAL_BYTES / mib);
});

for (const [which, sync] of [
  ['data', (volume: FileVolume) => volume.flush()],
  ['journal', (volume: FileVolume) => volume.keep('key', 1)],
] as const)
  test(`the ${which} cannot be synced: whoever starts anew believes what was flushed, though the machine runs on`, async (t) => {
    const directory = directoryOf(t);
    const place = { sizeBytes: SIZE, boot: '11'.repeat(16) };
    const volume = await open(join(directory, 'v'), place);
    await volume.write(0, pattern(512, 1));
    await volume.flush();
    await volume.write(CHUNK, pattern(CHUNK, 2));
    failingSyncs(t);
    await assert.rejects(sync(volume), /EIO/);
    assert.match(volume.problem ?? '', /EIO/);
    const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')), place);
    assert.equal(copy.problem, null);
    assert.deepEqual(await copy.read(0, 512), pattern(512, 1));
    // Nobody knows whether the disk has it.
    assert.deepEqual(await copy.read(CHUNK, CHUNK), Buffer.alloc(CHUNK));
    await copy.close();
    await assert.rejects(volume.close(), /EIO/);
    const second = await open(join(directory, 'v'), place);
    assert.equal(second.problem, null);
    assert.deepEqual(await second.read(CHUNK, CHUNK), Buffer.alloc(CHUNK));
    await second.close();
  });
