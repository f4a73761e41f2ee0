import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowDecoder } from '../../../../src/traffic/collect/decoder.js';
import type { Decoded } from '../../../../src/traffic/collect/seen-flow.js';
import {
  bytesOf,
  ipfix,
  netflow9,
  RECORD_256,
  RECORD_257,
  set,
  TEMPLATE_256,
  TEMPLATE_257,
} from './vectors.js';

const FROM = { address: '10.1.0.2', port: 40_000 };

function shown({ flows, dropped, ignored }: Decoded): string[] {
  return [
    ...flows.map(({ source, destination, packets, bytes, isEgress }) =>
      [source, destination, packets, bytes, ...(isEgress ? ['egress'] : [])].join(' '),
    ),
    ...dropped,
    ...ignored,
  ];
}

/** Of the last of the datagrams. */
function told(...datagrams: readonly Uint8Array[]): string[] {
  const decoder = new FlowDecoder();
  let last: string[] = [];
  for (const datagram of datagrams) last = shown(decoder.decode(datagram, FROM));
  return last;
}

const FLOW4 = '10.1.0.5 10.1.0.6 3 300';
const FLOW6 = 'fd00:1::5 fd00:1::6 2 200';

test('IPFIX: templates and records of both families, in one message or in two', () => {
  const templates = set(2, TEMPLATE_256, TEMPLATE_257);
  const records = [set(256, RECORD_256, RECORD_256), set(257, RECORD_257)];
  assert.deepEqual(told(ipfix(7, templates, ...records)), [FLOW4, FLOW4, FLOW6]);
  assert.deepEqual(told(ipfix(7, templates), ipfix(7, ...records)), [FLOW4, FLOW4, FLOW6]);
  // Up to three bytes behind the records are padding.
  assert.deepEqual(told(ipfix(7, templates, set(256, RECORD_256, '000000'))), [FLOW4]);
});

test('NetFlow v9: the same with its own numbers of flowsets', () => {
  const templates = set(0, TEMPLATE_256, TEMPLATE_257);
  assert.deepEqual(told(netflow9(7, templates), netflow9(7, set(256, RECORD_256), set(257, RECORD_257))), [
    FLOW4,
    FLOW6,
  ]);
  // Lengths of fields in v9 do not vary, and its numbers above 32,767 have no enterprise behind them.
  assert.deepEqual(told(netflow9(7, set(0, '0100 0001 0008 ffff'))), ['bad-template']);
  const odd = '0100 0005 8001 0002 0008 0004 000c 0004 0002 0001 0001 0002';
  assert.deepEqual(told(netflow9(7, set(0, odd), set(256, '9999 0a010005 0a010006 03 012c'))), [FLOW4]);
});

test('IPFIX: fields of other enterprises and of lengths that vary are skipped', () => {
  const template = '0100 0006 8005 ffff 00001234 0008 0004 000c 0004 0060 ffff 0002 0001 0001 0002';
  const name = `ff0100${'61'.repeat(256)}`;
  const record = `03 aabbcc 0a010005 0a010006 ${name} 03 012c`;
  assert.deepEqual(told(ipfix(7, set(2, template), set(256, record, record))), [FLOW4, FLOW4]);
  // One that says it is longer than its set.
  assert.deepEqual(
    told(ipfix(7, set(2, template), set(256, record, '20 aabbcc 0a010005 0a010006 00 03 012c'))),
    [FLOW4, 'length'],
  );
});

test('IPFIX: both directions in one record (RFC 5103)', () => {
  const template = `0100 0006 0008 0004 000c 0004 0002 0004 0001 0004 8002 0004 00007279 8001 0004 00007279`;
  const both = '0a010005 0a010006 00000003 0000012c 00000001 00000028';
  const oneWay = '0a010005 0a010006 00000003 0000012c 00000000 00000000';
  assert.deepEqual(told(ipfix(7, set(2, template), set(256, both, oneWay))), [
    FLOW4,
    '10.1.0.6 10.1.0.5 1 40',
    FLOW4,
  ]);
});

test('a template counts for its exporter, port and domain, until it is replaced or withdrawn', () => {
  const templates = ipfix(7, set(2, TEMPLATE_256));
  const records = ipfix(7, set(256, RECORD_256));
  assert.deepEqual(told(templates, ipfix(8, set(256, RECORD_256))), ['unknown-template']);
  for (const from of [
    { ...FROM, port: 40_001 },
    { ...FROM, address: '10.1.0.3' },
  ]) {
    const decoder = new FlowDecoder();
    decoder.decode(templates, FROM);
    assert.deepEqual(shown(decoder.decode(records, from)), ['unknown-template']);
    assert.deepEqual(shown(decoder.decode(records, FROM)), [FLOW4]);
  }
  const turned = ipfix(7, set(2, '0100 0004 000c 0004 0008 0004 0002 0008 0001 0008'));
  assert.deepEqual(told(templates, turned, records), ['10.1.0.6 10.1.0.5 3 300']);
  assert.deepEqual(told(templates, ipfix(7, set(2, '0100 0000')), records), ['unknown-template']);
  assert.deepEqual(told(templates, ipfix(7, set(2, '0002 0000')), records), ['unknown-template']);
  assert.deepEqual(told(templates, ipfix(7, set(3, '0003 0000')), records), [FLOW4]);
  // NetFlow v9 knows no withdrawal.
  assert.deepEqual(told(netflow9(7, set(0, '0100 0000'))), ['bad-template']);
});

