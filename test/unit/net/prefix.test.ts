import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Family, Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';

/** The naive oracle: an address as a string of bits. */
function bitsOf(ip: Ip): string {
  return [...ip.toBytes()].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

const family = fc.constantFrom<Family>(4, 6);
const byte = fc.oneof(fc.constant(0), fc.constant(255), fc.nat(255));
const addressOf = (of: Family): fc.Arbitrary<Ip> =>
  fc.array(byte, { minLength: 16, maxLength: 16 }).map((bytes) => Ip.read(of, Uint8Array.from(bytes), 0));
const address = family.chain(addressOf);
const prefix = address.chain((ip) => fc.nat(ip.bits).map((length) => Prefix.containing(ip, length)));
/** A second address that shares a random number of leading bits with the first. */
const neighbours = fc.tuple(address, fc.nat(128)).map(([ip, flip]) => {
  const bytes = ip.toBytes();
  const bit = flip % ip.bits;
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
  return [ip, Ip.read(ip.family, bytes, 0)] as const;
});

test('the prefix of an address keeps its leading bits and clears the rest', () => {
  fc.assert(
    fc.property(address, fc.nat(128), (ip, length) => {
      fc.pre(length <= ip.bits);
      const made = Prefix.containing(ip, length);
      assert.equal(bitsOf(made.address), bitsOf(ip).slice(0, length).padEnd(ip.bits, '0'));
      assert.equal(made.length, length);
      assert.ok(made.contains(ip));
    }),
    { numRuns: 1000 },
  );
});

test('contains exactly what begins with the same bits', () => {
  fc.assert(
    fc.property(neighbours, fc.nat(128), ([a, b], length) => {
      fc.pre(length <= a.bits);
      const expected = bitsOf(a).slice(0, length) === bitsOf(b).slice(0, length);
      assert.equal(Prefix.containing(a, length).contains(b), expected);
    }),
    { numRuns: 2000 },
  );
});

test('covers and overlaps, against the bits', () => {
  const pair = fc.tuple(neighbours, fc.nat(128), fc.nat(128)).map(([[a, b], m, n]) => {
    return [Prefix.containing(a, m % (a.bits + 1)), Prefix.containing(b, n % (b.bits + 1))] as const;
  });
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const leading = (of: Prefix): string => bitsOf(of.address).slice(0, of.length);
      assert.equal(a.covers(b), leading(b).startsWith(leading(a)));
      assert.equal(a.overlaps(b), a.covers(b) || b.covers(a));
      assert.equal(a.overlaps(b), b.overlaps(a));
      assert.ok(a.covers(a));
    }),
    { numRuns: 2000 },
  );
});

test('families never meet, not even in /0', () => {
  const [v4, v6] = [Prefix.of('0.0.0.0/0'), Prefix.of('::/0')];
  assert.ok(v4.contains(Ip.of('255.255.255.255')) && v6.contains(Ip.of('ffff::ffff')));
  assert.ok(!v4.contains(Ip.of('::')) && !v6.contains(Ip.of('0.0.0.0')));
  assert.ok(!v4.covers(v6) && !v6.covers(v4) && !v4.overlaps(v6));
});

test('text and back', () => {
  fc.assert(
    fc.property(prefix, (made) => {
      assert.deepEqual(Prefix.parse(made.key), made);
      assert.equal(`${made}`, made.key);
    }),
  );
  assert.equal(Prefix.of('FD00:0::/64').key, 'fd00::/64');
  assert.equal(JSON.stringify(Prefix.of('10.0.0.0/8')), '"10.0.0.0/8"');
});

test('what is not a prefix', () => {
  const texts = [
    ...['', '/', '10.0.0.0', '10.0.0.0/', '/8', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8'],
    ...['10.0.0.0/ 8', '10.0.0.0/8 ', '10.0.0.0/8.0', '10.0.0.0/1e1', '10.0.0/8', '10.0.0.0/0x8', 'a/8'],
    ...['fd00::/129', 'fd00::/1000', 'fd00::', '10.0.0.0/255.0.0.0', '10.0.0.0/٨'],
    ...['10.1.0.1/24', '10.0.0.1/0', 'fd00::1/64', '10.1.0.1/31'],
  ];
  for (const text of texts) assert.equal(Prefix.parse(text), undefined, JSON.stringify(text));
  assert.throws(() => Prefix.of('10.1.0.1/24'), /not a prefix/);
});

test('a bare address is a host prefix only on demand', () => {
  assert.equal(Prefix.parse('10.1.0.9', true)?.key, '10.1.0.9/32');
  assert.equal(Prefix.parse('fd00::9', true)?.key, 'fd00::9/128');
  assert.equal(Prefix.parse('10.1.0', true), undefined);
  assert.equal(Prefix.parse('', true), undefined);
  assert.ok(Prefix.of('10.1.0.9').isHost && Prefix.of('fd00::9').isHost);
  assert.ok(!Prefix.of('10.1.0.8/31').isHost && !Prefix.of('fd00::/32').isHost);
});

test('a length that cannot be is a programming error', () => {
  const bad: readonly [string, number][] = [
    ['10.0.0.0', 33],
    ['10.0.0.0', -1],
    ['10.0.0.0', 1.5],
    ['::', 129],
    ['::', Number.NaN],
  ];
  for (const [text, length] of bad) {
    assert.throws(() => Prefix.containing(Ip.of(text), length), RangeError);
  }
});

test('size', () => {
  const table: readonly (readonly [string, number])[] = [
    ['10.1.0.9', 1],
    ['10.1.0.0/24', 256],
    ['0.0.0.0/0', 2 ** 32],
    ['fd00::9', 1],
    ['fd00::/118', 1024],
    ['fd00::/64', 2 ** 64],
  ];
  for (const [text, size] of table) assert.equal(Prefix.of(text).size, size, text);
});
