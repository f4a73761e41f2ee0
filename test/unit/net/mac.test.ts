import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BROADCAST_MAC,
  formatMac,
  isGroupMac,
  mac,
  macFromHalves,
  macHigh,
  macLow,
  parseMac,
  readMac,
  writeMac,
  ZERO_MAC,
} from '../../../src/net/mac.js';

const octets = fc.uint8Array({ minLength: 6, maxLength: 6 });

/** The naive oracle. */
function textOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

test('text, bytes, halves: each gives the others', () => {
  fc.assert(
    fc.property(octets, fc.nat(8), (bytes, at) => {
      const value = mac(textOf(bytes));
      assert.equal(formatMac(value), textOf(bytes));
      assert.equal(mac(textOf(bytes).toUpperCase()), value);
      const buffer = new Uint8Array(14).fill(0x5a);
      writeMac(value, buffer, at);
      assert.deepEqual(buffer.slice(at, at + 6), bytes);
      assert.ok(buffer.every((byte, i) => byte === 0x5a || (i >= at && i < at + 6)));
      assert.equal(readMac(buffer, at), value);
      assert.equal(macHigh(value), ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0));
      assert.equal(macLow(value), new DataView(bytes.buffer).getUint32(2));
      assert.equal(macFromHalves(macHigh(value), macLow(value)), value);
      assert.equal(isGroupMac(value), (bytes[0] ?? 0) % 2 === 1);
    }),
    { numRuns: 1000 },
  );
});

test('signed halves, as an Int32Array holds them, make the same MAC', () => {
  const words = new Int32Array([0xffff, 0xffffffff]);
  assert.equal(macFromHalves(words[0] ?? 0, words[1] ?? 0), BROADCAST_MAC);
  const value = mac('52:54:80:00:00:09');
  words.set([macHigh(value), macLow(value)]);
  assert.equal(macFromHalves(words[0] ?? 0, words[1] ?? 0), value);
});

test('constants', () => {
  assert.equal(formatMac(BROADCAST_MAC), 'ff:ff:ff:ff:ff:ff');
  assert.equal(formatMac(ZERO_MAC), '00:00:00:00:00:00');
  assert.ok(isGroupMac(BROADCAST_MAC) && !isGroupMac(ZERO_MAC));
  assert.ok(isGroupMac(mac('33:33:00:00:00:01')) && !isGroupMac(mac('02:00:00:00:00:01')));
});

test('what is not a MAC address', () => {
  const texts = [
    ...['', '52:54:00:00:00', '52:54:00:00:00:09:0a', '52-54-00-00-00-09', '525400000009', '5254.0000.0009'],
    ...[
      '52:54:00:00:00:9',
      '52:54:00:00:00:0g',
      ' 52:54:00:00:00:09',
      '52:54:00:00:00:09\n',
      '52:54:00:00:00:009',
    ],
  ];
  for (const text of texts) {
    assert.equal(parseMac(text), undefined, JSON.stringify(text));
    assert.throws(() => mac(text), /not a MAC address/);
  }
});