test('exporters that make up templates and domains forget their own, no others', () => {
  const decoder = new FlowDecoder();
  const template = (id: number): string => `${id.toString(16).padStart(4, '0')}${TEMPLATE_256.slice(4)}`;
  const other = { ...FROM, address: '10.1.0.3' };
  decoder.decode(ipfix(7, set(2, TEMPLATE_256)), other);
  for (let id = 256; id < 256 + 257; id++) decoder.decode(ipfix(7, set(2, template(id))), FROM);
  assert.deepEqual(shown(decoder.decode(ipfix(7, set(256, RECORD_256)), FROM)), ['unknown-template']);
  assert.deepEqual(shown(decoder.decode(ipfix(7, set(257, RECORD_256)), FROM)), [FLOW4]);
  for (let domain = 100; domain < 116; domain++) decoder.decode(ipfix(domain), FROM);
  assert.deepEqual(shown(decoder.decode(ipfix(7, set(257, RECORD_256)), FROM)), ['unknown-template']);
  assert.deepEqual(shown(decoder.decode(ipfix(7, set(256, RECORD_256)), other)), [FLOW4]);
});

test('lengths that lie', () => {
  const good = ipfix(7, set(2, TEMPLATE_256), set(256, RECORD_256));
  assert.deepEqual(told(good.subarray(0, good.length - 1)), ['length']);
  assert.deepEqual(told(bytesOf(Buffer.from(good).toString('hex'), '00')), ['length']);
  assert.deepEqual(told(good.subarray(0, 15)), ['length']);
  assert.deepEqual(told(ipfix(7, '0100 0003')), ['length']);
  assert.deepEqual(told(ipfix(7, '0100 0000 0100 0004')), ['length']);
  assert.deepEqual(told(ipfix(7, set(2, TEMPLATE_256), '0100 0100 0a010005')), ['length']);
  assert.deepEqual(told(netflow9(7, '0000 0100 0100 0004')), ['length']);
});

test('templates that make no sense', () => {
  const bad = (...templates: string[]): void =>
    assert.deepEqual(told(ipfix(7, set(2, ...templates))), ['bad-template'], templates.join());
  bad('00ff 0001 0008 0004'); // Not a data set's number.
  bad('0100 0002 0008 0004'); // More fields than there are.
  bad('0100 0001 8008 0004 0000'); // An enterprise that is cut off.
  bad('0100 0001 0008 0003'); // No IPv4 address.
  bad('0100 0001 0001 0009');
  bad('0100 0001 0001 0000');
  bad('0100 0001 0999 0000'); // Records of no length would never end.
  bad(`0100 0081 ${'0999 0001'.repeat(129)}`);
  assert.deepEqual(told(ipfix(7, set(3, '0100 0001 0002 0095 0004'))), ['bad-template']);
  assert.deepEqual(told(ipfix(7, set(3, '0100 0001'))), ['bad-template']);
  assert.deepEqual(told(netflow9(7, set(1, '0100 0004 0003 0001 0004 0022'))), ['bad-template']);
  assert.deepEqual(told(ipfix(7, set(4, '00000000'))), ['unknown-template']);
});

test('counters that cannot be, and those that are not there', () => {
  const counted = (packets: string, bytes: string): string[] =>
    told(ipfix(7, set(2, TEMPLATE_256), set(256, `0a010005 0a010006 ${packets} ${bytes}`)));
  const [none, one, most] = ['0000000000000000', '0000000000000001', 'ffffffffffffffff'];
  assert.deepEqual(counted(none, none), []);
  assert.deepEqual(counted(none, '0000000000000064'), ['counters']);
  assert.deepEqual(counted(one, '0000000000000013'), ['counters']);
  assert.deepEqual(counted(one, '0000000000000014'), ['10.1.0.5 10.1.0.6 1 20']);
  assert.deepEqual(counted(one, '0000000000010027'), ['10.1.0.5 10.1.0.6 1 65575']);
  assert.deepEqual(counted(one, '0000000000010028'), ['counters']);
  assert.deepEqual(counted(most, most), ['counters']);
  assert.deepEqual(counted('0000010000000000', '0001000000000001'), ['counters']);
  const totals = '0100 0004 0008 0004 000c 0004 0056 0004 0055 0004';
  assert.deepEqual(told(ipfix(7, set(2, totals), set(256, '0a010005 0a010006 00000003 0000012c'))), [
    'no-counters',
  ]);
});

test('what is no flow of a node is left', () => {
  const macs = '0100 0003 0038 0006 0002 0004 0001 0004';
  assert.deepEqual(told(ipfix(7, set(2, macs), set(256, '525400000001 00000001 00000040'))), [
    'no-addresses',
  ]);
  const directed = '0100 0005 0008 0004 000c 0004 003d 0001 0002 0004 0001 0004';
  const ends = '0a010005 0a010006';
  assert.deepEqual(
    told(
      ipfix(7, set(2, directed), set(256, `${ends} 00 00000003 0000012c`, `${ends} 01 00000003 0000012c`)),
    ),
    [FLOW4, `${FLOW4} egress`],
  );
  // Both families in one template: the other one's are zero.
  const both = '0100 0006 0008 0004 000c 0004 001b 0010 001c 0010 0002 0004 0001 0004';
  const zero = '00'.repeat(8);
  assert.deepEqual(told(ipfix(7, set(2, both), set(256, zero, RECORD_257))), [FLOW6]);
});

test('a message longer than any usual frame is not read', () => {
  const record = ipfix(7, set(2, TEMPLATE_256), ...Array.from({ length: 1_000 }, () => set(256, RECORD_256)));
  assert.ok(record.length > 9_216);
  const { flows, dropped } = new FlowDecoder().decode(record, { address: '10.1.0.9', port: 40_000 });
  assert.deepEqual([flows, dropped], [[], ['length']]);
});
