/** One message of every type, with IPv4 and IPv6, the largest numbers, and empty lists among them. */
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import {
  MAX_ID,
  MAX_LISTEN_SECONDS,
  MAX_SEARCHED_IPS,
  MAX_SINCE_DETECTION_US,
  MAX_TERM,
} from '../../../src/protocol/constants.js';
import type { ControlMessage } from '../../../src/protocol/control-message.js';
import { MOST_MEMBERSHIP_BYTES } from '../../../src/protocol/membership-message.js';
import {
  MAX_ASKED_PARTS,
  MAX_DOCUMENT_BYTES,
  MAX_PARTS,
  MAX_VERDICT_REASON,
  PART_BYTES,
} from '../../../src/protocol/network-message.js';
import {
  MAX_ASKED_PAIRS,
  MAX_ASKED_PERIODS,
  MAX_TRAFFIC_PARTS,
  MAX_WEIGHT_PERMILLE,
  type TrafficRow,
} from '../../../src/protocol/traffic-message.js';
import { MAX_DHCP_BYTES } from '../../../src/tables/limits.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../../src/tables/record.js';

export function record(index: number): NodeRecord {
  return {
    vnet: 1,
    ip: Ip.v4(0x0a010000 + index),
    mac: mac('52:54:00:00:00:09'),
    router: 'vr-a',
    seq: index + 1,
    state: 'here',
    stamp: 1_763_632_000_000_000 + index,
  };
}

const LONGEST_ID = `${'Vr-._'.repeat(12)}vr9`;

const V6: NodeRecord = {
  vnet: 65_535,
  ip: Ip.of('fd00::9'),
  mac: mac('fe:ff:ff:ff:ff:ff'),
  router: LONGEST_ID,
  seq: MAX_SEQUENCE,
  state: 'withdrawn',
  stamp: MAX_STAMP,
};

function trafficRow(row: Partial<TrafficRow>): TrafficRow {
  return {
    kind: 'pair',
    period: 0,
    vnet: 1,
    source: undefined,
    destination: undefined,
    sourceSite: 'site-a',
    destinationSite: 'site-b',
    packets: 7,
    bytes: 900,
    ...row,
  };
}

