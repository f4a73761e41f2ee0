/** A volume's NBD export as clients see it: what gates answer, what lies, several connections, and storage that fails. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CMD, ERROR, FAST_ZERO, FUA, NO_HOLE } from '../../../src/courier/disk/nbd/spec.js';
import { VOLUME_COUNTERS } from '../../../src/courier/volume/export/counters.js';
import { VolumeExport } from '../../../src/courier/volume/export/export.js';
import type { FileVolume } from '../../../src/courier/volume/files/volume.js';
import { openGate, type VolumeGate } from '../../../src/courier/volume/gate.js';
import { DeclaredCounters } from '../../../src/net/counters.js';
import { mutated } from '../../fuzz/mutate.js';
import { Random } from '../../fuzz/random.js';
import { pause, waitFor } from '../../lab/wait.js';
import { DiskUser, until } from './disks.js';
import { CHUNK, directoryOf, KIB, open, pattern } from './volumes.js';

class Served {
  readonly counters = new DeclaredCounters(VOLUME_COUNTERS);
  readonly clients: number[] = [];
  readonly sockets: Socket[] = [];
  flushes = 0;

  private constructor(
    readonly volume: FileVolume,
    readonly path: string,
    readonly shown: VolumeExport,
  ) {}

  static async start(t: TestContext, over: Partial<VolumeGate> = {}): Promise<Served> {
    const closing: (() => Promise<unknown> | unknown)[] = [];
    // Before the directory goes.
    t.after(async () => {
      for (const close of closing) await close();
    });
    const directory = directoryOf(t);
    const volume = await open(join(directory, 'v'));
    const inner = openGate(volume);
    let served: Served | undefined;
    const gate: VolumeGate = {
      ...inner,
      flush: () => {
        if (served) served.flushes++;
        return inner.flush();
      },
      clients: (count) => served?.clients.push(count),
      ...over,
    };
    const counters = new DeclaredCounters(VOLUME_COUNTERS);
    const facts = { name: 'v', sizeBytes: volume.size, chunkBytes: volume.chunkBytes };
    const shown = new VolumeExport({ ...facts, gate, counters });
    const path = join(directory, 'v.sock');
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      served?.sockets.push(socket);
      shown.accept(socket);
    });
    await new Promise<void>((done) => server.listen(path, done));
    served = new Served(volume, path, shown);
    Object.assign(served, { counters });
    closing.push(
      () => server.close(),
      () => shown.stop(),
      () => volume.close(),
    );
    return served;
  }

  user(): Promise<DiskUser> {
    return DiskUser.open(this.path);
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Waits until it has risen from 0 and rises no more. */
async function settled(what: string, value: () => number): Promise<void> {
  await waitFor(what, async () => {
    const before = value();
    await pause(100);
    return before > 0 && value() === before;
  });
}

