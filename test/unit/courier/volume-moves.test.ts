import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './couriers.js';
import { CHUNK, KIB, read, readAll, VOLUME_BYTES, VolumeCouriers, Writer } from './volume-couriers.js';

async function withData(couriers: VolumeCouriers): Promise<Writer> {
  const writer = new Writer(await couriers.user('a'));
  for (const chunk of [0, 1, 2, 5, 9]) await writer.write(chunk * CHUNK, CHUNK);
  await writer.write(12 * CHUNK + 4 * KIB, 8 * KIB);
  await writer.write(VOLUME_BYTES - 4 * KIB, 4 * KIB);
  await writer.zero(5 * CHUNK, CHUNK);
  await writer.flush();
  return writer;
}

/** Its client is closed there, and goes on here. */
async function migrate(couriers: VolumeCouriers, writer: Writer): Promise<void> {
  writer.user.close();
  await until('the client is gone', () => couriers.a.volumes()[0]?.connections === 0);
  writer.user = await couriers.user('b');
}

test('a volume that is pushed follows its guest, and the courier where it was is released', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await withData(couriers);
  await couriers.move();
  await couriers.pushed();
  const early = await couriers.user('b');
  assert.deepEqual(await readAll(early), writer.shadow, 'before control has come');
  assert.equal(await early.flush(), 0);
  early.close();
  assert.equal(couriers.view('b')?.state, 'receiving');
  await migrate(couriers, writer);
  await writer.write(3 * CHUNK + 512, 512);
  assert.equal(couriers.view('b')?.state === 'receiving', false);
  await writer.write(0, 4 * KIB);
  await writer.flush();
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  assert.equal(couriers.view('b')?.state, 'done');
  assert.equal(couriers.view('b')?.depends, null);
});

test('what is not pushed is pulled; a part of it that is written meanwhile stays', async (t) => {
  const couriers = await VolumeCouriers.start(t, { wanBytesPerSecond: 2_000_000 });
  const writer = await withData(couriers);
  await couriers.move({ threshold: 1 });
  for (const chunk of [0, 1, 2, 9, 10, 11]) await writer.write(chunk * CHUNK, CHUNK);
  await writer.flush();
  await couriers.state('b', 'receiving');
  await migrate(couriers, writer);
  await writer.write(9 * CHUNK + 8 * KIB, 4 * KIB);
  await writer.write(10 * CHUNK, CHUNK);
  assert.equal(couriers.view('b')?.state, 'pulling');
  assert.match(couriers.view('b')?.depends ?? '', /^depends on [0-9a-f]{8}: [0-9]+ chunks$/);
  assert.match(couriers.view('a')?.depends ?? '', /^vm at b depends on this courier: [0-9]+ chunks$/);
  const begun = performance.now();
  assert.deepEqual(
    await read(writer.user, 2 * CHUNK, KIB),
    writer.shadow.subarray(2 * CHUNK, 2 * CHUNK + KIB),
  );
  t.diagnostic(`a read that jumped the queue took ${Math.round(performance.now() - begun)} ms`);
  await writer.flush();
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  assert.ok(couriers.counter('b', 'volume_chunks_pulled') > 0);
});

test('a move is given up: nothing changes for the guest, nothing is left there, and it can begin again', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await withData(couriers);
  await couriers.move();
  await assert.rejects(couriers.move(), /on its way to b already/);
  await couriers.pushed();
  // The QEMU that waited has failed: it has read, flushes and closes.
  const failed = await couriers.user('b');
  await read(failed, 0, KIB);
  assert.equal(await failed.flush(), 0);
  failed.close();
  await couriers.a.moves.abandon('vm');
  await couriers.state('a', 'abandoned');
  await until('all is forgotten', () => couriers.b.volumes()[0]?.modifiedChunks === 0);
  await writer.write(CHUNK, 4 * KIB);
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  await until('a move may begin', () => couriers.a.status().counters.volume_moves_abandoned === 1);
  await couriers.move();
  await writer.flush();
  await couriers.pushed();
  await migrate(couriers, writer);
  await writer.write(0, 512);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  await assert.rejects(couriers.a.moves.abandon('vm'), /control has moved/);
});

test('the destination gives a move up that was not asked for control', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await withData(couriers);
  await couriers.move();
  await couriers.pushed();
  await couriers.b.moves.abandon('vm');
  const view = await couriers.state('a', 'abandoned');
  assert.equal(view.reason, 'the operator has given it up');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  await until('all is forgotten', () => couriers.b.volumes()[0]?.modifiedChunks === 0);
});

test('while the guest writes where it is, nobody else gets control; who has waited for it in vain gets an error', async (t) => {
  const couriers = await VolumeCouriers.start(t, { b: { stallSeconds: 1 } });
  const writer = await withData(couriers);
  await couriers.move();
  await couriers.pushed();
  const stray = await couriers.user('b');
  await writer.write(0, 512);
  assert.notEqual(await stray.write(CHUNK, Buffer.alloc(512, 7)), 0);
  assert.equal(couriers.counter('b', 'volume_writes_without_control'), 1);
  assert.ok(couriers.log.some((line) => line.includes('control was not given: it is being written to')));
  await writer.write(0, 512);
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  await assert.rejects(couriers.b.moves.take('vm'), /control was not given/);
  await assert.rejects(couriers.b.moves.abandon('vm'), /may have come/);
});

