import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowDecoder } from '../../../../src/traffic/collect/decoder.js';
import {
  bytesOf,
  expandedSample,
  FRAME4,
  FRAME6,
  flowSample,
  PACKET4,
  PACKET6,
  part,
  sampledHeader,
  sflow,
} from './vectors.js';

function told(datagram: Uint8Array): string[] {
  const { flows, dropped, ignored } = new FlowDecoder().decode(datagram, {
    address: '10.1.0.2',
    port: 6_343,
  });
  return [
    ...flows.map((flow) => `${flow.source} ${flow.destination} ${flow.packets} ${flow.bytes}`),
    ...dropped,
    ...ignored,
  ];
}

const FLOW4 = '10.1.0.5 10.1.0.6 400 600000';
const FLOW6 = 'fd00:1::5 fd00:1::6 400 416000';

test('frames and packets of both families, each as many as its rate says', () => {
  assert.deepEqual(
    told(
      sflow(
        flowSample(400, sampledHeader(1, FRAME4)),
        expandedSample(400, sampledHeader(1, FRAME6)),
        flowSample(400, sampledHeader(11, PACKET4)),
        flowSample(400, sampledHeader(12, PACKET6)),
      ),
    ),
    [FLOW4, FLOW6, FLOW4, FLOW6],
  );
});

test('samples without a header: addresses by themselves', () => {
  const ipv4 = part(3, '000005dc 00000011 0a010005 0a010006 00001234 00005678 00000000 00000000');
  const ipv6 = part(
    4,
    '00000410 00000011 fd000001000000000000000000000005 fd000001000000000000000000000006',
    '00001234 00005678 00000000 00000000',
  );
  assert.deepEqual(told(sflow(flowSample(400, ipv4), flowSample(400, ipv6))), [FLOW4, FLOW6]);
  // Beside a header, and beside what is not known here, it is the same packet.
  const switched = part(1_001, '0000000c 00000000 0000000c 00000000');
  assert.deepEqual(told(sflow(flowSample(400, switched, sampledHeader(1, FRAME4), ipv4))), [FLOW4]);
});

test('what is no packet between nodes is left', () => {
  const arp = `ffffffffffff 525400000005 0806 ${'00'.repeat(28)}`;
  assert.deepEqual(told(sflow(flowSample(400, sampledHeader(1, arp)), flowSample(400))), [
    'no-addresses',
    'no-addresses',
  ]);
  assert.deepEqual(told(sflow(part(2, '00000001'), part(0x0012_3001, ''))), ['other-sample', 'other-sample']);
  assert.deepEqual(told(sflow(flowSample(400, sampledHeader(5, '0000')))), ['no-addresses']);
});

test('an agent with an IPv6 address', () => {
  const sample = flowSample(400, sampledHeader(1, FRAME4));
  const head = '00000005 00000002 fd000001000000000000000000000002 00000000 00000009 00001000 00000001';
  assert.deepEqual(told(bytesOf(head, sample)), [FLOW4]);
  assert.deepEqual(told(bytesOf(head.replace('00000002', '00000003'), sample)), ['length']);
});

test('rates and lengths that lie', () => {
  const rated = (rate: number): string[] => told(sflow(flowSample(rate, sampledHeader(1, FRAME4))));
  assert.deepEqual(rated(0), ['sampling']);
  assert.deepEqual(rated(0x0100_0001), ['sampling']);
  assert.deepEqual(rated(1), ['10.1.0.5 10.1.0.6 1 1500']);
  const good = Buffer.from(sflow(flowSample(400, sampledHeader(1, FRAME4))));
  for (let length = 28; length < good.length; length++)
    assert.deepEqual(told(good.subarray(0, length)), ['length'], String(length));
  for (let length = 4; length < 28; length++)
    assert.deepEqual(told(good.subarray(0, length)), ['length'], String(length));
  // More samples, more records, more header than there are.
  const changed = (at: number, value: number): string[] => {
    const bytes = Buffer.from(good);
    bytes.writeUInt32BE(value, at);
    return told(bytes);
  };
  assert.deepEqual(changed(24, 0xffff_ffff), [FLOW4, 'length']);
  assert.deepEqual(changed(32, 0xffff_ffff), ['length']);
  assert.deepEqual(changed(64, 0xffff_ffff), ['length']);
  assert.deepEqual(changed(72, 0xffff_ffff), ['length']);
  assert.deepEqual(changed(88, 0xffff_ffff), ['packet']);
});

test('packets that are none', () => {
  const packet = (header: string): string[] => told(sflow(flowSample(400, sampledHeader(11, header))));
  assert.deepEqual(packet('4500'), ['packet']);
  assert.deepEqual(packet(PACKET4.replace('4500', '4400')), ['packet']);
  assert.deepEqual(packet(PACKET4.replace('4500', '5500')), ['packet']);
  assert.deepEqual(packet(PACKET4.replace('05dc', '0013')), ['packet']);
  assert.deepEqual(packet(PACKET6.slice(0, PACKET6.indexOf(' fd') + 33)), ['packet']);
  assert.deepEqual(told(sflow(flowSample(400, sampledHeader(1, '525400000006 525400000005 8100')))), [
    'packet',
  ]);
  assert.deepEqual(told(sflow(flowSample(400, part(3, '000005dc 00000011 0a010005')))), ['packet']);
});

test('other versions and protocols', () => {
  for (const hex of ['', '00', '0005', '00050001', '00000004', '000b0010', '01000005'])
    assert.deepEqual(told(bytesOf(hex)), ['version'], hex);
});
