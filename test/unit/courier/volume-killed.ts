/** `volume-killed.js DIRECTORY SEED`: writes and flushes until it is killed; a line for each flush says what must be there from then on. */
import { openVolume } from '../../../src/courier/volume/files/opening.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { Random } from '../../fuzz/random.js';
import { CHUNK, pattern } from './volumes.js';

const [directory = '', seed = '0'] = process.argv.slice(2);
const random = new Random(1 + Number(seed));
const volume = await openVolume({ directory, sizeBytes: 16 * CHUNK, base: undefined, clock: systemClock });
const flushed = new Map<number, number>();
for (let number = Number(seed) * 1_000_000 + 1; ; ) {
  const written = new Map<number, number>();
  for (let count = random.below(20); count >= 0; count--) {
    const offset = random.below(16 * 64) * 4096;
    written.set(offset, number);
    await volume.write(offset, pattern(4096, number++));
  }
  await volume.flush();
  for (const [offset, newest] of written) flushed.set(offset, newest);
  process.stdout.write(`${JSON.stringify([...flushed].map(([offset, newest]) => [offset, [newest]]))}.\n`);
}
