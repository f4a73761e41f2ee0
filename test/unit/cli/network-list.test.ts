/** `vinectl network list` with an etcd. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

test('the etcd: which one, since when, what it has that does not count, its last problem', async (t) => {
  const { socket } = await startFixture(t);
  const { status, out } = await vinectl(['network', 'list'], { socket });
  assert.equal(status, 0);
  const lines = out.split('\n').filter((line) => /etcd|not taken|last problem/.test(line));
  assert.deepEqual(lines, [
    'etcd:        https://192.0.2.9:2379 /vine/description, reached since 2026-03-01T11:00:00.000Z, revision 81',
    '  not taken:    it is version 4, and this router has version 5',
    '  last problem: 2026-03-01T10:59:58.000Z: https://etcd-2.example.net:2379: it says nothing',
  ]);
});