test('reads, writes, zeroes, trims and flushes; FUA flushes, and a write of any length and place', async (t) => {
  const served = await Served.start(t);
  const user = await served.user();
  assert.equal(user.facts.sizeBytes, 4 * CHUNK);
  assert.equal(user.facts.minimumBytes, 512);
  const data = pattern(3 * CHUNK + 64 * KIB, 1);
  assert.equal(await user.write(32 * KIB, data), 0);
  assert.deepEqual((await user.do({ type: CMD.read, offset: 32 * KIB, length: data.length })).data, data);
  assert.equal(served.flushes, 0);
  assert.equal(await user.write(0, pattern(512, 2), FUA), 0);
  assert.equal(served.flushes, 1);
  assert.equal(await user.flush(), 0);
  assert.equal(served.flushes, 2);
  const range = { offset: 100 * KIB, length: 2 * CHUNK };
  for (const [type, flags] of [
    [CMD.trim, 0],
    [CMD.writeZeroes, NO_HOLE],
    [CMD.writeZeroes, FUA],
  ] as const) {
    assert.equal(await user.write(100 * KIB, pattern(2 * CHUNK, 3)), 0);
    assert.equal((await user.do({ type, flags, ...range })).error, 0);
    assert.deepEqual((await user.do({ type: CMD.read, ...range })).data, Buffer.alloc(2 * CHUNK));
    const holes = served.volume.extents(range.offset, range.length).filter(({ isHole }) => isHole);
    assert.equal(holes.length, flags === NO_HOLE ? 0 : 1);
  }
  assert.equal(served.flushes, 3);
  // Zeroes that are to be fast are, where chunks are whole.
  const fast = { type: CMD.writeZeroes, flags: FAST_ZERO };
  assert.equal((await user.do({ ...fast, offset: 0, length: 2 * CHUNK })).error, 0);
  assert.equal((await user.do({ ...fast, offset: 512, length: 2 * CHUNK })).error, ERROR.notSup);
  const written = { type: CMD.writeZeroes, flags: FAST_ZERO | NO_HOLE, offset: 0, length: 2 * CHUNK };
  assert.equal((await user.do(written)).error, ERROR.notSup);
  assert.equal(served.counters.get('volume_requests_failed'), 0);
  user.close();
  await until('it is gone', () => user.isClosed && served.shown.connections === 0);
  assert.deepEqual(served.clients, [1, 0]);
});

test('requests that lie: EINVAL or ENOSPC, and the next one is served', async (t) => {
  const served = await Served.start(t);
  const user = await served.user();
  const end = 4 * CHUNK;
  assert.equal((await user.do({ type: CMD.read, offset: end, length: 512 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 511 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: CMD.read, offset: 1, length: 512 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 0xffff_fe00 })).error, ERROR.invalid);
  assert.equal(await user.write(end - 512, Buffer.alloc(1024)), ERROR.noSpace);
  assert.equal(await user.write(0, Buffer.alloc(100)), ERROR.invalid);
  assert.equal((await user.do({ type: CMD.trim, offset: 0, length: end + 512 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: CMD.blockStatus, offset: 0, length: 512 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: 99, offset: 0, length: 0 })).error, ERROR.invalid);
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 512 })).error, 0);
  assert.equal(served.counters.get('volume_requests_refused'), 9);
  assert.equal(served.volume.modified.size, 0);
  user.destroy();
});

test('several connections: what one writes the other reads, and its flush covers both', async (t) => {
  const served = await Served.start(t);
  const users = await Promise.all(Array.from({ length: 16 }, () => served.user()));
  await Promise.all(users.map((user, number) => user.write(number * 4096, pattern(4096, number))));
  assert.equal(await users[15]?.flush(), 0);
  for (const [number, user] of users.entries()) {
    const at = ((number + 5) % 16) * 4096;
    assert.deepEqual(
      (await user.do({ type: CMD.read, offset: at, length: 4096 })).data,
      pattern(4096, (number + 5) % 16),
    );
  }
  await assert.rejects(served.user(), 'the seventeenth');
  assert.equal(served.counters.get('volume_clients_refused'), 1);
  for (const user of users) user.close();
  await until('all are gone', () => served.shown.connections === 0);
});

test('what the gate rejects is the client’s error, with its code', async (t) => {
  const fails = (code: string | undefined) => () =>
    Promise.reject(Object.assign(new Error('no'), code === undefined ? {} : { code }));
  const over = {
    read: fails(undefined),
    write: fails('ENOSPC'),
    zero: fails('ESHUTDOWN'),
    flush: fails('EPERM'),
  };
  const served = await Served.start(t, over);
  const user = await served.user();
  assert.equal((await user.do({ type: CMD.read, offset: 0, length: 512 })).error, ERROR.io);
  assert.equal(await user.write(0, Buffer.alloc(2 * CHUNK)), ERROR.noSpace);
  assert.equal((await user.do({ type: CMD.trim, offset: 0, length: 512 })).error, ERROR.shutdown);
  assert.equal(await user.flush(), ERROR.perm);
  assert.equal(served.counters.get('volume_requests_failed'), 4);
  user.destroy();
});

