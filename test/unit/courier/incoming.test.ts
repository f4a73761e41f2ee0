/** The receiving end of a stream, with a destination that does not do what it should. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { CONNECT_MS, IncomingJob } from '../../../src/courier/job/incoming.js';
import { JOB_COUNTERS } from '../../../src/courier/job/job.js';
import { PeerLink } from '../../../src/courier/job/peer-link.js';
import { Digester } from '../../../src/courier/store/digest.js';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { BatchWriter } from '../../../src/courier/wire/batch.js';
import { MOST_UNWRITTEN_BATCHES } from '../../../src/courier/wire/limits.js';
import { encodeBatch, encodePages } from '../../../src/courier/wire/message.js';
import { encodeOpening } from '../../../src/courier/wire/opening.js';
import { DeclaredCounters } from '../../../src/net/counters.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { SimClock } from '../../support/sim-clock.js';
import { connected, TOKEN, until } from './couriers.js';

/** A job whose other courier has proven the token and said what comes; `destination` is what it gets. */
async function jobWith(t: TestContext, destination: Socket, otherJobs = 0) {
  const [one, other] = await connected(t);
  const clock = new SimClock();
  const options = { pageBytes: PAGE_BYTES, memoryBytes: 4 * PAGE_BYTES, diskBytes: 0, directory: undefined };
  const store = await PageStore.open({ ...options, clock });
  const counters = new DeclaredCounters(JOB_COUNTERS);
  const seen = {
    ended: 0,
    ready: false,
    closed: undefined as string | undefined,
    connects: 0,
    frames: [] as string[],
  };
  const world = { store, clock, counters, isOnItsWay: () => false, otherJobs: () => otherJobs };
  const job = new IncomingJob({
    link: { socket: other, token: TOKEN, clock },
    world,
    connect: () => {
      seen.connects++;
      return destination;
    },
    isDisk: () => assert.fail('no disk comes here'),
    proven: () => undefined,
    ended: () => void seen.ended++,
  });
  const caller = new PeerLink(
    { socket: one, side: 'caller', token: TOKEN, clock: systemClock },
    {
      ready: () => {
        seen.ready = true;
      },
      frame: ({ name }) => void seen.frames.push(name),
      closed: (reason) => {
        seen.closed = reason;
      },
    },
  );
  t.after(() => {
    caller.end();
    job.stop('the test is over');
  });
  await until('the token is proven', () => seen.ready);
  const opening = {
    destination: 'vm',
    owner: '',
    store: 'ab'.repeat(16),
    speaker: 'unknown' as const,
    macs: [],
  };
  caller.send(encodeOpening('open', { job: '0123456789abcdef', ...opening }));
  await until('the destination is asked for', () => seen.connects > 0);
  return { job, caller, clock, counters, seen, store };
}

test('a job that ends while its destination is being connected takes that back, and ends once', async (t) => {
  const destination = new Socket();
  const { job, counters, seen } = await jobWith(t, destination);
  job.stop('the courier was stopped');
  assert.equal(destination.destroyed, true);
  // What the system says of it afterwards.
  destination.emit('error', new Error('connect ETIMEDOUT'));
  destination.emit('connect');
  assert.equal(seen.ended, 1);
  assert.deepEqual([job.view()?.state, job.view()?.reason], ['failed', 'the courier was stopped']);
  assert.equal(counters.get('jobs_refused'), 0);
});

test('a destination that does not take the connection is given up, not before its time', async (t) => {
  const destination = new Socket();
  const { job, clock, seen } = await jobWith(t, destination);
  // The other courier lives, and is heard: only its clock stands still.
  clock.advance(CONNECT_MS - 1);
  assert.equal(job.view()?.state, 'connecting');
  clock.advance(1);
  assert.equal(job.view()?.reason, 'the destination: it does not take the connection');
  assert.equal(destination.destroyed, true);
  assert.equal(seen.ended, 1);
});

