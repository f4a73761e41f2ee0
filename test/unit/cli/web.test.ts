/** `vinectl web`: what it prints, what it refuses, how it ends, and the advice and groups that its page gets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ControlClient, explain } from '../../../src/cli/client.js';
import { Context } from '../../../src/cli/context.js';
import { CliError } from '../../../src/cli/exit.js';
import { madeCalls } from '../../../src/cli/web/made.js';
import { serveWeb, type WebOptions } from '../../../src/cli/web/serve.js';
import { startControlServer } from '../../../src/control/server.js';
import { KEY_HEADER } from '../../../src/control/web/views.js';
import { NOW } from '../control/fake-router.js';
import { facesOf, startFixture, temporaryDirectory } from '../control/fixture.js';
import { AdviceRouter, GNDT } from './advice-router.js';
import { ioFor, vinectl } from './harness.js';

async function pageDirectory(t: TestContext): Promise<URL> {
  const directory = join(await temporaryDirectory(t), 'page');
  mkdirSync(directory);
  for (const name of ['index.html', 'page.js', 'page.css', 'icon.svg'])
    writeFileSync(join(directory, name), name);
  return pathToFileURL(`${directory}/`);
}

const OPTIONS: WebOptions = { port: 0, config: '/nowhere' };

test('the address is printed and opens the page, until Ctrl-C', async (t) => {
  const { socket } = await startFixture(t);
  const page = await pageDirectory(t);
  for (const json of [false, true]) {
    let interrupt = (): void => {};
    let printed = (_: string): void => {};
    const address = new Promise<string>((resolve) => {
      printed = resolve;
    });
    const { io, result } = ioFor({
      onOutput: (out, stop) => {
        interrupt = stop;
        printed(out);
      },
    });
    const served = serveWeb(new Context(io, { socket, json, color: false }), OPTIONS, page);
    const out = await address;
    const url = json ? (JSON.parse(out) as { url: string }).url : (/http:\S+/.exec(out)?.[0] ?? '');
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    if (!json) assert.match(out, /vr-a, to look at in a browser/);
    const first = await fetch(url, { redirect: 'manual' });
    assert.equal(first.status, 303);
    const headers = sessionOf(first);
    const opened = await fetch(new URL('/', url), { headers });
    assert.equal(await opened.text(), 'index.html');
    assert.equal((await fetch(new URL('/v1/status', url), { headers })).status, 200);
    interrupt();
    await served;
    await assert.rejects(fetch(url), 'it still listens');
    assert.equal(result().err, '');
  }
});

/** What its browser shows from then on. */
function sessionOf(opened: Response): Record<string, string> {
  const [, key = ''] = /^\/#key=([\w-]{43})$/.exec(opened.headers.get('location') ?? '') ?? [];
  return { cookie: opened.headers.get('set-cookie')?.split(';')[0] ?? '', [KEY_HEADER]: key };
}

test('Ctrl-C gives up what the router is being asked for', async (t) => {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  const silent = createServer((request, response) => {
    if (request.url === '/v1/status') response.end('{"id":"vr-a"}');
  });
  t.after(() => silent.close());
  silent.listen(socket);
  await once(silent, 'listening');
  let interrupt = (): void => {};
  let printed = (_: string): void => {};
  const address = new Promise<string>((resolve) => {
    printed = resolve;
  });
  const { io } = ioFor({
    onOutput: (out, stop) => {
      interrupt = stop;
      printed(out);
    },
  });
  const context = new Context(io, { socket, json: true, color: false });
  const served = serveWeb(context, OPTIONS, await pageDirectory(t));
  const { url } = JSON.parse(await address) as { url: string };
  const headers = sessionOf(await fetch(url, { redirect: 'manual' }));
  const asked = once(silent, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  const page = assert.rejects(fetch(new URL('/page/groups', url), { headers }));
  const [{ url: path = '' }, response] = await asked;
  assert.match(path, /^\/v1\/traffic\?/);
  const gone = once(response, 'close');
  interrupt();
  await Promise.all([served, page, gone]);
});

test('a router that says nothing in time is told of as vinectl tells of it', () => {
  const late = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
  assert.equal(
    explain(late, '/run/vine.sock'),
    'the router on /run/vine.sock does not answer: is it stopped or overloaded?',
  );
});

test('a page that is not built, a port that is taken, a router that is not there', async (t) => {
  const { socket } = await startFixture(t);
  const page = await pageDirectory(t);
  const { io } = ioFor({});
  const context = new Context(io, { socket, color: false });
  const notBuilt = serveWeb(context, OPTIONS, new URL('./none/', page));
  await assert.rejects(notBuilt, new CliError(1, 'the page is not built: run scripts/setup in the checkout'));
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const taken = serveWeb(context, { ...OPTIONS, port }, page);
  await assert.rejects(taken, (error: CliError) =>
    error.message.includes(`port ${port} of 127.0.0.1: another program has it`),
  );
  const absent = await vinectl(['web'], { socket: '/nowhere.sock' });
  assert.equal(absent.status, 3);
  assert.match(absent.err, /no router on \/nowhere\.sock, there is no such socket: start it/);
});

test('bad usage', async () => {
  for (const port of ['65536', '-1', 'http', '1.5', ''])
    assert.deepEqual((await vinectl(['web', '--port', port])).status, 2, port);
  assert.equal((await vinectl(['web', 'now'])).status, 2);
});

async function startMade(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'control.sock');
  const router = new AdviceRouter();
  const server = await startControlServer({ socket, group: 'root', ...facesOf(router), onFault: () => {} });
  t.after(() => server.close());
  writeFileSync(join(directory, 'gndt.json'), JSON.stringify(GNDT));
  router.add(1, 'vr-a');
  router.add(9, 'vr-b', {}, 2);
  router.talks('10.1.0.1', '10.2.0.9', 40);
  const nowMs = (): number => Date.parse(NOW);
  const calls = madeCalls({ client: new ControlClient(socket), directory, allowChanges: true, nowMs });
  const ask = async (path: string, query = '', signal = new AbortController().signal) => {
    const made = calls.get(path);
    assert.ok(made);
    return made(new URLSearchParams(query), signal);
  };
  return { router, directory, socket, ask, close: () => server.close() };
}

