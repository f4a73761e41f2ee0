import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { OUR_CODECS } from '../../../src/courier/job/compression.js';
import { frameOf } from '../../../src/courier/wire/frame.js';
import { helloFrame, helloOf } from '../../../src/courier/wire/handshake.js';
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
  assert.deepEqual([counters.streams_passed_tls, counters.streams_passed_multifd], [1, 1]);
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
  await answered;
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
  await closed;
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
    await new Promise<void>((done) => socket.once('close', () => done()));
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
