/** The courier's decoders: migration streams (never a byte lost), what another courier sends, batches, openings. */
import assert from 'node:assert/strict';
import { StreamParser } from '../../../src/courier/stream/parser.js';
import type { Token } from '../../../src/courier/stream/token.js';
import { BatchWriter, type Instruction, readBatch } from '../../../src/courier/wire/batch.js';
import { FRAMES, type Frame, FrameReader, frameOf } from '../../../src/courier/wire/frame.js';
import { helloFrame, helloOf, readHello } from '../../../src/courier/wire/handshake.js';
import * as message from '../../../src/courier/wire/message.js';
import { decodeOpened, decodeOpening, encodeOpening } from '../../../src/courier/wire/opening.js';
import * as made from '../../unit/courier/streams.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/** In pieces that end anywhere. */
function* pieces(bytes: Uint8Array, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(random.chance(20) ? 20 : bytes.length);
    yield Buffer.from(bytes.subarray(at, at + length));
    at += length;
  }
}

function stream(random: Random): Buffer {
  const numbers = Array.from({ length: random.below(4) }, () => random.below(3));
  if (random.chance(30))
    return Buffer.concat([
      made.MULTIFD_HELLO,
      ...numbers.map((number) => made.packet([made.pageOf(number)])),
    ]);
  if (random.chance(70)) return made.migration(numbers);
  return Buffer.concat([
    ...[made.HEAD, made.configuration(), made.start(random.below(9), random.pick(['ram', 'ram', 'block']))],
    ...[made.blocks({ a: random.below(1 << 30) }), made.eos],
    ...[made.compressed(0, random.bytes(random.below(100)), 'a'), made.fill(4096, 1)],
  ]);
}

function parse(random: Random): string {
  const whole = stream(random);
  const bytes = random.chance(20) ? whole : mutated(whole, random);
  const parser = new StreamParser();
  const tokens: Token[] = [];
  for (const piece of pieces(bytes, random)) {
    tokens.push(...parser.push(piece));
    if (random.chance(20)) tokens.push(...parser.release());
  }
  tokens.push(...parser.release());
  assert.ok(Buffer.concat(tokens.map((token) => token.bytes)).equals(Buffer.from(bytes)), 'other bytes');
  for (const { kind, bytes: content } of tokens) if (kind === 'page') assert.equal(content.length, 4096);
  return parser.passedBecause === undefined ? 'understood' : (parser.speaker ?? 'nothing');
}

export const migrations: Target = {
  name: 'migrations',
  outcomes: ['understood', 'qemu', 'multifd', 'unknown'],
  open: () => parse,
};

function frame(random: Random): Buffer {
  switch (random.below(8)) {
    case 0:
      return message.encodeSerial('ack', random.word() >>> 0);
    case 1:
      return Buffer.concat(
        message.encodeBatch({
          ...{ serial: random.word() >>> 0, codec: random.pick(message.CODECS), urgent: random.chance(50) },
          ...{ instructionBytes: 1 + random.below(300_000), streamBytes: 1 + random.below(600_000) },
          ...{
            checkpoint: Buffer.from(random.bytes(16)),
            content: Buffer.from(random.bytes(random.below(200))),
          },
        }),
      );
    case 2:
      return message.encodeWant({ serial: 1, keys: [Buffer.from(random.bytes(16))] });
    case 3: {
      const bytes = 4096 * (1 + random.below(80));
      return message.encodePages({ serial: 1, codec: 'zstd', bytes, content: Buffer.from(random.bytes(50)) });
    }
    case 4:
      return message.encodeTotal('finish', {
        sha256: Buffer.from(random.bytes(32)),
        bytes: random.word() >>> 0,
      });
    case 5:
      return helloFrame(helloOf(['none', 'zstd'], random.bytes(32)));
    case 6:
      return encodeOpening('open', {
        ...{
          job: '0123456789abcdef',
          destination: 'vm',
          owner: '',
          store: 'ab'.repeat(16),
          speaker: 'qemu',
          macs: [],
        },
      });
    default:
      return frameOf('fail', random.bytes(random.below(30)));
  }
}

