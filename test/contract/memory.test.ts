/** The addon's way to give memory back, with the process's real memory. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadNative } from '../../src/dataplane/native.js';
import { waitFor } from '../lab/wait.js';

/** Below malloc's own limit for memory that goes back at once. */
const PIECE_BYTES = 32 * 1024;
const PIECES = 2_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const residentFileKb = (): number =>
  Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);

test('what of the program was used only so far is not mapped any more, and comes back', () => {
  const native = loadNative();
  const before = residentFileKb();
  native.unmapPrograms();
  const after = residentFileKb();
  assert.ok(after < before - 10_000, `${before} kB, then ${after}`);
  assert.equal(createHash('sha256').update('abc').digest('hex').slice(0, 8), 'ba7816bf');
  assert.equal(new Intl.NumberFormat('de').format(1234.5), '1.234,5');
});

test('what malloc keeps of freed memory goes back', async () => {
  const native = loadNative();
  const pieces: (Uint8Array | undefined)[] = [];
  for (let n = 0; n < PIECES; n++) pieces.push(new Uint8Array(PIECE_BYTES).fill(1));
  // One in twenty stays: the heap cannot simply become shorter.
  for (let n = 0; n < PIECES; n++) if (n % 20 !== 0) pieces[n] = undefined;
  collect();
  // V8 frees them beside what the thread does.
  await waitFor(
    'the pieces are freed',
    () => process.memoryUsage().arrayBuffers < (PIECES * PIECE_BYTES) / 10,
  );
  const before = process.memoryUsage().rss;
  native.trimMemory();
  const given = before - process.memoryUsage().rss;
  assert.ok(given > (PIECES * PIECE_BYTES) / 2, `${given} bytes`);
  assert.equal(pieces.filter((piece) => piece?.[PIECE_BYTES - 1] === 1).length, PIECES / 20);
});
