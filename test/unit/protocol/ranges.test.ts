/** What comes from a wire has its range, and what this program makes of anything stays within it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import type { ControlMessage } from '../../../src/protocol/control-message.js';
import { split } from '../../../src/protocol/split.js';
import { Directory } from '../../../src/tables/directory.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../../src/tables/record.js';
import { SimClock } from '../../support/sim-clock.js';

const codec = new ControlCodec();
/** The schema as another program would use it: reflection over the file, no code of the product. */
const schema = protobuf.parse(readFileSync('proto/vine.proto', 'utf8')).root.lookupType('vine.Envelope');

function payloadOf(wire: Record<string, unknown>): Uint8Array {
  const envelope = schema.fromObject({ id: 1, epoch: 1, ...wire });
  return Uint8Array.from([0x20, ...schema.encode(envelope).finish()]);
}

/** What becomes of it: `taken`, or the drop reason. */
function verdict(payload: Uint8Array): string {
  const result = codec.decode(payload);
  return typeof result === 'string' ? result : 'taken';
}

type Fields = Record<string, unknown>;

const RECORD: Fields = {
  vnet: 1,
  ip: [10, 0, 0, 1],
  mac: [2, 0, 0, 0, 0, 1],
  router: 'vr-a',
  seq: 1,
  state: 1,
  stamp: 1,
};
const HELLO: Fields = {
  routerId: 'vr-a',
  version: '1',
  protocolMajor: 1,
  gndtDigest: new Array(32).fill(0),
  innerMtuBytes: 1_436,
};
const MOVE: Fields = { vnet: 1, mac: RECORD.mac, records: [RECORD], trigger: 1, sinceDetectionUs: 5 };
const RESULT: Fields = { vnet: 1, ip: [10, 0, 0, 1], verdict: 1, reason: 0, seq: 1 };

const records = (change: Fields): Uint8Array =>
  payloadOf({ records: { records: [{ ...RECORD, ...change }] } });
const hello = (change: Fields): Uint8Array => payloadOf({ hello: { ...HELLO, ...change } });
const claim = (move: Fields, record: Fields = {}): Uint8Array =>
  payloadOf({ claim: { claimId: 1, moves: [{ ...MOVE, records: [{ ...RECORD, ...record }], ...move }] } });
const result = (change: Fields): Uint8Array =>
  payloadOf({ claimResult: { claimId: 1, results: [{ ...RESULT, ...change }] } });
const stale = (change: Fields): Uint8Array =>
  payloadOf({ stale: { records: [{ vnet: 1, ip: [10, 0, 0, 1], seq: 1, router: 'vr-a', ...change }] } });
const redirect = (change: Fields): Uint8Array =>
  payloadOf({ redirect: { vnet: 1, ip: [10, 0, 0, 1], seq: 1, router: 'vr-a', ...change } });
const nodes = (change: Fields): Uint8Array =>
  payloadOf({ nodes: { queryId: 1, nodes: [{ ip: [10, 0, 0, 1], mac: RECORD.mac, ...change }] } });
const whoHas = (change: Fields): Uint8Array => payloadOf({ whoHas: { queryId: 1, vnet: 1, ...change } });
const seen = (change: Fields): Uint8Array => payloadOf({ seen: { router: 'vr-b', port: 7, ...change } });
const digest = (change: Fields): Uint8Array =>
  payloadOf({ digest: { highestStamp: 0, count: 0, hash: 0, ...change } });
const dhcp = (change: Fields): Uint8Array =>
  payloadOf({ dhcp: { vnet: 1, mac: RECORD.mac, message: [1], ...change } });
const siteDigest = (change: Fields): Uint8Array =>
  payloadOf({
    partnerDigests: { digests: [{ site: 'vr-a', highestStamp: 0, count: 0, hash: 0, ...change }] },
  });
const heartbeat = (change: Fields): Uint8Array =>
  payloadOf({ pairHeartbeat: { role: 1, term: 1, soundLans: 1, lans: 1, peersUp: 1, ...change } });
const search = (change: Fields): Uint8Array =>
  payloadOf({ search: { vnet: 1, mac: RECORD.mac, ips: [ipBytes('10.1.0.9')], ...change } });
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const ipBytes = (text: string): number[] => [...Ip.of(text).toBytes()];