test('a client that goes in the middle of a write, and a stop with requests under way: nothing is left', async (t) => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const served = await Served.start(t, { read: async (_, length) => held.then(() => Buffer.alloc(length)) });
  const user = await served.user();
  void user.do({ type: CMD.read, offset: 0, length: 512 });
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x25609513);
  head.writeUInt16BE(CMD.write, 6);
  head.writeUInt32BE(2 * CHUNK, 24);
  user.say(Buffer.concat([head, pattern(CHUNK + 1024, 4)]));
  await until('a part of it is written', () => served.volume.modified.has(0));
  user.destroy();
  await until('it is closed', () => user.isClosed);
  assert.equal(served.shown.connections, 1, 'the read is under way');
  const stopped = served.shown.stop();
  release();
  await stopped;
  assert.equal(served.shown.connections, 0);
});

test('a client that reads no replies is not read from, and others are served', async (t) => {
  const served = await Served.start(t);
  const greedy = connect(served.path);
  await once(greedy, 'connect');
  const hello = Buffer.concat([
    Buffer.from('00000003', 'hex'),
    Buffer.from('IHAVEOPT'),
    Buffer.from('00000007000000060000000000 00'.replace(' ', ''), 'hex'),
  ]);
  const read = Buffer.alloc(28);
  read.writeUInt32BE(0x25609513);
  read.writeUInt32BE(4 * CHUNK, 24);
  greedy.write(Buffer.concat([hello, ...Array.from({ length: 500 }, () => read)]));
  const user = await served.user();
  assert.equal(await user.write(0, pattern(4096, 1)), 0);
  const bytes = served.counters.get('volume_bytes_read');
  assert.ok(bytes < 100 * 4 * CHUNK, `${bytes} bytes were read for somebody who takes none`);
  greedy.destroy();
  user.destroy();
});

test('a thousand requests of a volume are under way, and the others wait', async (t) => {
  const held: (() => void)[] = [];
  const served = await Served.start(t, { zero: () => new Promise((done) => held.push(done)) });
  const users = await Promise.all([served.user(), served.user()]);
  const trim = { type: CMD.trim, offset: 0, length: 512 };
  const replies = users.flatMap((user) => Array.from({ length: 1500 }, () => user.do(trim)));
  await settled('no more of them is taken', () => held.length);
  assert.ok(held.length > 500);
  assert.ok(held.length <= 1024, `${held.length} at once`);
  let answered = 0;
  void Promise.all(replies.map((reply) => reply.then(() => answered++)));
  await until('all are answered', () => {
    for (const done of held.splice(0)) done();
    return answered === replies.length;
  });
  for (const user of users) user.destroy();
});

test('zeroes that are written out end with their client, and with a stop', async (t) => {
  for (const [how, event] of [
    ['goes', 'end'],
    ['stop', 'close'],
  ] as const) {
    const held: (() => void)[] = [];
    let writes = 0;
    const write = (): Promise<void> => {
      writes++;
      return new Promise((done) => held.push(done));
    };
    const served = await Served.start(t, { write });
    const user = await served.user();
    void user.do({ type: CMD.writeZeroes, flags: NO_HOLE, offset: 0, length: 4 * CHUNK });
    await until('the first of them is written', () => held.length === 1);
    const seen = Promise.all(served.sockets.map((socket) => once(socket, event)));
    const stopped = how === 'stop' ? served.shown.stop() : user.destroy();
    await seen;
    assert.equal(served.shown.connections, 1, 'it is under way');
    await until('nothing is under way', () => {
      for (const done of held.splice(0)) done();
      return served.shown.connections === 0;
    });
    await stopped;
    assert.equal(writes, 1, how);
  }
});

