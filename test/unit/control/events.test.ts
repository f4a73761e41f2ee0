import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { EventView } from '../../../src/control/api.js';
import { FOLLOWER_BUFFER, MAX_FOLLOWERS, RECENT_EVENTS } from '../../../src/control/events.js';
import { call, startFixture, until } from './fixture.js';

const AT = '2026-03-01T12:00:00.000Z';

async function follow(socketPath: string): Promise<IncomingMessage> {
  const request = get({ socketPath, path: '/v1/events?follow=1', agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** Collects lines as they come. */
function linesOf(response: IncomingMessage): string[] {
  const lines: string[] = [];
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (part: string) => {
    const split = (rest + part).split('\n');
    rest = split.pop() ?? '';
    lines.push(...split);
  });
  return lines;
}

test('the last events are kept, oldest first', async (t) => {
  const { socket, router } = await startFixture(t);
  for (let n = 0; n < RECENT_EVENTS + 5; n++) router.emit({ at: AT, event: 'node_learned', n });
  const events: EventView[] = JSON.parse((await call(socket, 'GET', '/v1/events?follow=0')).text);
  assert.equal(events.length, RECENT_EVENTS);
  assert.deepEqual([events[0]?.n, events.at(-1)?.n], [5, RECENT_EVENTS + 4]);
});

test('a follower gets a line for each event from then on, and the end when the server closes', async (t) => {
  const { socket, router, server } = await startFixture(t);
  router.emit({ at: AT, event: 'before' });
  const response = await follow(socket);
  assert.equal(response.headers['content-type'], 'application/x-ndjson');
  const lines = linesOf(response);
  const sent: EventView[] = [
    { at: AT, event: 'peer_up', peer: 'vr-b' },
    { at: AT, event: 'move_learned', ips: ['10.1.0.9', 'fd00:1::9'], seq: 4, from: null },
  ];
  for (const event of sent) router.emit(event);
  await until(() => lines.length === 2);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    sent,
  );
  const ended = once(response, 'end');
  router.emit({ at: AT, event: 'last_words' });
  await server.close();
  await ended;
  assert.equal(JSON.parse(lines[2] ?? '').event, 'last_words');
  assert.equal(router.listeners.size, 0);
});

test('a client that reads nothing costs a bounded buffer, delays nobody, and is told what it missed', async (t) => {
  const { socket, router } = await startFixture(t);
  const slow = await follow(socket);
  slow.pause();
  const quick = await follow(socket);
  const quickLines = linesOf(quick);
  const total = 40_000;
  const padding = 'x'.repeat(200);
  let longestMs = 0;
  for (let n = 0; n < total; n++) {
    const start = performance.now();
    router.emit({ at: AT, event: 'node_learned', n, padding });
    longestMs = Math.max(longestMs, performance.now() - start);
    if (n % 100 === 0) await until(() => quickLines.length >= n + 1);
  }
  await until(() => quickLines.length === total);
  assert.ok(longestMs < 1000, `one event held the router up for ${longestMs} ms`);
  const slowLines = linesOf(slow);
  slow.resume();
  await until(() => slowLines.some((line) => line.includes(`"n":${total - 1},`)));
  const events: EventView[] = slowLines.map((line) => JSON.parse(line));
  const gaps = events.flatMap((event, i) => (event.event === 'events_dropped' ? [i] : []));
  assert.equal(gaps.length, 1);
  const gap = gaps[0] ?? 0;
  const dropped = Number(events[gap]?.count);
  assert.equal(events[gap]?.at, AT);
  // Nothing is missing but what the marker says, at the place where it says it.
  const before = events.slice(0, gap).map((event) => event.n);
  const after = events.slice(gap + 1).map((event) => event.n);
  assert.deepEqual(
    before,
    Array.from({ length: gap }, (_, n) => n),
  );
  assert.deepEqual(
    after,
    Array.from({ length: total - gap - dropped }, (_, n) => gap + dropped + n),
  );
  assert.equal(after.length, FOLLOWER_BUFFER);
  // What was on its way: the buffers of the kernel and of the two ends.
  assert.ok(gap * padding.length < 2e6, `${gap} lines before the gap`);
});

test('a follower that goes away is forgotten', async (t) => {
  const { socket, router } = await startFixture(t);
  const gone = await Promise.all(Array.from({ length: MAX_FOLLOWERS }, () => follow(socket)));
  const refused = await call(socket, 'GET', '/v1/events?follow=1');
  assert.equal(refused.status, 503);
  assert.match(JSON.parse(refused.text).error, /32 clients follow the events already/);
  assert.equal((await call(socket, 'GET', '/v1/status')).status, 200);
  for (const response of gone) response.destroy();
  let response = await call(socket, 'GET', '/v1/events');
  for (;;) {
    const next = get({ socketPath: socket, path: '/v1/events?follow=1', agent: false });
    const [answer] = (await once(next, 'response')) as [IncomingMessage];
    if (answer.statusCode === 200) {
      const lines = linesOf(answer);
      router.emit({ at: AT, event: 'peer_up' });
      await until(() => lines.length === 1);
      answer.destroy();
      break;
    }
    answer.resume();
    response = await call(socket, 'GET', '/v1/events');
  }
  assert.equal(response.status, 200);
});
