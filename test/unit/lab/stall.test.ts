import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../lab/shell.js';

const stall = new URL('../../lab/stall.js', import.meta.url).href;

/** Runs a program that is watched with a short limit. */
function watched(body: string): ReturnType<typeof run> {
  const program = `import { spawn, spawnSync } from 'node:child_process';
    import { watchMainThread } from '${stall}';
    process.once('SIGTERM', () => process.exit(0));
    watchMainThread(2_000);
    ${body}`;
  return run([process.execPath, '--input-type=module', '-e', program], { timeoutMs: 60_000 });
}

test('a process whose main thread stands still says what it and its children wait for, and ends', async () => {
  const { status, stderr } = await watched(`setTimeout(() => spawnSync('sleep', ['50']), 100);`);
  assert.equal(status, -1); // a signal
  assert.match(stderr, /the main thread has stood still for 2 s/);
  assert.match(stderr, /sleep 50\n {2}\d+ sleep: S/);
});

test('one that works, or has nothing more to do, is left in peace', async () => {
  const { status, stderr } = await watched(`setTimeout(() => undefined, 4_000);`);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});
