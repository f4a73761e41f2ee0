/** `vinectl courier`, and jobs in `vinectl migrations`, with a real courier that has carried a stream. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MigrationView } from '../../../src/control/api.js';
import { serveControl } from '../../../src/courier/control.js';
import type { JobView } from '../../../src/courier/job/job.js';
import { FakeRouter } from '../control/fake-router.js';
import { startFixture } from '../control/fixture.js';
import { Couriers } from '../courier/couriers.js';
import { migration } from '../courier/streams.js';
import { vinectl } from './harness.js';

const MAC = '52:54:00:00:00:09';

/** Courier a with its control socket. */
async function served(t: TestContext): Promise<{ couriers: Couriers; control: string }> {
  const couriers = await Couriers.start(t);
  const control = join(couriers.directory, 'control.sock');
  const server = await serveControl(couriers.a, control);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { couriers, control };
}

test('send prints what the courier knows, and as JSON what it answers', async (t) => {
  const { couriers, control } = await served(t);
  const args = ['courier', 'send', '--vm', 'vm', '--to', 'b', '--socket', control];
  const { status, out, err } = await vinectl(args);
  assert.deepEqual([status, err], [0, '']);
  assert.match(
    out,
    /^1\. At b: .*\n {5}-S -incoming '<connect of receive\.vm>'\n2\. At a, by QMP: migrate\n/,
  );
  assert.ok(out.includes(`"uri":"unix:${couriers.directory}/a0.sock"`));
  const json = JSON.parse((await vinectl([...args, '--json'])).out);
  assert.deepEqual([json.vm, json.steps.length], ['vm', 3]);
  const virsh = await vinectl([...args, '--virsh']);
  assert.match(virsh.out, /^ {5}virsh migrate --live --domain vm /m);
});

test('the file tells where the control socket is, and the environment', async (t) => {
  const { couriers, control } = await served(t);
  const file = join(couriers.directory, 'file.json');
  writeFileSync(file, JSON.stringify({ control }));
  assert.match((await vinectl(['courier', 'status', '--config', file])).out, /^name +a$/m);
  const router = ['--socket', join(couriers.directory, 'router.sock')];
  assert.equal(
    (await vinectl([...router, 'courier', 'status', '--config', file])).status,
    0,
    'the file is asked first',
  );
  const env = { VINE_COURIER_SOCKET: control };
  assert.equal(JSON.parse((await vinectl(['courier', 'status', '--json'], { env })).out).name, 'a');
  for (const [verb, shown] of [
    ['jobs', /^JOB +ROLE/],
    ['disks', /^DISK +ROLE/],
    ['store', /^pages +0$/m],
  ] as const)
    assert.match((await vinectl(['courier', verb], { env })).out, shown);
  const receive = await vinectl(['courier', 'receive', '--vm', 'vm'], { env });
  assert.deepEqual([receive.status, receive.err], [1, 'vinectl: "receive" has no vm\n']);
});

test('what is wrong is said, and told by the exit status', async (t) => {
  const { couriers, control } = await served(t);
  const file = join(couriers.directory, 'file.json');
  writeFileSync(file, '{');
  const nowhere = join(couriers.directory, 'nowhere.sock');
  const { socket: router } = await startFixture(t);
  const send = (...more: string[]): string[] => ['courier', 'send', ...more];
  for (const [args, status, said] of [
    [
      send('--vm', 'vm9', '--to', 'b', '--socket', control),
      1,
      /: no entry of "send" .* vm9; there is vm, vm2\n$/,
    ],
    [send('--vm', 'vm', '--to', 'c', '--socket', control), 1, /: a has no peer c; there is b\n$/],
    [
      send('--vm', 'vm', '--to', 'b', '--mac', 'x', '--socket', control),
      1,
      /: macs\.0: expected a MAC address/,
    ],
    [send('--vm', 'vm', '--socket', control), 2, /required option '--to <courier>'/],
    [
      send('--vm', 'vm', '--to', 'b', '--socket', nowhere),
      3,
      /: no courier on .*nowhere\.sock, there is no such socket/,
    ],
    [send('--vm', 'vm', '--to', 'b', '--socket', router), 1, /: there is no "\/v1\/send"|no such|not/],
    [['courier', 'jobs', '--config', file], 2, /file\.json: /],
    [['migrations', '--courier', nowhere], 3, /: no courier on /],
  ] as const) {
    const { status: is, err } = await vinectl(args, { env: { VINE_SOCKET: router } });
    assert.equal(is, status, `${args.join(' ')}: ${err}`);
    assert.match(err, said, args.join(' '));
  }
});

