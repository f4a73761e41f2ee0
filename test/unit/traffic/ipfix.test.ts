import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { ipfixMessages } from '../../../src/traffic/export/ipfix.js';
import { pair } from './counting.js';

const PERIOD = { startMs: 0x0102_0304_0506, endMs: 0x0102_0304_0507 };
const CONTEXT = { exportSeconds: 0x69a42e40, domain: 7, sequence: 9 };

const TEMPLATES = [
  '00020044', // set 2, 68 bytes
  '01000007', // template 256, 7 fields
  '00080004 000c0004 00010008 00020008 00980008 00990008 00ea0004',
  '01010007',
  '001b0010 001c0010 00010008 00020008 00980008 00990008 00ea0004',
].join('');

test('a message, byte by byte', () => {
  const one = pair(1, 0x1_0000_0002, { packets: 3, vnet: 258, destination: undefined });
  const [message, ...others] = ipfixMessages({ ...PERIOD, pairs: [one] }, CONTEXT);
  const expected = [
    '000a 0084 69a42e40 00000009 00000007',
    TEMPLATES,
    '0100 0030',
    '0a010001 00000000 0000000100000002 0000000000000003 0000010203040506 0000010203040507 00000102',
  ];
  assert.equal(Buffer.from(message ?? []).toString('hex'), expected.join('').replaceAll(' ', ''));
  assert.equal(others.length, 0);
});

test('every pair is in one message, no message is too long, and the sequence counts records', () => {
  const pairs = Array.from({ length: 1_000 }, (_, i) =>
    pair(i, i, i % 3 === 0 ? { source: undefined, destination: Ip.v6(0xfd000000, 0, 0, i) } : {}),
  );
  const none = pair(1, 1, { source: undefined, destination: undefined });
  let sequence = 9;
  let records = 0;
  for (const message of ipfixMessages({ ...PERIOD, pairs: [...pairs, none] }, CONTEXT)) {
    const bytes = Buffer.from(message);
    assert.ok(bytes.length <= 1_420 && bytes.readUInt16BE(2) === bytes.length);
    assert.equal(bytes.readUInt32BE(8), sequence);
    const [set, length] = [bytes.readUInt16BE(84), bytes.readUInt16BE(86)];
    assert.equal(length, bytes.length - 84);
    const count = (length - 4) / (set === 256 ? 44 : 68);
    assert.ok(Number.isInteger(count) && count > 0);
    sequence += count;
    records += count;
  }
  assert.equal(records, 1_000);
});
