/** Tests that change the network run in a namespace of their own, which goes away with the process. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const INSIDE = 'VINE_CONTRACT_NAMESPACE';

/**
 * As root: one test, which runs this file once more in a network namespace of its own, with loopback up, where `inside`
 * defines the tests. Without root `outside` does.
 */
export function inNamespaceOfOwn(name: string, file: string, inside: () => void, outside: () => void): void {
  if (process.env[INSIDE] !== undefined) {
    ip('link', 'set', 'lo', 'up');
    inside();
  } else if (process.getuid?.() !== 0) {
    outside();
  } else {
    test(`${name} (in a namespace of its own)`, (context) => {
      const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
      const run = spawnSync(
        'unshare',
        ['--net', process.execPath, '--test', '--test-reporter=spec', fileURLToPath(file)],
        { env: { ...environment, [INSIDE]: '1' }, encoding: 'utf8' },
      );
      assert.equal(run.error, undefined);
      assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
      assert.match(run.stdout, /skipped 0\n/, run.stdout);
      context.diagnostic(/pass \d+/.exec(run.stdout)?.[0] ?? 'no count');
    });
  }
}

export function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
