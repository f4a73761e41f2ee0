import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../../src/courier/store/digest.js';
import { StreamParser } from '../../../src/courier/stream/parser.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { BatchWriter, readBatch } from '../../../src/courier/wire/batch.js';
import { BatchMaker, type MadeBatch } from '../../../src/courier/wire/batch-maker.js';
import { type Frame, FrameReader, frameOf } from '../../../src/courier/wire/frame.js';
import {
  commonCodec,
  helloFrame,
  helloOf,
  isProof,
  proofOf,
  readHello,
} from '../../../src/courier/wire/handshake.js';
import * as message from '../../../src/courier/wire/message.js';
import { decodeOpened, decodeOpening, encodeOpening } from '../../../src/courier/wire/opening.js';
import { isSameTotal, StreamCheck } from '../../../src/courier/wire/stream-check.js';
import { LEAST_WINDOW_BYTES, Window } from '../../../src/courier/wire/window.js';
import { migration, pageOf } from './streams.js';

/** Behind the frame's head. */
const payload = (frame: Buffer): Buffer => frame.subarray(5);

test('frames: fixed bytes, and the same frames from any pieces', () => {
  assert.equal(frameOf('alive').toString('hex'), '0e00000000');
  assert.equal(message.encodeSerial('ack', 7).toString('hex'), '060000000400000007');
  const sent = Buffer.concat([
    message.encodeSerial('ack', 1),
    frameOf('fail', Buffer.from('why')),
    frameOf('back-end'),
  ]);
  for (let cut = 0; cut <= sent.length; cut++) {
    const reader = new FrameReader();
    const frames: Frame[] = [];
    for (const piece of [sent.subarray(0, cut), sent.subarray(cut)]) {
      const read = reader.push(piece);
      assert.ok(typeof read !== 'string');
      frames.push(...read);
    }
    assert.deepEqual(
      frames.map(({ name, payload: content }) => [name, content.toString('latin1')]),
      [
        ['ack', '\0\0\0\x01'],
        ['fail', 'why'],
        ['back-end', ''],
      ],
    );
  }
});

test('frames: byte by byte costs as much as there are bytes', () => {
  const content = Buffer.alloc(200_000, 7);
  const batch = { serial: 1, codec: 'none' as const, urgent: false, instructionBytes: content.length };
  const checkpoint = Buffer.alloc(16);
  const sent = Buffer.concat(
    message.encodeBatch({ ...batch, streamBytes: content.length, checkpoint, content }),
  );
  const reader = new FrameReader();
  const frames: Frame[] = [];
  const before = process.cpuUsage();
  for (let at = 0; at < sent.length; at++) {
    const read = reader.push(sent.subarray(at, at + 1));
    assert.ok(typeof read !== 'string');
    frames.push(...read);
  }
  const { user, system } = process.cpuUsage(before);
  assert.deepEqual(
    frames.map(({ name, payload: bytes }) => [name, bytes.equals(payload(sent))]),
    [['batch', true]],
  );
  // Whoever copies all that waits with each byte copies 20 GB here, which takes seconds.
  assert.ok(user + system < 1_000_000, `${(user + system) / 1e6} s of processor time`);
});

test('frames: what is out of range is refused for good', () => {
  const refused = (hex: string): unknown => new FrameReader().push(Buffer.from(hex, 'hex'));
  assert.equal(refused('0000000000'), 'frame of unknown type 0');
  assert.equal(refused('6300000000'), 'frame of unknown type 99');
  assert.equal(refused('0600000005'), 'ack frame of 5 bytes');
  assert.equal(refused('05ffffffff'), 'batch frame of 4294967295 bytes');
  const reader = new FrameReader();
  const frames = reader.push(Buffer.concat([message.encodeSerial('ack', 1), Buffer.alloc(5)]));
  assert.equal(frames.length, 1);
  assert.equal(reader.refused, 'frame of unknown type 0');
  assert.equal(reader.push(message.encodeSerial('ack', 2)), 'frame of unknown type 0');
  assert.throws(() => frameOf('ack', Buffer.alloc(9)), RangeError);
});

