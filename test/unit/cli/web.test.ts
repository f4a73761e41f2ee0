/** `vinectl web`: what it prints, what it refuses, how it ends, and the advice and groups that its page gets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ControlClient } from '../../../src/cli/client.js';
import { Context } from '../../../src/cli/context.js';
import { CliError } from '../../../src/cli/exit.js';
import { madeCalls } from '../../../src/cli/web/made.js';
import { serveWeb, type WebOptions } from '../../../src/cli/web/serve.js';
import { startControlServer } from '../../../src/control/server.js';
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
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? '';
    const opened = await fetch(new URL('/', url), { headers: { cookie } });
    assert.equal(await opened.text(), 'index.html');
    interrupt();
    await served;
    await assert.rejects(fetch(url), 'it still listens');
    assert.equal(result().err, '');
  }
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
  const ask = async (path: string, query = '') => {
    const made = calls.get(path);
    assert.ok(made);
    return made(new URLSearchParams(query));
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
