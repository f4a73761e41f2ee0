import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
import {
  acceptance,
  greeting,
  introduction,
  isSensorName,
  MOST_LINE_BYTES,
  readAcceptance,
  readGreeting,
  readIntroduction,
} from '../../../src/traffic/sensors/greeting.js';
import { SensorStream } from '../../../src/traffic/sensors/stream.js';
import { bytesOf, ipfix, RECORD_256, set, TEMPLATE_256 } from './collect/vectors.js';

const TOKEN = new Uint8Array(32).fill(7);
const NONCE = Uint8Array.from({ length: 16 }, (_, i) => i);

test('a greeting and its answer, as text', () => {
  assert.equal(greeting(NONCE), 'vine-sensor/1 000102030405060708090a0b0c0d0e0f');
  assert.deepEqual(readGreeting(greeting(NONCE)), NONCE);
  // By: printf … | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…
  const line = 'host-1 2a4a81ac4b1d15ca16b55baa663ee606a41cbe39f57d3f2b5f52e37d44303622';
  assert.equal(introduction(TOKEN, NONCE, 'host-1'), line);
  assert.equal(readIntroduction(TOKEN, NONCE, line), 'host-1');
  const links = [Prefix.of('10.1.0.0/24'), Prefix.of('fd00:1::/64')];
  assert.equal(acceptance(links), 'ok 10.1.0.0/24 fd00:1::/64');
  assert.deepEqual(readAcceptance(acceptance(links)), links);
  assert.deepEqual(readAcceptance(acceptance([])), []);
});

test('who has another token, name or nonce is not believed', () => {
  const line = introduction(TOKEN, NONCE, 'host-1');
  const other = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.from(bytes, (byte, i) => byte ^ Number(i === 0));
  assert.equal(readIntroduction(other(TOKEN), NONCE, line), undefined);
  assert.equal(readIntroduction(TOKEN, other(NONCE), line), undefined);
  assert.equal(readIntroduction(TOKEN, NONCE, line.replace('host-1', 'host-2')), undefined);
  for (const bad of [
    '',
    'host-1',
    `${line} x`,
    `${line}0`,
    line.slice(0, -1),
    line.toUpperCase(),
    `-${line}`,
  ])
    assert.equal(readIntroduction(TOKEN, NONCE, bad), undefined, bad);
  for (const bad of [
    '',
    'vine-sensor/2 000102030405060708090a0b0c0d0e0f',
    'vine-sensor/1 00',
    'HTTP/1.1 400',
  ])
    assert.equal(readGreeting(bad), undefined, bad);
  for (const bad of ['', 'refused', 'ok 10.1.0.0', 'ok 10.1.0.1/24', 'ok ', 'okay'])
    assert.equal(readAcceptance(bad), undefined, bad);
  for (const name of ['', '-a', '.a', 'a b', 'ä', 'a'.repeat(65)])
    assert.equal(isSensorName(name), false, name);
});

test('more links than fit on a line: the first ones', () => {
  const links = Array.from({ length: 2_000 }, (_, i) => Prefix.of(`fd00:${(i + 1).toString(16)}::/64`));
  const line = acceptance(links);
  assert.ok(line.length < MOST_LINE_BYTES);
  const read = readAcceptance(line) ?? assert.fail(line);
  assert.ok(read.length > 400);
  assert.deepEqual(read, links.slice(0, read.length));
});

test('a stream gives the same lines and messages, however it is split', () => {
  const messages = [ipfix(0), ipfix(0, set(2, TEMPLATE_256), set(256, RECORD_256)), ipfix(1)];
  const whole = Buffer.concat([Buffer.from('one line\n\n'), ...messages]);
  for (let size = 1; size <= whole.length; size++) {
    const stream = new SensorStream();
    const lines: unknown[] = [];
    const found: unknown[] = [];
    for (let at = 0; at < whole.length; at += size) {
      stream.push(whole.subarray(at, at + size));
      for (let line = lines.length < 2 ? stream.line() : undefined; line !== undefined; ) {
        lines.push(line);
        line = lines.length < 2 ? stream.line() : undefined;
      }
      if (lines.length < 2) continue;
      for (let message = stream.message(); message !== undefined; message = stream.message())
        found.push(message === 'bad' ? message : Uint8Array.from(message));
    }
    assert.deepEqual(lines, [{ text: 'one line' }, { text: '' }], String(size));
    assert.deepEqual(found, messages, String(size));
  }
});

test('what is neither line nor message ends it', () => {
  const line = (bytes: Uint8Array): unknown => {
    const stream = new SensorStream();
    stream.push(bytes);
    return stream.line();
  };
  assert.equal(line(Buffer.alloc(MOST_LINE_BYTES, 'a')), undefined);
  assert.equal(line(Buffer.alloc(MOST_LINE_BYTES + 1, 'a')), 'bad');
  assert.equal(line(Buffer.concat([Buffer.alloc(MOST_LINE_BYTES + 1, 'a'), Buffer.from('\n')])), 'bad');
  const message = (hex: string): unknown => {
    const stream = new SensorStream();
    stream.push(bytesOf(hex));
    return stream.message();
  };
  assert.equal(message('000a00'), undefined);
  assert.equal(message('000a0010'), undefined);
  assert.equal(message('000a000f'), 'bad');
  assert.equal(message('00090010'), 'bad');
});
