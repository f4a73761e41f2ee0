import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clampMss, decrementTtl, PacketView } from '../../../../src/dataplane/forward/packet.js';
import { faultsOf, ipPacket, type TcpOptions, tcpPacket } from '../../../support/ip-packet.js';

const V4 = { source: '10.1.0.9', destination: '10.2.0.11' };
const V6 = { source: 'fd00:1::9', destination: 'fd00:2::11' };
const SYN = 0x02;
const tcp = (options: TcpOptions): Buffer => Buffer.from(tcpPacket(options));
const mssOption = (mss: number): Buffer => Buffer.from([2, 4, mss >>> 8, mss & 0xff]);

function view(packet: Uint8Array): PacketView {
  const parsed = new PacketView();
  assert.equal(parsed.parse(packet, 0, packet.length), true);
  return parsed;
}

test('an IPv4 header is read field by field', () => {
  const parsed = view(ipPacket({ ...V4, ttl: 7, protocol: 6, payload: Buffer.alloc(20) }));
  assert.equal(parsed.family, 4);
  assert.equal(parsed.statedLength, 40);
  assert.equal(parsed.ttl, 7);
  assert.equal(parsed.protocol, 6);
  assert.equal(parsed.source3 >>> 0, 0x0a010009);
  assert.equal(parsed.destination3 >>> 0, 0x0a02000b);
});

test('an IPv6 header is read field by field', () => {
  const parsed = view(ipPacket({ ...V6, ttl: 9, payload: Buffer.alloc(24) }));
  assert.equal(parsed.family, 6);
  assert.equal(parsed.statedLength, 64);
  assert.equal(parsed.ttl, 9);
  assert.equal(parsed.source0 >>> 0, 0xfd000001);
  assert.equal(parsed.destination3 >>> 0, 0x11);
});

test('what is no IP packet, or shorter than its header, is refused', () => {
  const parsed = new PacketView();
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(60, 0x55),
    ipPacket(V4).subarray(0, 19),
    ipPacket(V6).subarray(0, 39),
  ]) {
    assert.equal(parsed.parse(bytes, 0, bytes.length), false);
  }
  const longHeader = ipPacket(V4);
  longHeader[0] = 0x4f; // 60 bytes of header claimed, 28 there.
  assert.equal(parsed.parse(longHeader, 0, longHeader.length), false);
});

test('parsing never throws on any bytes', () => {
  const parsed = new PacketView();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      parsed.parse(bytes, 0, bytes.length);
      return parsed.headerLength >= 0;
    }),
  );
});

test('group and link-local destinations are told apart from nodes', () => {
  const cases: [string, string, boolean, boolean][] = [
    ['10.1.0.9', '10.2.0.11', false, false],
    ['10.1.0.9', '224.0.0.251', true, false],
    ['10.1.0.9', '255.255.255.255', true, false],
    ['10.1.0.9', '169.254.1.1', false, true],
    ['fd00:1::9', 'fd00:2::11', false, false],
    ['fd00:1::9', 'ff02::1', true, false],
    ['fe80::9', 'fd00:2::11', false, true],
    ['fd00:1::9', 'febf::1', false, true],
    ['fd00:1::9', 'fec0::1', false, false],
  ];
  for (const [source, destination, toGroup, linkLocal] of cases) {
    const parsed = view(ipPacket({ source, destination }));
    assert.deepEqual([parsed.toGroup, parsed.linkLocal], [toGroup, linkLocal], `${source} > ${destination}`);
  }
});

test('TTL − 1 keeps the header checksum right, for every TTL', () => {
  for (let ttl = 2; ttl <= 255; ttl++) {
    const packet = tcp(V4);
    packet[8] = ttl;
    const fresh = ipPacket({ ...V4, ttl, protocol: 6, payload: packet.subarray(20) });
    decrementTtl(fresh, 0, 4);
    assert.equal(fresh[8], ttl - 1);
    assert.deepEqual(faultsOf(fresh), [], `ttl ${ttl}`);
  }
  const v6 = ipPacket({ ...V6, ttl: 3 });
  decrementTtl(v6, 0, 6);
  assert.equal(v6[7], 2);
});

test('the MSS of a SYN is lowered to the MTU, at even and odd places, checksum right', () => {
  for (const [family, expected] of [[V4, 1436 - 40] as const, [V6, 1436 - 60] as const]) {
    for (const options of [
      mssOption(1460),
      Buffer.concat([Buffer.from([1]), mssOption(1460), Buffer.from([1, 1, 1])]),
    ]) {
      const packet = tcp({ ...family, flags: SYN, options });
      clampMss(packet, 0, packet.length, view(packet), 1436, false);
      const at = packet.indexOf(Buffer.from([2, 4]), packet.length - options.length - 1);
      assert.equal(packet.readUInt16BE(at + 2), expected);
      assert.deepEqual(faultsOf(packet), []);
    }
  }
});

test('the MSS is never lowered below what every path takes, whatever MTU is said', () => {
  for (const mtu of [Number.NEGATIVE_INFINITY, -70_000, -1, 0, 39, 40, 41, 60, 576, 1_151]) {
    for (const [family, least] of [[V4, 536] as const, [V6, 1_092] as const]) {
      const packet = tcp({ ...family, flags: SYN, options: mssOption(1460) });
      clampMss(packet, 0, packet.length, view(packet), mtu, false);
      const mss = packet.readUInt16BE(packet.length - 2);
      assert.ok(mss >= least && mss <= 1460, `${mss} for an MTU of ${mtu}`);
      assert.deepEqual(faultsOf(packet), []);
    }
  }
});

test('a partial checksum is left for whoever completes it', () => {
  const packet = tcp({ ...V4, flags: SYN, options: mssOption(1460) });
  const before = packet.readUInt16BE(20 + 16);
  clampMss(packet, 0, packet.length, view(packet), 1436, true);
  assert.equal(packet.readUInt16BE(20 + 16), before);
  assert.equal(packet.readUInt16BE(packet.length - 2), 1396);
});

test('what needs no clamp stays as it is: smaller MSS, no SYN, no option, broken options', () => {
  const cases = [
    tcp({ ...V4, flags: SYN, options: mssOption(500) }),
    tcp({ ...V4, flags: 0x10, options: mssOption(1460) }),
    tcp({ ...V4, flags: SYN }),
    tcp({ ...V4, flags: SYN, options: Buffer.from([8, 0, 2, 4]) }),
    tcp({ ...V4, flags: SYN, options: Buffer.from([2, 40, 5, 180]) }),
  ];
  for (const packet of cases) {
    const copy = Buffer.from(packet);
    clampMss(packet, 0, packet.length, view(packet), 1436, false);
    assert.deepEqual(packet, copy);
  }
});
