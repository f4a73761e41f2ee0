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
const self = process.pid;
const policy = (thread = self) => policyIn(readFileSync('/proc/self/task/' + thread + '/stat', 'latin1'));
const work = (until) => { const end = Date.now() + 20_000; while (!until() && Date.now() < end); };
`;

/** Longer than anything here takes, also on a processor that is slow for a moment. */
const NO_LIMIT_MS = 10_000;

/** What a process says that runs these lines after taking precedence, for so long at a time. */
function inProcess(lines: string, limitMs = NO_LIMIT_MS): { said: Said; signal: string | null } {
  const take = `try { native.takeRealTime(self, ${limitMs}); } catch (error) { said.refused = error.message; }`;
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
    said.has = native.hasRealTime(self);
    said.child = policyIn(spawnSync('cat', ['/proc/self/stat'], { encoding: 'latin1' }).stdout);
    native.leaveRealTime(self);
    said.after = policy();
    said.hasAfter = native.hasRealTime(self);
    native.leaveRealTime(self);
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
    const ended = () => { work(() => !native.hasRealTime(self)); return policy(); };
    said.first = ended();
    native.takeRealTime(self, ${NO_LIMIT_MS});
    said.again = policy();
    native.takeRealTime(self, 50);
    said.second = ended();
  `,
    50,
  );
  assert.deepEqual(said, { first: SCHED_OTHER, again: SCHED_RR, second: SCHED_OTHER });
});

test('a thread that waits in between keeps it', { skip }, () => {
  const { said } = inProcess(
    `
    const usedMs = () => process.cpuUsage().user / 1000;
    const start = usedMs();
    while (usedMs() - start < 2000) {
      const turn = usedMs();
      work(() => usedMs() - turn >= 10);
      await new Promise((done) => setTimeout(done, 2));
    }
    said.policy = policy();
    native.leaveRealTime(self);
  `,
    1000,
  );
  assert.deepEqual(said, { policy: SCHED_RR });
});

test('the signal of another limit ends the process as ever', { skip }, () => {
  const { signal } = inProcess(`
    native.leaveRealTime(self);
    const end = Date.now() + 20_000;
    while (Date.now() < end) {
      process.kill(process.pid, 'SIGXCPU');
      await new Promise((done) => setTimeout(done, 100));
    }
  `);
  assert.equal(signal, 'SIGXCPU');
});

test('a signal that comes just after precedence was left does not', { skip }, () => {
  const { said, signal } = inProcess(`
    native.leaveRealTime(self);
    process.kill(process.pid, 'SIGXCPU');
    await new Promise((done) => setTimeout(done, 100));
    said.lives = true;
  `);
  assert.deepEqual([said, signal], [{ lives: true }, null]);
});

test('another thread has its own, which ends when that thread works', { skip }, () => {
  const { said } = inProcess(`
    const { Worker } = await import('node:worker_threads');
    const { readlinkSync } = await import('node:fs');
    const worker = new Worker(\`
      import { parentPort } from 'node:worker_threads';
      import { readlinkSync } from 'node:fs';
      parentPort.postMessage(Number(readlinkSync('/proc/thread-self').split('/').pop()));
      parentPort.on('message', (ms) => {
        if (ms === 0) process.exit();
        for (const end = Date.now() + ms; Date.now() < end; );
        parentPort.postMessage('done');
      });
    \`, { eval: true });
    const heard = () => new Promise((done) => worker.once('message', done));
    const other = await heard();
    native.takeRealTime(other, 50);
    said.taken = [policy(), policy(other), native.hasRealTime(other)];
    worker.postMessage(2000);
    await heard();
    said.ended = [policy(), policy(other), native.hasRealTime(self), native.hasRealTime(other)];
    native.takeRealTime(other, ${NO_LIMIT_MS});
    said.again = policy(other);
    native.leaveRealTime(other);
    said.left = [policy(), policy(other)];
    native.leaveRealTime(self);
    worker.postMessage(0);
    await new Promise((done) => worker.once('exit', done));
    try { native.takeRealTime(other, 50); } catch (error) { said.gone = error.message; }
    try { native.takeRealTime(1, 50); } catch (error) { said.foreign = error.message; }
  `);
  const { gone, foreign, ...policies } = said;
  assert.deepEqual(policies, {
    taken: [SCHED_RR, SCHED_RR, true],
    ended: [SCHED_RR, SCHED_OTHER, true, false],
    again: SCHED_RR,
    left: [SCHED_RR, SCHED_OTHER],
  });
  for (const reason of [gone, foreign])
    assert.match(String(reason), /^no such thread of this process: .*ESRCH/);
});

test('twenty threads may have it at a time', { skip }, () => {
  const { said } = inProcess(`
    const { readdirSync } = await import('node:fs');
    const { Worker } = await import('node:worker_threads');
    const idle = Array.from({ length: 20 }, () => new Worker('setInterval(() => {}, 1e6)', { eval: true }));
    await Promise.all(idle.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
    const others = readdirSync('/proc/self/task').map(Number).filter((thread) => thread !== self);
    said.turnedAway = 0;
    for (let n = 0; n < 3; n++) {
      for (const thread of others) {
        try { native.takeRealTime(thread, ${NO_LIMIT_MS}); } catch (error) { said.turnedAway++; said.why = error.message; }
      }
    }
    said.had = others.filter((thread) => native.hasRealTime(thread)).length + 1;
    said.others = others.length;
    for (const thread of [self, ...others]) native.leaveRealTime(thread);
    said.left = others.filter((thread) => native.hasRealTime(thread)).length;
    await Promise.all(idle.map((worker) => worker.terminate()));
  `);
  assert.ok(Number(said.others) > 19, 'Node has started too few threads to tell');
  assert.equal(said.had, 20);
  assert.equal(said.turnedAway, 3 * (Number(said.others) - 19));
  assert.match(String(said.why), /^too many threads .*EBUSY/);
  assert.equal(said.left, 0);
});

test('a senseless limit is refused', () => {
  const { said } = inProcess('');
  if (said.refused !== undefined) assert.match(String(said.refused), /^no real-time precedence: .+/);
  const native = loadNative();
  for (const limitMs of [0, 10_001])
    assert.throws(() => native.takeRealTime(process.pid, limitMs), RangeError);
  assert.throws(() => native.takeRealTime(process.pid, 1.5), TypeError);
  for (const thread of [0, -1]) assert.throws(() => native.takeRealTime(thread, 25), RangeError);
  assert.equal(native.hasRealTime(process.pid), false);
});