/** Sends batches of one instruction each, whose stream is the pages handed in. */
function pageSender(caller: PeerLink) {
  const hash = createHash('sha256');
  let serial = 0;
  return (page: Buffer, urgent: boolean, write: (writer: BatchWriter) => void): void => {
    const writer = new BatchWriter();
    write(writer);
    hash.update(page);
    const sizes = { streamBytes: writer.streamBytes };
    const content = writer.take();
    const checkpoint = hash.copy().digest();
    caller.send(
      ...encodeBatch({
        ...{ serial: ++serial, codec: 'none', urgent, checkpoint, content },
        ...{ ...sizes, instructionBytes: content.length },
      }),
    );
  };
}

test('a page that another stream brings is waited for, one that was forgotten is asked for, and who is in a hurry asks', async (t) => {
  const destination = new Duplex({ read: () => undefined, write: (_piece, _, done) => done() });
  const { caller, clock, job, seen, store } = await jobWith(t, destination as unknown as Socket, 1);
  destination.emit('connect');
  const digester = new Digester('', PAGE_BYTES);
  const [late, never] = [Buffer.alloc(PAGE_BYTES, 1), Buffer.alloc(PAGE_BYTES, 2)];
  const send = pageSender(caller);
  send(late, false, (writer) => writer.reference(digester.of(late), 'coming'));
  const count = (name: string): number => seen.frames.filter((one) => one === name).length;
  await until('it has come', () => count('got') === 1);
  for (let ms = 0; ms < 1_000; ms += 5) clock.advance(5);
  assert.equal(count('want'), 0);
  store.put(digester.of(late), late);
  const acked = (batches: number): Promise<unknown> =>
    until(`${batches} are acknowledged`, () => {
      clock.advance(5);
      return count('ack') === batches;
    });
  await acked(1);
  assert.equal(count('want'), 0);
  send(never, false, (writer) => writer.reference(digester.of(never), 'coming'));
  await until('the second has come', () => count('got') === 2);
  clock.advance(5);
  assert.equal(count('want'), 0);
  send(late, true, (writer) => writer.page(late));
  await until('it is asked for', () => {
    clock.advance(5);
    return count('want') === 1;
  });
  caller.send(encodePages({ serial: 2, codec: 'none', bytes: PAGE_BYTES, content: never }));
  await acked(3);
  // Nobody is said to bring it: it is asked for without waiting.
  const gone = Buffer.alloc(PAGE_BYTES, 3);
  send(gone, true, (writer) => writer.reference(digester.of(gone), 'reference'));
  await until('it is asked for', () => count('want') === 2);
  assert.equal(job.isOver, false);
});

test('tiny batches that nobody takes are bounded by their number', async (t) => {
  // It takes what is written, and is never done with it.
  const stuck = new Duplex({ read: () => undefined, write: () => undefined });
  t.after(() => stuck.destroy());
  const { caller, job } = await jobWith(t, stuck as unknown as Socket);
  stuck.emit('connect');
  const hash = createHash('sha256');
  const send = (serial: number): void => {
    const writer = new BatchWriter();
    writer.verbatim(Buffer.of(1));
    hash.update(Buffer.of(1));
    const content = writer.take();
    const sizes = { instructionBytes: content.length, streamBytes: 1 };
    const checkpoint = hash.copy().digest();
    caller.send(...encodeBatch({ serial, codec: 'none', urgent: false, ...sizes, checkpoint, content }));
  };
  for (let serial = 1; serial <= MOST_UNWRITTEN_BATCHES; serial++) send(serial);
  await until('all have come', () => job.view()?.streamBytes === MOST_UNWRITTEN_BATCHES);
  assert.equal(job.isOver, false);
  send(MOST_UNWRITTEN_BATCHES + 1);
  await until('it is over', () => job.isOver);
  assert.equal(job.view()?.reason, 'more came than was acknowledged');
});
