import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeRouter, RELOAD, RELOAD_ERROR } from './fake-router.js';
import { call, startFixture } from './fixture.js';

const VIEWS = new FakeRouter();

test('every table and view is served as the router gives it', async (t) => {
  const { socket } = await startFixture(t);
  const expected = {
    '/v1/status': VIEWS.status(),
    '/v1/peers': VIEWS.peers(),
    '/v1/clients': VIEWS.clients(),
    '/v1/gndt': VIEWS.gndt(),
    '/v1/lndt': VIEWS.lndt(),
    '/v1/hwdt': VIEWS.hwdt(),
    '/v1/directory': VIEWS.directory(),
    '/v1/missing': VIEWS.missing(),
    '/v1/counters': VIEWS.counters(),
    '/v1/events': [],
  };
  for (const [path, body] of Object.entries(expected)) {
    const answer = await call(socket, 'GET', path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers['content-type'], 'application/json', path);
    assert.deepEqual(JSON.parse(answer.text), body, path);
  }
});

test('filters let through the rows that they name', async (t) => {
  const { socket } = await startFixture(t);
  const cases: readonly (readonly [path: string, field: string, values: readonly (string | null)[]])[] = [
    ['/v1/peers?state=down', 'id', ['vr-c']],
    ['/v1/peers?router=vr-b&state=up', 'id', ['vr-b']],
    ['/v1/clients?state=away', 'ip', ['fd00:1::201']],
    ['/v1/clients?ip=10.1.0.201&vnet=blue', 'ip', ['10.1.0.201']],
    ['/v1/gndt?vnet=red', 'prefix', ['10.1.0.0/16']],
    ['/v1/gndt?ip=10.1.0.9', 'prefix', ['10.1.0.0/24', '10.1.0.9/32', '10.1.0.0/16']],
    ['/v1/gndt?ip=10.1.0.9&vnet=blue&router=vr-b', 'prefix', ['10.1.0.9/32']],
    ['/v1/gndt?ip=FD00:2:0::1', 'prefix', ['fd00:2::/64']],
    ['/v1/lndt?ip=10.2.0.7', 'node', ['10.2.0.7']],
    ['/v1/lndt?ip=10.1.0.9', 'node', ['10.1.0.0/24', '10.1.0.9']],
    ['/v1/lndt?state=departed&router=vr-b', 'node', ['10.1.0.9']],
    ['/v1/lndt?mac=52:54:00:00:00:17', 'node', ['10.2.0.7']],
    ['/v1/hwdt?ip=fd00:2:0:0::66', 'ip', ['fd00:2::66']],
    ['/v1/directory?mac=52:54:00:00:00:09', 'router', ['vr-b']],
    ['/v1/directory?ip=10.1.0.9&vnet=red', 'router', ['vr-c']],
    ['/v1/directory?state=here', 'router', ['vr-b', 'vr-a']],
    ['/v1/directory?vnet=green', 'router', []],
    ['/v1/missing?vnet=red', 'mac', ['52:54:00:00:00:44']],
    ['/v1/missing?ip=FD00:2:0::7', 'mac', ['52:54:00:00:00:17']],
    ['/v1/missing?mac=52:54:00:00:00:44', 'home', [null]],
    ['/v1/migrations?router=vr-a', 'to', ['vr-b']],
    ['/v1/migrations?ip=fd00:1::9', 'to', ['vr-b']],
  ];
  for (const [path, field, values] of cases) {
    const { status, text } = await call(socket, 'GET', path);
    assert.equal(status, 200, path);
    const rows: Record<string, unknown>[] = JSON.parse(text);
    assert.deepEqual(
      rows.map((row) => row[field]),
      values,
      path,
    );
  }
});

test('migrations come oldest first, and `last` takes from the end', async (t) => {
  const { socket } = await startFixture(t);
  const all = JSON.parse((await call(socket, 'GET', '/v1/migrations')).text);
  assert.deepEqual(all, [...VIEWS.migrations()].reverse());
  const last = JSON.parse((await call(socket, 'GET', '/v1/migrations?last=1')).text);
  assert.deepEqual(last, [VIEWS.migrations()[0]]);
});

