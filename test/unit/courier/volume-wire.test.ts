/** What couriers say of a volume that moves, as bytes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { PeerLink } from '../../../src/courier/job/peer-link.js';
import * as message from '../../../src/courier/volume/move/message.js';
import { PieceSender } from '../../../src/courier/volume/move/piece-sender.js';
import { type Piece, PieceReader, tokensOf } from '../../../src/courier/volume/move/pieces.js';
import type { MoveWorld } from '../../../src/courier/volume/move/world.js';
import { FrameReader, frameOf } from '../../../src/courier/wire/frame.js';
import { MOST_ENTRIES } from '../../../src/courier/wire/volume-frames.js';
import { systemClock } from '../../../src/net/system-clock.js';

function framesOf(bytes: readonly Buffer[]) {
  const frames = new FrameReader().push(Buffer.concat(bytes));
  assert.ok(typeof frames !== 'string', String(frames));
  return frames;
}

test('a remaining set is bytes', () => {
  const remaining = [{ chunk: 0x01020304, version: 2 ** 33 + 5, writes: 6 }];
  const [frame] = message.encodeSource({ say: 'given', remaining });
  assert.equal(frame?.toString('hex'), '36000000110101020304000000020000000500000006');
  assert.deepEqual(framesOf(message.encodeSource({ say: 'given', remaining }))[0]?.name, 'volume-given');
});

test('a list that is longer than a frame comes in several, and no chunk twice', () => {
  const chunks = Array.from({ length: 2 * MOST_ENTRIES + 1 }, (_, chunk) => ({ chunk, version: chunk * 3 }));
  const frames = framesOf(message.encodeDestination({ say: 'have', chunks }));
  assert.equal(frames.length, 3);
  const reader = new message.DestinationReader(chunks.length);
  assert.deepEqual(
    frames.map((frame) => reader.read(frame)),
    [undefined, undefined, { say: 'have', chunks }],
  );
  assert.deepEqual(
    framesOf(message.encodeDestination({ say: 'ack', chunks: [] })).map((frame) => reader.read(frame)),
    [{ say: 'ack', chunks: [] }],
  );
  const twice = framesOf(message.encodeDestination({ say: 'ack', chunks: chunks.slice(0, 1) }));
  const [part] = framesOf([
    frameOf('volume-ack', Buffer.concat([Buffer.of(0), twice[0]?.payload.subarray(1) ?? Buffer.of()])),
  ]);
  assert.ok(part !== undefined && twice[0] !== undefined);
  assert.equal(reader.read(part), undefined);
  assert.equal(reader.read(twice[0]), 'chunk 0 twice');
});

test('what is beyond the volume is refused', () => {
  const reader = new message.DestinationReader(4);
  const [have] = framesOf(message.encodeDestination({ say: 'have', chunks: [{ chunk: 4, version: 1 }] }));
  const [pull] = framesOf(message.encodeDestination({ say: 'pull', chunk: 4, isUrgent: false }));
  assert.ok(have !== undefined && pull !== undefined);
  assert.equal(reader.read(have), 'chunk 4 of 4');
  assert.equal(reader.read(pull), 'pull of chunk 4 of 4');
  const [high] = framesOf(
    message.encodeDestination({ say: 'have', chunks: [{ chunk: 3, version: 2 ** 51 }] }),
  );
  assert.ok(high !== undefined);
  assert.equal(reader.read(high), 'a version beyond 2^51');
  const read = (offset: number, length: number) =>
    message.decodeRead(message.encodeRead({ number: 1, offset, length }).subarray(5), 8192, 4096);
  assert.deepEqual(read(4096, 4096), { number: 1, offset: 4096, length: 4096 });
  assert.equal(read(4608, 4096), 'read beyond the volume’s end');
  assert.equal(read(0, 4608), 'read of 4608 bytes');
  assert.equal(read(0, 0), 'read of 0 bytes');
  assert.equal(read(1, 512), 'read between sectors');
});

test('of a chunk only the pages go that are not zero', () => {
  const data = Buffer.alloc(4096 * 4 + 512);
  data.fill(1, 4096, 8192).fill(2, 4096 * 4);
  const piece = {
    kind: 'pull',
    number: 5,
    version: 6,
    writes: 7,
    length: data.length,
    hasFailed: false,
  } as const;
  const tokens = tokensOf({ ...piece, data });
  assert.deepEqual(
    tokens.map(({ kind, bytes }) => [kind, bytes.length]),
    [
      ['verbatim', 36],
      ['page', 4096],
      ['verbatim', 512],
    ],
  );
  assert.equal(
    tokens[0]?.bytes && Buffer.from(tokens[0].bytes).toString('hex'),
    '0200000000004200000000000000000500000000000000060000000700000000000000' + '12',
  );
  const reader = new PieceReader();
  const whole = Buffer.concat(tokens.map(({ bytes }) => bytes));
  assert.deepEqual(reader.push(whole.subarray(0, 1000)), []);
  assert.deepEqual(reader.push(whole.subarray(1000)), [{ ...piece, data }]);
  const zeroes = tokensOf({ ...piece, data: Buffer.alloc(data.length) });
  assert.equal(zeroes.length, 1);
  assert.deepEqual(reader.push(Buffer.from(zeroes[0]?.bytes ?? [])), [{ ...piece, data: undefined }]);
  const [high] = tokensOf({ ...piece, version: 2 ** 51, data: undefined });
  assert.equal(new PieceReader().push(Buffer.from(high?.bytes ?? [])), 'piece with a version beyond 2^51');
  assert.equal(reader.push(Buffer.alloc(36)), 'piece 00000000');
  assert.equal(reader.push(Buffer.from(zeroes[0]?.bytes ?? [])), 'piece 00000000');
});

test('of what readers wait for only so much is read as the other side’s clients may have under way', async () => {
  const store = { peer: () => 0, peerHas: () => false, setPeerHas: () => undefined, put: () => undefined };
  const counters = { count: () => undefined };
  const data = randomBytes(64 * 1024);
  const piece: Piece = {
    ...{ kind: 'read', number: 1, version: 0, writes: 0, length: data.length, data, hasFailed: false },
  };
  let asked = 0;
  const sender = new PieceSender({
    // A WAN that takes all and acknowledges nothing.
    link: { send: () => undefined, fail: assert.fail } as unknown as PeerLink,
    world: { clock: systemClock, store, counters } as unknown as MoveWorld,
    ...{ codec: 'none', owner: '', store: '0'.repeat(32) },
    next: () => (++asked > 5_000 ? undefined : { isUrgent: true, read: async () => piece }),
  });
  sender.wake();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(asked >= 256 && asked < 1_000, `${asked} are read`);
  sender.stop();
});
