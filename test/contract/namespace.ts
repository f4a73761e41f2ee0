/** Tests that change the network run in a namespace of their own, which goes away with the process. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const INSIDE = 'VINE_CONTRACT_NAMESPACE';
const CARRIER_LIMIT_MS = 30_000;

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

/**
 * The kernel lets an interface send only in work that it puts off after the other end has come up: until then what is
 * sent is dropped, and counted as sent.
 */
export function untilCarries(name: string): void {
  const deadline = performance.now() + CARRIER_LIMIT_MS;
  for (;;) {
    const line = execFileSync('ip', ['-o', 'link', 'show', name], { encoding: 'utf8' });
    if (/ state UP /.test(line) && !/ qdisc noop /.test(line)) return;
    if (performance.now() > deadline) throw new Error(`does not come up: ${line}`);
  }
}