test('batches: fixed bytes, and read again', () => {
  const writer = new BatchWriter();
  writer.verbatim(Buffer.from('ab'));
  writer.verbatim(Buffer.from('c'));
  writer.reference(Buffer.alloc(32, 0x11), 'reference');
  writer.reference(Buffer.alloc(32, 0x33), 'coming');
  writer.verbatim(Buffer.alloc(300, 0x22));
  assert.equal(writer.streamBytes, 3 + 2 * PAGE_BYTES + 300);
  const bytes = writer.take();
  const expected = `0003616263${'02'}${'11'.repeat(16)}03${'33'.repeat(16)}00ac02${'22'.repeat(300)}`;
  assert.equal(bytes.toString('hex'), expected);
  assert.equal(writer.streamBytes, 0);
  assert.deepEqual(readBatch(bytes, 3 + 2 * PAGE_BYTES + 300), [
    { is: 'verbatim', bytes: Buffer.from('abc') },
    { is: 'reference', key: Buffer.alloc(16, 0x11) },
    { is: 'coming', key: Buffer.alloc(16, 0x33) },
    { is: 'verbatim', bytes: Buffer.alloc(300, 0x22) },
  ]);
});

test('batches: bad ones are refused, each for its reason', () => {
  const read = (hex: string, bytes: number): unknown => readBatch(Buffer.from(hex, 'hex'), bytes);
  assert.equal(read('04', 1), 'instruction 4');
  assert.equal(read('03', 1), 'instruction cut off');
  assert.equal(read('0002ff', 2), 'instruction cut off');
  assert.equal(read('00', 2), 'instruction cut off');
  assert.equal(read('0000', 0), 'nothing verbatim');
  assert.equal(read('00ffffff01', 2), 'length of more than three bytes');
  assert.equal(read('01ff', PAGE_BYTES), 'instruction cut off');
  assert.equal(read('02ff', PAGE_BYTES), 'instruction cut off');
  assert.equal(read('0002ffff', 1), 'batch longer than it says');
  assert.equal(read('0002ffff', 3), 'batch shorter than it says');
  assert.equal(readBatch(Buffer.alloc(0), 600_000), 'batch too large');
});

test('messages: what was encoded is decoded, and numbers out of range are named', () => {
  const batch: message.Batch = {
    ...{ serial: 9, codec: 'deflate', urgent: true, instructionBytes: 100, streamBytes: 5000 },
    ...{ checkpoint: Buffer.alloc(16, 7), content: Buffer.from('compressed') },
  };
  assert.deepEqual(message.decodeBatch(payload(Buffer.concat(message.encodeBatch(batch)))), batch);
  const decoded = (change: Partial<message.Batch>): unknown =>
    message.decodeBatch(payload(Buffer.concat(message.encodeBatch({ ...batch, ...change }))));
  assert.equal(decoded({ instructionBytes: 0 }), 'batch of 0 bytes of instructions');
  assert.equal(decoded({ instructionBytes: 1 << 20 }), `batch of ${1 << 20} bytes of instructions`);
  assert.equal(decoded({ streamBytes: 0 }), 'batch of 0 bytes');
  assert.equal(decoded({ codec: 'none' }), 'batch of another length than it says');
  const spoilt = payload(Buffer.concat(message.encodeBatch(batch)));
  spoilt[4] = 3;
  assert.equal(message.decodeBatch(spoilt), 'codec 3');
  spoilt[4] = 1;
  spoilt[5] = 2;
  assert.equal(message.decodeBatch(spoilt), 'batch neither urgent nor not');

  const want = { serial: 3, keys: [Buffer.alloc(16, 1), Buffer.alloc(16, 2)] };
  assert.deepEqual(message.decodeWant(payload(message.encodeWant(want))), want);
  assert.equal(message.decodeWant(Buffer.alloc(21)), 'want of a part of a key');

  const pages: message.Pages = { serial: 3, codec: 'zstd', bytes: 2 * PAGE_BYTES, content: Buffer.from('x') };
  assert.deepEqual(message.decodePages(payload(message.encodePages(pages))), pages);
  assert.equal(message.decodePages(payload(message.encodePages({ ...pages, bytes: 5 }))), '5 bytes of pages');

  const total = { sha256: Buffer.alloc(32, 3), bytes: 2 ** 40 + 1 };
  assert.deepEqual(message.decodeTotal(payload(message.encodeTotal('finish', total))), total);
  assert.equal(message.decodeTotal(Buffer.alloc(40, 0xff)), 'a stream of more than 2^53 bytes');
});

