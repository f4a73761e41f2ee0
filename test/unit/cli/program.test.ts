/** bin/vinectl as a process: what only a process can show. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FakeRouter } from '../control/fake-router.js';
import { startFixture, temporaryDirectory, until } from '../control/fixture.js';
import { runProgram, spawnVinectl } from './harness.js';

const CHECKOUT = fileURLToPath(new URL('../../../../', import.meta.url));

test('exit status 0, 1, 2, 3', async (t) => {
  const { socket } = await startFixture(t);
  const status = async (...argv: string[]): Promise<number | null> =>
    (await runProgram(argv, { socket })).status;
  assert.equal(await status('status'), 0);
  assert.equal(await status('move', '192.0.2.1'), 1);
  assert.equal(await status('fly'), 2);
  assert.equal(await status('status', '--socket', '/nonexistent/control.sock'), 3);
});

test('it reads standard input and answers on standard output', async () => {
  const privateKey = await runProgram(['genkey']);
  const publicKey = await runProgram(['pubkey'], { stdin: privateKey.out });
  assert.deepEqual([publicKey.status, publicKey.err], [0, '']);
  assert.match(publicKey.out, /^[A-Za-z0-9+/]{43}=\n$/);
});

test('genkey warns of a file that others may read, not of one that they may not', async (t) => {
  const directory = await temporaryDirectory(t);
  const run = promisify(execFile);
  const vinectl = join(CHECKOUT, 'bin/vinectl');
  const open = await run('sh', ['-c', `umask 022; ${vinectl} genkey > ${directory}/open`]);
  assert.match(open.stderr, /chmod 600/);
  const closed = await run('sh', ['-c', `umask 077; ${vinectl} genkey > ${directory}/closed`]);
  assert.equal(closed.stderr, '');
  assert.equal(statSync(join(directory, 'closed')).size, 45);
});

test('a reader that has seen enough is no error', async (t) => {
  const { socket, router } = await startFixture(t);
  const [record] = new FakeRouter().directory();
  assert.ok(record);
  router.records = new Array(50_000).fill(record);
  const child = spawnVinectl(['directory'], socket);
  let err = '';
  child.stderr.on('data', (part) => {
    err += part;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [status, signal] = await once(child, 'close');
  assert.deepEqual([status, signal, err], [0, null, '']);
});

test('all of a large answer comes through a pipe', async (t) => {
  const { socket, router } = await startFixture(t);
  const [record] = new FakeRouter().directory();
  assert.ok(record);
  router.records = new Array(20_000).fill(record);
  const { status, out } = await runProgram(['directory', '--json'], { socket });
  assert.equal(status, 0);
  assert.equal(JSON.parse(out).length, 20_000);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`events --follow ends on ${signal} with 0`, async (t) => {
    const { socket, router } = await startFixture(t);
    const child = spawnVinectl(['events', '--follow'], socket);
    let out = '';
    let err = '';
    child.stdout.on('data', (part) => {
      out += part;
    });
    child.stderr.on('data', (part) => {
      err += part;
    });
    const emitting = setInterval(() => router.emit({ at: '2026-03-01T11:59:59.000Z', event: 'peer_up' }), 5);
    await until(() => out.includes('peer_up'));
    clearInterval(emitting);
    child.kill(signal);
    const [status, killedBy] = await once(child, 'close');
    assert.deepEqual([status, killedBy, err], [0, null, '']);
  });
}

test('events --follow ends with 3 when the router is killed', async (t) => {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'control.sock');
  const script = join(directory, 'router.mjs');
  const dist = join(CHECKOUT, 'dist');
  writeFileSync(
    script,
    `import { startControlServer } from '${dist}/src/control/server.js';
import { FakeRouter } from '${dist}/test/unit/control/fake-router.js';
const router = new FakeRouter();
await startControlServer({ socket: '${socket}', group: 'root', view: router, actions: router, events: router, onFault: console.error });
setInterval(() => router.emit({ at: '2026-03-01T11:59:59.000Z', event: 'peer_up' }), 5);
console.log('up');
`,
  );
  const server = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
  const child = spawnVinectl(['events', '--follow'], socket);
  let err = '';
  child.stderr.on('data', (part) => {
    err += part;
  });
  await once(child.stdout, 'data');
  server.kill('SIGKILL');
  const [status] = await once(child, 'close');
  assert.deepEqual([status, err], [3, `vinectl: the router on ${socket} has stopped\n`]);
});

test('it runs through a symbolic link, from anywhere', async (t) => {
  const directory = await temporaryDirectory(t);
  const link = join(directory, 'vinectl');
  symlinkSync(join(CHECKOUT, 'bin/vinectl'), link);
  const { stdout } = await promisify(execFile)(link, ['--version'], { cwd: '/' });
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('a checkout that is not built says what to do', async (t) => {
  const directory = await temporaryDirectory(t);
  mkdirSync(join(directory, 'bin'));
  copyFileSync(join(CHECKOUT, 'package.json'), join(directory, 'package.json'));
  copyFileSync(join(CHECKOUT, 'bin/vinectl'), join(directory, 'bin/vinectl'));
  await assert.rejects(promisify(execFile)(join(directory, 'bin/vinectl'), ['status']), {
    code: 1,
    stderr: 'vinectl: not built yet: run ./scripts/setup in the checkout\n',
  });
});
