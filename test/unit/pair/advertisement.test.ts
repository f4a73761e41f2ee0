/** VRRP advertisements byte by byte: what keepalived sends, what is refused and why, what cannot be said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumOf, sumOfWords } from '../../../src/arp/checksum.js';
import { type Family, Ip } from '../../../src/net/ip.js';
import {
  ADVERTISEMENT_DROP_REASONS,
  type Advertisement,
  type AdvertisementDropReason,
  advertisementGroup,
  decodeAdvertisement,
  encodeAdvertisement,
} from '../../../src/pair/advertisement.js';
import { KEEPALIVED_4, KEEPALIVED_6 } from './vectors.js';

const START: { readonly [family in Family]: number } = { 4: 20, 6: 40 };
const SENT: { readonly [family in Family]: Uint8Array } = { 4: KEEPALIVED_4, 6: KEEPALIVED_6 };

const SAID: { readonly [family in Family]: Advertisement } = {
  4: {
    source: Ip.of('10.1.0.3'),
    vrid: 51,
    priority: 210,
    maxIntervalCs: 10,
    addresses: [Ip.of('10.1.0.1')],
  },
  6: {
    source: Ip.of('fe80::3'),
    vrid: 51,
    priority: 210,
    maxIntervalCs: 10,
    addresses: [Ip.of('fe80::1'), Ip.of('fd00:1::1')],
  },
};

/** keepalived's packet with bytes of the message changed, and its checksum right again unless that is what is changed. */
function changed(family: Family, at: number, value: number): Uint8Array {
  const packet = Uint8Array.from(SENT[family]);
  const start = START[family];
  const before = sumOfWords(packet, start, packet.length);
  packet[start + at] = value;
  if (at === 6 || at === 7) return packet;
  const field = ((packet[start + 6] ?? 0) << 8) + (packet[start + 7] ?? 0);
  const difference = sumOfWords(packet, start, packet.length) - before;
  const repaired = checksumOf(0xffff * 2 + (field ^ 0xffff) + difference);
  packet.set([repaired >>> 8, repaired & 0xff], start + 6);
  return packet;
}

for (const family of [4, 6] as const) {
  const start = START[family];
  const said = SAID[family];
  const sent = SENT[family];

  test(`IPv${family}: keepalived is understood`, () => {
    assert.deepEqual(decodeAdvertisement(sent, 51), said);
  });

  test(`IPv${family}: what is said has keepalived's bytes`, () => {
    const packet = encodeAdvertisement(said);
    assert.equal(packet.length, sent.length);
    assert.deepEqual(hex(packet.subarray(start)), hex(sent.subarray(start)));
    // But for the identification and the header's checksum over it: a kernel fills those in.
    if (family === 4) assert.deepEqual(hex(packet.subarray(12, 20)), hex(sent.subarray(12, 20)));
    else assert.deepEqual(hex(packet.subarray(4, 40)), hex(sent.subarray(4, 40)));
  });

  test(`IPv${family}: what follows the packet in its frame is none of its`, () => {
    assert.deepEqual(decodeAdvertisement(Uint8Array.from([...sent, ...new Uint8Array(46)]), 51), said);
  });

  test(`IPv${family}: every limit of what can be said is read back`, () => {
    const addresses = Array.from({ length: 255 }, (_, i) =>
      family === 4 ? Ip.v4(0x0a010000 + i) : Ip.v6(0xfe800000, 0, 0, 1 + i),
    );
    for (const limits of [
      { vrid: 1, priority: 0, maxIntervalCs: 1, addresses: addresses.slice(0, 1) },
      { vrid: 255, priority: 255, maxIntervalCs: 4095, addresses },
    ]) {
      const advertisement = { source: said.source, ...limits };
      assert.deepEqual(decodeAdvertisement(encodeAdvertisement(advertisement), limits.vrid), advertisement);
    }
  });

  test(`IPv${family}: what is wrong is told apart`, () => {
    const ttlAt = family === 4 ? 8 : 7;
    const spoilt = (at: number, value: number): Uint8Array => sent.with(at, value);
    const wrong: readonly (readonly [AdvertisementDropReason, Uint8Array])[] = [
      ['ip_header_errors', new Uint8Array(0)],
      ['ip_header_errors', sent.subarray(0, start + 3)],
      // Another version of IP, another protocol, another group.
      ['ip_header_errors', spoilt(0, 0x55)],
      ['ip_header_errors', spoilt(family === 4 ? 9 : 6, 17)],
      ['ip_header_errors', spoilt(start - 1 - (family === 4 ? 0 : 0), 0x13)],
      ['ip_ttl_errors', spoilt(ttlAt, 254)],
      ['ip_ttl_errors', spoilt(ttlAt, 0)],
      ['version_errors', changed(family, 0, 0x21)],
      ['version_errors', changed(family, 0, 0x41)],
      ['invalid_type_packets', changed(family, 0, 0x32)],
      ['packet_length_errors', changed(family, 3, 0)],
      ['packet_length_errors', changed(family, 3, 1 + said.addresses.length)],
      ['checksum_errors', changed(family, 6, (sent[start + 6] ?? 0) ^ 1)],
      ['checksum_errors', spoilt(start + 2, 211)],
      ['interval_errors', changed(family, 5, 0)],
      ['address_list_errors', changed(family, 8, family === 4 ? 0xe0 : 0xff)],
      ['vrid_errors', changed(family, 1, 52)],
      ['vrid_errors', changed(family, 1, 0)],
    ];
    for (const [i, [reason, packet]] of wrong.entries())
      assert.equal(decodeAdvertisement(packet, 51), reason, `number ${i}`);
    assert.deepEqual(
      new Set(wrong.map(([reason]) => reason)),
      new Set(ADVERTISEMENT_DROP_REASONS),
      'a reason is not tried',
    );
  });

  test(`IPv${family}: the reserved bits are ignored`, () => {
    assert.deepEqual(decodeAdvertisement(changed(family, 4, 0xf0), 51), said);
  });

  test(`IPv${family}: what cannot be said is a programming error`, () => {
    const wrong: readonly Partial<Advertisement>[] = [
      { vrid: 0 },
      { vrid: 256 },
      { vrid: 1.5 },
      { priority: -1 },
      { priority: 256 },
      { maxIntervalCs: 0 },
      { maxIntervalCs: 4096 },
      { addresses: [] },
      { addresses: Array.from({ length: 256 }, () => said.source) },
      { addresses: SAID[family === 4 ? 6 : 4].addresses },
      { addresses: [advertisementGroup(family)] },
      { source: advertisementGroup(family) },
      { source: Ip.of(family === 4 ? '0.0.0.0' : '::') },
    ];
    for (const fields of wrong)
      assert.throws(() => encodeAdvertisement({ ...said, ...fields }), RangeError, JSON.stringify(fields));
  });
}

