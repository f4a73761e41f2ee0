/** The lab's questions to a router: one that dies or stands still while it answers holds nobody up. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getJson } from '../../lab/daemon.js';

async function asked(t: TestContext, answer: RequestListener, limitMs?: number): Promise<unknown> {
  const directory = mkdtempSync(join(tmpdir(), 'vine-answers-'));
  const server = createServer(answer);
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  const socket = join(directory, 'control.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return getJson(socket, '/v1/directory', limitMs);
}

test('an answer', async (t) => {
  assert.deepEqual(await asked(t, (_, response) => response.end('[1]')), [1]);
});

test('the router dies in the middle of its answer', { timeout: 10_000 }, async (t) => {
  const dies: RequestListener = (_, response) => {
    response.write('[{');
    response.socket?.end();
  };
  await assert.rejects(asked(t, dies), /GET \/v1\/directory: /);
});

test('the router stands still in the middle of its answer', { timeout: 10_000 }, async (t) => {
  await assert.rejects(
    asked(t, (_, response) => response.write('[{'), 200),
    /GET \/v1\/directory: no answer/,
  );
});

test('the router says something now and then, and never ends', { timeout: 10_000 }, async (t) => {
  let timer: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(timer));
  const drips: RequestListener = (_, response) => {
    timer = setInterval(() => response.write('['), 50);
  };
  await assert.rejects(asked(t, drips, 500), /GET \/v1\/directory: no answer/);
});
