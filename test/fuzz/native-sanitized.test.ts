/** The addon's boundary under AddressSanitizer, for some seconds; `scripts/fuzz-native` runs it longer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import { run } from '../lab/shell.js';

const limitMs = 110_000;

function cannotRun(): string | false {
  if (process.getuid?.() !== 0) return 'needs root for a network namespace';
  const { stdout } = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  return existsSync(stdout?.trim() ?? '') ? false : 'AddressSanitizer is not installed';
}

test('nonsense at the addon’s boundary finds no bad access', { skip: cannotRun() }, async (t) => {
  const command = [`${projectRoot}scripts/fuzz-native`, '--seconds', '8'];
  const { status, stdout, stderr } = await run(command, { timeoutMs: limitMs });
  t.diagnostic(/seed \d+/.exec(stdout)?.[0] ?? 'no seed');
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /rounds, nothing found/);
});