test('a job stands beside the move of its guest: the MAC is named by an operator', async (t) => {
  const { couriers, control } = await served(t);
  const { socket, router } = await startFixture(t);
  const named = [
    'courier',
    'send',
    '--vm',
    'vm',
    '--to',
    'b',
    '--mac',
    MAC.toUpperCase(),
    '--socket',
    control,
  ];
  assert.equal((await vinectl(named)).status, 0);
  const { a, b } = await couriers.migrate(migration([1, 2, 3, 1]));
  assert.deepEqual([a.state, a.macs, b?.macs], ['complete', [MAC], [MAC]]);
  const times = (job: JobView | undefined): number[] => [
    job?.startedUnixMs ?? 0,
    job?.switchUnixMs ?? Number.NaN,
    job?.endedUnixMs ?? Number.NaN,
  ];
  for (const job of [a, b])
    assert.deepEqual(
      times(job),
      [...times(job)].sort((x, y) => x - y),
      'in their order',
    );
  const [known] = new FakeRouter().migrations().filter(({ mac }) => mac === MAC);
  assert.ok(known);
  const startedUnixMs = (a.endedUnixMs ?? 0) + 3;
  const startedAt = new Date(startedUnixMs).toISOString();
  const move: MigrationView = { ...known, startedUnixMs, startedAt };
  const all = [...router.migrations().filter(({ mac }) => mac !== MAC), move];
  router.migrations = () => all;
  const shown = await vinectl(['migrations', '--courier', control], { socket });
  assert.equal(shown.status, 0, shown.err);
  assert.match(
    shown.out,
    /10\.1\.0\.9.*accepted\n.*\n.*\n {2}courier: vm to b, complete \(same bytes at both ends\), .* % saved\n +-\d+\.\d{3} ms {2}transfer_begins\n +-\d+\.\d{3} ms {2}switch\n +-3\.000 ms {2}transfer_ends\n +\+0\.000 ms /,
  );
  assert.match(shown.out, /the guest's pause, until this router heard of it elsewhere: \d+\.\d{3} ms\n/);
  const rows = JSON.parse((await vinectl(['migrations', '--courier', control, '--json'], { socket })).out);
  assert.deepEqual(
    rows.map((row: { mac: string; courier: JobView | null }) => [row.mac, row.courier?.job ?? null]),
    all.map(({ mac }) => [mac, mac === MAC ? a.job : null]),
  );
  const [row] = rows.filter(({ mac }: { mac: string }) => mac === MAC);
  assert.equal(row.courier.sha256, a.sha256, 'all that the courier says of it');
  // A move that is not asked about does not leave its job to another.
  const { out } = await vinectl(['migrations', '--courier', control, '--router', 'vr-c'], { socket });
  assert.doesNotMatch(out, /courier:/);
});

test('without a courier nothing is said of one; a job without a move stands by itself', async (t) => {
  const { socket } = await startFixture(t);
  const none = { socket, env: { VINE_COURIER_SOCKET: '' } };
  const plain = await vinectl(['migrations'], none);
  assert.deepEqual([plain.status, plain.err], [0, '']);
  assert.doesNotMatch(plain.out, /courier/);
  const { couriers, control } = await served(t);
  await couriers.migrate(migration([1, 2, 3, 1]));
  const { out } = await vinectl(['migrations', '--courier', control, '--last', '1'], { socket });
  assert.match(out, /^vm {2}to b {2}complete, no move\n {2}no MAC is known of it: /);
  const filtered = await vinectl(['migrations', '--courier', control, '--vnet', 'blue'], { socket });
  assert.doesNotMatch(filtered.out, /no move/);
});
