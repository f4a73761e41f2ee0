import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isServed, listening, listeningPrivately, removeStaleSocket } from '../../../src/net/unix-socket.js';

function pathIn(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'unix-socket-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'socket');
}

test('what is no socket stays: a file, a directory, a link to nowhere', async (t) => {
  const path = pathIn(t);
  assert.equal(await removeStaleSocket(path), undefined);
  writeFileSync(path, 'precious');
  assert.equal(await removeStaleSocket(path), 'no-socket');
  assert.ok(existsSync(path));
  rmSync(path);
  symlinkSync('/nowhere', path);
  assert.equal(await removeStaleSocket(path), 'no-socket');
});

test('a socket at which somebody listens stays, that of a process that was killed goes', async (t) => {
  const path = pathIn(t);
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  // Nobody accepts while it stands still: it is there all the same.
  child.kill('SIGSTOP');
  assert.equal(await removeStaleSocket(path), 'served');
  assert.ok(existsSync(path));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await isServed(path), false);
  assert.equal(await removeStaleSocket(path), undefined);
  assert.ok(!existsSync(path));
});

test('a server listens privately, and has no listener of ours for what comes later', async (t) => {
  const path = pathIn(t);
  const before = process.umask();
  const server = createServer();
  t.after(() => server.close());
  await listeningPrivately(server, path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(process.umask(), before);
  assert.equal(server.listenerCount('error'), 0);
  await assert.rejects(listening(createServer(), { path }), /EADDRINUSE/);
});
