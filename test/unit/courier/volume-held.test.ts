/** Moves whose storage takes its time, or fails, at a moment that matters. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Chunk } from '../../../src/courier/volume/files/chunk.js';
import { SectorMap } from '../../../src/courier/volume/files/sector-map.js';
import { FileVolume } from '../../../src/courier/volume/files/volume.js';
import { statesOf } from '../../../src/courier/volume/move/chunks-of.js';
import { until } from './couriers.js';
import { CHUNK, KIB, readAll, VolumeCouriers, Writer } from './volume-couriers.js';

/** All volumes' storage, until the test's end: what `does` returns or throws comes before the real one. */
function before<Name extends 'keep' | 'forget' | 'put'>(
  t: TestContext,
  name: Name,
  does: (volume: FileVolume, ...given: Parameters<FileVolume[Name]>) => Promise<void> | void,
): void {
  const real = FileVolume.prototype[name] as (...given: unknown[]) => Promise<void>;
  t.mock.method(FileVolume.prototype, name, async function (this: FileVolume, ...given: unknown[]) {
    await does(this, ...(given as Parameters<FileVolume[Name]>));
    return real.apply(this, given);
  });
}

type Kept = Parameters<FileVolume['keep']>;

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function written(couriers: VolumeCouriers): Promise<Writer> {
  const writer = new Writer(await couriers.user('a'));
  for (const chunk of [0, 1, 2]) await writer.write(chunk * CHUNK, CHUNK);
  await writer.flush();
  return writer;
}

async function migrate(couriers: VolumeCouriers, writer: Writer): Promise<void> {
  writer.user.close();
  await until('the client is gone', () => couriers.a.volumes()[0]?.connections === 0);
  writer.user = await couriers.user('b');
}

test('a move that begins while the last one is being given up is not forgotten with it', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await written(couriers);
  await couriers.move();
  await couriers.pushed();
  const [forget, keep] = [gate(), gate()];
  before(t, 'forget', () => forget.opened);
  before(t, 'keep', (_volume, key) => (key === 'volume' ? keep.opened : undefined));
  await couriers.a.moves.abandon('vm');
  await couriers.state('a', 'abandoned');
  const moved = couriers.move();
  forget.open();
  await until('b has forgotten', () => couriers.counter('b', 'volume_moves_abandoned') === 1);
  keep.open();
  await moved;
  await couriers.pushed();
  await writer.write(CHUNK, 4 * KIB);
  await migrate(couriers, writer);
  await writer.write(0, 512);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('what begins or waits while the courier stops is stopped with it', async (t) => {
  const couriers = await VolumeCouriers.start(t, { b: { stallSeconds: 60 } });
  const writer = await written(couriers);
  await couriers.move();
  await couriers.pushed();
  couriers.b.moves.stop('it ends');
  const begun = performance.now();
  await assert.rejects(couriers.b.moves.take('vm'), /control was not given/);
  assert.ok(performance.now() - begun < 5_000);
  await couriers.a.moves.abandon('vm');
  await couriers.state('a', 'abandoned');
  const keep = gate();
  before(t, 'keep', (_volume, key) => (key === 'volume' ? keep.opened : undefined));
  const moved = couriers.move();
  couriers.a.moves.stop('it ends');
  keep.open();
  await assert.rejects(moved, /the courier stops/);
  writer.user.close();
});

test('a push that could not be kept after control was asked for is made again', async (t) => {
  const couriers = await VolumeCouriers.start(t, { b: { stallSeconds: 1 } });
  const writer = await written(couriers);
  await couriers.move({ completeFirst: 0 });
  await couriers.pushed();
  await writer.write(CHUNK, 512);
  await assert.rejects(couriers.b.moves.take('vm'), /control was not given/);
  let fails = 1;
  before(t, 'put', () => {
    if (fails-- > 0) throw new Error('no space left');
  });
  await writer.write(2 * CHUNK, KIB);
  await writer.flush();
  await until('it could not be kept', () => fails < 1);
  await couriers.pushed();
  await migrate(couriers, writer);
  await writer.write(0, 512);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('a chunk that comes and is damaged here is not said to be here', () => {
  const facts = { isOpen: false, digest: undefined, map: SectorMap.empty(), version: 7, writes: 1 };
  const modified = new Map([
    [3, new Chunk({ ...facts, under: 'lost' })],
    [4, new Chunk({ ...facts, under: 'zero' })],
  ]);
  assert.deepEqual(
    [...statesOf({ modified }, 'receiving')].map(({ chunk }) => chunk),
    [4],
  );
  assert.equal([...statesOf({ modified }, 'pulling')].length, 2);
});

test('a move that cannot be forgotten at once is forgotten later, and another one begins', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await written(couriers);
  await couriers.move();
  await couriers.pushed();
  let fails = 2;
  before(t, 'keep', (_volume, key, value) => {
    if (key === 'move' && value === undefined && fails-- > 0) throw new Error('no space left');
  });
  await couriers.a.moves.abandon('vm');
  await until('both have tried', () => fails <= 0);
  await assert.rejects(couriers.move(), /another move begins, or ends/);
  let hasBegun = false;
  for (let time = 0; time < 200 && !hasBegun; time++) {
    await new Promise((done) => setTimeout(done, 50));
    hasBegun = await couriers.move().then(
      () => true,
      () => false,
    );
  }
  assert.ok(hasBegun);
  await couriers.pushed();
  await migrate(couriers, writer);
  await writer.write(0, 512);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('a move whose record is not durable at once goes on where it comes', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const writer = await written(couriers);
  const real = FileVolume.prototype.keep;
  let fails = 1;
  t.mock.method(FileVolume.prototype, 'keep', async function (this: FileVolume, ...given: Kept) {
    await real.apply(this, given);
    if (JSON.stringify(given).includes('"receiving"') && fails-- > 0) throw new Error('sync failed');
  });
  await couriers.move();
  await couriers.pushed();
  assert.ok(fails <= 0);
  await migrate(couriers, writer);
  await writer.write(0, 512);
  await couriers.state('a', 'released');
  assert.deepEqual(await readAll(writer.user), writer.shadow);
});

test('where it came from is released later, though the volume has moved on, or wanted to', async (t) => {
  const couriers = await VolumeCouriers.start(t);
  const user = await couriers.user('a');
  await couriers.move();
  await couriers.state('b', 'receiving');
  user.close();
  let fails = 1;
  before(t, 'keep', (volume, key) => {
    if (key !== 'finished' || fails-- <= 0) return;
    assert.equal(volume.modified.size, 0);
    couriers.wan.cut();
    throw new Error('no space left');
  });
  await couriers.b.moves.take('vm');
  await couriers.state('b', 'done');
  await until('that could not be kept', () => fails < 1);
  const onward = { peer: 'a', name: 'other', threshold: 3, completeFirst: null };
  await couriers.b.moves.move('vm', onward);
  couriers.wan.mend();
  await couriers.state('a', 'released');
  await couriers.b.moves.abandon('vm');
  await until('it is forgotten', () => couriers.log.some((line) => /^b: .*given up \(/.test(line)));
  const there = await couriers.user('b');
  assert.equal(await there.write(0, Buffer.alloc(512, 1)), 0, 'its guest lives on');
  there.close();
});
