import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { controlCalls } from '../../../src/control/calls.js';
import { EventLog } from '../../../src/control/events.js';
import { FakeRouter, RELOAD_ERROR } from './fake-router.js';
import { call, startFixture } from './fixture.js';
import { faultsOf, operations } from './openapi.js';

test('docs/openapi.json has the calls of the server, no others', () => {
  const router = new FakeRouter();
  const calls = [...controlCalls(router, router, new EventLog(router))].map(
    ([path, { method }]) => `${method} ${path}`,
  );
  assert.deepEqual([...operations().keys()].sort(), calls.sort());
});

test('the parameters are those that the server takes', async (t) => {
  const { socket } = await startFixture(t);
  const good: Readonly<Record<string, string>> = {
    vnet: 'blue',
    ip: '10.1.0.9',
    from: '10.1.0.9',
    mac: '52:54:00:00:00:09',
    router: 'vr-b',
    last: '1',
    follow: '0',
    weight: '2',
    top: '5',
    node: '10.1.0.9',
    wait: '3',
  };
  for (const [name, { parameters = [] }] of operations()) {
    const [method = '', path = ''] = name.split(' ');
    if (method !== 'GET') continue;
    for (const parameter of parameters) {
      for (const value of parameter.schema.enum ?? [good[parameter.name] ?? '']) {
        if (value === '1' && parameter.name === 'follow') continue; // never ends
        const needed = path === '/v1/route' && parameter.name !== 'ip' ? '&ip=10.2.0.8' : '';
        const { status, text } = await call(socket, 'GET', `${path}?${parameter.name}=${value}${needed}`);
        assert.equal(status, 200, `${path} ${parameter.name}=${value}: ${text}`);
      }
    }
    const { text } = await call(socket, 'GET', `${path}?nosuch=1`);
    const taken = parameters.map((parameter) => parameter.name).sort();
    const said = /takes (.*)$/.exec((JSON.parse(text) as { error: string }).error)?.[1] ?? '';
    assert.deepEqual(said === 'none' ? [] : said.split(', ').sort(), taken, `${path}: ${text}`);
  }
});

async function check(
  t: TestContext,
  requests: readonly (readonly [call: string, status: number, body?: object])[],
) {
  const { socket, router } = await startFixture(t);
  for (const [name, expected, body] of requests) {
    const [method = '', path = ''] = name.split(' ');
    const answer = await call(socket, method, path, body && JSON.stringify(body));
    assert.equal(answer.status, expected, `${name}: ${answer.text}`);
    assert.equal(faultsOf(name.split('?')[0] ?? '', answer.status, JSON.parse(answer.text)), '');
  }
  return { socket, router };
}

test('answers and refusals are as described, every field of them', async (t) => {
  const { socket, router } = await check(t, [
    ...[...operations().keys()]
      .filter((name) => name.startsWith('GET') && !name.endsWith('route'))
      .map((name) => [name, 200] as const),
    ['GET /v1/route?ip=10.2.0.8', 200],
    ['GET /v1/route', 400],
    ['GET /v1/peers?state=asleep', 400],
    ['GET /v1/traffic?last=0', 400],
    ['GET /v1/traffic?by=group', 409],
    ['POST /v1/ping', 200, { router: 'vr-b' }],
    ['POST /v1/ping', 409, { router: 'vr-x' }],
    ['POST /v1/ping', 400, {}],
    ['POST /v1/moves', 200, { ip: '10.1.0.9' }],
    ['POST /v1/moves', 409, { ip: '192.0.2.1' }],
    ['POST /v1/moves', 400, {}],
    ['POST /v1/log-level', 200, { level: 'info' }],
    ['POST /v1/log-level', 400, { level: 'loud' }],
    ['POST /v1/role', 200, { role: 'active' }],
    ['POST /v1/role', 409, { role: 'standby' }],
    ['POST /v1/role', 400, { role: 'master' }],
    ['POST /v1/confirm', 409],
    ['POST /v1/reload', 200, { confirmSeconds: 5 }],
    ['POST /v1/reload', 400, { confirmSeconds: 0 }],
    ['POST /v1/confirm', 200],
  ]);
  router.reloadAnswer = RELOAD_ERROR;
  const refused = await call(socket, 'POST', '/v1/reload');
  assert.equal(faultsOf('POST /v1/reload', refused.status, JSON.parse(refused.text)), '');
});

test('the check finds a field that is missing, one that is too many, one of another type', () => {
  const [peer] = new FakeRouter().peers();
  assert.equal(faultsOf('GET /v1/peers', 200, [peer]), '');
  assert.match(faultsOf('GET /v1/peers', 200, [{ ...peer, colour: 'red' }]), /additional properties/);
  assert.match(faultsOf('GET /v1/peers', 200, [{ id: 'vr-b' }]), /required property/);
  assert.match(faultsOf('GET /v1/peers', 200, [{ ...peer, rttMs: 'long' }]), /rttMs must be/);
  assert.match(faultsOf('GET /v1/peers', 418, {}), /not in docs/);
});
