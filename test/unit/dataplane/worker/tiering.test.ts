import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const compiled = new URL('../../../../src/dataplane/worker/tiering.js', import.meta.url).href;

test('no flag is set that this V8 has not: it would say so in the log', () => {
  const program = `const { compileLater, compileSoon } = await import('${compiled}'); compileLater(); compileSoon();`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});
