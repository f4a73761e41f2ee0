import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { MAX_BODY_BYTES } from '../../../src/control/body.js';
import { MAX_CONNECTIONS } from '../../../src/control/server.js';
import { call, raw, startFixture, until } from './fixture.js';

describe('limits', { concurrency: true }, () => {
  test('what is not HTTP gets a 400 and the server goes on', async (t) => {
    const { socket, faults } = await startFixture(t);
    const malformed = [
      'hello\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
      'GET /v1/status HTTP/9.9\r\n\r\n',
      'GET /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
      'POST /v1/moves HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
      'POST /v1/moves HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
    ];
    for (const bytes of malformed) {
      const answer = await raw(socket, bytes);
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(bytes));
      assert.match(answer, /\r\n\r\n\{\s*"error":/);
    }
    assert.match(await raw(socket, 'GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
    assert.deepEqual(faults, []);
  });

  test('random bytes never harm it', async (t) => {
    const { socket, faults } = await startFixture(t);
    // xorshift32, so that a failure can be run again
    let seed = 20260301;
    const random = (): number => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 0;
    };
    const good = 'POST /v1/log-level HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n{"level":"info"}';
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(good);
      for (let flips = 1 + (random() % 4); flips > 0; flips--)
        bytes[random() % bytes.length] = random() & 0xff;
      const client = connect(socket, () => client.end(bytes));
      client.on('error', () => client.destroy());
      client.resume();
      await once(client, 'close');
    }
    assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
    assert.deepEqual(faults, []);
  });

  test('headers beyond 8 KB get a 431', async (t) => {
    const { socket } = await startFixture(t);
    const answer = await raw(socket, `GET /v1/status HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 431 .*"error":"the request's headers are longer than 8192 bytes"/s);
  });

  test('a body of the greatest length is read, a longer one gets a 413', async (t) => {
    const { socket } = await startFixture(t);
    const wrap = '{"level":""}';
    const fits = `{"level":"${'x'.repeat(MAX_BODY_BYTES - wrap.length)}"}`;
    assert.equal((await call(socket, 'POST', '/v1/log-level', fits)).status, 400);
    const over = await raw(
      socket,
      `POST /v1/log-level HTTP/1.1\r\nHost: a\r\nContent-Length: ${fits.length + 1}\r\n\r\n${fits} `,
    );
    assert.match(over, /^HTTP\/1\.1 413 .*longer than 65536 bytes/s);
    // One that announces no end is cut off in the middle of it.
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const endless = await raw(
      socket,
      `POST /v1/log-level HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    );
    assert.match(endless, /^HTTP\/1\.1 413 /);
  });

  test('one request a connection: a pipeline is not served', async (t) => {
    const { socket, router } = await startFixture(t);
    let asked = 0;
    const status = router.status();
    router.status = () => {
      asked++;
      return status;
    };
    const answer = await raw(socket, 'GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(answer, /Connection: close\r\n/i);
    assert.equal(asked, 1);
  });

  test('of 200 connections 64 are held, the others are closed, and later ones are served', async (t) => {
    const { socket } = await startFixture(t);
    let closed = 0;
    const clients: Socket[] = [];
    for (let i = 0; i < 200; i++) {
      const client = connect(socket);
      client.on('error', () => client.destroy());
      client.on('close', () => closed++);
      client.resume();
      clients.push(client);
    }
    await until(() => closed === 200 - MAX_CONNECTIONS);
    await assert.rejects(call(socket, 'GET', '/v1/status'));
    const kept = clients.filter((client) => !client.destroyed);
    assert.equal(kept.length, MAX_CONNECTIONS);
    for (const client of kept) client.destroy();
    await until(() => closed === 200);
    assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
  });

  test('200 calls at once, 50 at a time, are all answered', async (t) => {
    const { socket } = await startFixture(t);
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => call(socket, 'GET', '/v1/gndt')));
      assert.ok(answers.every(({ status, text }) => status === 200 && JSON.parse(text).length === 5));
    }
  });

  test('a client that says nothing, or half of something, is cut off', { timeout: 30_000 }, async (t) => {
    const { socket } = await startFixture(t);
    const [silent, half] = await Promise.all([raw(socket, ''), raw(socket, 'GET /v1/status HTTP/1.1\r\nHo')]);
    assert.match(half, /^HTTP\/1\.1 408 /);
    assert.match(silent, /^(HTTP\/1\.1 408 |$)/);
  });
});

test('a table’s rows are made and looked at in slices, with turns for others in between', async (t) => {
  const { socket, router } = await startFixture(t);
  const [row] = router.directory();
  assert.ok(row);
  let [made, turns, most] = [0, 0, 0];
  let isWatching = true;
  const watch = (): void => {
    most = Math.max(most, made);
    made = 0;
    turns++;
    if (isWatching) setImmediate(watch);
  };
  const rows = function* (): Generator<typeof row> {
    for (let n = 0; n < 20_000; n++) {
      made++;
      yield { ...row, ip: `10.1.${n >> 8}.${n & 255}` };
    }
  };
  Object.assign(router, { directory: rows });
  setImmediate(watch);
  // Hardly any row is let through: looking at them takes its time all the same.
  const { text } = await call(socket, 'GET', '/v1/directory?ip=10.1.7.7');
  isWatching = false;
  assert.equal(JSON.parse(text).length, 1);
  assert.ok(most <= 400, `${most} rows in one turn`);
  assert.ok(turns >= 50, `${turns} turns`);
});
