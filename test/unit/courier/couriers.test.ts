import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { OUR_CODECS } from '../../../src/courier/job/codecs.js';
import { frameOf } from '../../../src/courier/wire/frame.js';
import { helloFrame, helloOf } from '../../../src/courier/wire/handshake.js';
import { within } from '../../lab/wait.js';
import { SimClock } from '../../support/sim-clock.js';
import { Couriers, isOver, until } from './couriers.js';
import { migration } from './streams.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
/** 2,000 pages, each of them twice. */
const NUMBERS = Array.from({ length: 2000 }, (_, index) => index % 1000);
const STREAM = migration(NUMBERS);

test('a stream comes out as it went in; pages go once, and not at all the second time', async (t) => {
  const couriers = await Couriers.start(t);
  const first = await couriers.migrate(STREAM);
  assert.equal(first.a.reason, '');
  assert.equal(first.a.state, 'complete');
  assert.equal(first.b?.state, 'complete');
  assert.ok(first.arrived.equals(STREAM));
  assert.equal(first.a.sha256, sha256(STREAM));
  assert.equal(first.b?.sha256, sha256(STREAM));
  assert.deepEqual([first.a.identical, first.b?.identical], [true, true]);
  assert.deepEqual([first.a.pages, first.a.pagesNew, first.a.pagesReferenced], [2000, 1000, 1000]);
  assert.equal(first.a.codec, OUR_CODECS.at(-1));
  assert.equal(first.a.machine, 'pc-i440fx-7.2');
  const second = await couriers.migrate(STREAM);
  assert.ok(second.arrived.equals(STREAM));
  assert.deepEqual([second.a.pagesNew, second.a.pagesReferenced, second.a.pagesAskedFor], [0, 2000, 0]);
  assert.ok(
    second.a.wanBytesSent < first.a.wanBytesSent / 5,
    `${second.a.wanBytesSent} bytes the second time`,
  );
  t.diagnostic(`${STREAM.length} bytes, on the WAN ${first.a.wanBytesSent}, then ${second.a.wanBytesSent}`);
});

test('what is no stream of QEMU’s, TLS and nothing at all pass unchanged', async (t) => {
  const couriers = await Couriers.start(t);
  for (const stream of [
    randomBytes(300_000),
    Buffer.from('16030100aa', 'hex'),
    Buffer.alloc(0),
    Buffer.from('QE'),
    STREAM.subarray(0, 12_345),
    Buffer.concat([Buffer.from('112233440000000100', 'hex'), randomBytes(100_000)]),
  ]) {
    const { a, arrived } = await couriers.migrate(stream);
    assert.equal(a.state, 'complete', a.reason);
    assert.ok(arrived.equals(stream));
  }
  const { counters } = couriers.a.status();
  assert.deepEqual([counters.streams_passed_tls, counters.streams_multifd], [1, 1]);
  assert.ok(couriers.logA.some((line) => /TLS: nothing can be saved/.test(line)));
});

test('a store that has forgotten its pages asks for them', async (t) => {
  const couriers = await Couriers.start(t, { store: { diskMb: 32 } });
  await couriers.migrate(STREAM);
  await couriers.b.stop();
  // As if a disk had spoilt them: the store is the same by its name, and no page is what it should be.
  const { open } = await import('node:fs/promises');
  const file = await open(join(couriers.directory, 'b-store', 'pages'), 'r+');
  for (let page = 0; page < 1000; page += 2) await file.write(Buffer.of(0x5a, 0xa5, 0x5a), 0, 3, page * 4096);
  await file.close();
  await couriers.startB();
  const { a, b, arrived } = await couriers.migrate(STREAM);
  assert.equal(a.state, 'complete', a.reason);
  assert.ok(arrived.equals(STREAM));
  assert.deepEqual([a.pagesNew, a.pagesReferenced], [0, 2000]);
  assert.equal(a.pagesAskedFor, 500);
  assert.equal(b?.pagesAskedFor, 500);
  assert.equal(couriers.b.storeView().counters.store_pages_bad, 500);
  assert.equal(couriers.b.storeView().counters.store_hits_disk, 500);
});