const HUGE = '18446744073709551615';

type Case = readonly [what: string, payload: Uint8Array, verdict: string];

const ENVELOPES: readonly Case[] = [
  ['nothing', new Uint8Array(0), 'empty'],
  ['an overlay packet', Uint8Array.of(0x10, 4, 0, 1), 'not-control'],
  ['a bare IP packet', Uint8Array.of(0x45, 0), 'not-control'],
  ['version 1', Uint8Array.of(0x21, 0x08, 0x01), 'unsupported-version'],
  ['a truncated message', Uint8Array.of(0x20, 0x0a), 'not-protobuf'],
  ['a length beyond the end', Uint8Array.of(0x20, 0x8a, 0x01, 0x7f), 'not-protobuf'],
  ['an id of 2^52', payloadOf({ id: 2 ** 52, ping: {} }), 'taken'],
  ['an id of 2^52 + 1', payloadOf({ id: 2 ** 52 + 1, ping: {} }), 'bad-number'],
  ['an id of 2^64 − 1', payloadOf({ id: HUGE, ping: {} }), 'bad-number'],
  ['an acknowledgement of 2^64 − 1', payloadOf({ acks: [1, HUGE] }), 'bad-number'],
  ['64 acknowledgements', payloadOf({ acks: many(64, 1) }), 'taken'],
  ['65 acknowledgements', payloadOf({ acks: many(65, 1) }), 'long-list'],
  ['no epoch', payloadOf({ epoch: 0, ping: {} }), 'bad-epoch'],
  ['an epoch of 2^52 + 1', payloadOf({ epoch: 2 ** 52 + 1, ping: {} }), 'bad-epoch'],
  ['an acknowledged epoch of 2^64 − 1', payloadOf({ ackEpoch: HUGE, ping: {} }), 'bad-number'],
  ['an oldest id of 2^64 − 1', payloadOf({ oldest: HUGE, ping: {} }), 'bad-number'],
  ['4,096 bytes of fields and padding', Uint8Array.from([...unknownOf(4_096), ...many(99, 0)]), 'taken'],
  ['4,097 bytes of fields', unknownOf(4_097), 'too-long'],
  ['4,097 bytes of fields and padding', Uint8Array.from([...unknownOf(4_097), ...many(99, 0)]), 'too-long'],
];

/** An envelope of so many bytes, nearly all of them in a field that this version does not know. */
function unknownOf(bytes: number): Uint8Array {
  const head = [0x18, 0x01, 0x82, 0x7d];
  const content = bytes - head.length - 2;
  return Uint8Array.from([0x20, ...head, (content & 0x7f) | 0x80, content >> 7, ...many(content, 1)]);
}

