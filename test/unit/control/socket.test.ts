import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ControlSocketError, startControlServer } from '../../../src/control/server.js';
import { FakeRouter } from './fake-router.js';
import { call, facesOf, startFixture, temporaryDirectory } from './fixture.js';

const onFault = (call: string, fault: unknown): never => assert.fail(`${call}: ${fault}`);

function options(socket: string, group = 'daemon'): Parameters<typeof startControlServer>[0] {
  return { socket, group, ...facesOf(new FakeRouter()), onFault };
}

test('the socket is open to its owner and its group, and gone after close', async (t) => {
  const socket = join(await temporaryDirectory(t), 'deep', 'er', 'control.sock');
  const server = await startControlServer(options(socket));
  const { mode, gid } = statSync(socket);
  assert.equal(mode & 0o777, 0o660);
  assert.equal(gid, 1);
  assert.deepEqual(server.warnings, []);
  await server.close();
  assert.equal(existsSync(socket), false);
});

test('without the group the socket is open to its owner only, and a warning says so', async (t) => {
  const { socket, server } = await startFixture(t, 'no-such-group');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(server.warnings.length, 1);
  assert.match(
    server.warnings[0] ?? '',
    /group "no-such-group" does not exist.*groupadd --system no-such-group/,
  );
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
});

test('the process keeps its file mode mask', async (t) => {
  const before = process.umask();
  await startFixture(t);
  assert.equal(process.umask(), before);
});

test('a live router keeps its socket', async (t) => {
  const { socket } = await startFixture(t);
  const second = options(socket);
  await assert.rejects(
    startControlServer(second),
    new ControlSocketError(`another vined is running on ${socket}`),
  );
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
  assert.equal((second.view as FakeRouter).listeners.size, 0);
});

test('the socket file of a router that was killed is replaced', async (t) => {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(statSync(socket).isSocket());
  const server = await startControlServer(options(socket));
  t.after(() => server.close());
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
});

test('a file that is no socket is left alone', async (t) => {
  const file = join(await temporaryDirectory(t), 'control.sock');
  writeFileSync(file, 'precious');
  await assert.rejects(startControlServer(options(file)), /exists and is not a socket/);
  assert.ok(statSync(file).isFile());
});

test('a path that cannot be is named', async (t) => {
  const directory = await temporaryDirectory(t);
  await assert.rejects(
    startControlServer(options(join(directory, 'x'.repeat(100)))),
    /longer than a Unix socket's 107 bytes/,
  );
  writeFileSync(join(directory, 'file'), '');
  const below = join(directory, 'file', 'control.sock');
  await assert.rejects(startControlServer(options(below)), (error: Error) => {
    assert.ok(error instanceof ControlSocketError);
    return error.message.includes(below);
  });
});

test('a socket that somebody holds without answering counts as live', async (t) => {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(socket, resolve));
  t.after(() => holder.close());
  await assert.rejects(startControlServer(options(socket)), /another vined is running/);
});

test('it can be closed and started again on the same path', async (t) => {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  for (let i = 0; i < 3; i++) {
    const server = await startControlServer(options(socket));
    assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
    await server.close();
  }
});
