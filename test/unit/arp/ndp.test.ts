import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeNeighbourFrame,
  encodeNeighbourFrame,
  isGratuitous,
  isProbe,
  type NeighbourFrame,
} from '../../../src/arp/frame.js';
import { groupMac, icmpv6Checksum, linkLocalOf, solicitedNodeAddress } from '../../../src/arp/ipv6.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import * as vectors from './vectors.js';

const NODE = mac('52:54:00:00:00:09');
const OTHER = mac('52:54:00:00:00:01');
const NODE_LINK_LOCAL = Ip.of('fe80::5054:ff:fe00:9');

const DECODED: readonly [string, Uint8Array, NeighbourFrame][] = [
  [
    'solicitation',
    vectors.SOLICITATION,
    {
      kind: 'ns',
      ethernetSource: NODE,
      ethernetDestination: mac('33:33:ff:00:00:01'),
      source: Ip.of('fd00::9'),
      destination: Ip.of('ff02::1:ff00:1'),
      target: Ip.of('fd00::1'),
      sourceMac: NODE,
    },
  ],
  [
    'solicited advertisement',
    vectors.SOLICITED_ADVERTISEMENT,
    {
      kind: 'na',
      ethernetSource: OTHER,
      ethernetDestination: NODE,
      source: Ip.of('fd00::1'),
      destination: Ip.of('fd00::9'),
      target: Ip.of('fd00::1'),
      targetMac: OTHER,
      override: true,
      solicited: true,
      router: false,
    },
  ],
  [
    'unsolicited advertisement',
    vectors.UNSOLICITED_ADVERTISEMENT,
    {
      kind: 'na',
      ethernetSource: NODE,
      ethernetDestination: mac('33:33:00:00:00:01'),
      source: NODE_LINK_LOCAL,
      destination: Ip.of('ff02::1'),
      target: NODE_LINK_LOCAL,
      targetMac: NODE,
      override: true,
      solicited: false,
      router: false,
    },
  ],
];

for (const [name, bytes, message] of DECODED) {
  test(`decodes and encodes, checksum included: ${name}`, () => {
    assert.deepEqual(decodeNeighbourFrame(bytes), message);
    assert.deepEqual(encodeNeighbourFrame(message), bytes);
  });
}

test('decodes duplicate detection with a nonce option', () => {
  const frame = decodeNeighbourFrame(vectors.DAD_SOLICITATION);
  assert.deepEqual(frame, {
    kind: 'ns',
    ethernetSource: NODE,
    ethernetDestination: mac('33:33:ff:00:00:09'),
    source: Ip.of('::'),
    destination: Ip.of('ff02::1:ff00:9'),
    target: NODE_LINK_LOCAL,
    sourceMac: undefined,
  });
});

test('announcement and probe are told apart', () => {
  const frames = [...DECODED.map(([, bytes]) => bytes), vectors.DAD_SOLICITATION].map((bytes) => {
    const frame = decodeNeighbourFrame(bytes);
    assert.ok(typeof frame !== 'string');
    return frame;
  });
  assert.deepEqual(frames.map(isGratuitous), [false, false, true, false]);
  assert.deepEqual(frames.map(isProbe), [false, false, false, true]);
});

test('Ethernet padding behind a message without options is not part of it', () => {
  const message: NeighbourFrame = {
    kind: 'ns',
    ethernetSource: NODE,
    ethernetDestination: OTHER,
    source: Ip.of('fd00::9'),
    destination: Ip.of('fd00::1'),
    target: Ip.of('fd00::1'),
    sourceMac: undefined,
  };
  const bytes = new Uint8Array(120).fill(0x5a);
  bytes.set(encodeNeighbourFrame(message));
  assert.deepEqual(decodeNeighbourFrame(bytes), message);
});

/** Offsets in a frame. */
const AT = { version: 14, length: 18, next: 20, hops: 21, source: 22, destination: 38, code: 55, sum: 56 };
const TARGET = 62;
const OPTION = 78;

/** A vector with some bytes replaced; `resum` makes the checksum right again. */
function changed(vector: Uint8Array, offset: number, bytes: readonly number[], resum = true): Uint8Array {
  const frame = Uint8Array.from(vector);
  frame.set(bytes, offset);
  return resum ? summed(frame) : frame;
}

function summed(frame: Uint8Array): Uint8Array {
  frame.set([0, 0], AT.sum);
  const sum = naiveChecksum(frame);
  frame.set([sum >>> 8, sum & 0xff], AT.sum);
  return frame;
}