const LINK_MESSAGES: readonly Case[] = [
  ['an inner MTU that is not told', hello({ innerMtuBytes: 0 }), 'taken'],
  ['an inner MTU of 1', hello({ innerMtuBytes: 1 }), 'bad-mtu'],
  ['an inner MTU of 575', hello({ innerMtuBytes: 575 }), 'bad-mtu'],
  ['an inner MTU of 576', hello({ innerMtuBytes: 576 }), 'taken'],
  ['an inner MTU of 65535', hello({ innerMtuBytes: 65_535 }), 'taken'],
  ['an inner MTU of 65536', hello({ innerMtuBytes: 65_536 }), 'bad-mtu'],
  ['an inner MTU of 2^32 − 1', hello({ innerMtuBytes: 2 ** 32 - 1 }), 'bad-mtu'],
  ['protocol 65536', hello({ protocolMajor: 65_536 }), 'bad-number'],
  ['minor protocol 2^32 − 1', hello({ protocolMinor: 2 ** 32 - 1 }), 'bad-number'],
  ['65 capabilities', hello({ capabilities: many(65, 'x') }), 'long-list'],
  ['a capability of 256 letters', hello({ capabilities: ['x'.repeat(256)] }), 'bad-text'],
  ['an escape sequence in a version', hello({ version: '1\u001b[2J' }), 'bad-text'],
  ['no router id', hello({ routerId: '' }), 'bad-router-id'],
  ['a router id that no file can have', hello({ routerId: 'vr a' }), 'bad-router-id'],
  ['a digest of 31 bytes', hello({ gndtDigest: many(31, 0) }), 'bad-bytes'],
  ['a Ping’s token of 2^64 − 1', payloadOf({ ping: { token: HUGE } }), 'bad-number'],
  ['a Pong’s token of 2^64 − 1', payloadOf({ pong: { token: HUGE } }), 'bad-number'],
  ['a place beyond all', payloadOf({ pong: { token: 1, coordinate: { xUs: 10_000_001 } } }), 'bad-number'],
  [
    'a place beyond all, downwards',
    payloadOf({ pong: { token: 1, coordinate: { zUs: -10_000_001 } } }),
    'bad-number',
  ],
  [
    'a height beyond all',
    payloadOf({ pong: { token: 1, coordinate: { heightUs: 10_000_001 } } }),
    'bad-number',
  ],
  [
    'an error of more than all',
    payloadOf({ pong: { token: 1, coordinate: { errorPermille: 1_001 } } }),
    'bad-number',
  ],
  ['a Pong’s clock of 2^64 − 1', payloadOf({ pong: { token: 1, wallUs: HUGE } }), 'bad-number'],
  ['an escape sequence in a Bye', payloadOf({ bye: { reason: '\u009b2J' } }), 'bad-text'],
  ['a Seen of no port', seen({ port: 0 }), 'taken'],
  ['a Seen of port 65536', seen({ port: 65_536 }), 'bad-number'],
  ['a Seen at 127.0.0.1', seen({ ip: [127, 0, 0, 1] }), 'bad-ip'],
  ['a Seen at ::1', seen({ ip: ipBytes('::1') }), 'bad-ip'],
  ['a Seen at 0.0.0.0', seen({ ip: [0, 0, 0, 0] }), 'bad-ip'],
  ['a Seen at a group', seen({ ip: ipBytes('ff02::1') }), 'bad-ip'],
];

const NO_NODES_IP = ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '169.254.0.1'].concat([
  '::',
  '::1',
  'ff02::1',
  'fe80::1',
]);
const NO_NODES_MAC = ['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01'];

const ADDRESSES: readonly Case[] = [
  ...NO_NODES_IP.flatMap((text): Case[] => [
    [`a record of ${text}`, records({ ip: ipBytes(text) }), 'bad-node-ip'],
    [`a claim of ${text}`, claim({}, { ip: ipBytes(text) }), 'bad-node-ip'],
    [`a claim result of ${text}`, result({ ip: ipBytes(text) }), 'bad-node-ip'],
    [`a stale record of ${text}`, stale({ ip: ipBytes(text) }), 'bad-node-ip'],
    [`a redirect of ${text}`, redirect({ ip: ipBytes(text) }), 'bad-node-ip'],
    [`a node at ${text}`, nodes({ ip: ipBytes(text) }), 'bad-node-ip'],
    [`a question about ${text}`, whoHas({ ips: [ipBytes(text)] }), 'bad-node-ip'],
  ]),
  ...NO_NODES_MAC.flatMap((text): Case[] => {
    const bytes = text.split(':').map((pair) => Number.parseInt(pair, 16));
    return [
      [`a record of ${text}`, records({ mac: bytes }), 'bad-node-mac'],
      [`a claim of ${text}`, claim({ mac: bytes }, { mac: bytes }), 'bad-node-mac'],
      [`a node with ${text}`, nodes({ mac: bytes }), 'bad-node-mac'],
      [`a question about ${text}`, whoHas({ mac: bytes }), 'bad-node-mac'],
    ];
  }),
  ['an IP of 5 bytes', records({ ip: [1, 2, 3, 4, 5] }), 'bad-ip'],
  ['no IP', records({ ip: [] }), 'bad-ip'],
  ['an IP of one byte in a WhoHas', whoHas({ ips: [[1]] }), 'bad-ip'],
  ['a question about 32 addresses', whoHas({ ips: many(32, [10, 0, 0, 1]) }), 'taken'],
  ['a question about 33 addresses', whoHas({ ips: many(33, [10, 0, 0, 1]) }), 'long-list'],
  ['a question about nothing', whoHas({}), 'bad-question'],
  [
    'a question about a MAC and an address',
    whoHas({ mac: RECORD.mac, ips: [[10, 0, 0, 1]] }),
    'bad-question',
  ],
  ['a MAC of 8 bytes', records({ mac: [2, 2, 3, 4, 5, 6, 7, 8] }), 'bad-mac'],
  [
    'host bits in a prefix',
    payloadOf({ nodesOf: { vnet: 1, prefix: [10, 1, 0, 1], prefixLength: 24 } }),
    'bad-prefix',
  ],
  [
    'a prefix of 33',
    payloadOf({ nodesOf: { vnet: 1, prefix: [10, 1, 0, 0], prefixLength: 33 } }),
    'bad-prefix',
  ],
];

