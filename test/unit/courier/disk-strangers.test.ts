/** Couriers that know the token and say of disks what does not fit: nothing of it reaches a disk, and each has its reason. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import * as message from '../../../src/courier/disk/message.js';
import { recordHead, writeRecord } from '../../../src/courier/disk/record.js';
import { tokensOf } from '../../../src/courier/disk/source/tokens.js';
import { PeerLink } from '../../../src/courier/job/peer-link.js';
import { Digester } from '../../../src/courier/store/digest.js';
import { BatchMaker } from '../../../src/courier/wire/batch-maker.js';
import { type Frame, frameOf } from '../../../src/courier/wire/frame.js';
import { encodeBatch, encodePages } from '../../../src/courier/wire/message.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { TOKEN } from './couriers.js';
import { DiskCouriers, until } from './disks.js';

/** Speaks as a courier does, and says what the test wants. */
class Fake {
  readonly frames: Frame[] = [];
  readonly link: PeerLink;
  isReady = false;
  ended: string | undefined;

  constructor(socket: Socket, side: 'caller' | 'listener') {
    this.link = new PeerLink(
      { socket, side, token: TOKEN, clock: systemClock },
      {
        ready: () => {
          this.isReady = true;
        },
        frame: (frame) => this.frames.push(frame),
        closed: (reason) => {
          this.ended = reason ?? 'closed';
        },
      },
    );
  }

  async got(name: Frame['name']): Promise<Buffer> {
    const frame = await until(`a ${name} frame`, () => this.frames.find((one) => one.name === name));
    return frame.payload;
  }
}

const OPEN = {
  ...{ session: 'ab'.repeat(16), destination: 'disk', owner: 'default', store: 'cd'.repeat(16) },
  ...{ isOld: false, stallSeconds: 600 },
};

const DIGESTER = new Digester(OPEN.owner, 4096);

async function caller(couriers: DiskCouriers, open: object = {}): Promise<Fake> {
  const fake = new Fake(connect(couriers.wanPort, '127.0.0.1'), 'caller');
  await until('it is ready', () => fake.isReady);
  fake.link.send(message.encodeDiskOpen({ ...OPEN, ...open }));
  return fake;
}

/** A batch of verbatim bytes, or of a page that is said to be there. */
function batch(bytes: Buffer, isThere = false, change: object = {}): Buffer {
  const maker = new BatchMaker({
    digest: (page) => DIGESTER.of(page),
    whereIs: () => (isThere ? 'there' : 'nowhere'),
    goes: () => undefined,
  });
  if (isThere) maker.add(tokensOf(writeRecord(0, bytes)), false);
  else maker.add([{ kind: 'verbatim', bytes }], false);
  const made = maker.take();
  if (made === undefined) throw new Error('an empty batch');
  const { serial, urgent, instructions, streamBytes, checkpoint } = made;
  const sizes = { instructionBytes: instructions.length, streamBytes };
  const parts = encodeBatch({
    serial,
    codec: 'none',
    urgent,
    ...sizes,
    checkpoint,
    content: instructions,
    ...change,
  });
  return Buffer.concat(parts);
}

test('a caller that says what does not fit: nothing is done, and it is told why', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const write = (offset: number): Buffer => {
    const record = writeRecord(offset, Buffer.from('not to be written'));
    return Buffer.concat([recordHead(record), record.data ?? Buffer.alloc(0)]);
  };
  const page = randomBytes(4096);
  for (const [what, why] of [
    [[batch(write(couriers.target.sizeBytes - 3))], /write beyond the disk/],
    [[batch(Buffer.alloc(16, 9))], /record 09090909/],
    [[batch(write(0), false, { checkpoint: Buffer.alloc(16) })], /what came out is not what went in/],
    [[batch(write(0), false, { serial: 2 })], /batch 2 behind batch 0/],
    [[batch(write(0), false, { streamBytes: 99 })], /batch shorter than it says/],
    [[frameOf('back', Buffer.from('x'))], /back frame where none may be/],
    [[encodePages({ serial: 1, codec: 'none', bytes: 4096, content: page })], /nobody asked for/],
  ] as const) {
    const fake = await caller(couriers);
    const opened = message.decodeDiskOpened(await fake.got('disk-opened'));
    assert.ok(typeof opened !== 'string' && 'taken' in opened && opened.taken === 0, 'nothing was taken');
    for (const frame of what) fake.link.send(frame);
    await until(`${why} ends it`, () => fake.ended !== undefined);
    assert.match(fake.ended ?? '', why);
  }
  // A page that nobody has is asked for; another one than that is no answer.
  const liar = await caller(couriers);
  await liar.got('disk-opened');
  liar.link.send(batch(page, true));
  assert.equal((await liar.got('want')).toString('hex', 4, 20), DIGESTER.of(page).toString('hex', 0, 16));
  liar.link.send(encodePages({ serial: 1, codec: 'none', bytes: 4096, content: randomBytes(4096) }));
  await until('it is ended', () => liar.ended !== undefined);
  assert.match(liar.ended ?? '', /does not match its digest/);
  // The session goes on with one who has the page.
  const honest = await caller(couriers);
  await honest.got('disk-opened');
  honest.link.send(batch(page, true));
  await honest.got('want');
  honest.link.send(encodePages({ serial: 1, codec: 'none', bytes: 4096, content: page }));
  assert.equal(message.decodeDone(await honest.got('disk-done')), 1);
  assert.ok(couriers.target.data.subarray(0, 4096).equals(page));
  assert.equal(couriers.target.count('write'), 1);
  assert.equal(couriers.diskB()?.state, 'running');
  honest.link.end();
});

