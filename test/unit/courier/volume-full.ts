/** `volume-full.js DIRECTORY`: a volume in a file system that is too small for it; prints what became of it. */
import { openVolume } from '../../../src/courier/volume/files/opening.js';
import { codeOf } from '../../../src/net/system-error.js';
import { CHUNK, pattern, StandingClock } from './volumes.js';

const directory = process.argv[2] ?? '';
const place = { directory, sizeBytes: 100 * CHUNK, base: undefined, clock: new StandingClock() };
const volume = await openVolume(place);
let [written, code] = [0, ''];
while (code === '' && written < 100) {
  try {
    await volume.write(written * CHUNK, pattern(CHUNK, written));
    written++;
  } catch (error) {
    code = codeOf(error) ?? String(error);
  }
}
// Nothing more can be taken, and what was is kept: also by the next one that opens it.
const journaled = await volume.keep('note', 'x'.repeat(400_000)).then(
  () => 'kept',
  (error: unknown) => codeOf(error) ?? String(error),
);
if (journaled !== 'kept' && journaled !== 'ENOSPC') throw new Error(journaled);
await volume.flush();
let kept = 0;
for (let index = 0; index < written; index++)
  if ((await volume.read(index * CHUNK, CHUNK)).equals(pattern(CHUNK, index))) kept++;
// What is written over has its place.
await volume.write(0, pattern(CHUNK, 50));
await volume.flush();
const isThere = (await volume.read(0, CHUNK)).equals(pattern(CHUNK, 50));
process.stdout.write(JSON.stringify({ code, written, kept, after: isThere ? 'written' : 'lost' }));
process.exit(0);
