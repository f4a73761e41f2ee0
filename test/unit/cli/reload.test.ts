import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RELOAD, RELOAD_ERROR } from '../control/fake-router.js';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

const LINES = [
  '~ log.level  info → debug',
  '+ router vr-d  endpoints: udp://192.0.2.4:7700',
  '- network blue 10.3.0.0/24  router: vr-c',
  'warning: a warning',
];

test('vinectl reload shows what has changed, and until when it has to be confirmed', async (t) => {
  const { socket, router } = await startFixture(t);
  const shown = async (line: string, last: string): Promise<void> => {
    const expected = { status: 0, out: `${[...LINES, last].join('\n')}\n`, err: '' };
    assert.deepEqual(await vinectl(line.split(' '), { socket }), expected, line);
  };
  await shown(
    'reload --confirm 60',
    '3 changes applied; undone at 2026-03-01 12:01:00Z unless "vinectl confirm" comes before',
  );
  router.reloadAnswer = { ...RELOAD, confirmBefore: null };
  await shown('reload', '3 changes applied');
  router.reloadAnswer = { ...RELOAD, applied: false, confirmBefore: null };
  await shown('reload --dry-run', '3 changes, nothing applied (dry run)');
  assert.deepEqual(router.reloads, [
    { dryRun: false, confirmSeconds: 60 },
    { dryRun: false, confirmSeconds: undefined },
    { dryRun: true, confirmSeconds: undefined },
  ]);
  router.reloadAnswer = { applied: false, changes: [], warnings: [], confirmBefore: null };
  for (const line of ['reload', 'reload -n'])
    assert.equal(
      (await vinectl(line.split(' '), { socket })).out,
      'nothing differs from what the router runs with\n',
    );
  const json = await vinectl(['reload', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out), router.reloadAnswer);
});

test('a refused reload: every mistake, status 1', async (t) => {
  const { socket, router } = await startFixture(t);
  router.reloadAnswer = RELOAD_ERROR;
  assert.deepEqual(await vinectl(['reload'], { socket }), {
    status: 1,
    out: '',
    err: 'vinectl: gndt.json: routers[1].id: wrong\nanother reload is under way\n',
  });
});

test('vinectl confirm', async (t) => {
  const { socket } = await startFixture(t);
  assert.deepEqual(await vinectl(['confirm'], { socket }), {
    status: 1,
    out: '',
    err: 'vinectl: no reload waits to be confirmed\n',
  });
  await vinectl(['reload', '--confirm', '60'], { socket });
  assert.deepEqual(await vinectl(['confirm'], { socket }), {
    status: 0,
    out: 'the new configuration stays\n',
    err: '',
  });
  const json = await vinectl(['confirm', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out), { confirmed: true });
});
