import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowDecoder } from '../../../../src/traffic/collect/decoder.js';
import { ipfix, netflow9, RECORD_256, set, TEMPLATE_256 } from './vectors.js';

const FROM = { address: '10.1.0.2', port: 40_000 };

/** Packets and bytes of what is in the last datagram, or why it is not counted. */
function told(...datagrams: readonly Uint8Array[]): unknown[] {
  const decoder = new FlowDecoder();
  let last: unknown[] = [];
  for (const datagram of datagrams) {
    const { flows, dropped } = decoder.decode(datagram, FROM);
    last = [...flows.map(({ packets, bytes }) => [packets, bytes]), ...dropped];
  }
  return last;
}

const FLOW = ipfix(7, set(2, TEMPLATE_256), set(256, RECORD_256));
/** Options 300 of IPFIX: the scope is the domain (149). */
const options = (fields: string, count: number, record: string): Uint8Array =>
  ipfix(
    7,
    set(3, `012c ${(1 + count).toString(16).padStart(4, '0')} 0001 0095 0004 ${fields}`),
    set(300, '00000007', record),
  );

test('IPFIX: each way to say one of so many', () => {
  const cases: readonly (readonly [fields: string, count: number, record: string, counts: unknown])[] = [
    ['0022 0004', 1, '00000064', [300, 30_000]],
    ['0032 0004', 1, '00000064', [300, 30_000]],
    // 2 packets of each 2 + 8.
    ['0131 0004 0132 0004', 2, '00000002 00000008', [15, 1_500]],
    ['0131 0004', 1, '00000001', [3, 300]],
    ['0135 0004 0136 0004', 2, '00000001 00000010', [48, 4_800]],
    ['0137 0008', 1, '3fb0000000000000', [48, 4_800]],
    ['0137 0004', 1, '3d800000', [48, 4_800]],
    // Something else.
    ['0029 0008', 1, '0000000000000010', [3, 300]],
  ];
  for (const [fields, count, record, counts] of cases)
    assert.deepEqual(told(options(fields, count, record), FLOW), [counts], fields);
});

test('NetFlow v9: an interval for the whole system, whose scope has a number of its own', () => {
  const template = set(1, '012c 0004 0008 0001 0004 0022 0004 0023 0001', '0000');
  const learnt = netflow9(7, template, set(300, '00000000 00000064 02', '000000'));
  const flow = netflow9(7, set(0, TEMPLATE_256), set(256, RECORD_256));
  assert.deepEqual(told(learnt, flow), [[300, 30_000]]);
  // Of another source of the same exporter nothing is known.
  assert.deepEqual(told(learnt, netflow9(8, set(0, TEMPLATE_256), set(256, RECORD_256))), [[3, 300]]);
});

const SAMPLED = set(2, '0101 0005 0008 0004 000c 0004 0030 0001 0002 0004 0001 0004');
const by = (sampler: string): Uint8Array =>
  ipfix(7, SAMPLED, set(257, `0a010005 0a010006 ${sampler} 00000003 0000012c`));

test('a sampler has its own rate; one that was never explained has none', () => {
  const one = options('0030 0001 0032 0004', 2, '01 00000064');
  const two = options('0030 0001 0032 0004', 2, '02 0000000a');
  assert.deepEqual(told(one, two, by('01')), [[300, 30_000]]);
  assert.deepEqual(told(one, two, by('02')), [[30, 3_000]]);
  assert.deepEqual(told(one, two, by('03')), ['sampling']);
  assert.deepEqual(told(by('01')), ['sampling']);
  assert.deepEqual(told(by('00')), [[3, 300]]);
  // Flows that name none: by the only rate that there is.
  assert.deepEqual(told(one, FLOW), [[300, 30_000]]);
  assert.deepEqual(told(one, two, FLOW), ['sampling']);
});

test("a flow's own rate counts before what was told of all", () => {
  const own = set(2, '0102 0005 0008 0004 000c 0004 0022 0002 0002 0004 0001 0004');
  const flow = (rate: string): Uint8Array =>
    ipfix(7, own, set(258, `0a010005 0a010006 ${rate} 00000003 0000012c`));
  assert.deepEqual(told(options('0022 0004', 1, '00000064'), flow('0002')), [[6, 600]]);
  assert.deepEqual(told(flow('0000')), ['sampling']);
});

test('a rate of 0, or beyond all measure: it is refused, and so is what was counted by it, until there is another', () => {
  for (const record of ['00000000', '01000001', 'ffffffff']) {
    const bad = options('0022 0004', 1, record);
    assert.deepEqual(told(bad), ['sampling']);
    assert.deepEqual(told(bad, FLOW), ['sampling']);
    assert.deepEqual(told(bad, options('0022 0004', 1, '00000002'), FLOW), [[6, 600]]);
  }
  for (const [fields, count, record] of [
    ['0131 0004 0132 0004', 2, '00000000 00000064'],
    ['0135 0004 0136 0004', 2, '00000010 00000001'],
    ['0137 0008', 1, '0000000000000000'],
    ['0137 0008', 1, '7ff8000000000000'],
    ['0137 0008', 1, 'bff0000000000000'],
  ] as const)
    assert.deepEqual(told(options(fields, count, record), FLOW), ['sampling'], record);
});

test('samplers are bounded: who makes them up forgets his own', () => {
  const many = Array.from({ length: 65 }, (_, i) =>
    options('0030 0001 0032 0004', 2, `${(i + 1).toString(16).padStart(2, '0')} 00000064`),
  );
  assert.deepEqual(told(...many, by('01')), ['sampling']);
  assert.deepEqual(told(...many, by('02')), [[300, 30_000]]);
});