const SEQUENCES = [
  [1, 'taken'],
  [MAX_SEQUENCE, 'taken'],
  [0, 'bad-sequence'],
  [MAX_SEQUENCE + 1, 'bad-sequence'],
  [HUGE, 'bad-sequence'],
] as const;

const TABLE_MESSAGES: readonly Case[] = [
  ['the record that the others are made of', records({}), 'taken'],
  ['the claim that the others are made of', claim({}), 'taken'],
  ...SEQUENCES.flatMap(([seq, expected]): Case[] => [
    [`a record’s sequence number ${seq}`, records({ seq }), expected],
    [`a claim’s sequence number ${seq}`, claim({}, { seq }), expected],
    [`a result’s sequence number ${seq}`, result({ seq }), expected],
    [`a stale record’s sequence number ${seq}`, stale({ seq }), expected],
    [`a redirect’s sequence number ${seq}`, redirect({ seq }), expected],
  ]),
  ['a stamp of 2^52', records({ stamp: MAX_STAMP }), 'taken'],
  ['a stamp of 0', records({ stamp: 0 }), 'bad-stamp'],
  ['a stamp of 2^52 + 1', records({ stamp: MAX_STAMP + 1 }), 'bad-stamp'],
  [
    'a returned stamp of 2^64 − 1',
    payloadOf({ returned: { records: [{ ...RECORD, stamp: HUGE }] } }),
    'bad-stamp',
  ],
  ['a digest’s stamp of 2^52 + 1', digest({ highestStamp: MAX_STAMP + 1 }), 'bad-stamp'],
  ['a digest of 2^24 records', digest({ count: 2 ** 24 }), 'taken'],
  ['a digest of more', digest({ count: 2 ** 24 + 1 }), 'bad-number'],
  ['vnet 0', records({ vnet: 0 }), 'bad-vnet'],
  ['vnet 65536', records({ vnet: 65_536 }), 'bad-vnet'],
  ['a record of no router', records({ router: '' }), 'bad-router-id'],
  ['a record of a router with a name of 64 letters', records({ router: 'x'.repeat(64) }), 'bad-router-id'],
  ['a state of 0', records({ state: 0 }), 'bad-enum'],
  ['a state of 9', records({ state: 9 }), 'bad-enum'],
  ['65 records', payloadOf({ records: { records: many(65, RECORD) } }), 'long-list'],
  ['65 moves', payloadOf({ claim: { claimId: 1, moves: many(65, {}) } }), 'long-list'],
  ['65 records in a move', claim({ records: many(65, RECORD) }), 'long-list'],
  ['65 results', payloadOf({ claimResult: { results: many(65, RESULT) } }), 'long-list'],
  ['65 nodes', payloadOf({ nodes: { nodes: many(65, {}) } }), 'long-list'],
  ['a claim id of 2^64 − 1', payloadOf({ claim: { claimId: HUGE } }), 'bad-number'],
  ['a query id of 2^64 − 1', payloadOf({ has: { queryId: HUGE } }), 'bad-number'],
  ['a detection a day ago', claim({ sinceDetectionUs: 86_400_000_000 }), 'taken'],
  ['a detection longer ago', claim({ sinceDetectionUs: 86_400_000_001 }), 'bad-number'],
  ['a claim with a record of another vnet', claim({}, { vnet: 2 }), 'bad-claim'],
  ['a claim with a record of another MAC', claim({}, { mac: [2, 0, 0, 0, 0, 2] }), 'bad-claim'],
  ['a claim of a withdrawal', claim({}, { state: 2 }), 'bad-claim'],
  ['a search for 8 addresses', search({ ips: many(8, ipBytes('fd00::9')) }), 'taken'],
  ['a search for 9', search({ ips: many(9, ipBytes('fd00::9')) }), 'long-list'],
  ['a search for none', search({ ips: [] }), 'bad-question'],
  ['a search for a group', search({ ips: [ipBytes('ff02::1')] }), 'bad-node-ip'],
  ['a search in vnet 0', search({ vnet: 0 }), 'bad-vnet'],
  ['a search for no machine', search({ mac: many(6, 0) }), 'bad-node-mac'],
  ['a search of 60 s', search({ listenSeconds: 60 }), 'taken'],
  ['a search of 61 s', search({ listenSeconds: 61 }), 'bad-number'],
  ['a heartbeat with more sound LANs than LANs', heartbeat({ soundLans: 2, lans: 1 }), 'bad-number'],
  ['a heartbeat of 1,024 LANs', heartbeat({ soundLans: 1_024, lans: 1_024 }), 'taken'],
  ['a heartbeat of 1,025 LANs', heartbeat({ lans: 1_025 }), 'bad-number'],
  ['a heartbeat without a role', heartbeat({ role: 0 }), 'bad-enum'],
  ['a heartbeat with a role of later', heartbeat({ role: 4 }), 'bad-enum'],
  ['a heartbeat with VRID 0', heartbeat({ heardVrids: [0, 1] }), 'bad-bytes'],
  ['a heartbeat with a VRID twice', heartbeat({ virtualVrids: [3, 3] }), 'bad-bytes'],
  ['a heartbeat with all VRIDs', heartbeat({ heardVrids: many(255, 0).map((_, i) => i + 1) }), 'taken'],
  ['a term of 2^48', heartbeat({ term: 2 ** 48 }), 'taken'],
  ['a term above', heartbeat({ term: 2 ** 48 + 1 }), 'bad-number'],
  ['an active router’s term above', payloadOf({ siteActive: { term: 2 ** 48 + 1 } }), 'bad-number'],
  ['a refused term above', payloadOf({ siteActiveRefused: { term: 2 ** 48 + 1 } }), 'bad-number'],
  ['an answered term above', payloadOf({ partnerAnswer: { term: 2 ** 48 + 1 } }), 'bad-number'],
  ['heard a minute ago', payloadOf({ partnerAnswer: { heard: true, heardAgoMs: 60_000 } }), 'taken'],
  ['heard longer ago', payloadOf({ partnerAnswer: { heard: true, heardAgoMs: 60_001 } }), 'bad-number'],
  ['64 records to the partner', payloadOf({ partnerRecords: { records: many(64, RECORD) } }), 'taken'],
  ['65 records to the partner', payloadOf({ partnerRecords: { records: many(65, {}) } }), 'long-list'],
  ['a record to the partner, of nobody', payloadOf({ partnerRecords: { records: [{}] } }), 'bad-vnet'],
  ['a digest of a site', siteDigest({ highestStamp: 2 ** 52, count: 2 ** 24, hash: 2 ** 32 - 1 }), 'taken'],
  ['all of no site', payloadOf({ partnerWhole: { count: 1 } }), 'bad-router-id'],
  ['all of a site', payloadOf({ partnerWhole: { site: 'vr-a', count: 2 ** 24 } }), 'taken'],
  [
    'all of a site, too many',
    payloadOf({ partnerWhole: { site: 'vr-a', count: 2 ** 24 + 1 } }),
    'bad-number',
  ],
  ['65 digests', payloadOf({ partnerDigests: { digests: many(65, {}) } }), 'long-list'],
  ['a digest of no site', siteDigest({ site: '' }), 'bad-router-id'],
  ['a digest of more records', siteDigest({ count: 2 ** 24 + 1 }), 'bad-number'],
  ['a digest with a stamp above', siteDigest({ highestStamp: 2 ** 52 + 1 }), 'bad-stamp'],
  ['a DHCP message of 900 bytes', dhcp({ message: many(900, 1) }), 'taken'],
  ['a DHCP message of 901 bytes', dhcp({ message: many(901, 1) }), 'bad-bytes'],
  ['a DHCP message of nothing', dhcp({ message: [] }), 'bad-bytes'],
  ['a DHCP message in vnet 0', dhcp({ vnet: 0 }), 'bad-vnet'],
  ['a DHCP message of a group', dhcp({ mac: many(6, 255) }), 'bad-node-mac'],
];