test('opening: fields in their range, and nothing else', () => {
  const opening = {
    ...{ job: '0123456789abcdef', destination: 'vm-1', owner: '', store: 'ab'.repeat(16) },
    speaker: 'qemu' as const,
    macs: ['52:54:00:00:00:09'],
  };
  assert.deepEqual(decodeOpening(payload(encodeOpening('open', opening))), opening);
  const refused = (change: object): unknown =>
    decodeOpening(Buffer.from(JSON.stringify({ ...opening, ...change })));
  assert.equal(refused({ destination: '../x' }), 'opening: destination');
  assert.equal(refused({ owner: 'a b' }), 'opening: owner');
  assert.equal(refused({ destination: 'x'.repeat(64) }), 'opening: destination');
  assert.equal(refused({ more: 1 }), 'opening: not as expected');
  assert.equal(decodeOpening(Buffer.from('{')), 'not JSON');
  assert.deepEqual(decodeOpened(Buffer.from('{"refused":"no"}')), { refused: 'no' });
});

test('handshake: both must know the token, and neither can give the other’s proof back', () => {
  const [caller, listener] = [
    helloOf(['none', 'zstd'], Buffer.alloc(32, 1)),
    helloOf(['none'], Buffer.alloc(32, 2)),
  ];
  const read = readHello(payload(helloFrame(caller)));
  assert.ok(typeof read !== 'string');
  assert.deepEqual(read.codecs, ['none', 'zstd']);
  assert.equal(commonCodec(['none', 'deflate', 'zstd'], read.codecs), 'zstd');
  assert.equal(commonCodec(['none', 'deflate'], read.codecs), 'none');
  const proof = proofOf('token', 'caller', caller, listener);
  assert.ok(isProof(proof, proofOf('token', 'caller', caller, listener)));
  assert.ok(!isProof(proof, proofOf('other', 'caller', caller, listener)));
  assert.ok(!isProof(proof, proofOf('token', 'listener', caller, listener)));
  assert.ok(!isProof(proof, proofOf('token', 'caller', caller, helloOf(['none'], Buffer.alloc(32, 3)))));
  assert.equal(readHello(Buffer.alloc(43)), 'not a courier');
  caller.writeUInt16BE(1, 8);
  assert.equal(readHello(caller), 'the other courier speaks version 1, this one 2');
});

/** The stream of some batches, by pages that the receiver has had so far. */
function restored(batches: readonly MadeBatch[]): Buffer {
  const pages = new Map<string, Buffer>();
  const check = new StreamCheck();
  const pieces: Buffer[] = [];
  for (const batch of batches) {
    const instructions = readBatch(batch.instructions, batch.streamBytes);
    if (typeof instructions === 'string') throw new Error(instructions);
    const stream = Buffer.concat(
      instructions.map((one) => {
        if (one.is === 'page') pages.set(sha256(one.bytes).toString('latin1', 0, 16), one.bytes);
        if ('bytes' in one) return one.bytes;
        const key = one.key.toString('latin1');
        return Buffer.from(pages.get(key) ?? batch.references.get(key) ?? []);
      }),
    );
    assert.ok(check.takes(stream, batch.checkpoint.subarray(0, 16)));
    pieces.push(stream);
  }
  return Buffer.concat(pieces);
}

test('a stream in batches: pages go once, and the stream comes out', () => {
  const numbers = Array.from({ length: 200 }, (_, index) => index % 50);
  const stream = migration(numbers);
  const sent = new Set<string>();
  const maker = new BatchMaker({
    digest: sha256,
    whereIs: (digest) => (sent.has(digest.toString('latin1')) ? 'there' : 'nowhere'),
    goes: (digest) => sent.add(digest.toString('latin1')),
  });
  const parser = new StreamParser();
  const batches: MadeBatch[] = [];
  for (let at = 0; at < stream.length; at += 50_000) {
    maker.add(parser.push(stream.subarray(at, at + 50_000)), parser.phase === 'stopped');
    for (let batch = maker.take(); batch !== undefined; batch = maker.take()) batches.push(batch);
  }
  const { instructionBytes, ...pages } = maker.counts;
  assert.deepEqual(pages, { pages: 200, pagesNew: 50, pagesReferenced: 150 });
  assert.equal(
    instructionBytes,
    batches.reduce((sum, { instructions }) => sum + instructions.length, 0),
  );
  assert.deepEqual(restored(batches), stream);
  assert.deepEqual(maker.total(), { sha256: sha256(stream), bytes: stream.length });
  assert.deepEqual(
    batches.map(({ serial }) => serial),
    batches.map((_, index) => index + 1),
  );
  assert.equal(batches[0]?.urgent, false);
  assert.equal(batches.at(-1)?.urgent, true);
});

