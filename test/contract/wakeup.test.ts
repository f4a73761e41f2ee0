/** The addon's watch of wake-ups, with real threads: who wakes whom, and how it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadNative } from '../../src/dataplane/native.js';
import { createPuntRing, PuntReader } from '../../src/dataplane/punt/punt-ring.js';
import { waitFor } from '../lab/wait.js';

const addon = loadNative();
const moduleOf = (name: string): string =>
  JSON.stringify(new URL(`../../src/${name}.js`, import.meta.url).href);
const nativeModule = moduleOf('dataplane/native');

test('another thread fills a ring and wakes: all comes, in order, and nothing waits for the next', async () => {
  const [count, bytes] = [20_000, 1 << 16];
  const ring = createPuntRing(bytes);
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const fd = addon.createWakeup();
  const reader = new PuntReader(ring);
  const sessions: number[] = [];
  const watch = addon.watchWakeup(fd, () => {
    Atomics.store(bell, 0, 0);
    for (let punts = reader.take(64); punts.length > 0; punts = reader.take(64))
      for (const punt of punts) if (punt.type === 'sessionConfirmed') sessions.push(punt.session);
  });
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads');
    Promise.all([import(${nativeModule}), import(${moduleOf('dataplane/punt/punt-port')})]).then(([native, punt]) => {
      const addon = native.loadNative();
      const port = new punt.PuntPort(workerData.ring, workerData.bell, () => addon.wake(workerData.fd));
      for (let session = 0; session < ${count}; ) {
        if (port.add({ type: 'sessionConfirmed', peer: session % 7, session })) session++;
        if (session % 5 === 0) port.flush();
      }
      port.flush();
    });`,
    { eval: true, workerData: { ring, bell, fd } },
  );
  await once(worker, 'exit');
  await waitFor('all of them', () => sessions.length === count);
  assert.deepEqual(
    sessions,
    Array.from({ length: count }, (_, session) => session),
  );
  watch.close();
  addon.closeSocket(fd);
});

test('a thread may end with a watch open, and its wake-up be used afterwards', async () => {
  const fd = addon.createWakeup();
  for (const end of ['', 'process.exit(0);', 'watch.close(); process.exit(0);']) {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
      import(${nativeModule}).then(({ loadNative }) => {
        const watch = loadNative().watchWakeup(${fd}, () => parentPort.postMessage('woken'));
        parentPort.postMessage('open');
        parentPort.on('message', () => { ${end} });
      });`,
      { eval: true },
    );
    assert.deepEqual(await once(worker, 'message'), ['open']);
    addon.wake(fd);
    assert.deepEqual(await once(worker, 'message'), ['woken']);
    if (end === '') await worker.terminate();
    else {
      worker.postMessage('end');
      assert.deepEqual(await once(worker, 'exit'), [0]);
    }
    addon.wake(fd);
    let calls = 0;
    const watch = addon.watchWakeup(fd, () => calls++);
    await waitFor('what nobody else takes', () => calls === 1);
    watch.close();
  }
  addon.closeSocket(fd);
});

test('an open one keeps the process and its listener, a closed one nothing', () => {
  const open = inProcess(`
    const fd = native.createWakeup();
    (() => { native.watchWakeup(fd, () => { console.log('woken'); process.exit(3); }); })();
    globalThis.gc();
    setTimeout(() => { globalThis.gc(); native.wake(fd); }, 50).unref();`);
  assert.deepEqual([open.stdout, open.status], ['woken\n', 3], open.stderr);
  const closed = inProcess(`
    native.watchWakeup(native.createWakeup(), () => {}).close();
    globalThis.gc();
    setImmediate(() => globalThis.gc());`);
  assert.deepEqual([closed.status, closed.signal], [0, null], closed.stderr);
});

test('what follows from a call is done before the loop waits again', () => {
  const { stdout, stderr } = inProcess(`
    const fd = native.createWakeup();
    const watch = native.watchWakeup(fd, () => {
      Promise.resolve().then(() => console.log('promise'));
      process.nextTick(() => console.log('tick'));
      watch.close();
    });
    native.wake(fd);`);
  assert.equal(stdout, 'tick\npromise\n', stderr);
});

test('an exception of the listener is nobody’s to swallow, and other objects are no watches', () => {
  const { stdout, status } = inProcess(`
    process.on('uncaughtException', (error) => { console.log(error.message); process.exit(7); });
    const fd = native.createWakeup();
    const watch = native.watchWakeup(fd, () => { throw new Error('not now'); });
    try { watch.close.call({}); } catch (error) { console.log(error.message); }
    native.wake(fd);`);
  assert.deepEqual([stdout, status], ['not a watch of a wake-up\nnot now\n', 7]);
});

function inProcess(lines: string) {
  const program = `import { loadNative } from ${nativeModule};\nconst native = loadNative();\n${lines}`;
  return spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 10_000,
  });
}
