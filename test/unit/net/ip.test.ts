import assert from 'node:assert/strict';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip, type IpWords, readU32, writeU32 } from '../../../src/net/ip.js';

const word = fc.nat(0xffffffff);
/** Addresses with many zero groups, where the rules of `::` matter. */
const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff));
const v6 = fc.array(group, { minLength: 8, maxLength: 8 });

function ofGroups(groups: readonly number[]): Ip {
  const at = (i: number): number => (groups[2 * i] ?? 0) * 0x10000 + (groups[2 * i + 1] ?? 0);
  return Ip.v6(at(0), at(1), at(2), at(3));
}

test('IPv6 text is canonical: RFC 5952', () => {
  const vectors: readonly (readonly [string, string])[] = [
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8::aaaa:0:0:1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::1:2:3:4:5:6:7', '0:1:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['1:2:3:4:5:6:255.255.255.255', '1:2:3:4:5:6:ffff:ffff'],
    ['FE80::ABCD', 'fe80::abcd'],
  ];
  for (const [text, canonical] of vectors) assert.equal(Ip.parse(text)?.key, canonical, text);
});

test('what is not an address', () => {
  const texts = [
    ...['', ' ', '1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', '1.2.3.4 ', ' 1.2.3.4'],
    ...['0x1.2.3.4', '1..2.3', '1.2.3.', '.1.2.3', '1e1.2.3.4', '١.2.3.4', '1.2.3.4/24', '1.2.3.4:80'],
    ...[':', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', ':1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8:'],
    ...['1:2:3:4:5:6:7::8', '::1:2:3:4:5:6:7:8', '12345::', 'g::', 'fe80::1%eth0', '[::1]', '::1/64'],
    ...['::1.2.3', '1.2.3.4::', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', '::1.2.3.256', '::ffff:1.2.3.04'],
    ...[':1', '1:', ':::1', '1:::', '::-1', '::+1', '::\n'],
  ];
  for (const text of texts) {
    assert.equal(Ip.parse(text), undefined, JSON.stringify(text));
    assert.equal(isIP(text.split('%')[0] ?? '') !== 0 && !text.includes('%'), false, `node agrees: ${text}`);
    assert.throws(() => Ip.of(text), /not an IP address/);
  }
});

test('any text: the same verdict as node', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    'ff',
    'FFFF',
    '12345',
    '255',
    '256',
    '00',
    ':',
    '::',
    '.',
    ':',
    '.',
  );
  const text = fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.string()), (candidate) => {
      if (candidate.includes('%')) return;
      assert.equal(Ip.parse(candidate)?.family ?? 0, isIP(candidate));
    }),
    { numRuns: 5000 },
  );
});

test('IPv6 text is what the C library prints', () => {
  fc.assert(
    fc.property(v6, (groups) => {
      const plain = groups.map((value) => value.toString(16)).join(':');
      const ip = ofGroups(groups);
      assert.ok(isIPv6(ip.key));
      assert.equal(Ip.parse(plain)?.key, ip.key);
      assert.equal(Ip.parse(ip.key.toUpperCase())?.key, ip.key);
      // inet_ntop writes compatible and mapped addresses with dots; RFC 5952 §5 leaves that to the reader's taste.
      const printed = new SocketAddress({ address: plain, family: 'ipv6' }).address;
      if (!printed.includes('.')) assert.equal(ip.key, printed);
    }),
    { numRuns: 2000 },
  );
});

test('text of IPv4, against arithmetic', () => {
  fc.assert(
    fc.property(word, (address) => {
      const octets = [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(address / unit) % 256);
      const ip = Ip.v4(address);
      assert.equal(ip.key, octets.join('.'));
      assert.deepEqual(Ip.parse(ip.key), ip);
      assert.deepEqual([...ip.toBytes()], octets);
    }),
  );
});

test('bytes and back, anywhere in a buffer', () => {
  fc.assert(
    fc.property(
      fc.tuple(word, word, word, word),
      fc.nat(20),
      fc.constantFrom(4 as const, 6 as const),
      (words, at, family) => {
        const ip = Ip.fromWords(family, words);
        const buffer = new Uint8Array(64).fill(0x5a);
        ip.write(buffer, at);
        assert.deepEqual(Ip.read(family, buffer, at), ip);
        assert.deepEqual(buffer.slice(at, at + ip.bits / 8), ip.toBytes());
        assert.ok(buffer.every((byte, i) => byte === 0x5a || (i >= at && i < at + ip.bits / 8)));
      },
    ),
  );
});

test('words are unsigned, whatever is given', () => {
  assert.equal(Ip.v4(-1).key, '255.255.255.255');
  assert.deepEqual(Ip.v6(-1, 0, -2, 0).words, [0xffffffff, 0, 0xfffffffe, 0] satisfies IpWords);
  assert.equal(Ip.v4(2 ** 32).key, '0.0.0.0');
});

test('kinds of addresses', () => {
  type Flag = 'isGroup' | 'isLoopback' | 'isLinkLocal' | 'isUnspecified';
  const table: readonly (readonly [Flag, readonly string[], readonly string[]])[] = [
    [
      'isGroup',
      ['224.0.0.0', '239.255.255.255', '255.255.255.255', 'ff00::', 'ffff::1'],
      ['223.255.255.255', '0.0.0.0', 'feff::', '::ff00:1', '::'],
    ],
    [
      'isLoopback',
      ['127.0.0.0', '127.255.255.255', '::1'],
      ['126.255.255.255', '128.0.0.0', '::', '::2', '1::1'],
    ],
    [
      'isLinkLocal',
      ['169.254.0.0', '169.254.255.255', 'fe80::', 'febf:ffff::'],
      ['169.253.255.255', '169.255.0.0', 'fe7f:ffff::', 'fec0::', '::fe80'],
    ],
    ['isUnspecified', ['0.0.0.0', '::'], ['0.0.0.1', '128.0.0.0', '::1', '8000::', '0:1::']],
  ];
  for (const [flag, yes, no] of table) {
    for (const text of yes) assert.equal(Ip.of(text)[flag], true, `${text} ${flag}`);
    for (const text of no) assert.equal(Ip.of(text)[flag], false, `${text} ${flag}`);
  }
});

test('equality is by value, and families never meet', () => {
  assert.ok(Ip.of('10.1.0.9').equals(Ip.v4(0x0a010009)));
  assert.ok(!Ip.of('0.0.0.1').equals(Ip.of('::1')));
  assert.ok(!Ip.of('10.1.0.9').equals(Ip.of('::10.1.0.9')));
  assert.equal(JSON.stringify({ ip: Ip.of('FD00::0:9') }), '{"ip":"fd00::9"}');
  assert.equal(`${Ip.of('10.1.0.9')}`, '10.1.0.9');
});

test('32-bit words at any place', () => {
  fc.assert(
    fc.property(word, fc.nat(10), (value, at) => {
      const bytes = new Uint8Array(14);
      writeU32(bytes, at, value);
      assert.equal(readU32(bytes, at), value);
      assert.equal(new DataView(bytes.buffer).getUint32(at), value);
    }),
  );
});
