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
  assert.deepEqual(await read(writer.user, 2 * CHUNK, KIB), writer.shadow.subarray(2 * CHUNK, 2 * CHUNK + KIB));
  t.diagnostic(`a read that jumped the queue took ${Math.round(performance.now() - begun)} ms`);
  await writer.flush();
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
  assert.ok(couriers.counter('b', 'volume_chunks_pulled') > 0);
});
