import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusView } from '../../../src/control/api.js';
import { ServiceManager } from '../../../src/router/life/service-manager.js';
import { Supervision, statusLine } from '../../../src/router/life/supervision.js';
import { SimClock } from '../../support/sim-clock.js';

const status: StatusView = {
  id: 'vr-a',
  version: '0.1.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  uptimeSeconds: 1,
  ready: true,
  workers: [],
  listen: [],
  lans: [],
  tunnel: {
    cipher: 'aes-256-gcm',
    sealing: 'evp',
    chachaGbps: 0,
    aesGbps: 20,
    fastAes: true,
    segmentation: false,
    coalescing: false,
  },
  peersUp: 1,
  peersTotal: 2,
  nodesHere: 3,
  nodesVisiting: 0,
  nodesDeparted: 0,
  nodesMissing: 0,
  role: null,
  descriptionVersion: null,
  warnings: [],
};

test('the status line says what an operator wants to see first', () => {
  assert.equal(statusLine(status), '1 of 2 peers up, 3 nodes here');
  assert.equal(
    statusLine({
      ...status,
      peersTotal: 1,
      nodesHere: 1,
      nodesVisiting: 1,
      nodesDeparted: 4,
      nodesMissing: 2,
      warnings: ['a'],
    }),
    '1 of 1 peer up, 1 node here (1 visiting), 4 departed, 2 missing, 1 warning',
  );
});

function world(): {
  clock: SimClock;
  said: string[];
  supervision: Supervision;
  router: { view: StatusView; turns: number };
} {
  const clock = new SimClock();
  const said: string[] = [];
  const manager = new ServiceManager({ NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '8000000' }, 1, {
    send: (_path, text) => said.push(new TextDecoder().decode(text).replace(/MONOTONIC_USEC=\d+\n/, '')),
    nowMs: () => clock.nowMs(),
    onLost: (reason) => assert.fail(reason),
  });
  return {
    clock,
    said,
    supervision: new Supervision(manager, clock, () => {}),
    router: { view: status, turns: 0 },
  };
}

function supervised(router: { view: StatusView; turns: number }) {
  return { status: () => router.view, workerTurns: () => [{ name: 'lan', turns: router.turns++ }] };
}

test('ready, then signs of life, then stopping, and nothing after it', () => {
  const { clock, said, supervision, router } = world();
  clock.advance(60_000);
  assert.deepEqual(said, [], 'it spoke before the router was ready');
  supervision.ready(supervised(router));
  clock.advance(4_000);
  supervision.stopping();
  clock.advance(60_000);
  assert.deepEqual(said, [
    'READY=1\nSTATUS=1 of 2 peers up, 3 nodes here\n',
    'WATCHDOG=1\n',
    'WATCHDOG=1\n',
    'WATCHDOG=1\n',
    'STOPPING=1\nSTATUS=stopping\n',
  ]);
});

test('a status line is sent again only when it has changed', () => {
  const { clock, said, supervision, router } = world();
  supervision.ready(supervised(router));
  clock.advance(20_000);
  router.view = { ...status, peersUp: 2 };
  clock.advance(20_000);
  const lines = said.filter((text) => text.startsWith('STATUS='));
  assert.deepEqual(lines, ['STATUS=2 of 2 peers up, 3 nodes here\n']);
  supervision.stopping();
});

test('a reload is announced, and its end is said by READY=1 again', () => {
  const { said, supervision, router } = world();
  supervision.ready(supervised(router));
  supervision.reloading();
  supervision.reloaded();
  assert.deepEqual(said.slice(2), [
    'RELOADING=1\nSTATUS=reloading\n',
    'READY=1\nSTATUS=1 of 2 peers up, 3 nodes here\n',
  ]);
  supervision.stopping();
});
