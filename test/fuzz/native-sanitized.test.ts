/** The addon's boundary under AddressSanitizer, for some seconds; `scripts/fuzz-native` runs it longer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import { run } from '../lab/shell.js';
import { NATIVE_TARGETS } from './native/targets.js';

const limitMs = 110_000;

function cannotRun(): string | false {
  if (process.getuid?.() !== 0) return 'needs root for a network namespace';
  const { stdout } = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  return existsSync(stdout?.trim() ?? '') ? false : 'AddressSanitizer is not installed';
}

/** Seconds for each; `scripts/test fuzz --minutes N` takes longer. */
const SECONDS: Readonly<Record<string, number>> = { addon: 8 };

for (const target of NATIVE_TARGETS)
  test(`${target}: nonsense at the addon’s boundary finds nothing`, { skip: cannotRun() }, async (t) => {
    const limit = ['--seconds', String(SECONDS[target] ?? 3)];
    const command = [`${projectRoot}scripts/fuzz-native`, '--target', target, ...limit];
    const { status, stdout, stderr } = await run(command, { timeoutMs: limitMs });
    t.diagnostic(/seed \d+/.exec(stdout)?.[0] ?? 'no seed');
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /rounds, nothing found/);
  });