describe('the control codec judges', () => {
  for (const [what, payload, expected] of [...ENVELOPES, ...LINK_MESSAGES, ...ADDRESSES, ...TABLE_MESSAGES])
    it(`${what}: ${expected}`, () => assert.equal(verdict(payload), expected));
});

const NODE_IPS = [Ip.of('10.1.0.9'), Ip.of('fd00::9')];
const MACS = [mac('52:54:00:00:00:09'), mac('52:54:00:00:00:0a')];

const nearTop = (max: number) =>
  fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: max - 10, max }), fc.integer({ min: 1, max }));
/** Any record that comes from a wire, or from a file. */
const anyRecord: fc.Arbitrary<NodeRecord> = fc.record({
  vnet: fc.constant(1),
  ip: fc.constantFrom(...NODE_IPS),
  mac: fc.constantFrom(...MACS),
  router: fc.constantFrom('vr-a', 'vr-b'),
  seq: nearTop(MAX_SEQUENCE),
  state: fc.constantFrom('here' as const, 'withdrawn' as const),
  stamp: fc.oneof(nearTop(MAX_STAMP), fc.integer({ min: MAX_STAMP - 2 ** 41, max: MAX_STAMP })),
});
/** From 1970 to the last date that JavaScript has. */
const anyClock = fc.oneof(fc.integer({ min: 0, max: 8_640_000_000_000_000 }), fc.constant(1_767_225_600_000));

