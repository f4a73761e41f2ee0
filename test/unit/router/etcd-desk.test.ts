/** What operators see of the etcd: an address where nothing listens, over real sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/net/system-clock.js';
import { EtcdDesk } from '../../../src/router/network/etcd-desk.js';
import { waitFor } from '../../lab/wait.js';

test('nothing listens: a warning, an event, and the state', async () => {
  const events: string[] = [];
  const asked: string[] = [];
  const desk = new EtcdDesk({
    clock: systemClock,
    hub: { emit: (level, event) => events.push(`${level} ${event}`) },
    etcd: {
      endpoints: ['http://127.0.0.1:1', 'http://etcd.example.net:1'],
      key: '/vine/description',
      caFile: undefined,
      certificateFile: undefined,
      privateKeyFile: undefined,
    },
    native: {
      lookUpName: (name, done) => {
        asked.push(name);
        setImmediate(done, 'EAI_AGAIN', []);
        return { close: () => {} };
      },
    },
    judge: () => undefined,
  });
  assert.deepEqual(desk.warnings(), []);
  assert.equal(desk.view().since, null);
  desk.start();
  await waitFor('both are tried', () => events.length > 0);
  desk.stop();
  assert.deepEqual(events, ['warn etcd_lost']);
  assert.deepEqual(asked, ['etcd.example.net']);
  const { reached, since, lastProblem, refusal } = desk.view();
  assert.equal(reached, false);
  assert.ok(since !== null);
  assert.equal(refusal, null);
  assert.deepEqual(
    [lastProblem?.endpoint, lastProblem?.problem, lastProblem?.reason],
    ['http://etcd.example.net:1', 'unreachable', 'no name server answers'],
  );
  assert.match(
    desk.warnings()[0] ?? '',
    /^no etcd answers since .*: no name server answers; the description stays/,
  );
  assert.equal(desk.counters().etcd_failed_unreachable, 2);
});
