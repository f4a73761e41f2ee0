/** Disks between two couriers in this process. That real QEMU agrees is tested end to end (test/e2e/courier-disks). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { CMD, ERROR, FUA } from '../../../src/courier/disk/nbd/spec.js';
import { frameOf } from '../../../src/courier/wire/frame.js';
import { Random } from '../../fuzz/random.js';
import { DiskCouriers, DiskUser, until } from './disks.js';

const BLOCK = 64 * 1024;
const MIB = 1024 * 1024;

async function closed(couriers: DiskCouriers, user: DiskUser): Promise<void> {
  user.close();
  await until('both ends are complete', () =>
    [couriers.diskA(), couriers.diskB()].every((disk) => disk?.state === 'complete'),
  );
}

test('what is written comes out, zeroes as zeroes, and is durable when a flush is answered', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const { target } = couriers;
  const user = await couriers.user();
  assert.equal(user.facts.sizeBytes, target.sizeBytes);
  assert.deepEqual(
    [user.facts.minimumBytes, user.facts.preferredBytes, user.facts.mostPayloadBytes],
    [1, BLOCK, 32 * MIB],
  );
  const expected = Buffer.alloc(target.sizeBytes);
  const put = async (offset: number, data: Buffer): Promise<void> => {
    data.copy(expected, offset);
    assert.equal(await user.write(offset, data), ERROR.none);
  };
  target.data.fill(9);
  expected.fill(9);
  await put(0, randomBytes(3 * BLOCK));
  await put(10 * BLOCK + 77, randomBytes(BLOCK + 1));
  await put(20 * BLOCK, Buffer.alloc(4 * BLOCK));
  await put(30 * BLOCK + 5, Buffer.from('small'));
  assert.equal(await user.flush(), ERROR.none);
  assert.ok(target.durable.equals(expected), 'durable at the flush');
  // The block of zeroes went as such, and was not written.
  assert.equal(target.count('zeroes'), 4);
  expected.fill(0, 40 * BLOCK, 50 * BLOCK);
  assert.equal((await user.do({ type: CMD.writeZeroes, offset: 40 * BLOCK, length: 10 * BLOCK })).error, 0);
  expected.fill(0, 50 * BLOCK, 51 * BLOCK);
  assert.equal((await user.do({ type: CMD.trim, flags: FUA, offset: 50 * BLOCK, length: BLOCK })).error, 0);
  assert.ok(target.durable.equals(expected), 'durable at the request with FUA');
  assert.equal(target.count('trim'), 1);
  const read = await user.do({ type: CMD.read, offset: 7, length: 3 * MIB });
  assert.ok(read.data?.equals(expected.subarray(7, 7 + 3 * MIB)));
  await put(3, Buffer.from('seen by the next read'));
  const seen = await user.do({ type: CMD.read, offset: 3, length: 4 });
  assert.equal(seen.data?.toString(), 'seen');
  await closed(couriers, user);
  assert.ok(target.durable.equals(expected), 'durable at the end, without a flush');
  await until('the destination is let go', () => target.connections === 0);
  const [a, b] = [couriers.diskA(), couriers.diskB()];
  assert.equal(a?.bytesWritten, b?.bytesWritten);
  assert.equal(a?.bytesZeroed, 14 * BLOCK);
  assert.deepEqual([a?.bytesTrimmed, a?.bytesWaiting, a?.sizeBytes], [BLOCK, 0, target.sizeBytes]);
  assert.equal(couriers.a.status().counters.disks_complete, 1);
  assert.equal(couriers.a.status().counters.disk_bytes_written, a?.bytesWritten);
});

test('pages that the other site has are not sent again: of this disk, and of the last one', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const content = randomBytes(2 * MIB);
  const wan: number[] = [];
  for (let round = 0; round < 2; round++) {
    const user = await couriers.user();
    for (const offset of [0, 4 * MIB]) await user.write(offset, content);
    await closed(couriers, user);
    wan.push(couriers.diskA()?.wanBytesSent ?? 0);
    for (const offset of [0, 4 * MIB])
      assert.ok(couriers.target.data.subarray(offset, offset + content.length).equals(content));
    couriers.target.data.fill(0);
  }
  t.diagnostic(`4 MiB, half of it the other half once more: ${wan.join(', then ')} bytes on the WAN`);
  assert.ok((wan[0] ?? 0) < 2.2 * MIB && (wan[1] ?? 0) < 0.1 * MIB);
});

test('a store that has forgotten its pages asks for them', async (t) => {
  const couriers = await DiskCouriers.start(t, { store: { memoryMb: 1 } });
  const content = randomBytes(MIB);
  const user = await couriers.user();
  await user.write(0, content);
  await user.flush();
  // As many others come to courier b, from wherever.
  for (let page = 0; page < 256; page++) couriers.b.store.put(randomBytes(32), randomBytes(4096));
  await user.write(2 * MIB, content);
  await closed(couriers, user);
  assert.ok(couriers.target.data.subarray(2 * MIB, 3 * MIB).equals(content));
  assert.ok((couriers.diskB()?.pagesAskedFor ?? 0) > 200, `${couriers.diskB()?.pagesAskedFor} asked for`);
});

test('random work, a destination that does it in any order, and a WAN that is cut again and again: both ends are equal', async (t) => {
  const couriers = await DiskCouriers.start(t, { sizeBytes: 4 * MIB });
  const { target, wan } = couriers;
  target.isShuffled = true;
  const random = new Random(Date.now());
  const expected = Buffer.alloc(target.sizeBytes);
  const user = await couriers.user();
  const cuts = 8;
  for (let cut = 0; cut <= cuts; cut++) {
    if (cut < cuts) wan.cutAfterBytes = 20_000 + random.below(200_000);
    const work: Promise<unknown>[] = [];
    let flushed: Buffer | undefined;
    for (let step = 0; step < 60; step++) {
      const length = random.chance(50) ? BLOCK * (1 + random.below(4)) : 1 + random.below(3 * BLOCK);
      const offset = random.below(target.sizeBytes - length);
      if (random.chance(20)) {
        expected.fill(0, offset, offset + length);
        work.push(user.do({ type: CMD.writeZeroes, offset, length }));
      } else if (random.chance(10)) {
        // It may be asked a second time after a cut, and then sees what was written beside it.
        work.push(
          user.do({ type: CMD.read, offset, length }).then(({ data }) => {
            assert.equal(data?.length, length);
          }),
        );
      } else {
        const data = random.chance(20) ? Buffer.alloc(length, 1 + random.below(2)) : randomBytes(length);
        data.copy(expected, offset);
        work.push(user.write(offset, data));
      }
      if (random.chance(10)) {
        flushed = Buffer.from(expected);
        work.push(
          user.flush().then((error) => {
            assert.equal(error, ERROR.none);
          }),
        );
      }
    }
    if (cut < cuts) {
      await until('it is noticed', () => wan.isCut && couriers.diskA()?.state === 'stalled');
      assert.notEqual(couriers.diskA()?.whyStalled, '');
      wan.mend();
    }
    await Promise.all(work);
    if (flushed !== undefined) assert.ok(target.count('flush') > 0);
    const all = await user.do({ type: CMD.read, offset: 0, length: target.sizeBytes });
    assert.ok(all.data?.equals(expected), `read after ${cut} cuts`);
    assert.equal(await user.flush(), ERROR.none);
    assert.ok(target.durable.equals(expected), `after ${cut} cuts`);
  }
  await closed(couriers, user);
  const view = couriers.diskA();
  t.diagnostic(
    `${view?.bytesWritten} bytes, resumed ${view?.resumed} times, ${view?.bytesSentAgain} sent again`,
  );
  assert.ok((view?.resumed ?? 0) > 0);
  assert.equal(couriers.a.status().counters.disks_resumed, view?.resumed);
});

test('a WAN that says nothing for more than ten seconds, and then all that it has kept: nothing is lost or done twice', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const user = await couriers.user();
  const contents = [randomBytes(4 * MIB), randomBytes(4 * MIB)] as const;
  const work: Promise<number>[] = [user.write(0, contents[0])];
  await until('a part is there', () => couriers.target.count('write') > 8);
  couriers.wan.silence();
  // The same place once more: what was kept on the way must not come after it.
  work.push(user.write(MIB, contents[1]), user.flush());
  await until('it is noticed', () => couriers.diskA()?.state === 'stalled');
  assert.match(couriers.diskA()?.whyStalled ?? '', /nothing was heard of the other courier/);
  couriers.wan.mend();
  assert.deepEqual(await Promise.all(work), [0, 0, 0]);
  assert.ok(couriers.target.durable.subarray(0, MIB).equals(contents[0].subarray(0, MIB)));
  assert.ok(couriers.target.durable.subarray(MIB, 5 * MIB).equals(contents[1]));
  await closed(couriers, user);
  assert.ok((couriers.diskA()?.resumed ?? 0) >= 1);
});

test('a WAN that stays cut: writers wait, and get an error after the limit; the next session begins anew', async (t) => {
  const couriers = await DiskCouriers.start(t, { disk: { stallSeconds: 2 }, sizeBytes: 64 * MIB });
  const user = await couriers.user();
  await user.write(0, Buffer.from('before'));
  assert.equal(await user.flush(), ERROR.none);
  couriers.target.isHeld = true;
  const content = randomBytes(MIB);
  const writes = Array.from({ length: 40 }, (_, index) => user.write(index * MIB, content));
  const flush = user.flush();
  await until('the log is full', () => (couriers.diskA()?.bytesWaiting ?? 0) >= 16 * MIB);
  assert.ok((couriers.diskA()?.bytesWaiting ?? 0) < 18 * MIB, 'no more is taken');
  couriers.wan.cut();
  const errors = await Promise.all(writes);
  assert.equal(await flush, ERROR.io);
  assert.equal(errors[0], ERROR.none);
  assert.equal(errors.at(-1), ERROR.io);
  assert.equal(await user.write(0, Buffer.from('after')), ERROR.io);
  assert.equal(couriers.diskA()?.state, 'failed');
  user.close();
  couriers.wan.mend();
  couriers.target.release();
  const next = await couriers.user();
  await next.write(0, Buffer.from('anew'));
  await closed(couriers, next);
  assert.equal(couriers.target.data.toString('latin1', 0, 4), 'anew');
  // The session that was left behind has lost the destination to the new one.
  assert.match(couriers.b.disks()[0]?.reason ?? '', /another session has begun|other courier/);
});

test('a destination that is slow holds the writer; one that fails fails him', async (t) => {
  const couriers = await DiskCouriers.start(t, { sizeBytes: 64 * MIB });
  const { target } = couriers;
  target.isHeld = true;
  const user = await couriers.user();
  const writes = Array.from({ length: 40 }, (_, index) => user.write(index * MIB, randomBytes(MIB)));
  await until('the log is full', () => (couriers.diskA()?.bytesWaiting ?? 0) >= 16 * MIB);
  assert.match(couriers.diskA()?.whyStalled ?? '', /takes less than is written/);
  assert.ok(user.outstanding >= 20);
  target.errors.write = ERROR.noSpace;
  target.release();
  const errors = await Promise.all(writes);
  assert.equal(errors.at(-1), ERROR.noSpace);
  assert.equal(await user.flush(), ERROR.noSpace);
  assert.match(couriers.diskA()?.reason ?? '', /error 28 at a write/);
  assert.equal(couriers.diskB()?.state, 'failed');
  await until('the destination is let go', () => target.connections === 0);
});

test('a read that fails is the reader’s own; a destination that goes away ends the session', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const user = await couriers.user();
  couriers.target.errors.read = ERROR.io;
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 512 })).error, ERROR.io);
  couriers.target.errors.read = ERROR.none;
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 512 })).error, ERROR.none);
  couriers.target.disconnect();
  await until('it has failed', () => couriers.diskA()?.state === 'failed');
  assert.match(couriers.diskA()?.reason ?? '', /the destination has closed its connection/);
  assert.equal(await user.flush(), ERROR.io);
});

test('several clients share a disk; a second disk to the same destination is refused', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const users = [await couriers.user(), await DiskUser.open(couriers.path, 'disk')];
  await users[0]?.write(0, Buffer.from('one'));
  await users[1]?.write(3, Buffer.from('two'));
  assert.equal(await users[0]?.flush(), ERROR.none);
  assert.equal(couriers.target.durable.toString('latin1', 0, 6), 'onetwo');
  assert.equal(couriers.a.disks().length, 1);
  await assert.rejects(DiskUser.open(`${couriers.path}2`), /another disk is on its way to disk/);
  users[0]?.destroy();
  await users[1]?.write(6, Buffer.from('three'));
  if (users[1] !== undefined) await closed(couriers, users[1]);
  assert.equal(couriers.target.durable.toString('latin1', 0, 11), 'onetwothree');
});

test('a destination that cannot be had: the client is told why', async (t) => {
  for (const [changes, prepare, why] of [
    [{ disk: { destination: 'other' } }, () => undefined, /there is no disk other/],
    [{ place: { owner: 'blue' } }, () => undefined, /disk belongs to blue, not to default/],
    [{ place: { connect: 'unix:/nonexistent/nbd' } }, () => undefined, /ENOENT/],
    [{ place: { export: 'x' } }, () => undefined, /refuses the export "x"/],
    [
      {},
      ({ target }: DiskCouriers) => {
        target.flags |= 2;
      },
      /read-only/,
    ],
    [
      {},
      ({ target }: DiskCouriers) => {
        target.flags &= ~4;
      },
      /cannot flush/,
    ],
  ] as const) {
    const couriers = await DiskCouriers.start(t, changes);
    prepare(couriers);
    await assert.rejects(couriers.user(), why);
    assert.equal(couriers.diskA()?.state, 'failed');
  }
});

test('a destination without zeroes and trims, and with blocks of 512 bytes', async (t) => {
  const couriers = await DiskCouriers.start(t);
  couriers.target.flags = 1 | 4;
  couriers.target.minimumBytes = 512;
  couriers.target.data.fill(7);
  const user = await couriers.user();
  assert.equal(user.facts.minimumBytes, 512);
  assert.equal(await user.write(1, Buffer.alloc(512)), ERROR.invalid);
  assert.equal((await user.do({ type: CMD.writeZeroes, offset: 512, length: MIB })).error, 0);
  assert.equal((await user.do({ type: CMD.trim, offset: 0, length: 512 })).error, 0);
  await closed(couriers, user);
  assert.equal(couriers.target.count('zeroes') + couriers.target.count('trim'), 0);
  const expected = Buffer.alloc(couriers.target.sizeBytes, 7).fill(0, 512, 512 + MIB);
  assert.ok(couriers.target.durable.equals(expected));
});

test('a courier that is stopped, and started again, does not know the session: the writer gets an error', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const user = await couriers.user();
  await user.write(0, Buffer.from('x'));
  await couriers.b.stop();
  await until('it has failed', () => couriers.diskA()?.state === 'failed');
  assert.match(couriers.diskA()?.reason ?? '', /the courier was stopped/);
  assert.equal((await user.flush()) !== ERROR.none, true);
  user.close();
  await couriers.startB();
  const next = await couriers.user();
  await closed(couriers, next);
});

test('strangers: clients that do not speak NBD, and couriers that say what does not fit', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const stranger = connect(couriers.path);
  stranger.write('GET / HTTP/1.1\r\n\r\n');
  await until('it is refused', () => couriers.a.status().counters.disk_clients_refused === 1);
  const user = await couriers.user();
  user.say(Buffer.alloc(28));
  await until('it is closed', () => user.isClosed);
  const before = couriers.b.status().counters.strangers_refused ?? 0;
  const peer = connect(couriers.wanPort, '127.0.0.1');
  peer.write(frameOf('disk-open', Buffer.from('{}')));
  await until('it is refused', () => (couriers.b.status().counters.strangers_refused ?? 0) > before);
  peer.destroy();
});