test('a question that makes no sense is refused with its reason', async (t) => {
  const { socket } = await startFixture(t);
  const cases: readonly (readonly [path: string, error: RegExp])[] = [
    ['/v1/status?x=1', /unknown parameter "x"; this call takes none/],
    ['/v1/peers?vnet=blue', /unknown parameter "vnet"; this call takes router, state/],
    ['/v1/gndt?mac=52:54:00:00:00:09', /unknown parameter "mac"/],
    ['/v1/gndt?__proto__=1', /unknown parameter "__proto__"/],
    ['/v1/directory?vnet=blue&vnet=red', /"vnet" is given twice/],
    ['/v1/directory?vnet=', /"vnet" is empty/],
    ['/v1/directory?ip=10.1.0.300', /"10.1.0.300" is not an IP address/],
    ['/v1/directory?mac=52:54', /"52:54" is not a MAC address/],
    ['/v1/directory?state=gone', /state "gone" is not one of here, withdrawn/],
    ['/v1/missing?router=vr-b', /unknown parameter "router"; this call takes vnet, ip, mac/],
    ['/v1/migrations?last=0', /last "0"/],
    ['/v1/migrations?last=1&last=2', /"last" is given twice/],
    ['/v1/events?follow=yes', /follow "yes" is neither 0 nor 1/],
    ['/v1/route', /parameter "ip" is missing/],
    ['/v1/route?ip=10.2.0.7&vnet=green', /unknown vnet "green"/],
  ];
  for (const [path, error] of cases) {
    const { status, text } = await call(socket, 'GET', path);
    assert.equal(status, 400, path);
    assert.match(JSON.parse(text).error, error);
  }
});

test('route passes on what was asked', async (t) => {
  const { socket } = await startFixture(t);
  const { status, text } = await call(socket, 'GET', '/v1/route?ip=10.2.0.8&from=10.1.0.9&vnet=blue');
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), VIEWS.route({ vnet: 'blue', ip: '10.2.0.8', from: '10.1.0.9' }));
});

test('paths and methods that are not there say so', async (t) => {
  const { socket } = await startFixture(t);
  const unknown = await call(socket, 'GET', '/v2/status');
  assert.deepEqual([unknown.status, JSON.parse(unknown.text)], [404, { error: 'no such call: /v2/status' }]);
  const posted = await call(socket, 'POST', '/v1/status', '{}');
  assert.deepEqual([posted.status, posted.headers.allow], [405, 'GET']);
  const got = await call(socket, 'GET', '/v1/moves');
  assert.deepEqual([got.status, got.headers.allow], [405, 'POST']);
});

test('a reload: what it takes, what it answers, applied or refused; and its confirmation', async (t) => {
  const { socket, router } = await startFixture(t);
  const post = async (path: string, body = ''): Promise<readonly [number, unknown]> => {
    const { status, text } = await call(socket, 'POST', path, body);
    return [status, JSON.parse(text)];
  };
  assert.deepEqual(await post('/v1/confirm'), [409, { error: 'no reload waits to be confirmed' }]);
  for (const body of ['', '{}', '{"dryRun": true}', '{"confirmSeconds": 60, "dryRun": false}'])
    assert.deepEqual(await post('/v1/reload', body), [200, RELOAD], body);
  assert.deepEqual(router.reloads, [
    { dryRun: false, confirmSeconds: undefined },
    { dryRun: false, confirmSeconds: undefined },
    { dryRun: true, confirmSeconds: undefined },
    { dryRun: false, confirmSeconds: 60 },
  ]);
  assert.deepEqual(await post('/v1/confirm', '{}'), [200, { confirmed: true }]);
  const range = '"confirmSeconds" is not a whole number from 1 to 86400';
  const mistakes: Readonly<Record<string, string>> = {
    '[]': 'the body is not a JSON object',
    '{"now": true}': 'unknown member "now"; this call takes dryRun, confirmSeconds',
    '{"dryRun": "yes"}': '"dryRun" is neither true nor false',
    '{"confirmSeconds": 0}': range,
    '{"confirmSeconds": 1.5}': range,
    '{"confirmSeconds": "60"}': range,
    '{"confirmSeconds": 86401}': range,
  };
  for (const [body, error] of Object.entries(mistakes))
    assert.deepEqual(await post('/v1/reload', body), [400, { error }], body);
  assert.equal(router.reloads.length, 4);
  router.reloadAnswer = RELOAD_ERROR;
  assert.deepEqual(await post('/v1/reload'), [409, RELOAD_ERROR]);
  const unknown = 'unknown member "x"; this call takes none';
  assert.deepEqual(await post('/v1/confirm', '{"x": 1}'), [400, { error: unknown }]);
});