test('IPv4: a checksum without a pseudo-header is taken too, as RFC 9568 has it', () => {
  const packet = Uint8Array.from(KEEPALIVED_4);
  packet.fill(0, 26, 28);
  const sum = checksumOf(sumOfWords(packet, 20, packet.length));
  packet.set([sum >>> 8, sum & 0xff], 26);
  assert.deepEqual(decodeAdvertisement(packet, 51), SAID[4]);
});

test('IPv6: a checksum without a pseudo-header is none', () => {
  const packet = Uint8Array.from(KEEPALIVED_6);
  packet.fill(0, 46, 48);
  const sum = checksumOf(sumOfWords(packet, 40, packet.length));
  packet.set([sum >>> 8, sum & 0xff], 46);
  assert.equal(decodeAdvertisement(packet, 51), 'checksum_errors');
});

test('IPv6: the first address must be link-local', () => {
  const { addresses, ...rest } = SAID[6];
  const turned = { ...rest, addresses: addresses.toReversed() };
  assert.throws(() => encodeAdvertisement(turned), RangeError);
  const packet = Uint8Array.from(KEEPALIVED_6);
  packet.copyWithin(48, 64, 80);
  packet.set(KEEPALIVED_6.subarray(48, 64), 64);
  // The sum is the same in any order of the words.
  assert.equal(decodeAdvertisement(packet, 51), 'address_list_errors');
});

test('IPv4: a header with options is a header, a fragment is no advertisement', () => {
  const options = [1, 1, 1, 1];
  const packet = Uint8Array.from([...KEEPALIVED_4.subarray(0, 20), ...options, ...KEEPALIVED_4.subarray(20)]);
  packet[0] = 0x46;
  packet[3] = packet.length;
  assert.deepEqual(decodeAdvertisement(packet, 51), SAID[4]);
  for (const [at, value] of [
    [6, 0x20],
    [7, 0x01],
  ] as const)
    assert.equal(decodeAdvertisement(KEEPALIVED_4.with(at, value), 51), 'ip_header_errors');
});

test('IPv4: lengths that contradict each other are refused', () => {
  for (const [at, value] of [
    [0, 0x44],
    [0, 0x4f],
    [3, 19],
    [3, KEEPALIVED_4.length + 1],
  ] as const)
    assert.equal(decodeAdvertisement(KEEPALIVED_4.with(at, value), 51), 'ip_header_errors');
  assert.equal(decodeAdvertisement(KEEPALIVED_4.with(3, 20), 51), 'packet_length_errors');
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