type Decoder = (payload: Buffer) => unknown;

const DECODERS: Partial<Record<Frame['name'], Decoder>> = {
  hello: readHello,
  open: decodeOpening,
  opened: decodeOpened,
  batch: message.decodeBatch,
  want: message.decodeWant,
  pages: message.decodePages,
  finish: message.decodeTotal,
  finished: message.decodeTotal,
};

/**
 * What another courier sends: frames that are whole, mutated, in pieces. None throws, none is longer than it may be, and they are those
 * that come out when all comes in one piece.
 */
function hear(random: Random): string {
  const sent = Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => frame(random)));
  const bytes = Buffer.from(random.chance(30) ? sent : mutated(sent, random));
  const reader = new FrameReader();
  const heard: Frame[] = [];
  for (const piece of pieces(bytes, random)) {
    const frames = reader.push(piece);
    if (typeof frames !== 'string') heard.push(...frames);
  }
  const whole = new FrameReader();
  const frames = whole.push(bytes);
  assert.deepEqual(heard, typeof frames === 'string' ? [] : frames, 'pieces give other frames');
  assert.equal(reader.refused, whole.refused);
  let outcome = 'nothing';
  for (const { name, payload } of heard) {
    const { least, most } = FRAMES[name];
    assert.ok(payload.length >= least && payload.length <= most, `${name} of ${payload.length} bytes`);
    const read = DECODERS[name]?.(payload);
    outcome = typeof read === 'string' ? `${name} refused` : name;
  }
  return reader.refused === undefined ? outcome : 'frame refused';
}

export const couriers: Target = {
  name: 'couriers',
  outcomes: [
    ...['frame refused', 'ack', 'batch', 'batch refused', 'want', 'pages', 'pages refused', 'finish'],
    ...['hello', 'hello refused', 'open', 'open refused', 'fail', 'nothing'],
  ],
  open: () => hear,
};

function batch(random: Random): string {
  const writer = new BatchWriter();
  for (let count = random.below(5); count >= 0; count--) {
    if (random.chance(60)) writer.verbatim(random.bytes(1 + random.below(300)));
    else if (random.chance(50))
      writer.reference(random.bytes(32), random.chance(50) ? 'coming' : 'reference');
    else writer.page(made.pageOf(random.below(5)));
  }
  const { streamBytes } = writer;
  const whole = writer.take();
  assert.ok(typeof readBatch(whole, streamBytes) !== 'string', 'what was written is not read');
  const bytes = Buffer.from(mutated(whole, random));
  const announced = random.chance(80) ? streamBytes : random.below(10_000);
  const read = readBatch(bytes, announced);
  if (typeof read === 'string') return read.replace(/\d+/, 'N');
  // Whatever is taken stands for what was announced, and can be written and read again.
  for (const one of read) rewrite(writer, one);
  assert.equal(writer.streamBytes, announced);
  const again = readBatch(writer.take(), announced);
  assert.ok(typeof again !== 'string', 'what was taken is not read when it is written again');
  assert.deepEqual(contentOf(again), contentOf(read));
  return 'read';
}

function rewrite(writer: BatchWriter, one: Instruction): void {
  if (one.is === 'verbatim') writer.verbatim(one.bytes);
  else if (one.is === 'page') writer.page(one.bytes);
  else writer.reference(one.key, one.is);
}

/** Without where one piece of what is verbatim ends and the next begins. */
function contentOf(instructions: readonly Instruction[]): Buffer {
  return Buffer.concat(
    instructions.flatMap((one) => {
      if (one.is === 'verbatim') return [one.bytes];
      return one.is === 'page' ? [Buffer.from('page'), one.bytes] : [Buffer.from(one.is), one.key];
    }),
  );
}

export const batches: Target = {
  name: 'batches',
  outcomes: [
    'read',
    'instruction N',
    'instruction cut off',
    'batch longer than it says',
    'batch shorter than it says',
  ],
  open: () => batch,
};