/** RFC 1071 over a pseudo-header that is really built. */
function naiveChecksum(frame: Uint8Array): number {
  const length = ((frame[AT.length] ?? 0) << 8) | (frame[AT.length + 1] ?? 0);
  const pseudo = [...frame.slice(AT.source, 54), 0, 0, length >>> 8, length & 0xff, 0, 0, 0, 58];
  const all = [...pseudo, ...frame.slice(54, 54 + length)];
  if (all.length % 2 === 1) all.push(0);
  let sum = 0;
  for (let i = 0; i < all.length; i += 2) {
    sum += (all[i] ?? 0) * 256 + (all[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

const NS = vectors.SOLICITATION;
const NA = vectors.SOLICITED_ADVERTISEMENT;
const UNSPECIFIED = new Array<number>(16).fill(0);

const DROPPED: readonly [string, Uint8Array, string][] = [
  ['cut inside the IPv6 header', NS.slice(0, 53), 'ipv6-too-short'],
  ['IPv4 in an IPv6 frame', changed(NS, AT.version, [0x45]), 'ipv6-version'],
  ['UDP', changed(NS, AT.next, [17]), 'ipv6-other-protocol'],
  ['fragment header in front (RFC 6980)', changed(NS, AT.next, [44]), 'ipv6-other-protocol'],
  ['cut inside the message', NS.slice(0, 85), 'ipv6-length'],
  ['length beyond the frame', changed(NS, AT.length, [0xff, 0xff], false), 'ipv6-length'],
  ['group source', changed(NS, AT.source, [0xff, 0x02]), 'ipv6-group-source'],
  ['empty message', changed(NS, AT.length, [0, 0], false), 'nd-other-type'],
  ['router solicitation', changed(NS, 54, [133]), 'nd-other-type'],
  ['forwarded by a router', changed(NS, AT.hops, [254]), 'nd-hop-limit'],
  ['hop limit 0', changed(NS, AT.hops, [0]), 'nd-hop-limit'],
  ['23 bytes', changed(NS, AT.length, [0, 23]), 'nd-too-short'],
  ['one bit of the target', changed(NS, TARGET + 15, [0], false), 'nd-checksum'],
  ['one bit of the source', changed(NS, AT.source + 15, [8], false), 'nd-checksum'],
  ['checksum zero', changed(NS, AT.sum, [0, 0], false), 'nd-checksum'],
  ['code 1', changed(NS, AT.code, [1]), 'nd-code'],
  ['group target', changed(NS, TARGET, [0xff]), 'nd-target'],
  ['unspecified target', changed(NS, TARGET, UNSPECIFIED), 'nd-target'],
  ['loopback target', changed(NS, TARGET, [...UNSPECIFIED.slice(1), 1]), 'nd-target'],
  ['option of length 0', changed(NS, OPTION + 1, [0]), 'nd-option-length'],
  ['option beyond the end', changed(NS, OPTION + 1, [2]), 'nd-option-length'],
  ['unknown option of length 0', changed(NS, OPTION, [99, 0]), 'nd-option-length'],
  ['half an option header', changed(NS, AT.length, [0, 25]), 'nd-option-length'],
  ['group MAC in the option', changed(NS, OPTION + 2, [0x01]), 'nd-link-address'],
  ['zero MAC in the option', changed(NA, OPTION + 2, [0, 0, 0, 0, 0, 0]), 'nd-link-address'],
  ['advertisement from ::', changed(NA, AT.source, UNSPECIFIED), 'nd-unspecified-source'],
  ['solicited, to a group', changed(NA, AT.destination, [0xff, 0x02]), 'nd-solicited-group'],
  ['solicitation from :: with its MAC', changed(NS, AT.source, UNSPECIFIED), 'nd-unspecified-source'],
  [
    'solicitation from :: not to the solicited-node group',
    changed(vectors.DAD_SOLICITATION, AT.destination + 15, [0x0a]),
    'nd-unspecified-source',
  ],
];

for (const [name, bytes, reason] of DROPPED) {
  test(`drops with ${reason}: ${name}`, () => assert.equal(decodeNeighbourFrame(bytes), reason));
}

test('options before the link address are passed over, of two the first counts', () => {
  const nonce = [14, 1, 1, 2, 3, 4, 5, 6];
  const first = [1, 1, 0x52, 0x54, 0, 0, 0, 9];
  const second = [1, 1, 0x52, 0x54, 0, 0, 0, 1];
  const frame = new Uint8Array(78 + 24);
  frame.set(NS.slice(0, OPTION));
  frame.set([...nonce, ...first, ...second], OPTION);
  frame.set([0, 24 + 24], AT.length);
  const message = decodeNeighbourFrame(summed(frame));
  assert.ok(typeof message !== 'string' && message.kind === 'ns');
  assert.equal(message.sourceMac, NODE);
});

test('a link address of 16 bytes is no Ethernet MAC', () => {
  const frame = new Uint8Array(78 + 16);
  frame.set(NS.slice(0, OPTION));
  frame.set([1, 2, 0x52, 0x54, 0, 0, 0, 9], OPTION);
  frame.set([0, 24 + 16], AT.length);
  assert.equal(decodeNeighbourFrame(summed(frame)), 'nd-option-length');
});

test('the checksum agrees with a naive one, for odd lengths too', () => {
  for (let length = 1; length <= 32; length++) {
    const frame = Uint8Array.from(NS, (byte, i) => (i < 54 ? byte : (byte * 31 + length) & 0xff));
    frame.set([0, length], AT.length);
    const location = {
      source: Ip.read(6, frame, 22),
      destination: Ip.read(6, frame, 38),
      hopLimit: 255,
      start: 54,
      length,
    };
    assert.equal(icmpv6Checksum(frame, location), naiveChecksum(frame), `length ${length}`);
  }
});

test('derived addresses', () => {
  assert.equal(linkLocalOf(NODE).key, 'fe80::5054:ff:fe00:9');
  assert.equal(linkLocalOf(mac('00:00:00:ff:fe:fd')).key, 'fe80::200:ff:feff:fefd');
  assert.equal(linkLocalOf(mac('fe:dc:ba:98:76:54')).key, 'fe80::fcdc:baff:fe98:7654');
  assert.equal(solicitedNodeAddress(Ip.of('4037::1:800:200e:8c6c')).key, 'ff02::1:ff0e:8c6c');
  assert.equal(groupMac(Ip.of('ff02::1:ff0e:8c6c')), mac('33:33:ff:0e:8c:6c'));
});
