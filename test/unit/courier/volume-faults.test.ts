/** Volumes whose disk fails, whose process dies, or whose journal is written anew, at the worst moment for each. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FileVolume } from '../../../src/courier/volume/files/volume.js';
import { CHUNK, directoryOf, killed, open, pattern, StandingClock } from './volumes.js';

const SIZE = 8 * CHUNK;

async function quiet(volume: FileVolume, clock: StandingClock): Promise<void> {
  clock.now += 20_000;
  await volume.seal();
}

/** The next flush writes the journal anew; resolves when it has. */
async function grow(volume: FileVolume): Promise<void> {
  for (let round = 0; round < 5; round++) await volume.keep('large', 'x'.repeat(900_000 + round));
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