test('a changed byte is found before the batch is passed on', () => {
  const check = new StreamCheck();
  assert.ok(check.takes(pageOf(1), sha256(pageOf(1)).subarray(0, 16)));
  const wrong = pageOf(2);
  wrong[17] = 0;
  assert.ok(!check.takes(wrong, sha256(Buffer.concat([pageOf(1), pageOf(2)])).subarray(0, 16)));
  assert.ok(!isSameTotal(check.total(), { sha256: check.total().sha256, bytes: 1 }));
});

/** A path of a rate and a delay under the window, as much on its way as it allows. Answers the queue's delay at the end. */
function queueMs(
  bytesPerMs: number,
  delay: number | (() => number),
  forMs: number,
  change: (nowMs: number) => void = () => undefined,
): { queuedMs: number; used: number } {
  const delayMs = typeof delay === 'number' ? () => delay : delay;
  const window = new Window();
  const arrivals: { serial: number; atMs: number }[] = [];
  const halfMs = forMs / 2;
  let [serial, freeAtMs, queuedMs, delivered] = [0, 0, 0, 0];
  for (let nowMs = 0; nowMs < forMs; nowMs += 0.5) {
    change(nowMs);
    while ((arrivals[0]?.atMs ?? Infinity) <= nowMs) {
      assert.ok(window.arrived(arrivals.shift()?.serial ?? 0, nowMs));
      // Finding out what the path holds takes its time.
      if (nowMs > halfMs) delivered += 20_000;
    }
    while (window.isOpen) {
      freeAtMs = Math.max(freeAtMs, nowMs) + 20_000 / bytesPerMs;
      queuedMs = freeAtMs - nowMs;
      window.sent(++serial, 20_000, nowMs);
      arrivals.push({ serial, atMs: freeAtMs + delayMs() });
    }
  }
  return { queuedMs, used: delivered / (bytesPerMs * halfMs) };
}

test('the window fills the path, and 30 ms more', () => {
  // 100 Mbit/s and 20 ms each way.
  const usual = queueMs(12_500, 40, 10_000);
  assert.ok(usual.used > 0.95, `${usual.used} of the path is used`);
  assert.ok(usual.queuedMs < 35, `${usual.queuedMs} ms are queued`);
  const far = queueMs(12_500, 200, 20_000);
  assert.ok(far.used > 0.95, `${far.used} of a far path`);
  assert.ok(far.queuedMs < 35, `${far.queuedMs} ms are queued`);
  const long = queueMs(12_500, 40, 120_000);
  assert.ok(long.used > 0.95, `${long.used} of the path is used in the second minute`);
  assert.ok(long.queuedMs < 35, `${long.queuedMs} ms are queued after two minutes`);
});

test('a path that becomes longer is found out', () => {
  let delayMs = 20;
  const lengthened = queueMs(
    12_500,
    () => delayMs,
    60_000,
    (nowMs) => {
      if (nowMs > 20_000) delayMs = 150;
    },
  );
  assert.ok(lengthened.used > 0.9, `${lengthened.used} of the path is used`);
  assert.ok(lengthened.queuedMs < 35, `${lengthened.queuedMs} ms are queued`);
});

test('the window: what was never sent cannot arrive, and there is always room for something', () => {
  const window = new Window();
  assert.equal(window.limitBytes, LEAST_WINDOW_BYTES);
  window.sent(1, LEAST_WINDOW_BYTES, 0);
  assert.equal(window.isOpen, false);
  assert.equal(window.arrived(2, 10), false);
  assert.equal(window.arrived(1, 10_000), true);
  assert.equal(window.arrived(1, 10_000), false);
  assert.equal(window.bytes, 0);
  assert.ok(window.limitBytes >= LEAST_WINDOW_BYTES);
});