test('what both know survives a restart of both', async (t) => {
  const couriers = await Couriers.start(t, { store: { diskMb: 32 } });
  await couriers.migrate(STREAM);
  await couriers.a.stop();
  await couriers.b.stop();
  await couriers.startA();
  await couriers.startB();
  const { a, arrived } = await couriers.migrate(STREAM);
  assert.ok(arrived.equals(STREAM));
  assert.deepEqual([a.pagesNew, a.pagesReferenced, a.pagesAskedFor], [0, 2000, 0]);
});

test('two guests at once: what one has sent the other one refers to', async (t) => {
  const couriers = await Couriers.start(t);
  const sources = [await couriers.source(0), await couriers.source(1)];
  // In step, so that the pages of one are on their way when the other's come.
  for (let at = 0; at < STREAM.length; at += 40_000)
    for (const source of sources) source.write(STREAM.subarray(at, at + 40_000));
  for (const source of sources) source.resume().end();
  await until('both are over', () => couriers.a.jobs().length === 2 && couriers.a.jobs().every(isOver));
  const jobs = couriers.a.jobs();
  assert.deepEqual(
    jobs.map(({ state, identical }) => [state, identical]),
    [
      ['complete', true],
      ['complete', true],
    ],
  );
  for (const arrival of couriers.arrivals) assert.ok(arrival.bytes().equals(STREAM));
  const sent = jobs.reduce((sum, { pagesNew }) => sum + pagesNew, 0);
  // Those that come while the guest stands still are not left to the other one.
  assert.ok(sent < 1_500, `${sent} pages were sent for 1,000 different ones`);
  t.diagnostic(`${sent} sent, ${jobs.map(({ pagesAskedFor }) => pagesAskedFor).join(' and ')} asked for`);
});

test('a second guest to the same destination is refused while the first is on its way', async (t) => {
  const couriers = await Couriers.start(t, { receive: {} });
  const sources = await Promise.all([couriers.source()]);
  // The second one to the same destination is refused while the first runs.
  sources[0]?.write(STREAM.subarray(0, 100_000));
  await until('the first has arrived', () => couriers.arrivals.length === 1);
  const second = await couriers.source();
  second.resume();
  second.write(STREAM.subarray(0, 100_000));
  const refused = await until('the second is refused', () => couriers.a.jobs().find(isOver));
  assert.equal(refused.reason, 'the other courier refuses: another guest is on its way to vm');
  sources[0]?.end(STREAM.subarray(100_000));
  sources[0]?.resume();
  const first = await until('the first is over', () =>
    couriers.a.jobs().find(({ state }) => state === 'complete'),
  );
  assert.equal(first.identical, true);
  assert.ok(couriers.arrivals[0]?.bytes().equals(STREAM));
});

test('what the destination says comes back, and its end too', async (t) => {
  const couriers = await Couriers.start(t, {
    onArrival: (waiting, bytes) => {
      // A return path: each piece is answered, and the connection closed from there when all is in.
      waiting.socket?.write(`${bytes.length};`);
      if (waiting.bytes().length === STREAM.length) waiting.socket?.end('done');
    },
  });
  const source = await couriers.source();
  let back = '';
  source.on('data', (bytes: Buffer) => {
    back += bytes.toString();
  });
  // The source closes only when it has been told that the other end is done.
  source.on('end', () => source.end());
  source.write(STREAM);
  const job = await until('the job is over', () => couriers.a.jobs().find(isOver));
  assert.equal(job.state, 'complete', job.reason);
  assert.match(back, /^([0-9]+;)+done$/);
});

test('nothing waits for the rest of an item: a source that waits for an answer gets it', async (t) => {
  const couriers = await Couriers.start(t, {
    onArrival: (waiting) => {
      if (waiting.bytes().length === 1500) waiting.socket?.write('go on');
    },
  });
  const source = await couriers.source();
  const answered = new Promise<void>((done) => source.once('data', () => done()));
  // In the middle of a page.
  source.write(STREAM.subarray(0, 1500));
  await within('the answer comes back', answered);
  source.end(STREAM.subarray(1500));
  const job = await until('the job is over', () => couriers.a.jobs().find(isOver));
  assert.equal(job.state, 'complete', job.reason);
  assert.ok(couriers.arrivals[0]?.bytes().equals(STREAM));
  assert.equal(job.pages, NUMBERS.length - 1, 'all but the page that was cut are known again');
});

