/** Real-time precedence, with the real scheduler: in a process of its own, which it would otherwise take from the tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { loadNative } from '../../src/dataplane/native.js';

const SCHED_OTHER = 0;
const SCHED_RR = 2;

interface Said {
  readonly refused?: string;
  readonly [name: string]: unknown;
}

const head = `
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { loadNative } from '${new URL('../../src/dataplane/native.js', import.meta.url).pathname}';
const native = loadNative();
const said = {};
// Field 41 of proc_pid_stat(5); 39 fields behind the name.
const policyIn = (text) => Number(text.split(') ').pop().split(' ')[38]);
const policy = () => policyIn(readFileSync('/proc/self/task/' + process.pid + '/stat', 'latin1'));
const work = (until) => { const end = Date.now() + 20_000; while (!until() && Date.now() < end); };
`;

/** Longer than anything here takes, also on a processor that is slow for a moment. */
const NO_LIMIT_MS = 10_000;

/** What a process says that runs these lines after taking precedence, for so long at a time. */
function inProcess(lines: string, limitMs = NO_LIMIT_MS): { said: Said; signal: string | null } {
  const take = `try { native.takeRealTime(${limitMs}); } catch (error) { said.refused = error.message; }`;
  const program = `${head}\n${take}\nif (said.refused === undefined) { ${lines} }\nconsole.log(JSON.stringify(said));`;
  const { stdout, stderr, signal } = spawnSync('node', ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.ok(stdout !== '' || signal !== null, stderr);
  return { said: stdout === '' ? {} : (JSON.parse(stdout) as Said), signal };
}

const { said: probe } = inProcess('');
const skip = probe.refused ?? false;

test('it is had, left, and not handed on', { skip }, () => {
  const { said } = inProcess(`
    said.policy = policy();
    said.has = native.hasRealTime();
    said.child = policyIn(spawnSync('cat', ['/proc/self/stat'], { encoding: 'latin1' }).stdout);
    native.leaveRealTime();
    said.after = policy();
    said.hasAfter = native.hasRealTime();
    native.leaveRealTime();
  `);
  assert.deepEqual(said, {
    policy: SCHED_RR,
    has: true,
    child: SCHED_OTHER,
    after: SCHED_OTHER,
    hasAfter: false,
  });
});

test('the kernel ends it in the middle of work, each time', { skip }, () => {
  const { said } = inProcess(
    `
    const ended = () => { work(() => !native.hasRealTime()); return policy(); };
    said.first = ended();
    native.takeRealTime(${NO_LIMIT_MS});
    said.again = policy();
    native.takeRealTime(50);
    said.second = ended();
  `,
    50,
  );
  assert.deepEqual(said, { first: SCHED_OTHER, again: SCHED_RR, second: SCHED_OTHER });
});

test('a thread that waits in between keeps it', { skip }, () => {
  const { said } = inProcess(
    `
    const start = native.threadCpuMs();
    while (native.threadCpuMs() - start < 2000) {
      const turn = native.threadCpuMs();
      work(() => native.threadCpuMs() - turn >= 10);
      await new Promise((done) => setTimeout(done, 2));
    }
    said.policy = policy();
    native.leaveRealTime();
  `,
    1000,
  );
  assert.deepEqual(said, { policy: SCHED_RR });
});

test('the signal of another limit ends the process as ever', { skip }, () => {
  const { signal } = inProcess(`
    native.leaveRealTime();
    process.kill(process.pid, 'SIGXCPU');
    await new Promise((done) => setTimeout(done, 20_000));
  `);
  assert.equal(signal, 'SIGXCPU');
});

test('a senseless limit is refused', () => {
  const { said } = inProcess('');
  if (said.refused !== undefined) assert.match(String(said.refused), /^no real-time precedence: .+/);
  const native = loadNative();
  for (const limitMs of [0, 10_001]) assert.throws(() => native.takeRealTime(limitMs), RangeError);
  assert.throws(() => native.takeRealTime(1.5), TypeError);
  assert.equal(native.hasRealTime(), false);
});
