import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { OUR_CODECS } from '../../../src/courier/job/codecs.js';
import { compress, decompress } from '../../../src/courier/job/compression.js';

const CODECS = OUR_CODECS.filter((codec) => codec !== 'none');
const TEXT = Buffer.from('pages of one guest are like each other. '.repeat(2_000));

for (const codec of CODECS) {
  test(`${codec}: what comes out is what went in, and many at once do not meet`, async () => {
    const all = Array.from({ length: 100 }, (_, number) => Buffer.concat([Buffer.from(`${number} `), TEXT]));
    const copies = all.map((bytes) => Buffer.from(bytes));
    const packed = await Promise.all(all.map((bytes, number) => compress(codec, bytes, 1 + (number % 6))));
    for (const [number, one] of packed.entries()) {
      assert.equal(one.codec, codec);
      assert.ok(one.content.length < TEXT.length / 20, `${one.content.length} bytes`);
      const copy = copies[number] ?? Buffer.alloc(0);
      assert.ok((await decompress(one, copy.length)).equals(copy));
    }
  });

  test(`${codec}: what does not become shorter, and the shortest, go as they are`, async () => {
    for (const bytes of [randomBytes(65_536), randomBytes(100), randomBytes(10), Buffer.alloc(0)]) {
      const copy = Buffer.from(bytes);
      const packed = await compress(codec, bytes, 3);
      assert.equal(packed.codec, 'none');
      assert.ok((await decompress(packed, copy.length)).equals(copy));
    }
  });

  test(`${codec}: part of a larger memory leaves the rest of it as it is`, async () => {
    const whole = Buffer.concat([TEXT, TEXT]);
    const before = Buffer.from(whole);
    const packed = await compress(codec, whole.subarray(100, 5_000), 3);
    assert.ok(whole.equals(before));
    const frame = Buffer.concat([Buffer.alloc(30), packed.content]);
    const out = await decompress({ ...packed, content: frame.subarray(30) }, 4_900);
    assert.ok(out.equals(before.subarray(100, 5_000)));
    assert.equal(frame.length, 30 + packed.content.length);
  });

  test(`${codec}: what is none, is cut off, or has another length is refused, and the thread goes on`, async () => {
    const packed = await compress(codec, Buffer.from(TEXT), 3);
    await assert.rejects(decompress({ codec, content: randomBytes(500) }, 1_000));
    await assert.rejects(decompress({ codec, content: packed.content.subarray(0, 40) }, TEXT.length));
    await assert.rejects(decompress(packed, TEXT.length - 1));
    await assert.rejects(decompress(packed, TEXT.length + 1), /were announced/);
    assert.ok((await decompress(packed, TEXT.length)).equals(TEXT));
  });
}
