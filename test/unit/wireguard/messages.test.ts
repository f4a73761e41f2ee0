import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeMessage,
  encodeCookie,
  encodeHandshakeHead,
  encodeTransportHeader,
  MessageType,
  mac1Of,
} from '../../../src/wireguard/messages.js';

/** `length` bytes that count up from `first`. */
function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('message codec', () => {
  it('reads an initiation at its offsets', () => {
    const wire = counting(0, 148);
    wire.set([1, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]);
    const message = decodeMessage(wire);
    assert.ok(typeof message === 'object' && message.type === MessageType.initiation);
    assert.equal(message.sender, 0x11223344);
    assert.equal(hex(message.ephemeral), hex(counting(8, 32)));
    assert.equal(hex(message.sealedStatic), hex(counting(40, 48)));
    assert.equal(hex(message.sealedTimestamp), hex(counting(88, 28)));
    assert.equal(message.beforeMac1.length, 116);
    assert.equal(hex(message.mac1), hex(counting(116, 16)));
    assert.equal(hex(message.mac2), hex(counting(132, 16)));
  });

  it('reads a response at its offsets', () => {
    const wire = counting(0, 92);
    wire.set([2, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0xff, 0xff, 0xff, 0xff]);
    const message = decodeMessage(wire);
    assert.ok(typeof message === 'object' && message.type === MessageType.response);
    assert.deepEqual([message.sender, message.receiver], [0x11223344, 0xffffffff]);
    assert.equal(hex(message.ephemeral), hex(counting(12, 32)));
    assert.equal(hex(message.sealedEmpty), hex(counting(44, 16)));
    assert.equal(message.beforeMac1.length, 60);
    assert.equal(hex(message.mac1), hex(counting(60, 16)));
    assert.equal(hex(message.mac2), hex(counting(76, 16)));
  });

  it('reads a cookie reply and a transport message at their offsets', () => {
    const cookie = counting(0, 64);
    cookie.set([3, 0, 0, 0, 1, 0, 0, 0]);
    const reply = decodeMessage(cookie);
    assert.ok(typeof reply === 'object' && reply.type === MessageType.cookie);
    assert.deepEqual([reply.receiver, hex(reply.nonce)], [1, hex(counting(8, 24))]);
    assert.equal(hex(reply.sealedCookie), hex(counting(32, 32)));
    const data = Uint8Array.from([...encodeTransportHeader(0xfedcba98, 2n ** 63n), ...counting(0, 16)]);
    assert.equal(hex(data.subarray(0, 16)), '0400000098badcfe0000000000000080');
    const transport = decodeMessage(data);
    assert.ok(typeof transport === 'object' && transport.type === MessageType.transport);
    assert.deepEqual([transport.receiver, transport.counter], [0xfedcba98, 2n ** 63n]);
    assert.equal(transport.sealedPacket.length, 16);
  });

  it('writes heads and cookie replies, and finds mac1', () => {
    const head = encodeHandshakeHead(MessageType.response, [1, 0x01020304], [Uint8Array.of(0xaa)]);
    assert.equal(hex(head), '020000000100000004030201aa');
    const reply = encodeCookie(0x01020304, counting(8, 24), counting(32, 32));
    assert.equal(hex(reply), `0300000004030201${hex(counting(8, 56))}`);
    assert.equal(hex(mac1Of(counting(0, 148))), hex(counting(116, 16)));
  });

  for (const [what, wire, reason] of [
    ['nothing', [], 'too-short'],
    ['three bytes', [1, 0, 0], 'too-short'],
    ['type 0', [0, 0, 0, 0], 'unknown-type'],
    ['type 5', [5, 0, 0, 0], 'unknown-type'],
    ['reserved bytes that are set', [1, 0, 0, 1], 'reserved-not-zero'],
    ['an initiation of 147 bytes', [1, ...new Uint8Array(146)], 'bad-length'],
    ['an initiation of 149 bytes', [1, ...new Uint8Array(148)], 'bad-length'],
    ['a response of 93 bytes', [2, ...new Uint8Array(92)], 'bad-length'],
    ['a cookie of 65 bytes', [3, ...new Uint8Array(64)], 'bad-length'],
    ['a transport message of 31 bytes', [4, ...new Uint8Array(30)], 'bad-length'],
  ] as const) {
    it(`drops ${what}`, () => assert.equal(decodeMessage(Uint8Array.from(wire)), reason));
  }
});