test('a write after control has moved is refused, counted and said', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await withData(couriers);
  await couriers.move();
  await couriers.pushed();
  // Its guest is quiet after a flush: it may have gone.
  await couriers.b.moves.take('vm');
  await couriers.state('a', 'released');
  assert.notEqual(await writer.user.write(0, Buffer.alloc(512, 9)), 0);
  assert.equal(couriers.counter('a', 'volume_late_writes'), 1);
  assert.ok(couriers.log.some((line) => line.startsWith('a: ALARM: volume vm has gone to b')));
  assert.equal(await writer.user.flush(), 0);
  const there = await couriers.user('b');
  assert.deepEqual(await readAll(there), writer.shadow);
});

test('both couriers die and the WAN is cut at any moment: the move goes on', async (t) => {
  const couriers = await VolumeCouriers.start(t, { wanBytesPerSecond: 4_000_000 });
  const writer = await withData(couriers);
  await couriers.move({ threshold: 2 });
  for (const chunk of [1, 1, 2, 2, 13, 14, 15]) await writer.write(chunk * CHUNK, CHUNK);
  couriers.wan.cut();
  await writer.write(7 * CHUNK, CHUNK);
  couriers.wan.mend();
  await couriers.state('b', 'receiving');
  writer.user.close();
  await couriers.end('a');
  await couriers.end('b');
  await couriers.begin('b');
  await couriers.begin('a');
  writer.user = await couriers.user('a');
  await writer.write(2 * CHUNK + KIB, KIB);
  await writer.flush();
  await migrate(couriers, writer);
  await writer.write(4 * CHUNK, KIB);
  await writer.write(2 * CHUNK, 512);
  await writer.flush();
  writer.user.close();
  await couriers.end('b');
  await couriers.begin('b');
  await couriers.end('a');
  await couriers.begin('a');
  couriers.wan.cut();
  couriers.wan.mend();
  writer.user = await couriers.user('b');
  await couriers.state('b', 'done');
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('control waits until few enough chunks remain', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await withData(couriers);
  await couriers.move({ threshold: 1, completeFirst: 0 });
  for (let time = 0; time < 4; time++) await writer.write(CHUNK, 512);
  await writer.flush();
  await couriers.state('b', 'receiving');
  await migrate(couriers, writer);
  await writer.write(0, 512);
  assert.equal(couriers.counter('b', 'volume_chunks_pulled'), 0);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('what has changed since comes back, and no more', async (t) => {
  const couriers = await VolumeCouriers.start(t, { a: { receive: true } });
  const writer = new Writer(await (await own(couriers)).user('a'));
  for (let chunk = 0; chunk < 12; chunk++) await writer.write(chunk * CHUNK, CHUNK);
  await writer.flush();
  await couriers.move();
  await couriers.pushed();
  await migrate(couriers, writer);
  await writer.write(3 * CHUNK, KIB);
  await writer.flush();
  await couriers.state('a', 'released');
  const before = couriers.counter('b', 'volume_chunks_pushed');
  await couriers.b.moves.move('vm', { peer: 'a', name: 'vm', threshold: 3, completeFirst: null });
  await until(
    'all is back',
    () => couriers.view('b')?.state === 'pushing' && couriers.view('b')?.remaining === 0,
  );
  assert.equal(couriers.counter('b', 'volume_chunks_pushed') - before, 1);
  writer.user.close();
  await until('the client is gone', () => couriers.b.volumes()[0]?.connections === 0);
  writer.user = await couriers.user('a');
  await writer.write(5 * CHUNK, KIB);
  await couriers.state('b', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

/** A volume that receives serves nothing before one has come: it begins as one that does not. */
async function own(couriers: VolumeCouriers): Promise<VolumeCouriers> {
  const changes = couriers.changes.a as { receive?: boolean };
  changes.receive = false;
  await couriers.end('a');
  await couriers.begin('a');
  const user = await couriers.user('a');
  assert.equal(await user.write(0, Buffer.alloc(512, 1)), 0);
  user.close();
  changes.receive = true;
  await couriers.end('a');
  await couriers.begin('a');
  return couriers;
}

test('what cannot be the same volume is refused, with why', async (t) => {
  const couriers = await VolumeCouriers.start(t, { b: { size: VOLUME_BYTES + CHUNK } });
  const writer = await withData(couriers);
  const refused = async (why: RegExp, order: object = {}): Promise<void> => {
    await couriers.move(order);
    await until('it is refused', () => couriers.view('a')?.state === 'abandoned');
    assert.match(couriers.view('a')?.reason ?? '', why);
    await until('it has ended', () => couriers.log.at(-1)?.includes('given up') === true);
  };
  await refused(/it has [0-9]+ bytes here, and not/);
  await refused(/there is no volume nobody/, { name: 'nobody' });
  await assert.rejects(couriers.move({ peer: 'c' }), /c is not in peers/);
  await assert.rejects(
    couriers.a.moves.move('nobody', { peer: 'b', name: 'vm', threshold: 3, completeFirst: null }),
    /no volume/,
  );
  await assert.rejects(couriers.b.moves.take('vm'), /does not come from anywhere/);
  await assert.rejects(
    couriers.b.moves.move('vm', { peer: 'a', name: 'vm', threshold: 3, completeFirst: null }),
    /there is nothing in it/,
  );
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});