test('a move by hand: done, refused by the router, or not understood', async (t) => {
  const { socket } = await startFixture(t);
  const post = (body: unknown): ReturnType<typeof call> =>
    call(socket, 'POST', '/v1/moves', JSON.stringify(body));
  const done = await post({ ip: '10.1.0.9', vnet: 'blue' });
  assert.equal(done.status, 200);
  assert.deepEqual(JSON.parse(done.text), VIEWS.migrations()[0]);
  const refused = await post({ ip: '192.0.2.1' });
  assert.deepEqual([refused.status, JSON.parse(refused.text).error], [409, '192.0.2.1 is in no network']);
  for (const body of [{}, [], null, 'x', { ip: 1 }, { ip: '' }, { ip: '10.1.0.9', force: 'yes' }]) {
    assert.equal((await post(body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await call(socket, 'POST', '/v1/moves', '{"ip": ')).status, 400);
  assert.equal((await call(socket, 'POST', '/v1/moves?dry=1', '{"ip":"10.1.0.9"}')).status, 400);
});

test('a node is released: done, refused by the router, or not understood', async (t) => {
  const { socket } = await startFixture(t);
  const post = (body: unknown): ReturnType<typeof call> =>
    call(socket, 'POST', '/v1/unfreeze', JSON.stringify(body));
  const done = await post({ ip: '10.1.0.9' });
  assert.deepEqual([done.status, JSON.parse(done.text).router], [200, 'vr-b']);
  const refused = await post({ ip: '10.1.0.8' });
  assert.deepEqual([refused.status, JSON.parse(refused.text).error], [409, '10.1.0.8 is not frozen']);
  assert.equal((await post({})).status, 400);
});

test('the log level is handed to the router, which may refuse it', async (t) => {
  const { socket, router } = await startFixture(t);
  const set = await call(socket, 'POST', '/v1/log-level', '{"level":"debug"}');
  assert.deepEqual([set.status, JSON.parse(set.text)], [200, { level: 'debug' }]);
  const refused = await call(socket, 'POST', '/v1/log-level', '{"level":"loud"}');
  assert.equal(refused.status, 400);
  assert.deepEqual(router.levels, ['debug']);
});

test('a fault in the router is a 500 and a report, and the next call is served', async (t) => {
  const { socket, router, faults } = await startFixture(t);
  router.fault = new Error('table is broken');
  const answer = await call(socket, 'GET', '/v1/peers');
  assert.equal(answer.status, 500);
  assert.deepEqual(JSON.parse(answer.text), { error: 'fault in the router, see its log' });
  assert.deepEqual(faults, [{ call: 'GET /v1/peers', fault: router.fault }]);
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
});

test('a fault in the middle of a table leaves the answer visibly incomplete', async (t) => {
  const { socket, router, faults } = await startFixture(t);
  const [record] = VIEWS.directory();
  assert.ok(record);
  const broken = Object.defineProperty({ ...record }, 'ip', {
    enumerable: true,
    get: () => assert.fail('broken row'),
  });
  router.records = [...new Array(2000).fill(record), broken];
  await assert.rejects(call(socket, 'GET', '/v1/directory'), { code: 'ECONNRESET' });
  assert.equal(faults.length, 1);
});

test('a large table arrives whole, one row a line, and the event loop goes on meanwhile', async (t) => {
  const { socket, router } = await startFixture(t);
  const [record] = VIEWS.directory();
  router.records = Array.from({ length: 20_001 }, (_, seq) => ({ ...record, seq })) as typeof router.records;
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  count();
  const { text } = await call(socket, 'GET', '/v1/directory');
  counting = false;
  assert.deepEqual(JSON.parse(text), router.records);
  assert.equal(text.trimEnd().split('\n').length, 20_001);
  assert.ok(turns >= 40, `${turns} other turns of the event loop`);
});
