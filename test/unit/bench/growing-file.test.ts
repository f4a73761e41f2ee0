import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { linesSince, placeIn } from '../../../bench/lib/growing-file.js';

test('of a line that was half written at the place nothing is read: its end would be taken for a line', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'growing-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'record');
  writeFileSync(path, '790001 1 2\n7900');
  const place = placeIn(path);
  assert.equal(linesSince(path, place), '');
  appendFileSync(path, '02 3 4\n790003 5 6\n7');
  assert.equal(linesSince(path, place), '790003 5 6\n7');
  assert.equal(linesSince(path, '790001 1 2\n'.length), '790002 3 4\n790003 5 6\n7');
  assert.equal(linesSince(path, 0), '790001 1 2\n790002 3 4\n790003 5 6\n7');
});
