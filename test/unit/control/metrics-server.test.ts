import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type MetricsServer, startMetricsServer } from '../../../src/control/metrics-server.js';
import { Ip } from '../../../src/net/ip.js';
import { MetricsHost } from '../../../src/router/view/metrics-host.js';

async function start(t: TestContext, collect = async () => ({ text: 'x 1\n', type: 'text/plain' })) {
  const faults: unknown[] = [];
  const server = await startMetricsServer({
    address: '127.0.0.1',
    port: 0,
    collect,
    onFault: (fault) => faults.push(fault),
  });
  t.after(() => server.close());
  return { server, faults };
}

function ask(port: number, path: string, method = 'GET'): Promise<readonly [status: number, text: string]> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => resolve([response.statusCode ?? 0, text]));
    });
    call.once('error', reject).end();
  });
}

test('metrics are at /metrics; nothing else is anywhere', async (t) => {
  const { server } = await start(t);
  assert.deepEqual(await ask(server.port, '/metrics'), [200, 'x 1\n']);
  assert.deepEqual(await ask(server.port, '/metrics?x=1'), [200, 'x 1\n']);
  assert.deepEqual(await ask(server.port, '/metrics', 'HEAD'), [200, '']);
  assert.deepEqual(await ask(server.port, '/v1/status'), [404, 'the metrics are at /metrics\n']);
  assert.deepEqual(await ask(server.port, '/metrics', 'POST'), [405, 'only GET\n']);
});

test('a fault is answered with 500 and told', async (t) => {
  const { server, faults } = await start(t, () => Promise.reject(new Error('broken')));
  assert.deepEqual(await ask(server.port, '/metrics'), [500, 'fault in the router, see its log\n']);
  assert.equal(faults.length, 1);
});

test('connections beyond the limit are closed, those within it are served', async (t) => {
  const { server } = await start(t);
  const idle = await Promise.all(
    Array.from({ length: 16 }, () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined);
      return new Promise<typeof socket>((resolve) => socket.once('connect', () => resolve(socket)));
    }),
  );
  await assert.rejects(ask(server.port, '/metrics'));
  const gone = new Promise((resolve) => idle[0]?.once('close', resolve));
  idle[0]?.end();
  await gone;
  for (let tries = 0; ; tries++) {
    const answer = await ask(server.port, '/metrics').catch(() => undefined);
    if (answer?.[0] === 200) break;
    assert.ok(tries < 200, 'no room again');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const socket of idle) socket.destroy();
});

/** A port that is free now. */
async function freePort(): Promise<number> {
  const probe: MetricsServer = await startMetricsServer({
    address: '127.0.0.1',
    port: 0,
    collect: async () => ({ text: '', type: '' }),
    onFault: () => undefined,
  });
  const { port } = probe;
  await probe.close();
  return port;
}

test('a reload moves, stops and starts the listener; what cannot be is refused and the old one stays', async (t) => {
  const host = new MetricsHost({
    metrics: { load: async () => {}, collect: async () => ({ text: 'x 1\n', type: 'text/plain' }) },
    onFault: (fault) => assert.fail(String(fault)),
  });
  t.after(() => host.stop());
  const loopback = { address: Ip.of('127.0.0.1'), port: await freePort() };
  assert.equal(await host.start(loopback), undefined);
  const change = async (address: typeof loopback | undefined): Promise<string | undefined> => {
    const prepared = await host.prepare(address, false);
    if (typeof prepared === 'string') return prepared;
    prepared.commit();
    return undefined;
  };
  // The same port on all addresses: the old listener has to make way.
  assert.equal(await change({ address: Ip.of('0.0.0.0'), port: loopback.port }), undefined);
  assert.equal((await ask(loopback.port, '/metrics'))[0], 200);
  const { server } = await start(t);
  const taken = await change({ address: Ip.of('127.0.0.1'), port: server.port });
  assert.match(taken ?? '', /^router\.json: metrics\.listen: cannot listen there: .*EADDRINUSE/);
  const foreign = await change({ address: Ip.of('192.0.2.77'), port: loopback.port });
  assert.match(foreign ?? '', /EADDRNOTAVAIL/);
  assert.equal((await ask(loopback.port, '/metrics'))[0], 200);
  const abandoned = await host.prepare({ address: Ip.of('127.0.0.1'), port: await freePort() }, false);
  assert.ok(typeof abandoned === 'object');
  abandoned.abandon();
  assert.equal((await ask(loopback.port, '/metrics'))[0], 200);
  assert.equal(await change(undefined), undefined);
  await assert.rejects(ask(loopback.port, '/metrics'));
});
