/** Datagrams of exporters: made by the rules, mutated, and with lengths that are right again; templates stay from case to case. */
import assert from 'node:assert/strict';
import { FlowDecoder } from '../../../src/traffic/collect/decoder.js';
import { FLOW_DROP_REASONS, FLOW_IGNORE_REASONS } from '../../../src/traffic/collect/seen-flow.js';
import {
  expandedSample,
  FRAME4,
  FRAME6,
  flowSample,
  ipfix,
  netflow9,
  PACKET4,
  PACKET6,
  part,
  RECORD_256,
  RECORD_257,
  sampledHeader,
  set,
  sflow,
  TEMPLATE_256,
  TEMPLATE_257,
} from '../../unit/traffic/collect/vectors.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const OPTIONS = '012c 0003 0001 0095 0004 0030 0001 0022 0004';
const SAMPLED = '0102 0006 0008 0004 000c 0004 0030 0001 003d 0001 0002 0004 0001 0004';
const ODD = '0103 0005 8005 ffff 00001234 0008 0004 000c 0004 0056 ffff 8002 0001 00007279';
const IPFIX_SETS = [
  set(2, TEMPLATE_256, TEMPLATE_257),
  set(2, SAMPLED),
  set(2, ODD),
  set(2, '0101 0000'),
  set(3, OPTIONS),
  set(256, RECORD_256, RECORD_256),
  set(257, RECORD_257),
  set(258, '0a010005 0a010006 01 00 00000003 0000012c', '0a010005 0a010006 00 01 00000003 0000012c'),
  set(259, '02 aabb 0a010005 0a010006 02 0001 01', 'ff0002 aabb 0a010005 0a010006 00 01'),
  set(300, '00000007 01 00000064'),
] as const;
const NETFLOW_SETS = [
  set(0, TEMPLATE_256, TEMPLATE_257),
  set(1, '012c 0004 0008 0001 0004 0030 0001 0022 0004', '0000'),
  set(256, RECORD_256, RECORD_256),
  set(257, RECORD_257),
  set(300, '00000000 01 00000064', '0000'),
] as const;
const RECORDS = [
  sampledHeader(1, FRAME4),
  sampledHeader(1, FRAME6),
  sampledHeader(11, PACKET4),
  sampledHeader(12, PACKET6),
  part(3, '000005dc 00000011 0a010005 0a010006 00001234 00005678 00000000 00000000'),
  part(1_001, '0000000c 00000000 0000000c 00000000'),
] as const;

const some = <T>(random: Random, from: readonly T[]): T[] =>
  Array.from({ length: 1 + random.below(4) }, () => random.pick(from));

const domain = (random: Random): number => random.below(random.chance(90) ? 2 : 20);

function sample(random: Random): string {
  const make = random.chance(50) ? flowSample : expandedSample;
  return random.chance(10) ? part(2, '00000001') : make(random.below(3) * 400, ...some(random, RECORDS));
}

function datagram(random: Random): Uint8Array {
  switch (random.below(3)) {
    case 0:
      return ipfix(domain(random), ...some(random, IPFIX_SETS));
    case 1:
      return netflow9(domain(random), ...some(random, NETFLOW_SETS));
    default:
      return sflow(...Array.from({ length: 1 + random.below(3) }, () => sample(random)));
  }
}

/** So that what was changed inside is looked at. */
function withLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 10)
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length);
  return bytes;
}

function work(decoder: FlowDecoder, random: Random): string {
  const good = datagram(random);
  const changed = random.chance(20) ? good : mutated(good, random);
  const sent = random.chance(70) ? withLength(changed) : changed;
  const copy = Uint8Array.from(sent);
  const { flows, dropped, ignored, observer } = decoder.decode(sent, {
    address: `10.1.0.${random.below(3)}`,
    port: 4_000 + random.below(2),
  });
  assert.deepEqual(sent, copy, 'the input was changed');
  assert.ok(observer.length > 0 && observer.length < 100);
  // No datagram makes more of it than it has bytes.
  assert.ok(flows.length + dropped.length + ignored.length <= 2 * sent.length + 1);
  for (const { source, destination, packets, bytes } of flows) {
    assert.ok(Number.isInteger(packets) && packets >= 1, String(packets));
    assert.ok(Number.isInteger(bytes) && bytes >= 20 && bytes <= 2 ** 72, String(bytes));
    assert.equal(source.family, destination.family);
  }
  return dropped[0] ?? ignored[0] ?? (flows[0] === undefined ? 'nothing' : `IPv${flows[0].source.family}`);
}

export const flows: Target = {
  name: 'flows',
  outcomes: ['IPv4', 'IPv6', 'nothing', ...FLOW_DROP_REASONS, ...FLOW_IGNORE_REASONS],
  open: () => {
    const decoder = new FlowDecoder();
    return (random) => work(decoder, random);
  },
};