test('clients that read no replies hold the room of those, and not that of others', async (t) => {
  const served = await Served.start(t);
  const whole = { type: CMD.read, offset: 0, length: 4 * CHUNK };
  const frozen = await Promise.all(Array.from({ length: 3 }, () => served.user()));
  for (const user of frozen) {
    user.freeze();
    for (let number = 0; number < 100; number++) void user.do(whole);
  }
  await settled('no more is read', () => served.counters.get('volume_bytes_read'));
  const bytes = served.counters.get('volume_bytes_read');
  assert.ok(bytes < 48 * 1024 * KIB, `${bytes} bytes for those who take none`);
  const user = await served.user();
  assert.equal(await user.write(0, pattern(4 * CHUNK, 1)), 0);
  assert.deepEqual((await user.do(whole)).data, pattern(4 * CHUNK, 1));
  for (const one of frozen) one.destroy();
  await until('they are gone', () => served.shown.connections === 1);
  // What they held is there again.
  const read = Array.from({ length: 100 }, () => user.do(whole));
  for (const { data } of await Promise.all(read)) assert.equal(data?.length, 4 * CHUNK);
  user.destroy();
});

test('block status: as many extents as fit a reply, one for whoever wants one, and no more are looked for', async (t) => {
  const asked: number[] = [];
  const served = await Served.start(t, {
    status: async (offset, length, most) => {
      asked.push(most);
      return served.volume.extents(offset, length, most);
    },
  });
  await served.volume.write(0, pattern(CHUNK, 1));
  await served.volume.write(2 * CHUNK, pattern(512, 1));
  const client = connect(served.path);
  let said = Buffer.alloc(0);
  client.on('data', (piece: Buffer) => {
    said = Buffer.concat([said, piece]);
  });
  const allocation = Buffer.from('base:allocation').toString('hex');
  const option = (type: string, data: string): Buffer =>
    Buffer.from(`49484156454f5054${type}${hex(data.length / 2)}${data}`, 'hex');
  const status = (flags: string, length: number): Buffer =>
    Buffer.from(`25609513${flags}0007${'ab'.repeat(8)}${'00'.repeat(8)}${hex(length)}`, 'hex');
  client.write(
    Buffer.concat([
      Buffer.from('00000003', 'hex'),
      option('00000008', ''),
      option('0000000a', `00000000000000010000000f${allocation}`),
      option('00000007', '000000000000'),
      status('0000', 4 * CHUNK),
      status('0008', 4 * CHUNK),
    ]),
  );
  const reply = (...extents: (readonly [number, number])[]): string =>
    `668e33ef00010005${'ab'.repeat(8)}${hex(4 + 8 * extents.length)}00000001${extents.map(([length, state]) => hex(length) + hex(state)).join('')}`;
  const [data, hole] = [[CHUNK, 0] as const, [CHUNK, 3] as const];
  const wanted = [reply(data, hole, data, hole), reply(data)];
  await until('both are answered', () => wanted.every((one) => said.toString('hex').includes(one)));
  assert.deepEqual(asked, [4096, 1]);
  client.destroy();
});

test('strangers: random bytes and spoilt requests end nothing but their connection', async (t) => {
  const served = await Served.start(t);
  const random = new Random(5);
  await served.volume.write(0, pattern(4 * CHUNK, 1));
  const good = Buffer.concat([
    Buffer.from('00000003', 'hex'),
    Buffer.from('IHAVEOPT'),
    Buffer.from('0000000800000000', 'hex'),
    Buffer.from('IHAVEOPT'),
    Buffer.from('0000000700000006000000000000', 'hex'),
    Buffer.from(`2560951300000000${'00'.repeat(16)}00000200`, 'hex'),
    Buffer.from(`2560951300000003${'00'.repeat(20)}`, 'hex'),
  ]);
  for (let round = 0; round < 150; round++) {
    const socket = connect(served.path);
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(random.chance(20) ? random.bytes(100) : mutated(good, random));
    await once(socket, 'close');
  }
  await until('all are gone', () => served.shown.connections === 0);
  const user = await served.user();
  const { data } = await user.do({ type: CMD.read, offset: 0, length: 4 * CHUNK });
  assert.equal(data?.length, 4 * CHUNK);
  user.destroy();
});
