/** The control socket, asked what it does not know. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ask, serveControl } from '../../../src/courier/control.js';
import { call } from '../control/fixture.js';
import { Couriers } from './couriers.js';

test('the control socket refuses in words what it does not know', async (t) => {
  const couriers = await Couriers.start(t);
  const control = join(couriers.directory, 'control.sock');
  const server = await serveControl(couriers.a, control);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const macs = (more: object): string => JSON.stringify({ vm: 'vm', to: 'b', macs: [], ...more });
  for (const [method, path, body, status, error] of [
    ['GET', '/v1/more', undefined, 404, /^there is no \/v1\/more$/],
    ['GET', '//', undefined, 404, /^there is no /],
    ['GET', '/v1/status?vm=vm', undefined, 400, /^there is no parameter "vm" here$/],
    ['GET', '/v1/send?vm=vm', undefined, 400, /^to: is missing$/],
    ['GET', '/v1/send?vm=vm&to=c', undefined, 409, /^a has no peer c; there is b$/],
    ['GET', '/v1/receive?vm=vm', undefined, 409, /^"receive" has no vm$/],
    ['DELETE', '/v1/jobs', undefined, 405, /^DELETE is not for here$/],
    ['GET', '/v1/macs', undefined, 404, /^there is no \/v1\/macs$/],
    ['POST', '/v1/macs', '{', 400, /^not JSON$/],
    ['POST', '/v1/macs', macs({ vm: 'vm9' }), 409, /^no entry of "send" /],
    ['POST', '/v1/macs', macs({ more: 'x'.repeat(1_000_000) }), 413, /^more than 4096 bytes$/],
  ] as const) {
    const answer = await call(control, method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(JSON.parse(answer.text).error, error, `${method} ${path}`);
  }
  assert.match((await call(control, 'GET', '/metrics')).text, /^vine_courier_jobs_running 0$/m);
  assert.match(await ask(control, { path: '/v1/jobs', accept: 'text/plain' }), /^JOB +ROLE/);
  assert.deepEqual(JSON.parse(await ask(control, '/v1/jobs')), []);
  await assert.rejects(ask(control, '/v1/more'), { message: 'there is no /v1/more' });
});