test('the page gets the advice that vinectl gives', async (t) => {
  const { ask, directory, socket } = await startMade(t);
  const { status, body } = await ask('/page/advice', 'last=3600');
  const said = await vinectl(['advice', '--json', '--config', directory], { socket });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(JSON.stringify(body)), JSON.parse(said.out));
  assert.match(said.out, /"ips":\["10\.1\.0\.1"\]/);
  const costs = await ask('/page/advice', 'objective=cost');
  assert.equal((costs.body as { objective: string }).objective, 'cost');
});

test('the page gets the groups that vinectl finds', async (t) => {
  const { ask, socket, router } = await startMade(t);
  const { status, body } = await ask('/page/groups', 'last=600');
  const said = await vinectl(['traffic', '--by', 'group', '--json'], { socket });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(JSON.stringify(body)), JSON.parse(said.out));
  assert.equal(router.asked.at(-1)?.detail, true);
});

test('the page is told whether it may change something', async (t) => {
  const { ask } = await startMade(t);
  assert.deepEqual((await ask('/page/about')).body, { allowChanges: true });
  assert.equal((await ask('/page/about', 'allowChanges=1')).status, 400);
});

test('one is made after the other; so many wait, and one more is refused', async (t) => {
  const { ask, router } = await startMade(t);
  const { traffic } = router;
  let [running, most] = [0, 0];
  let answer = (): void => {};
  const mayAnswer = new Promise<void>((resolve) => {
    answer = resolve;
  });
  router.traffic = async (request) => {
    most = Math.max(most, ++running);
    await mayAnswer;
    running--;
    return traffic.call(router, request);
  };
  const leaves = new AbortController();
  const asked = Array.from({ length: 8 }, (_, n) =>
    ask('/page/groups', '', n === 5 ? leaves.signal : undefined),
  );
  const refused = await ask('/page/groups');
  assert.equal(refused.status, 503);
  assert.match((refused.body as { error: string }).error, /asked for already: ask again in a moment/);
  assert.equal((await ask('/page/about')).status, 200);
  leaves.abort();
  answer();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 503, 200, 200]);
  assert.equal(router.asked.length, 7, 'who has left is not asked for');
  assert.equal(most, 1);
  assert.equal((await ask('/page/groups')).status, 200, 'there is room again');
});

test('what cannot be made is refused in words', async (t) => {
  const { ask, directory, close } = await startMade(t);
  for (const [path, query, message] of [
    ['/page/advice', 'objective=luck', /objective "luck" is not one of traffic, latency, cost/],
    ['/page/advice', 'last=1e9', /not a whole number of seconds/],
    ['/page/advice', 'config=/etc', /unknown parameter "config"/],
    ['/page/groups', 'last=60&last=90', /given twice/],
    ['/page/groups', 'last=', /is empty/],
  ] as const) {
    const { status, body } = await ask(path, query);
    assert.equal(status, 400, query);
    assert.match((body as { error: string }).error, message);
  }
  writeFileSync(join(directory, 'advice.json'), '{"sites": 7}');
  const broken = await ask('/page/advice');
  assert.equal(broken.status, 409);
  assert.match((broken.body as { error: string }).error, /advice\.json: sites/);
  await close();
  assert.equal((await ask('/page/advice')).status, 502);
});
