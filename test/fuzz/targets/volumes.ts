/** What couriers say of volumes that move, and the chunks that come. Nothing throws, and nothing is beyond the volume. */
import assert from 'node:assert/strict';
import * as message from '../../../src/courier/volume/move/message.js';
import {
  MOST_PIECE_BYTES,
  type Piece,
  PieceReader,
  tokensOf,
} from '../../../src/courier/volume/move/pieces.js';
import { FrameReader } from '../../../src/courier/wire/frame.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const CHUNKS = 50;
const CHUNK_BYTES = 256 * 1024;
const SIZE = CHUNKS * CHUNK_BYTES;

function versions(random: Random): { chunk: number; version: number; writes: number }[] {
  const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk).filter(() => random.chance(30));
  return all.map((chunk) => ({ chunk, version: random.word() >>> 0, writes: random.below(9) }));
}

function open(random: Random): Buffer {
  const text = '0123456789abcdef'.repeat(2);
  return message.encodeOpen({
    ...{ session: text, volume: text, name: 'vm', owner: random.pick(['', 'blue']), store: text },
    ...{ phase: random.pick(['pushing', 'given', 'released', 'abandoned'] as const), sizeBytes: SIZE },
    ...{ chunkBytes: CHUNK_BYTES, base: random.chance(50) ? null : text.repeat(2) },
  });
}

function said(random: Random): Buffer {
  switch (random.below(6)) {
    case 0:
      return open(random);
    case 1:
      return message.encodeOpened(
        random.pick([
          { refused: 'no' },
          { store: 'ab'.repeat(16) },
          { store: 'ab'.repeat(16), nothing: 'finished' },
        ]),
      );
    case 2: {
      const [number, offset, length] = [
        random.below(9),
        512 * random.below(SIZE / 512),
        512 * random.below(520),
      ];
      return message.encodeRead({ number, offset, length });
    }
    case 3:
      return Buffer.concat(
        message.encodeSource(
          random.pick([
            { say: 'given', remaining: versions(random) },
            { say: 'not-yet', why: 'because' },
            { say: 'abandoned' },
            { say: 'released' },
          ]),
        ),
      );
    default:
      return Buffer.concat(
        message.encodeDestination(
          random.pick([
            { say: 'have', chunks: versions(random) },
            { say: 'ack', chunks: versions(random) },
            { say: 'ask' },
            { say: 'pull', chunk: random.below(CHUNKS + 5), isUrgent: random.chance(50) },
            { say: 'pulling', remaining: random.below(9) },
            { say: 'finished' },
            { say: 'forgotten' },
            { say: 'refused', why: 'because' },
          ]),
        ),
      );
  }
}

function hear(random: Random): string {
  const frames = new FrameReader();
  const [source, destination] = [new message.SourceReader(CHUNKS), new message.DestinationReader(CHUNKS)];
  let outcome = 'nothing';
  for (let count = 1 + random.below(4); count > 0; count--) {
    const bytes = said(random);
    const heard = frames.push(Buffer.from(random.chance(40) ? bytes : mutated(bytes, random)));
    if (typeof heard === 'string') return 'frame refused';
    for (const frame of heard) outcome = hearFrame(frame, source, destination);
  }
  return outcome;
}

function hearFrame(
  frame: Parameters<message.SourceReader['read']>[0],
  source: message.SourceReader,
  destination: message.DestinationReader,
): string {
  const { name, payload } = frame;
  if (name === 'volume-open' || name === 'volume-opened') {
    const read = name === 'volume-open' ? message.decodeOpen(payload) : message.decodeOpened(payload);
    return typeof read === 'string' ? 'JSON refused' : name;
  }
  if (name === 'volume-read') {
    const read = message.decodeRead(payload, SIZE, CHUNK_BYTES);
    if (typeof read === 'string') return 'read refused';
    assert.ok(read.length > 0 && read.offset + read.length <= SIZE && read.length <= CHUNK_BYTES);
    return name;
  }
  const outcomes = [source.read(frame), destination.read(frame)].map((read) => {
    if (read === undefined || typeof read === 'string') return 'refused';
    if (read.say === 'have' || read.say === 'ack' || read.say === 'given') {
      const chunks = read.say === 'given' ? read.remaining : read.chunks;
      assert.equal(new Set(chunks.map(({ chunk }) => chunk)).size, chunks.length, 'a chunk twice');
      for (const { chunk } of chunks) assert.ok(chunk < CHUNKS, `chunk ${chunk}`);
    }
    if (read.say === 'pull') assert.ok(read.chunk < CHUNKS);
    return read.say;
  });
  return outcomes.find((read) => read !== 'refused') ?? 'refused';
}

export const volumeMessages: Target = {
  name: 'volume-messages',
  outcomes: [
    ...[
      'frame refused',
      'JSON refused',
      'read refused',
      'refused',
      'volume-open',
      'volume-opened',
      'volume-read',
    ],
    ...[
      'given',
      'not-yet',
      'abandoned',
      'released',
      'have',
      'ack',
      'ask',
      'pull',
      'pulling',
      'finished',
      'forgotten',
    ],
  ],
  open: () => hear,
};

function piece(random: Random): Piece {
  const length = 512 * (1 + random.below(random.chance(10) ? 512 : 30));
  const data = Buffer.from(random.bytes(length));
  for (let at = 0; at < length; at += 4096)
    if (random.chance(40)) data.fill(0, at, Math.min(at + 4096, length));
  const isNothing = random.chance(10) || data.every((byte) => byte === 0);
  return {
    ...{
      kind: random.pick(['push', 'pull', 'read'] as const),
      number: random.below(CHUNKS),
      version: random.word() >>> 0,
    },
    ...{ writes: random.below(9), length, data: isNothing ? undefined : data, hasFailed: random.chance(5) },
  };
}

function receive(random: Random): string {
  const sent = Array.from({ length: random.below(4) }, () => piece(random));
  const whole = Buffer.concat(sent.flatMap((one) => tokensOf(one).map(({ bytes }) => bytes)));
  const isWhole = random.chance(30);
  const bytes = isWhole ? whole : Buffer.from(mutated(whole, random));
  const reader = new PieceReader();
  const came: Piece[] = [];
  let outcome = 'nothing';
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(random.chance(20) ? 20 : bytes.length);
    const read = reader.push(bytes.subarray(at, at + length));
    at += length;
    if (typeof read === 'string') outcome = 'refused';
    else came.push(...read);
  }
  for (const { length, data } of came) {
    assert.ok(length > 0 && length <= MOST_PIECE_BYTES, `${length} bytes`);
    if (data !== undefined) assert.equal(data.length, length);
  }
  if (isWhole) assert.deepEqual(came, sent);
  return outcome === 'nothing' && came.length > 0 ? 'pieces' : outcome;
}

export const volumePieces: Target = {
  name: 'volume-pieces',
  outcomes: ['nothing', 'pieces', 'refused'],
  open: () => receive,
};
