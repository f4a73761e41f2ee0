/** Volumes that were spoilt: what is damaged is named, what is no volume is refused. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHUNK, change, directoryOf, KIB, killed, open, pattern, StandingClock } from './volumes.js';

async function quiet(volume: { seal(): Promise<void> }, clock: StandingClock): Promise<void> {
  clock.now += 20_000;
  await volume.seal();
}

test('a chunk that is not what its checksum says is named, read by nobody, and whole again when it is written', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(directory, { clock });
  await volume.write(0, pattern(3 * CHUNK, 1));
  await quiet(volume, clock);
  await volume.close();
  const [spoilt, half] = [CHUNK + 1000, 2 * CHUNK + 70_000];
  change(join(directory, 'data'), (bytes) => bytes.fill(0, spoilt, spoilt + 1).fill(0, half, half + 1));
  const second = await open(directory, { clock });
  assert.equal(second.problem, null, 'nobody has looked yet');
  assert.deepEqual(await second.read(0, CHUNK), pattern(3 * CHUNK, 1).subarray(0, CHUNK));
  for (const offset of [CHUNK, CHUNK + 512, 2 * CHUNK - 512])
    await assert.rejects(second.read(offset, 512), /chunk 1 .*is damaged/);
  assert.match(second.problem ?? '', /damaged chunks \(256 KiB each\): 1$/);
  assert.equal(await second.verify(), 3);
  assert.match(second.problem ?? '', /: 1, 2$/);
  // A part that is written is valid; the rest of it is not.
  await second.write(CHUNK + 4096, pattern(512, 5));
  assert.deepEqual(await second.read(CHUNK + 4096, 512), pattern(512, 5));
  await assert.rejects(second.read(CHUNK, 512), /damaged/);
  await second.close();
  const third = await open(directory);
  assert.match(third.problem ?? '', /: 1$/);
  await assert.rejects(third.read(CHUNK, 512), /damaged/);
  assert.deepEqual(await third.read(CHUNK + 4096, 512), pattern(512, 5));
  await third.put(1, pattern(CHUNK, 6), { version: 2 ** 40, writes: 1 });
  await third.write(2 * CHUNK, pattern(CHUNK, 7));
  assert.equal(third.problem, null);
  assert.deepEqual(await third.read(CHUNK, 2 * CHUNK), Buffer.concat([pattern(CHUNK, 6), pattern(CHUNK, 7)]));
  await third.close();
});

test('a part of a spoilt chunk is not written before the chunk was compared', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(directory, { clock });
  await volume.write(0, pattern(CHUNK, 1));
  await quiet(volume, clock);
  await volume.close();
  change(join(directory, 'data'), (bytes) => bytes.fill(0, 1000, 1001));
  const second = await open(directory);
  await second.write(64 * KIB, pattern(512, 2));
  await assert.rejects(second.read(512, 1024), /damaged/);
  assert.deepEqual(await second.read(64 * KIB, 512), pattern(512, 2));
  await second.close();
});

test('a quiet chunk that is written to again is what was written, also after a crash in between', async (t) => {
  const directory = directoryOf(t);
  const clock = new StandingClock();
  const volume = await open(join(directory, 'v'), { clock });
  const wanted = pattern(4 * CHUNK, 1);
  await volume.write(0, wanted);
  await quiet(volume, clock);
  for (const offset of [0, CHUNK, 2 * CHUNK]) {
    await volume.write(offset, pattern(512, 2));
    wanted.set(pattern(512, 2), offset);
  }
  // The first was opened alone, the others ahead; chunk 3 was not written to.
  const copy = await open(killed(join(directory, 'v'), join(directory, 'copy')));
  assert.deepEqual(await copy.read(0, 4 * CHUNK), wanted);
  await copy.close();
  await quiet(volume, clock);
  await volume.close();
  const last = await open(join(directory, 'v'));
  assert.equal(await last.verify(), 4);
  assert.equal(last.problem, null);
  await last.close();
});

test('data that was cut off is lost, and said', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(directory);
  await volume.write(0, pattern(4 * CHUNK, 1));
  await volume.close();
  truncateSync(join(directory, 'data'), 2 * CHUNK + 4096);
  const second = await open(directory);
  assert.match(second.problem ?? '', /: 2, 3$/);
  assert.deepEqual(await second.read(0, 2 * CHUNK), pattern(4 * CHUNK, 1).subarray(0, 2 * CHUNK));
  await assert.rejects(second.read(2 * CHUNK, 512), /damaged/);
  await second.close();
});

test('what is no volume is refused, with what is wrong', async (t) => {
  const directory = directoryOf(t);
  await assert.rejects(open(directory, { sizeBytes: undefined }), /needs a size/);
  await assert.rejects(open(directory, { sizeBytes: 1000 }), /multiple of 512/);
  await assert.rejects(open(directory, { base: join(directory, 'none') }), /ENOENT/);
  const volume = await open(directory);
  await volume.write(0, pattern(512, 1));
  await assert.rejects(open(directory), /in use by another process/);
  await volume.close();
  const journal = join(directory, 'journal');
  const good = readFileSync(journal);
  for (const [edit, wanted] of [
    [() => Buffer.alloc(0), /cut off in its head/],
    [() => Buffer.from(good).fill(0, 0, 4), /no journal of a volume/],
    [() => Buffer.from(good).fill(9, 11, 12), /version 9, and only 1 is known/],
    [() => Buffer.from(good).fill(9, 23, 24), /its head is damaged/],
    [
      () => good.subarray(0, 1024),
      /1 of its frames were durable, and frame 1 \(at byte 1024\) is damaged or cut off/,
    ],
    [() => Buffer.from(good).fill(1, 1060, 1061), /frame 1 \(at byte 1024\) is damaged/],
  ] as const) {
    change(journal, edit);
    await assert.rejects(open(directory), wanted);
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('lock.')),
      [],
      'nothing is left open',
    );
  }
  change(journal, () => good);
  await (await open(directory)).close();
  change(journal, () => good);
  spawnSync('rm', [journal]);
  await assert.rejects(open(directory), /there is data, and no journal/);
});