/** A source whose connection breaks, as the hypervisor sees it. */
async function broken(couriers: Couriers, cut: () => unknown): Promise<string> {
  const source = await couriers.source();
  source.resume();
  const closed = new Promise<void>((done) => source.once('close', done));
  source.write(STREAM.subarray(0, 3_000_000));
  await until('half of it has arrived', () => (couriers.arrivals[0]?.bytes().length ?? 0) > 1_000_000);
  await cut();
  await within('the source’s connection is closed', closed);
  return (await until('the job is over', () => couriers.a.jobs().find(isOver))).reason;
}

test('a destination that goes away breaks the source’s connection', async (t) => {
  const couriers = await Couriers.start(t);
  const reason = await broken(couriers, () => {
    couriers.arrivals[0]?.socket?.destroy();
  });
  assert.match(reason, /^the other courier: the destination/);
});

test('a courier that is stopped breaks both connections', async (t) => {
  const couriers = await Couriers.start(t);
  assert.match(await broken(couriers, () => couriers.b.stop()), /the other courier: the courier was stopped/);
  await until('the destination is closed', () => couriers.arrivals[0]?.closed);
  assert.ok(
    STREAM.subarray(0, 3_000_000).indexOf(couriers.arrivals[0]?.bytes() ?? '-') === 0,
    'never a wrong byte',
  );
});

test('a source that cancels: the destination’s stream ends where it was', async (t) => {
  const couriers = await Couriers.start(t);
  const source = await couriers.source();
  source.write(STREAM.subarray(0, 3_000_000));
  await until('half of it has arrived', () => (couriers.arrivals[0]?.bytes().length ?? 0) > 1_000_000);
  source.destroy();
  await until('the destination is closed', () => couriers.arrivals[0]?.closed);
  await until('the job is over', () => couriers.b.jobs().find(isOver));
});

test('another token, another owner, no such destination, nobody there: each is said', async (t) => {
  const said = async (changes: Parameters<typeof Couriers.start>[1]): Promise<string> => {
    const couriers = await Couriers.start(t, changes);
    return (await couriers.migrate(STREAM.subarray(0, 50_000))).a.reason;
  };
  // The listener says nothing to a stranger.
  assert.match(await said({ tokenOfA: 'b'.repeat(40) }), /has closed the connection|another token/);
  assert.equal(
    await said({ send: { owner: 'blue' } }),
    'the other courier refuses: vm belongs to default, not to blue',
  );
  assert.equal(
    await said({ send: { destination: 'other' } }),
    'the other courier refuses: there is no destination other',
  );
  assert.match(
    await said({ receive: { connect: 'unix:/nowhere/incoming.sock' } }),
    /refuses: the destination: connect ENOENT/,
  );
});

