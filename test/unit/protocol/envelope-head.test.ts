/** An envelope's head is read without its body, in whatever form protobuf lets another program write it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { MAX_ID } from '../../../src/protocol/constants.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import { SAMPLES } from './control-samples.js';

const codec = new ControlCodec();
const schema = protobuf.parse(readFileSync('proto/vine.proto', 'utf8')).root.lookupType('vine.Envelope');
const BODY = { type: 'ping', token: 5 } as const;
const HEAD = { id: 1, acks: [2, 300], epoch: 3, ackEpoch: 4, oldest: 1 };

const payload = (...fields: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from([0x20, ...fields.flat()]);

const ID = [0x08, 1];
const PACKED = [0x12, 3, 2, 0xac, 2];
const UNPACKED = [0x10, 2, 0x10, 0xac, 2];
const EPOCH = [0x18, 3];
const ACK_EPOCH = [0x20, 4];
const OLDEST = [0x28, 1];
const PING = [0x8a, 0x01, 2, 0x08, 5];
const PONG = [0x92, 0x01, 2, 0x08, 9];
const UNKNOWN = [0xa0, 0x3e, 1];

describe('the head of an envelope', () => {
  for (const [how, bytes] of [
    ['in the order of the schema', payload(ID, PACKED, EPOCH, ACK_EPOCH, OLDEST, PING)],
    ['in any other order', payload(PING, OLDEST, ACK_EPOCH, PACKED, ID, EPOCH)],
    ['with acknowledgements one by one', payload(ID, UNPACKED, EPOCH, ACK_EPOCH, OLDEST, PING)],
    ['with two bodies, the last of which counts', payload(ID, PACKED, EPOCH, ACK_EPOCH, OLDEST, PONG, PING)],
    [
      'with a number twice, the last of which counts',
      payload([0x08, 9], ID, PACKED, EPOCH, ACK_EPOCH, OLDEST, PING),
    ],
    ['with padding', payload(ID, PACKED, EPOCH, ACK_EPOCH, OLDEST, PING, [0, 0, 0, 0])],
  ] as const)
    it(`is read ${how}`, () => {
      assert.deepEqual(codec.decode(bytes), { envelope: { ...HEAD, body: BODY }, unknownFields: 0 });
    });

  it('is read among fields and bodies of a newer version, which are counted', () => {
    const body = [0xa2, 0x3e, 2, 0x08, 1];
    const bytes = payload(UNKNOWN, ID, PACKED, body, EPOCH, ACK_EPOCH, OLDEST, PING);
    assert.deepEqual(codec.decode(bytes), { envelope: { ...HEAD, body: BODY }, unknownFields: 2 });
  });

  for (const [what, bytes] of [
    ['a number without an end', payload(EPOCH, [0x08, ...new Array(11).fill(0xff), 1])],
    ['a number that breaks off', payload(EPOCH, [0x08, 0x80])],
    ['acknowledgements beyond the end', payload(EPOCH, [0x12, 5, 1])],
    ['an acknowledgement beyond its list', payload(EPOCH, [0x12, 1, 0x80, 1])],
    ['a body beyond the end', payload(EPOCH, [0x8a, 0x01, 9, 0x08])],
    ['something behind the padding', payload(EPOCH, [0, 0, 1])],
  ] as const)
    it(`is not read with ${what}`, () => assert.equal(codec.decode(bytes), 'not-protobuf'));

  it('is what the schema says, whatever its numbers are', () => {
    const number = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: MAX_ID }), fc.constant(MAX_ID));
    const any = fc.record({
      id: number,
      acks: fc.array(number, { maxLength: 64 }),
      epoch: number.map((value) => Math.max(1, value)),
      ackEpoch: number,
      oldest: number,
    });
    fc.assert(
      fc.property(any, fc.nat({ max: 40 }), (head, padding) => {
        const written = schema.encode(schema.fromObject({ ...head, ping: { token: 5 } })).finish();
        const bytes = Uint8Array.from([0x20, ...written, ...new Array(padding).fill(0)]);
        assert.deepEqual(codec.decode(bytes), { envelope: { ...head, body: BODY }, unknownFields: 0 });
      }),
    );
  });

  it('names the body without looking at it', () => {
    for (const body of SAMPLES) {
      const bytes = codec.encode({ ...HEAD, body });
      const head = codec.decodeHead(bytes);
      assert.ok(typeof head === 'object');
      assert.equal(codec.bodyTypeOf(head), body.type);
      // What is in it is judged later.
      const spoilt = Uint8Array.from(bytes);
      spoilt.fill(0xff, head.bodyStart, head.bodyEnd);
      assert.equal(typeof codec.decodeHead(spoilt), 'object');
      if (head.bodyEnd > head.bodyStart) assert.equal(codec.decode(spoilt), 'not-protobuf');
    }
  });

  it('has a reader for each body of the schema', () => {
    for (const { id, name } of schema.fieldsArray) {
      if (id < 16) continue;
      const head = codec.decodeHead(payload(EPOCH, [((id << 3) & 0x7f) | 0x82, id >> 4, 0]));
      assert.ok(typeof head === 'object');
      assert.equal(
        codec.bodyTypeOf(head),
        name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      );
    }
  });
});