export const SAMPLES: readonly ControlMessage[] = [
  {
    type: 'hello',
    routerId: 'vr-a',
    version: '0.1.0',
    protocolMajor: 1,
    protocolMinor: 0,
    capabilities: ['a', 'b'],
    gndtDigest: new Uint8Array(32).fill(7),
    innerMtuBytes: 1436,
  },
  {
    type: 'networkState',
    documents: [
      { kind: 'description', version: MAX_SEQUENCE, digest: 'ab'.repeat(32), totalBytes: MAX_DOCUMENT_BYTES },
      { kind: 'succession', version: 1, digest: '01'.repeat(32), totalBytes: 185 },
    ],
    trial: true,
    verdict: {
      outcome: 'undone',
      version: 3,
      digest: 'cd'.repeat(32),
      reason: 'ü'.repeat(MAX_VERDICT_REASON),
    },
  },
  { type: 'networkState', documents: [], trial: false, verdict: undefined },
  {
    type: 'networkAsk',
    kind: 'description',
    digest: 'ef'.repeat(32),
    first: MAX_PARTS - 1,
    count: MAX_ASKED_PARTS,
  },
  {
    type: 'networkPart',
    kind: 'succession',
    digest: 'ef'.repeat(32),
    part: 0,
    content: new Uint8Array(PART_BYTES).fill(255),
  },
  { type: 'membership', membership: new Uint8Array(MOST_MEMBERSHIP_BYTES).fill(1), admitted: true },
  { type: 'membershipDigest', digest: new Uint8Array(32).fill(9) },
  { type: 'ping', token: 1 },
  {
    type: 'pairHeartbeat',
    role: 'isolated',
    term: MAX_TERM,
    soundLans: 0,
    lans: 3,
    peersUp: 65_535,
    heardVrids: [1, 255],
    virtualVrids: [7],
  },
  {
    type: 'pairHeartbeat',
    role: 'active',
    term: 0,
    soundLans: 2,
    lans: 2,
    peersUp: 0,
    heardVrids: [],
    virtualVrids: [],
  },
  { type: 'siteActive', term: 7 },
  { type: 'siteActiveRefused', term: MAX_TERM },
  { type: 'partnerQuery', queryId: MAX_ID },
  { type: 'partnerAnswer', queryId: 1, heardAgoMs: 0, term: 9 },
  { type: 'partnerAnswer', queryId: 1, heardAgoMs: 60_000, term: 9 },
  { type: 'partnerAnswer', queryId: 2, heardAgoMs: undefined, term: 0 },
  { type: 'handOver' },
  { type: 'pong', token: MAX_ID, wallUs: 1_767_225_600_000_000, coordinate: undefined },
  {
    type: 'pong',
    token: 1,
    wallUs: 0,
    coordinate: { point: [-10_000, 0, 10_000], heightMs: 0.1, error: 0.125 },
  },
  { type: 'bye', reason: 'stopping', refusal: false },
  { type: 'bye', reason: 'protocol 1, not 2; größer', refusal: true },
  { type: 'seek', router: 'vr-b' },
  { type: 'seen', router: LONGEST_ID, ip: Ip.of('2001:db8::1'), port: 65_535 },
  { type: 'seen', router: 'vr-b', ip: undefined, port: 0 },
  { type: 'records', records: [record(1), V6] },
  { type: 'records', records: [] },
  { type: 'digest', highestStamp: 1_763_632_000_000_000, count: 12, hash: 0xffffffff },
  { type: 'stale', records: [{ vnet: 3, ip: Ip.of('10.0.0.1'), seq: 4, router: 'vr-b' }] },
  { type: 'whoHas', queryId: 5, vnet: 1, mac: mac('52:54:00:00:00:09'), ips: [] },
  { type: 'whoHas', queryId: 6, vnet: 1, mac: undefined, ips: [Ip.of('fd00::1'), Ip.of('10.1.0.9')] },
  { type: 'has', queryId: 7, records: [V6] },
  {
    type: 'claim',
    claimId: 8,
    moves: [
      {
        vnet: 1,
        mac: mac('52:54:00:00:00:09'),
        records: [record(9), { ...record(10), ip: Ip.of('fd00::9'), stamp: MAX_STAMP }],
        trigger: 'rarp',
        sinceDetectionUs: 412,
      },
      {
        vnet: 1,
        mac: mac('52:54:00:00:00:09'),
        records: [{ ...record(9), frozen: true }],
        trigger: 'arp',
        sinceDetectionUs: 0,
        objection: true,
        against: 'vr-c',
      },
      {
        vnet: 1,
        mac: mac('52:54:00:00:00:09'),
        records: [record(11)],
        trigger: 'search',
        sinceDetectionUs: 1,
      },
    ],
  },
  {
    type: 'claim',
    claimId: MAX_ID,
    moves: [
      {
        vnet: V6.vnet,
        mac: V6.mac,
        records: [{ ...V6, state: 'here' }],
        trigger: 'operator',
        sinceDetectionUs: MAX_SINCE_DETECTION_US,
      },
    ],
  },
  {
    type: 'claimResult',
    claimId: 8,
    results: [
      { vnet: 1, ip: Ip.of('10.1.0.9'), verdict: 'accepted', reason: '', seq: 1 },
      { vnet: 1, ip: Ip.of('fd00::9'), verdict: 'objection', reason: 'node-answers-here', seq: 2 },
      { vnet: 1, ip: Ip.of('fd00::a'), verdict: 'refused', reason: 'stale', seq: 3, router: 'vr-c' },
    ],
  },
  { type: 'nodesOf', queryId: 9, vnet: 1, prefix: Prefix.of('10.1.0.0/24') },
  { type: 'nodesOf', queryId: 9, vnet: 1, prefix: Prefix.of('::/0') },
  { type: 'nodes', queryId: 9, nodes: [{ ip: Ip.of('10.1.0.254'), mac: mac('52:54:00:00:00:fe') }] },
  { type: 'search', vnet: 1, mac: mac('52:54:00:00:00:09'), ips: [Ip.of('10.1.0.9')], listenSeconds: 0 },
  {
    type: 'search',
    vnet: 65_535,
    mac: mac('fe:ff:ff:ff:ff:ff'),
    ips: Array.from({ length: MAX_SEARCHED_IPS }, (_, i) => Ip.v6(0xfd000000, 0, 0, i + 1)),
    listenSeconds: MAX_LISTEN_SECONDS,
  },
  { type: 'dhcp', vnet: 1, mac: mac('52:54:00:00:00:09'), family: 4, bytes: new Uint8Array(300).fill(0xfd) },
  {
    type: 'dhcp',
    vnet: 65_535,
    mac: mac('fe:ff:ff:ff:ff:ff'),
    family: 6,
    bytes: new Uint8Array(MAX_DHCP_BYTES).fill(1),
    routed: true,
  },
  { type: 'partnerRecords', records: [record(1), { ...V6, frozen: true }] },
  { type: 'partnerRecords', records: [] },
  {
    type: 'partnerDigests',
    digests: [
      { site: 'site-a', highestStamp: 0, count: 0, hash: 0 },
      { site: LONGEST_ID, highestStamp: MAX_STAMP, count: 2 ** 24, hash: 0xffffffff },
    ],
  },
  { type: 'partnerWhole', site: 'site-a', highestStamp: MAX_STAMP, count: 3, hash: 0xffffffff },
  {
    type: 'trafficAsk',
    queryId: MAX_ID,
    lastPeriod: 59_000_000,
    periods: MAX_ASKED_PERIODS,
    approximate: true,
    detail: false,
    weightPermille: MAX_WEIGHT_PERMILLE,
    vnet: 65_535,
    ips: [Ip.of('10.1.0.9'), Ip.of('fd00::9')],
    mostPairs: MAX_ASKED_PAIRS,
    first: MAX_TRAFFIC_PARTS - 1,
  },
  {
    type: 'trafficAsk',
    queryId: 1,
    lastPeriod: 1,
    periods: 1,
    approximate: false,
    detail: true,
    weightPermille: 1,
    vnet: undefined,
    ips: [],
    mostPairs: 0,
    first: 0,
  },
  { type: 'trafficPart', queryId: 1, part: 0, parts: 1, periods: 0, rows: [] },
  {
    type: 'trafficPart',
    queryId: MAX_ID,
    part: MAX_TRAFFIC_PARTS - 1,
    parts: MAX_TRAFFIC_PARTS,
    periods: MAX_ASKED_PERIODS,
    rows: [
      trafficRow({ kind: 'pair', source: Ip.of('10.1.0.9'), destination: Ip.of('fd00::9') }),
      trafficRow({ kind: 'pair', vnet: 65_535, source: undefined, packets: MAX_ID, bytes: MAX_ID }),
      trafficRow({ kind: 'sites', sourceSite: LONGEST_ID, period: 119 }),
      trafficRow({ kind: 'nobody', vnet: 0, sourceSite: '', destinationSite: '' }),
    ],
  },
  { type: 'redirect', vnet: 1, ip: Ip.of('10.1.0.9'), router: 'vr-b', seq: 3 },
];
