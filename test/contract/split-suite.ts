/** What every packet engine makes of super-packets and of checksums that were left to the NIC. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Action, FlowNote, VIRTIO_NEEDS_CSUM } from '../../src/dataplane/engine.js';
import { FlowHarvest } from '../../src/dataplane/flows/flow-harvest.js';
import { createFlowMemory } from '../../src/dataplane/flows/flow-memory.js';
import {
  faultsOf,
  internetChecksum,
  pattern,
  statedLength,
  TcpFlag,
  tcpFields,
  tcpPacket,
  udpPacket,
  udpPayload,
  withPartialChecksum,
} from '../support/ip-packet.js';
import { type Fields, openPair, type Pair } from './rig.js';
import type { World } from './world.js';

const MTU = 1420;
const GSO_TCP4 = 1;
const GSO_UFO = 3;
const GSO_TCP6 = 4;
const GSO_UDP = 5;
const GSO_ECN = 0x80;
const DATA_VALID = 2;

export function splitSuite(world: World): void {
  /** Sends one packet from a to b; returns the IP packets that arrive. They are what is counted for it. */
  const through = (
    packet: Uint8Array,
    fields: Fields,
    expected: number,
    judge: (pair: Pair) => void = () => {},
  ) => {
    const memory = createFlowMemory({ entries: 2, ring: 2 });
    const pair = openPair(world, { memory });
    const { a, b } = pair;
    const flow = FlowNote.forwarded | FlowNote.keyed;
    a.rig.send(packet, { action: Action.tunnel, vnet: 1, hops: 4, mtu: MTU, to: a.peer, flow, ...fields });
    const messages = expected === 0 ? [] : b.rig.receive(expected);
    assert.equal(messages.length, expected);
    assert.equal(a.rig.counter('tunnelDatagramsSent'), expected);
    judge(pair);
    pair.close();
    const packets = messages.map(({ bytes }) => bytes.subarray(4, 4 + statedLength(bytes.subarray(4))));
    const counted = { packets: 0, bytes: 0 };
    new FlowHarvest(memory).harvest((_flow, one) => Object.assign(counted, one));
    if (expected > 0)
      assert.deepEqual(counted, {
        packets: packets.length,
        bytes: packets.reduce((sum, { length }) => sum + length, 0),
      });
    return packets;
  };
  const refused = (packet: Uint8Array, fields: Fields) =>
    through(packet, fields, 0, ({ a }) => assert.equal(a.rig.counter('splitErrors'), 1));

  for (const [family, type, hopByHop] of [
    [4, GSO_TCP4, false],
    [6, GSO_TCP6, false],
    [6, GSO_TCP6, true],
  ] as const) {
    it(`splits a TCPv${family} super-packet${hopByHop ? ' behind an extension header' : ''}`, () => {
      const payload = pattern(30_001);
      const flags = TcpFlag.ack | TcpFlag.psh | TcpFlag.fin | TcpFlag.cwr;
      // The sequence numbers pass 2^32 and the identification 2^16.
      const whole = tcpPacket({
        family,
        payload,
        sequence: 0xffff_f000,
        flags,
        identification: 0xfffe,
        hopByHop,
      });
      const { packet, checksumStart, checksumOffset } = withPartialChecksum(whole);
      const fields = { flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset, gsoSize: 1000 };
      const segments = through(packet, { ...fields, gsoType: type | GSO_ECN }, 31);
      checkTcp(segments, {
        payload,
        sequence: 0xffff_f000,
        flags,
        identification: family === 4 ? 0xfffe : undefined,
        size: 1000,
      });
    });
  }

  it('splits TCP to the MTU where that is smaller than the GSO size', () => {
    const payload = pattern(9000);
    const packet = tcpPacket({ family: 4, payload, sequence: 1, flags: TcpFlag.ack });
    const segments = through(packet, { gsoType: GSO_TCP4, gsoSize: 8948 }, 7);
    checkTcp(segments, { payload, sequence: 1, flags: TcpFlag.ack, identification: 7, size: MTU - 52 });
  });

  it('splits TCP that is too large without being GSO, if its checksum holds', () => {
    const payload = pattern(1448);
    const packet = tcpPacket({ family: 6, payload, sequence: 5, flags: TcpFlag.ack });
    checkTcp(through(packet, {}, 2), {
      payload,
      sequence: 5,
      flags: TcpFlag.ack,
      identification: undefined,
      size: MTU - 72,
    });
    packet[200] = (packet[200] ?? 0) ^ 1;
    refused(packet, {});
    // The interface has vouched for it.
    assert.equal(through(packet, { flags: DATA_VALID }, 2).length, 2);
  });

  it('splits a UDP super-packet into its datagrams', () => {
    for (const family of [4, 6] as const) {
      const payload = pattern(5100);
      const { packet, checksumStart, checksumOffset } = withPartialChecksum(udpPacket({ family, payload }));
      const fields = { flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset };
      const datagrams = through(packet, { ...fields, gsoType: GSO_UDP, gsoSize: 1200 }, 5);
      assert.deepEqual(datagrams.flatMap(faultsOf), []);
      assert.deepEqual(
        datagrams.map((datagram) => udpPayload(datagram).length),
        [1200, 1200, 1200, 1200, 300],
      );
      assert.deepEqual(Buffer.concat(datagrams.map(udpPayload)), Buffer.from(payload));
    }
  });

  it('completes checksums', () => {
    for (const family of [4, 6] as const) {
      for (const length of [0, 1, 999, 1000]) {
        const tcp = tcpPacket({ family, payload: pattern(length), sequence: 9, flags: TcpFlag.ack });
        for (const whole of [tcp, udpPacket({ family, payload: pattern(length) })]) {
          const { packet, checksumStart, checksumOffset } = withPartialChecksum(whole);
          assert.notDeepEqual(packet, whole);
          const fields = { flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset };
          assert.deepEqual(through(packet, fields, 1)[0], whole);
        }
      }
    }
  });

  it('sends a UDP checksum of 0 as 0xffff', () => {
    const zeroSum = zeroSumDatagram();
    const { packet, checksumStart, checksumOffset } = withPartialChecksum(zeroSum);
    const [sent] = through(packet, { flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset }, 1);
    assert.deepEqual(sent?.subarray(26, 28), Uint8Array.of(0xff, 0xff));
    const gso = { gsoType: GSO_UDP, gsoSize: 1000, flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset };
    assert.deepEqual(through(packet, gso, 1)[0]?.subarray(26, 28), Uint8Array.of(0xff, 0xff));
  });

  it('leaves alone what is not its to divide', () => {
    const large = udpPacket({ family: 4, payload: pattern(2000) });
    large[6] = 0x40;
    assert.deepEqual(through(large, {}, 1)[0], large);
    const large6 = udpPacket({ family: 6, payload: pattern(2000) });
    assert.deepEqual(through(large6, {}, 1)[0], large6);
    const fragment = tcpPacket({ family: 4, payload: pattern(1448), sequence: 1, flags: TcpFlag.ack });
    fragment[6] = 0x60;
    assert.deepEqual(through(fragment, {}, 1)[0], fragment);
  });

  it('fragments IPv4 that may be, so that it can be put together again', () => {
    for (const payload of [1393, 1400, 4000, 9000]) {
      const whole = udpPacket({ family: 4, payload: pattern(payload) });
      whole[6] = 0;
      const expected = Math.ceil((payload + 8) / 1400);
      assert.deepEqual(reassembled(through(whole, {}, expected)), whole.subarray(20));
    }
  });

  it('fragments a fragment further, and copies only the options that all fragments have', () => {
    const options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 1]; // router alert (copied), record route (not), padding
    const bytes = pattern(2400);
    const whole = udpPacket({ family: 4, payload: pattern(2392) });
    const packet = Buffer.concat([whole.subarray(0, 20), Buffer.from(options), bytes]);
    packet[0] = 0x48;
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt16BE(0x2000 | 100, 6);
    const [first, second] = through(packet, {}, 2);
    const fieldOf = (part: Uint8Array | undefined): number => ((part?.[6] ?? 0) << 8) | (part?.[7] ?? 0);
    assert.equal(fieldOf(first), 0x2000 | 100);
    assert.equal(fieldOf(second), 0x2000 | (100 + 1384 / 8));
    assert.deepEqual([...(first?.subarray(20, 32) ?? [])], options);
    assert.deepEqual([...(second?.subarray(20, 32) ?? [])], [0x94, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('refuses super-packets whose headers are not what they claim', () => {
    const tcp = tcpPacket({ family: 4, payload: pattern(3000), sequence: 1, flags: TcpFlag.ack });
    const udp = udpPacket({ family: 4, payload: pattern(3000) });
    refused(tcp, { gsoType: GSO_TCP6, gsoSize: 1000 });
    refused(tcp, { gsoType: GSO_UDP, gsoSize: 1000 });
    refused(udp, { gsoType: GSO_TCP4, gsoSize: 1000 });
    refused(udp, { gsoType: GSO_UFO, gsoSize: 1000 });
    refused(tcp, { gsoType: GSO_TCP4, gsoSize: 0 });
    refused(tcp, { gsoType: GSO_TCP4, gsoSize: 1 });
    refused(tcp.subarray(0, 30), { gsoType: GSO_TCP4, gsoSize: 1000 });
    const longHeader = tcp.slice(0, 60);
    longHeader[32] = 0xf0;
    refused(longHeader, { gsoType: GSO_TCP4, gsoSize: 1000 });
    refused(udp.subarray(0, 100), { flags: VIRTIO_NEEDS_CSUM, checksumStart: 20, checksumOffset: 79 });
    refused(udp.subarray(0, 100), { flags: VIRTIO_NEEDS_CSUM, checksumStart: -14, checksumOffset: 16 });
  });
}

interface TcpExpectation {
  readonly payload: Uint8Array;
  readonly sequence: number;
  readonly flags: number;
  /** Of the first segment; IPv6 has none. */
  readonly identification: number | undefined;
  readonly size: number;
}

function checkTcp(segments: readonly Uint8Array[], expected: TcpExpectation): void {
  assert.deepEqual(segments.flatMap(faultsOf), []);
  const fields = segments.map(tcpFields);
  fields.forEach((segment, i) => {
    const last = i === segments.length - 1;
    let flags = expected.flags;
    if (!last) flags &= ~(TcpFlag.fin | TcpFlag.psh);
    if (i !== 0) flags &= ~TcpFlag.cwr;
    assert.equal(segment.flags, flags, `flags of segment ${i}`);
    assert.equal(segment.sequence, (expected.sequence + i * expected.size) >>> 0);
    if (expected.identification !== undefined) {
      assert.equal(segment.identification, (expected.identification + i) & 0xffff);
    }
    assert.equal(segment.payload.length, last ? expected.payload.length - i * expected.size : expected.size);
  });
  assert.deepEqual(Buffer.concat(fields.map(({ payload }) => payload)), Buffer.from(expected.payload));
}

/** A datagram whose checksum comes out as 0 before it is replaced: found by counting through its first two bytes. */
function zeroSumDatagram(): Uint8Array {
  for (let word = 0; word <= 0xffff; word++) {
    const packet = udpPacket({ family: 4, payload: Uint8Array.of(word >>> 8, word & 0xff, 3, 4) });
    if (packet[26] === 0xff && packet[27] === 0xff) return packet;
  }
  throw new Error('no payload makes the checksum 0');
}

/** What the receiver's kernel makes of fragments: the payload behind the IP header. */
function reassembled(parts: readonly Uint8Array[]): Uint8Array {
  const payload: number[] = [];
  for (const [i, part] of parts.entries()) {
    const field = ((part[6] ?? 0) << 8) | (part[7] ?? 0);
    assert.equal((field & 0x1fff) * 8, payload.length, 'a hole between fragments');
    assert.equal((field & 0x2000) !== 0, i < parts.length - 1, 'the wrong one is the last');
    assert.ok(part.length <= MTU);
    assert.equal(internetChecksum(part.subarray(0, 20)), 0);
    payload.push(...part.subarray(20));
  }
  return Uint8Array.from(payload);
}