test('a caller that wants to go on with what is not known, or is another’s, is refused', async (t) => {
  const couriers = await DiskCouriers.start(t);
  for (const [open, why] of [
    [{ isOld: true }, /this session is not known here/],
    [{ destination: 'other' }, /there is no disk other/],
    [{ owner: 'red' }, /disk belongs to default, not to red/],
  ] as const) {
    const fake = await caller(couriers, open);
    const opened = message.decodeDiskOpened(await fake.got('disk-opened'));
    assert.ok(typeof opened !== 'string' && 'refused' in opened);
    assert.match(opened.refused, why);
  }
  const first = await caller(couriers);
  await first.got('disk-opened');
  const second = await caller(couriers, { session: 'ef'.repeat(16) });
  const refused = message.decodeDiskOpened(await second.got('disk-opened'));
  assert.ok(typeof refused !== 'string' && 'refused' in refused);
  assert.match(refused.refused, /another disk is on its way to disk/);
  assert.equal(couriers.b.status().counters.disks_refused, 4);
  first.link.end();
});

/** In the place of courier b: each connection, and the answer to its first word. */
async function listener(t: TestContext, couriers: DiskCouriers): Promise<readonly Fake[]> {
  await couriers.b.stop();
  const fakes: Fake[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    fakes.push(new Fake(socket, 'listener'));
  });
  await new Promise<void>((done) => server.listen(couriers.wan.to, '127.0.0.1', done));
  t.after(() => {
    for (const { link } of fakes) link.end();
    server.close();
  });
  return fakes;
}

const OPENED = { store: 'cd'.repeat(16), sizeBytes: 1 << 20, minimumBytes: 1, taken: 0, done: 0 };

test('a listener that says what does not fit is left, and asked again; one with another disk ends the session', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const fakes = await listener(t, couriers);
  const opening = couriers.user();
  const next = async (number: number): Promise<Fake> => {
    const fake = await until(`connection ${number}`, () => fakes[number]);
    await fake.got('disk-open');
    return fake;
  };
  const first = await next(0);
  first.link.send(message.encodeDiskOpened(OPENED));
  const user = await opening;
  const read = user.do({ type: 0, offset: 0, length: 4 });
  await first.got('batch');
  const answer = { number: 1, error: 0, codec: 'none' as const, bytes: 3, content: Buffer.from('abc') };
  for (const [number, say, why] of [
    [0, message.encodeDone(99), 'record 99 is done, which was not sent'],
    [1, message.encodeAnswer(answer), '3 bytes where 4 were read'],
    [2, message.encodeAnswer({ ...answer, number: 99 }), 'an answer to what was not asked'],
    [3, frameOf('disk-closed'), 'disk-closed frame where none may be'],
    [4, frameOf('want', Buffer.alloc(20)), 'a page was asked for that was not referred to'],
  ] as const) {
    const fake = await next(number);
    if (number > 0) fake.link.send(message.encodeDiskOpened(OPENED));
    await fake.got('batch');
    fake.link.send(say);
    await until(`${why} ends it`, () => couriers.diskA()?.whyStalled === why);
  }
  assert.equal(user.outstanding, 1, 'the read still waits');
  const other = await next(5);
  other.link.send(message.encodeDiskOpened({ ...OPENED, sizeBytes: 1 << 21 }));
  assert.equal((await read).error, 5);
  assert.equal(couriers.diskA()?.reason, 'the destination has another size than before');
});

test('a listener that has records which were never sent is not believed', async (t) => {
  const couriers = await DiskCouriers.start(t);
  const fakes = await listener(t, couriers);
  const opening = assert.rejects(couriers.user(), /has 7 records, which does not fit/);
  const fake = await until('a connection', () => fakes[0]);
  await fake.got('disk-open');
  fake.link.send(message.encodeDiskOpened({ ...OPENED, taken: 7 }));
  await opening;
});
