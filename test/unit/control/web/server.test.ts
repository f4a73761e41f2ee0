/** The page's server: who is let in, what is passed on, and how it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { MAX_FOLLOWERS } from '../../../../src/control/events.js';
import { object } from '../../../../src/control/reply.js';
import { MAX_WEB_CONNECTIONS, startWebServer } from '../../../../src/control/web/server.js';
import { KEY_HEADER } from '../../../../src/control/web/views.js';
import { call, until } from '../fixture.js';
import { KEY, SESSION, startWorld, TOKEN, type World } from './world.js';

const CALLS = ['/page/advice', '/v1/status', '/v1/events?follow=1'];
const originOf = (port: number): string => `http://127.0.0.1:${port}`;

const errorOf = (text: string): string => (JSON.parse(text) as { error: string }).error;

test('the token is changed for a session once, by one browser', async (t) => {
  const { bare, ask, web } = await startWorld(t);
  assert.equal(web.address, `http://127.0.0.1:${web.port}/?token=${TOKEN}`);
  const before = await bare('/');
  assert.equal(before.status, 401);
  assert.match(errorOf(before.text), /open the address that "vinectl web" has printed/);
  const wrong = await bare('/?token=the-tokem');
  assert.equal(wrong.status, 403);
  assert.match(errorOf(wrong.text), /token is wrong/);
  assert.equal(
    (await bare('/page.js?token=the-token')).status,
    401,
    'the token opens the page and nothing else',
  );
  const first = await bare(`/?token=${TOKEN}`);
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, `/#key=${KEY}`);
  assert.deepEqual(first.headers['set-cookie'], [
    `vine-session-${web.port}=${SESSION}; HttpOnly; SameSite=Strict; Path=/`,
  ]);
  const second = await bare(`/?token=${TOKEN}`);
  assert.equal(second.status, 403);
  assert.match(errorOf(second.text), /token has been used/);
  assert.equal(second.headers['set-cookie'], undefined);
  assert.equal(second.headers.location, undefined);
  assert.equal((await ask(`/?token=${TOKEN}`)).status, 303, 'the same browser may open the address again');
  const page = await ask('/');
  assert.deepEqual([page.status, page.text], [200, '<!doctype html><title>page</title>']);
});

test('a look at the address that is no visit leaves the token unused', async (t) => {
  const { bare } = await startWorld(t);
  for (const method of ['HEAD', 'POST', 'OPTIONS'])
    assert.notEqual((await bare(`/?token=${TOKEN}`, { method })).status, 303);
  assert.equal((await bare(`/?token=${TOKEN}`, { headers: { host: 'vine.example:80' } })).status, 403);
  assert.equal((await bare(`/?token=${TOKEN}`)).status, 303);
});

test('nothing is told without the session: page, files, calls', async (t) => {
  const { bare, web } = await startWorld(t);
  const cookies = [
    '',
    `vine-session-${web.port}=wrong`,
    `vine-session-${web.port}=`,
    `vine-session-1=${SESSION}`,
  ];
  for (const cookie of cookies)
    for (const path of ['/', '/page.js', ...CALLS, '/nowhere']) {
      const headers = { cookie, [KEY_HEADER]: KEY };
      assert.equal((await bare(path, { headers })).status, 401, `${path} with "${cookie}"`);
    }
});

test('the cookie, which browsers send to every port of this machine, opens the files alone', async (t) => {
  const { bare, web } = await startWorld(t, { allowChanges: true });
  const cookie = `vine-session-${web.port}=${SESSION}`;
  for (const key of [undefined, '', 'the-kex', SESSION, TOKEN]) {
    const headers = { cookie, origin: originOf(web.port), ...(key !== undefined && { [KEY_HEADER]: key }) };
    for (const path of [...CALLS, '/nowhere', '/page.js/'])
      assert.equal((await bare(path, { headers })).status, 401, `${path} with "${key}"`);
    assert.equal((await bare('/v1/unfreeze', { method: 'POST', headers, body: '{}' })).status, 401, key);
    for (const path of ['/', '/page.js']) assert.equal((await bare(path, { headers })).status, 200, path);
  }
  const begun = await bare('/?token=none', { headers: { cookie } });
  assert.equal(begun.headers.location, '/', 'the key is told to nobody who has the cookie only');
  assert.ok(!JSON.stringify([begun.headers, begun.text]).includes(KEY));
});

test('another Host, Origin or page is refused, also with the session', async (t) => {
  const { ask, bare, web } = await startWorld(t);
  const { port } = web;
  const session = { cookie: `vine-session-${port}=${SESSION}`, [KEY_HEADER]: KEY };
  // What is not given is not sent, so that one of the three alone is what is refused.
  const refused = async (
    headers: Record<string, string>,
    why: RegExp,
    path = '/v1/status',
  ): Promise<void> => {
    const { status, text } = await bare(path, { headers: { ...session, ...headers } });
    assert.equal(status, 403, JSON.stringify(headers));
    assert.match(errorOf(text), why);
  };
  assert.equal((await bare('/v1/status', { headers: session })).status, 200);
  for (const host of [
    'vine.example',
    `vine.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
    `[::1]:${port}`,
  ]) {
    await refused({ host }, /^Host ".*" is not this server/);
    await refused({ host, origin: `http://${host}` }, /^Host ".*" is not this server/);
  }
  for (const origin of [
    'null',
    'http://vine.example',
    `https://127.0.0.1:${port}`,
    `http://127.0.0.1:${port + 1}`,
  ])
    await refused({ origin }, /^Origin ".*" is not this page/);
  // Each of the two names is the page, but not one for the other.
  await refused({ origin: `http://localhost:${port}` }, /^Origin/);
  for (const path of ['/v1/status', '/v1/events', '/page/advice', '/page.js'])
    for (const site of ['cross-site', 'same-site'])
      await refused({ 'sec-fetch-site': site }, /^asked by another page$/, path);
  const local = { host: `localhost:${port}`, origin: `http://localhost:${port}` };
  assert.equal((await ask('/v1/status', { headers: local })).status, 200);
});

test('every answer forbids the browser all but this server', async (t) => {
  const { ask, bare } = await startWorld(t);
  for (const { headers } of [
    await ask('/'),
    await ask('/v1/peers'),
    await ask('/nowhere'),
    await bare('/'),
  ]) {
    const policy = String(headers['content-security-policy']).split('; ');
    assert.ok(policy.includes("default-src 'none'") && policy.includes("connect-src 'self'"));
    assert.ok(
      policy.every((rule) => /^[a-z-]+ '(none|self|script)'$/.test(rule)),
      policy.join('; '),
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
});

test('what the router answers reaches the page as it is, refusals too', async (t) => {
  const { ask, socket } = await startWorld(t);
  for (const path of [
    '/v1/status',
    '/v1/peers?state=up',
    '/v1/directory',
    '/v1/peers?state=wrong',
    '/v1/traffic?by=group',
  ]) {
    const [direct, passed] = [await call(socket, 'GET', path), await ask(path)];
    assert.deepEqual([passed.status, passed.text], [direct.status, direct.text], path);
  }
  const made = await ask('/page/advice?last=60');
  assert.deepEqual(JSON.parse(made.text), { asked: [['last', '60']] });
});

test('what a page has no use for is not passed on', async (t) => {
  const { ask } = await startWorld(t);
  for (const path of [
    '/v1/network',
    '/v1/network/description',
    '/v1/memberships',
    '/v1/reload',
    '/v1/../v1/network',
    '//v1/status',
    '/v1/status/',
    '/v1/status%00',
  ]) {
    const { status, text } = await ask(path);
    assert.deepEqual([status, errorOf(text).startsWith('no such call for a page: ')], [404, true], path);
  }
});

const CHANGES: readonly (readonly [path: string, body: object])[] = [
  ['/v1/ping', { router: 'vr-b' }],
  ['/v1/unfreeze', { ip: '10.1.0.9' }],
];

async function change({ ask }: World, path: string, body: object | string, headers = {}) {
  return ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });
}

test('it only looks, unless it is allowed to change: then what is named, from its own page', async (t) => {
  const [looking, steering] = [await startWorld(t), await startWorld(t, { allowChanges: true })];
  for (const [path, body] of CHANGES) {
    const no = await change(looking, path, body);
    assert.deepEqual([no.status, /--allow-changes/.test(errorOf(no.text))], [403, true], path);
    const direct = await call(steering.socket, 'POST', path, JSON.stringify(body));
    const yes = await change(steering, path, body);
    assert.deepEqual([yes.status, yes.text], [direct.status, direct.text], path);
    assert.equal((await change(steering, path, body, { origin: 'http://vine.example' })).status, 403);
  }
  for (const world of [looking, steering]) {
    for (const path of ['/v1/reload', '/v1/network', '/v1/confirm', '/v1/log-level', '/v1/moves'])
      assert.equal((await change(world, path, {})).status, 404, path);
    assert.deepEqual(world.router.reloads, []);
    assert.equal((await change(world, '/v1/status', {})).status, 405);
    assert.equal((await change(world, '/page/advice', {})).status, 405);
    for (const method of ['PUT', 'DELETE', 'PATCH'])
      assert.equal((await world.ask('/v1/ping', { method })).status, 405, method);
  }
  const { bare, web } = steering;
  const headers = { cookie: `vine-session-${web.port}=${SESSION}`, [KEY_HEADER]: KEY };
  const silent = await bare('/v1/ping', { method: 'POST', headers, body: '{"router":"vr-b"}' });
  assert.deepEqual([silent.status, errorOf(silent.text)], [403, 'POST without Origin: not from this page']);
});

test('a body that is none is refused', async (t) => {
  const world = await startWorld(t, { allowChanges: true });
  assert.equal((await change(world, '/v1/ping', 'not JSON')).status, 400);
  assert.equal((await change(world, '/v1/ping', JSON.stringify({ router: 'x'.repeat(70_000) }))).status, 413);
  assert.equal((await change(world, '/v1/ping', { router: 'vr-b', and: 'more' })).status, 400);
});

test('events come as they happen, and end when the page goes or the router does', async (t) => {
  const { open, router, closeRouter } = await startWorld(t);
  const [first, second] = [await open('/v1/events?follow=1'), await open('/v1/events?follow=1')];
  assert.equal(first.headers['content-type'], 'application/x-ndjson');
  let text = '';
  second.on('data', (part) => {
    text += part;
  });
  const heard = once(first, 'data');
  router.emit({ at: '2026-03-01T12:00:00.000Z', event: 'peer_up', peer: 'vr-b' });
  assert.match(String((await heard)[0]), /"event":"peer_up"/);
  first.destroy();
  await until(() => text.includes('peer_up'));
  const ended = once(second, 'end');
  await closeRouter();
  await ended;
});

test('a page that goes away takes its stream at the router with it', async (t) => {
  const { open, socket } = await startWorld(t);
  // The router serves 32 followers: were they kept, the next would be refused.
  for (let n = 0; n < 40; n++) {
    const stream = await open('/v1/events?follow=1');
    assert.equal(stream.statusCode, 200, `stream ${n}`);
    stream.destroy();
    await once(stream, 'close');
  }
  assert.equal((await call(socket, 'GET', '/v1/events')).status, 200);
});

test('without a router the page is told so, and served again when there is one', async (t) => {
  const { ask, closeRouter, openRouter } = await startWorld(t);
  await closeRouter();
  const { status, text } = await ask('/v1/status');
  assert.deepEqual([status, errorOf(text)], [502, 'no router: ENOENT']);
  assert.equal((await ask('/')).status, 200);
  await openRouter();
  const again = await ask('/v1/status');
  assert.equal(again.status, 200);
  assert.match(again.text, /"id": "vr-a"/);
});

test('an answer that does not come in time is given up in words; traffic has more time', async (t) => {
  const { ask, router } = await startWorld(t, { patienceMs: 100 });
  router.doctor = () => new Promise(() => {});
  const { status, text } = await ask('/v1/doctor');
  assert.deepEqual([status, errorOf(text)], [502, 'the router does not answer']);
  const { traffic } = router;
  router.traffic = async (request) => {
    await pause(500);
    return traffic.call(router, request);
  };
  assert.equal((await ask('/v1/traffic')).status, 200);
});

test('what is made is given up when nobody waits for it: the page has gone, or the server ends', async (t) => {
  const signals: AbortSignal[] = [];
  const { open, web } = await startWorld(t, {
    advice: (_query, signal) => {
      signals.push(signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(object({}))));
    },
  });
  const gone = new AbortController();
  const leaves = assert.rejects(open('/page/advice', gone.signal), { name: 'AbortError' });
  await until(() => signals.length === 1);
  assert.equal(signals[0]?.aborted, false);
  gone.abort();
  await leaves;
  await until(() => signals[0]?.aborted === true);
  const ends = assert.rejects(open('/page/advice'), { code: 'ECONNRESET' });
  await until(() => signals.length === 2);
  await web.close();
  await ends;
  assert.equal(signals[1]?.aborted, true);
});

test('it takes a part of the connections that the router has', async (t) => {
  const { open, socket } = await startWorld(t);
  for (let n = 0; n < MAX_WEB_CONNECTIONS; n++) {
    const stream = await open('/v1/events?follow=1');
    assert.equal(stream.statusCode, 200, `stream ${n}`);
    stream.on('error', () => {});
  }
  await assert.rejects(open('/v1/status'), { code: 'ECONNRESET' });
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
  assert.ok(MAX_WEB_CONNECTIONS <= MAX_FOLLOWERS / 2, 'two pages, and one who follows by vinectl');
});

test('what is no request is refused, and the server goes on', async (t) => {
  const { web, ask } = await startWorld(t);
  for (const bytes of [
    '\0\0\0\r\n\r\n',
    'GET\r\n\r\n',
    `GET / HTTP/1.1\r\n\r\n`,
    `GET http://x/ HTTP/1.1\r\nHost: 127.0.0.1:${web.port}\r\n\r\n`,
    `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
  ]) {
    const socket = connect(web.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (part) => {
      text += part;
      if (text.includes('}') || text.endsWith('\r\n\r\n')) socket.end();
    });
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 4\d\d /, bytes.slice(0, 40));
  }
  assert.equal((await ask('/v1/status')).status, 200);
});

test('it listens on 127.0.0.1 only, and a port that is taken is an error', async (t) => {
  const { web, socket } = await startWorld(t);
  const again = startWebServer({
    port: web.port,
    token: 'a',
    session: 'b',
    key: 'c',
    socket,
    allowChanges: false,
    files: new Map(),
    made: new Map(),
    explain: String,
  });
  await assert.rejects(again, { code: 'EADDRINUSE' });
  const other = connect(web.port, '127.0.0.2');
  const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('closing ends what still runs', async (t) => {
  const { web, open } = await startWorld(t);
  const stream = await open('/v1/events?follow=1');
  stream.resume();
  const gone = once(stream, 'close').catch((error: Error) => assert.match(error.message, /aborted/));
  await web.close();
  await gone;
});
