/** Disks through two couriers, with the programs that speak NBD on a Debian: qemu-img, qemu-io, qemu-nbd. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { run } from '../lab/shell.js';
import { pause, waitFor } from '../lab/wait.js';
import { cannotRun, LIMIT_MS, MIB, makeImage, SIZE, say, succeed, World } from './courier-disks-support.js';

for (const format of ['raw', 'qcow2'] as const)
  test(`qemu-img writes an image through couriers into ${format}: it is the same, and holes stay holes`, {
    skip: cannotRun,
  }, async (t) => {
    const world = await World.start(t, format);
    const source = world.path('source.img');
    const allocated = makeImage(source);
    await succeed('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri);
    const view = await world.over();
    say(t, view, allocated);
    assert.equal(view.state, 'complete', view.reason);
    await world.same(source, format);
    const wan = view.wanBytesSent + view.wanBytesReceived;
    assert.ok(wan <= 1.2 * allocated, `${wan} bytes on the WAN for ${allocated}`);
    const taken = statSync(world.path('target.img')).blocks * 512;
    assert.ok(taken <= 1.3 * allocated + MIB, `${taken} bytes are allocated at the destination`);
  });

test('qemu-io writes, zeroes, discards, flushes and reads through couriers as it does on a file', {
  skip: cannotRun,
}, async (t) => {
  const world = await World.start(t);
  const shadow = world.path('shadow.img');
  await succeed('qemu-img', 'create', '-q', '-f', 'raw', shadow, String(SIZE));
  const work = ['-c', 'write -P 0x11 0 3M', '-c', 'write -P 0x22 1000 511', '-c', 'write -z 512k 1M'];
  work.push(
    '-c',
    'write -f -P 0x33 5M 64k',
    '-c',
    'write -zu 5M 4k',
    '-c',
    'flush',
    '-c',
    'write -P 0 2M 128k',
  );
  work.push('-c', 'discard 2500k 64k', '-c', 'write -P 0x44 2500k 64k', '-c', 'aio_write -P 0x55 8M 4M');
  work.push(
    '-c',
    'aio_flush',
    '-c',
    'read -P 0x22 1000 511',
    '-c',
    'read -P 0x55 8M 4M',
    '-c',
    'read -P 0 512k 1M',
  );
  for (const image of [shadow, world.uri])
    await succeed('qemu-io', '-f', 'raw', '-t', 'writeback', ...work, image);
  const view = await world.over();
  assert.equal(view.state, 'complete', view.reason);
  await world.same(shadow);
  // qemu-io says nothing of what is beyond the end but an error, and the server goes on.
  const beyond = await run(['qemu-io', '-f', 'raw', '-c', `write ${SIZE} 512`, world.uri], {
    timeoutMs: LIMIT_MS,
  });
  assert.match(beyond.stdout + beyond.stderr, /beyond|Input\/output|No space|Invalid/i);
});

test('a WAN that is cut twice in the middle: qemu-img does not notice, and little is sent again', {
  skip: cannotRun,
}, async (t) => {
  const world = await World.start(t);
  const source = world.path('source.img');
  writeFileSync(source, randomBytes(SIZE));
  const converted = succeed('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri);
  for (const bytes of [SIZE / 4, SIZE / 2]) {
    await waitFor(
      'so much is written',
      async () => ((await world.running())?.bytesWritten ?? 0) >= bytes,
      LIMIT_MS,
    );
    world.wan.cut();
    const stalled = await waitFor('it is noticed', async () => {
      const disk = await world.running();
      return disk?.state === 'stalled' && disk;
    });
    assert.notEqual(stalled.whyStalled, '');
    await pause(500);
    world.wan.mend();
  }
  await converted;
  const view = await world.over();
  say(t, view, SIZE);
  assert.equal(view.state, 'complete', view.reason);
  assert.ok(view.resumed >= 2);
  await world.same(source);
  assert.ok(view.bytesSentAgain <= 0.05 * view.bytesWritten, `${view.bytesSentAgain} bytes sent again`);
  assert.match(world.log, /disk disk to b: stalled/);
});

for (const name of ['a', 'b'] as const)
  test(`courier ${name} is killed in the middle: the writer gets an error, and begins anew with the next one`, {
    skip: cannotRun,
  }, async (t) => {
    const world = await World.start(t);
    const source = world.path('source.img');
    writeFileSync(source, randomBytes(SIZE));
    const convert = ['qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, world.uri];
    const failed = run(convert, { timeoutMs: LIMIT_MS });
    await waitFor(
      'a part is written',
      async () => ((await world.running())?.bytesWritten ?? 0) >= SIZE / 4,
      LIMIT_MS,
    );
    await world.kill(name);
    if (name === 'b') await world.serve(name);
    const { status, stderr } = await failed;
    assert.notEqual(status, 0, 'qemu-img did not notice');
    t.diagnostic(stderr.trim().split('\n').at(-1) ?? '');
    if (name === 'b')
      assert.match((await world.disks('a')).at(-1)?.reason ?? '', /this session is not known here/);
    else await world.serve(name);
    await succeed(...convert);
    const view = await world.over();
    assert.equal(view.state, 'complete', view.reason);
    await world.same(source);
  });
