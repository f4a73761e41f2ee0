/**
 * The native addon keeps the contract. As root the suite runs in a network namespace of its own, which goes away with
 * the process; without root it runs here, and what needs packet sockets is skipped.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadNative } from '../../src/dataplane/native.js';
import { nativeWorld } from './native-world.js';
import { contractSuite } from './suite.js';

const INSIDE = 'VINE_CONTRACT_NAMESPACE';

if (process.env[INSIDE] !== undefined) {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  // The kernel's own neighbour discovery would mix with the frames that the tests look at; ::1 stays.
  writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  contractSuite('native', nativeWorld(loadNative(), undefined));
} else if (process.getuid?.() === 0) {
  test('the native addon keeps the contract (in a namespace of its own)', (context) => {
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const run = spawnSync(
      'unshare',
      ['--net', process.execPath, '--test', '--test-reporter=spec', fileURLToPath(import.meta.url)],
      { env: { ...environment, [INSIDE]: '1' }, encoding: 'utf8' },
    );
    assert.equal(run.error, undefined);
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
    assert.match(run.stdout, /skipped 0\n/, run.stdout);
    context.diagnostic(/pass \d+/.exec(run.stdout)?.[0] ?? 'no count');
  });
} else {
  contractSuite('native', nativeWorld(loadNative(), 'packet sockets and namespaces need root'));
}