test('strangers on the couriers’ port are dropped, and disturb nobody', async (t) => {
  const couriers = await Couriers.start(t);
  const stranger = async (bytes: Buffer): Promise<void> => {
    const socket = connect(couriers.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(bytes);
    await within('it is closed', new Promise<void>((done) => socket.once('close', () => done())));
  };
  await stranger(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await stranger(
    Buffer.concat([helloFrame(helloOf(['none'], randomBytes(32))), frameOf('proof', randomBytes(32))]),
  );
  await stranger(frameOf('open', Buffer.from('{}')));
  const { a, arrived } = await couriers.migrate(STREAM);
  assert.equal(a.state, 'complete', a.reason);
  assert.ok(arrived.equals(STREAM));
  assert.equal(couriers.b.status().counters.strangers_refused, 3);
});

test('one host that opens connections and says nothing does not keep others out', async (t) => {
  const couriers = await Couriers.start(t);
  const { counters } = couriers.b;
  const held: Socket[] = [];
  t.after(() => held.forEach((socket) => void socket.destroy()));
  for (let number = 0; number < 40; number++) {
    const socket = connect({ port: couriers.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    socket.on('error', () => undefined);
    held.push(socket);
  }
  await until('it has eight places', () => counters.get('strangers_refused_host') === 32);
  const { a, arrived } = await couriers.migrate(STREAM);
  assert.equal(a.state, 'complete', a.reason);
  assert.ok(arrived.equals(STREAM));
  assert.equal(counters.get('strangers_refused'), 0);
});

test('who moves many guests at once is no stranger', async (t) => {
  const couriers = await Couriers.start(t);
  const stream = randomBytes(10_000);
  const sources = await Promise.all(Array.from({ length: 40 }, () => couriers.source()));
  for (const source of sources) source.resume().end(stream);
  await until('all are over', () => couriers.a.jobs().length === 40 && couriers.a.jobs().every(isOver));
  for (const { state, reason } of couriers.a.jobs()) assert.equal(state, 'complete', reason);
  assert.deepEqual(
    ['strangers_refused', 'strangers_refused_host'].map((name) => couriers.b.status().counters[name]),
    [undefined, undefined],
  );
});

test('a courier does not shake hands with more connections at once than a host may have', async (t) => {
  const couriers = await Couriers.start(t);
  await couriers.b.stop();
  // One that takes connections, and says nothing.
  const calls: Socket[] = [];
  const mute = createServer((socket) => calls.push(socket.on('error', () => undefined)));
  await new Promise<void>((done) => mute.listen(couriers.port, '127.0.0.1', done));
  t.after(() => {
    mute.close();
    for (const call of calls) call.destroy();
  });
  const sources = await Promise.all(Array.from({ length: 6 }, () => couriers.source()));
  const waiting = sources[5];
  await until('four are on their way', () => calls.length === 4);
  // Those that have no turn yet are taken by the courier all the same, and wait.
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual([calls.length, couriers.a.jobs().length], [4, 4]);
  calls[0]?.destroy();
  await until('the next one has its turn', () => calls.length === 5);
  const closed = new Promise<void>((done) => waiting?.resume().once('end', done));
  await couriers.a.stop();
  await within('one that waits is closed, too', closed);
  assert.equal(calls.length, 5);
});

test('a source that says nothing for a quarter of a minute is waited for', async (t) => {
  const clock = new SimClock();
  const couriers = await Couriers.start(t, { clock });
  const source = await couriers.source();
  source.resume();
  const job = () => couriers.a.jobs()[0];
  await until('both couriers know each other', () => job()?.codec === OUR_CODECS.at(-1));
  for (let second = 0; second < 15; second++) {
    const before = job()?.wanBytesReceived ?? 0;
    clock.advance(1_000);
    await until('the other courier lives', () => (job()?.wanBytesReceived ?? 0) > before);
  }
  assert.equal(job()?.state, 'connecting');
  source.end(STREAM);
  await until('the job is over', () => {
    clock.advance(1);
    return couriers.a.jobs().some(isOver);
  });
  assert.equal(job()?.state, 'complete', job()?.reason);
  assert.ok(couriers.arrivals[0]?.bytes().equals(STREAM));
});

test('first bytes that are too few to tell who speaks do not wait for more', async (t) => {
  const couriers = await Couriers.start(t);
  for (const length of [1, 3]) {
    const before = couriers.arrivals.length;
    const source = await couriers.source();
    source.resume();
    source.write(STREAM.subarray(0, length));
    const arrival = await until('they arrive', () => {
      const waiting = couriers.arrivals[before];
      return waiting !== undefined && waiting.bytes().length === length && waiting;
    });
    source.end(STREAM.subarray(length));
    const job = await until('the job is over', () => couriers.a.jobs().slice(before).find(isOver));
    assert.equal(job.state, 'complete', job.reason);
    assert.ok(arrival.bytes().equals(STREAM));
    assert.equal(job.pages, NUMBERS.length, 'the pages behind them are known all the same');
  }
});

test('a destination with the name of something that every object has is none', async (t) => {
  const couriers = await Couriers.start(t, { send: { destination: 'constructor' } });
  const { a } = await couriers.migrate(STREAM.subarray(0, 50_000));
  assert.equal(a.reason, 'the other courier refuses: there is no destination constructor');
});

test('what is at a socket’s place and is none stays there, and is named', async (t) => {
  const couriers = await Couriers.start(t);
  const path = join(couriers.directory, 'a0.sock');
  await couriers.a.stop();
  writeFileSync(path, 'precious');
  await assert.rejects(
    couriers.startA(),
    new Error(`${path}: exists and is not a socket: remove it or choose another place`),
  );
  assert.equal(readFileSync(path, 'utf8'), 'precious');
  rmSync(path);
  const server = createServer();
  await new Promise<void>((done) => server.listen(path, done));
  await assert.rejects(couriers.startA(), new Error(`${path}: somebody listens there already`));
  await new Promise((done) => server.close(done));
  await couriers.startA();
});