describe('a router', () => {
  function goesOut(body: ControlMessage): void {
    const parts = body.type === 'records' || body.type === 'claim' ? split(body) : [body];
    for (const part of parts) {
      const payload = codec.encode({ id: 1, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: part });
      const back = codec.decode(payload);
      assert.ok(typeof back === 'object', `${body.type} dropped by others: ${String(back)}`);
      assert.deepEqual(back.envelope.body, part);
    }
  }

  it('makes no record that others refuse, whatever it has been told and whatever its clock says', () => {
    fc.assert(
      fc.property(anyClock, fc.array(anyRecord, { maxLength: 12 }), (wallMs, told) => {
        const directory = new Directory('vr-a', new SimClock(wallMs));
        directory.load(told.slice(0, 6));
        for (const record of told.slice(6)) directory.apply(record);
        for (const ip of NODE_IPS) {
          const seq = (directory.get(1, ip)?.seq ?? 0) + 1;
          const draft = directory.draft(1, ip, MACS[0] ?? mac(''), seq);
          goesOut({
            type: 'claim',
            claimId: 1,
            moves: [{ vnet: 1, mac: draft.mac, records: [draft], trigger: 'rarp', sinceDetectionUs: 0 }],
          });
          const made = directory.originate(1, ip, MACS[1] ?? mac(''), seq);
          const tombstone = directory.withdraw(1, ip);
          goesOut({ type: 'records', records: tombstone === undefined ? [made] : [made, tombstone] });
        }
        for (const router of ['vr-a', 'vr-b']) goesOut({ type: 'digest', ...directory.digest(router) });
      }),
      { numRuns: 2_000 },
    );
  });

  it('has stamps left for 2^39 records, whatever it was told was its own', () => {
    const directory = new Directory('vr-a', new SimClock(8_640_000_000_000_000));
    const [ip = Ip.v4(0)] = NODE_IPS;
    const own = { vnet: 1, ip, mac: MACS[0] ?? mac(''), router: 'vr-a', seq: 5, state: 'here' } as const;
    directory.apply({ ...own, stamp: MAX_STAMP });
    const before = directory.originate(1, ip, own.mac, 5);
    assert.equal(before.seq, 6, 'a stamp that no later one can beat is beaten by the sequence number');
    const after = directory.originate(1, ip, own.mac, 6);
    assert.equal(after.stamp, before.stamp + 1);
    assert.ok(MAX_STAMP - after.stamp > 2 ** 39);
    assert.equal(directory.get(1, ip), after);
  });
});
