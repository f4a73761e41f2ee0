/** Decoded protobuf objects to value types, every field checked: here each field of the protocol has its range. */

import { MAX_DHCP_BYTES } from '../tables/limits.js';
import type { NodeRecord } from '../tables/model.js';
import { MAX_STAMP } from '../tables/record.js';
import {
  MAX_ASKED_IPS,
  MAX_HEARD_AGO_MS,
  MAX_LANS,
  MAX_LISTEN_SECONDS,
  MAX_RECORDS,
  MAX_SEARCHED_IPS,
  MAX_SINCE_DETECTION_US,
  MAX_TERM,
} from './constants.js';
import type { ControlMessage } from './control-message.js';
import { readCoordinate } from './coordinate-codec.js';
import type { FieldReader } from './field-reader.js';
import { MOST_MEMBERSHIP_BYTES } from './membership-message.js';
import {
  type DocumentKind,
  MAX_ASKED_PARTS,
  MAX_DOCUMENT_BYTES,
  MAX_PARTS,
  MAX_VERDICT_REASON,
  type NetworkStateMessage,
  PART_BYTES,
  type TellDocument,
  type TellVerdict,
} from './network-message.js';
import type { PairHeartbeatMessage } from './pair-message.js';
import type {
  ClaimResultMessage,
  DhcpCarriedMessage,
  MoveClaim,
  SearchMessage,
  SiteDigest,
  WhoHasMessage,
} from './table-message.js';
import { readTrafficAsk, readTrafficPart } from './traffic-from-wire.js';
import {
  CLAIM_REASON,
  CLAIM_VERDICT,
  DOCUMENT_KIND,
  MOVE_TRIGGER,
  NETWORK_VERDICT,
  NODE_STATE,
  PAIR_ROLE,
} from './words.js';

const MAX_UINT32 = 0xffffffff;
const MAX_UINT16 = 0xffff;
const MAX_REASON = 1_000;
const MAX_WORD = 255;

const READERS: {
  readonly [Type in ControlMessage['type']]: (
    fields: FieldReader,
  ) => Extract<ControlMessage, { readonly type: Type }>;
} = {
  hello: (fields) => ({
    type: 'hello',
    routerId: fields.routerId('routerId'),
    version: fields.text('version', MAX_WORD),
    protocolMajor: fields.uint('protocolMajor', MAX_UINT16),
    protocolMinor: fields.uint('protocolMinor', MAX_UINT16),
    capabilities: fields.texts('capabilities', MAX_WORD),
    gndtDigest: fields.bytes('gndtDigest', 32),
    innerMtuBytes: fields.innerMtu('innerMtuBytes'),
  }),
  ping: (fields) => ({ type: 'ping', token: fields.id('token') }),
  pong: (fields) => ({
    type: 'pong',
    token: fields.id('token'),
    wallUs: fields.uint('wallUs', MAX_STAMP),
    coordinate: fields.optional('coordinate', readCoordinate),
  }),
  bye: (fields) => ({
    type: 'bye',
    reason: fields.text('reason', MAX_REASON),
    refusal: fields.flag('refusal'),
  }),
  seek: (fields) => ({ type: 'seek', router: fields.routerId('router') }),
  seen: (fields) => ({
    type: 'seen',
    router: fields.routerId('router'),
    ip: fields.optionalHostIp('ip'),
    port: fields.uint('port', MAX_UINT16),
  }),
  records: (fields) => ({ type: 'records', records: fields.list('records', readRecord) }),
  digest: (fields) => ({
    type: 'digest',
    highestStamp: fields.stamp('highestStamp', 0),
    count: fields.uint('count', MAX_RECORDS),
    hash: fields.uint('hash', MAX_UINT32),
  }),
  stale: (fields) => ({
    type: 'stale',
    records: fields.list('records', (record) => ({
      vnet: record.vnet('vnet'),
      ip: record.nodeIp('ip'),
      seq: record.sequence('seq'),
      router: record.routerId('router'),
    })),
  }),
  recall: () => ({ type: 'recall' }),
  returned: (fields) => ({ type: 'returned', records: fields.list('records', readRecord) }),
  whoHas: readWhoHas,
  has: (fields) => ({
    type: 'has',
    queryId: fields.id('queryId'),
    records: fields.list('records', readRecord),
  }),
  claim: (fields) => ({
    type: 'claim',
    claimId: fields.id('claimId'),
    moves: fields.list('moves', readMove),
  }),
  claimResult: (fields) => ({
    type: 'claimResult',
    claimId: fields.id('claimId'),
    results: fields.list('results', readResult),
  }),
  nodesOf: (fields) => ({
    type: 'nodesOf',
    queryId: fields.id('queryId'),
    vnet: fields.vnet('vnet'),
    prefix: fields.prefix('prefix', 'prefixLength'),
  }),
  nodes: (fields) => ({
    type: 'nodes',
    queryId: fields.id('queryId'),
    nodes: fields.list('nodes', (node) => ({ ip: node.nodeIp('ip'), mac: node.nodeMac('mac') })),
  }),
  redirect: (fields) => ({
    type: 'redirect',
    vnet: fields.vnet('vnet'),
    ip: fields.nodeIp('ip'),
    router: fields.routerId('router'),
    seq: fields.sequence('seq'),
  }),
  search: readSearch,
  dhcp: readDhcp,
  pairHeartbeat: readPairHeartbeat,
  siteActive: (fields) => ({ type: 'siteActive', term: fields.uint('term', MAX_TERM) }),
  siteActiveRefused: (fields) => ({ type: 'siteActiveRefused', term: fields.uint('term', MAX_TERM) }),
  partnerQuery: (fields) => ({ type: 'partnerQuery', queryId: fields.id('queryId') }),
  partnerAnswer: (fields) => {
    const heardAgoMs = fields.uint('heardAgoMs', MAX_HEARD_AGO_MS);
    return {
      type: 'partnerAnswer',
      queryId: fields.id('queryId'),
      heardAgoMs: fields.flag('heard') ? heardAgoMs : undefined,
      term: fields.uint('term', MAX_TERM),
    };
  },
  handOver: () => ({ type: 'handOver' }),
  partnerRecords: (fields) => ({ type: 'partnerRecords', records: fields.list('records', readRecord) }),
  partnerDigests: (fields) => ({
    type: 'partnerDigests',
    digests: fields.list('digests', readSiteDigest),
  }),
  partnerWhole: (fields) => ({ type: 'partnerWhole', ...readSiteDigest(fields) }),
  membership: (fields) => ({
    type: 'membership',
    membership: fields.bytesUpTo('membership', MOST_MEMBERSHIP_BYTES),
    admitted: fields.flag('admitted'),
  }),
  membershipDigest: (fields) => ({ type: 'membershipDigest', digest: fields.bytes('digest', 32) }),
  networkState: readNetworkState,
  networkAsk: (fields) => ({
    type: 'networkAsk',
    kind: readKind(fields),
    digest: readDigest(fields, 'digest'),
    first: fields.uint('first', MAX_PARTS - 1),
    count: fields.uint('count', MAX_ASKED_PARTS),
  }),
  networkPart: (fields) => ({
    type: 'networkPart',
    kind: readKind(fields),
    digest: readDigest(fields, 'digest'),
    part: fields.uint('part', MAX_PARTS - 1),
    content: fields.bytesUpTo('content', PART_BYTES),
  }),
  trafficAsk: readTrafficAsk,
  trafficPart: readTrafficPart,
};

export function readBody(type: ControlMessage['type'], fields: FieldReader): ControlMessage {
  return READERS[type](fields);
}

/** @param type name of a field of the envelope's `body` */
export function isBodyType(type: string): type is ControlMessage['type'] {
  return Object.hasOwn(READERS, type);
}

function readRecord(fields: FieldReader): NodeRecord {
  const record: NodeRecord = {
    vnet: fields.vnet('vnet'),
    ip: fields.nodeIp('ip'),
    mac: fields.nodeMac('mac'),
    router: fields.routerId('router'),
    seq: fields.sequence('seq'),
    state: fields.word('state', NODE_STATE, 'here'),
    stamp: fields.stamp('stamp'),
  };
  return fields.flag('frozen') ? { ...record, frozen: true } : record;
}

function readSiteDigest(fields: FieldReader): SiteDigest {
  return {
    site: fields.routerId('site'),
    highestStamp: fields.stamp('highestStamp', 0),
    count: fields.uint('count', MAX_RECORDS),
    hash: fields.uint('hash', MAX_UINT32),
  };
}

function readMove(fields: FieldReader): MoveClaim {
  const move: MoveClaim = {
    vnet: fields.vnet('vnet'),
    mac: fields.nodeMac('mac'),
    records: fields.list('records', readRecord),
    trigger: fields.flag('searched') ? 'search' : fields.word('trigger', MOVE_TRIGGER, 'operator'),
    sinceDetectionUs: fields.uint('sinceDetectionUs', MAX_SINCE_DETECTION_US),
  };
  if (!move.records.every((record) => isOfMove(record, move))) fields.refuse('bad-claim');
  if (!fields.flag('objection')) return move;
  const against = fields.optionalRouterId('against');
  return { ...move, objection: true, ...(against !== undefined && { against }) };
}

function readResult(fields: FieldReader): ClaimResultMessage['results'][number] {
  const result = {
    vnet: fields.vnet('vnet'),
    ip: fields.nodeIp('ip'),
    verdict: fields.word('verdict', CLAIM_VERDICT, 'refused'),
    reason: fields.word('reason', CLAIM_REASON, ''),
    seq: fields.sequence('seq'),
  };
  const router = fields.optionalRouterId('router');
  return router === undefined ? result : { ...result, router };
}

function readWhoHas(fields: FieldReader): WhoHasMessage {
  const mac = fields.optionalNodeMac('mac');
  const ips = fields.nodeIps('ips', MAX_ASKED_IPS);
  if ((mac === undefined) === (ips.length === 0)) fields.refuse('bad-question');
  return { type: 'whoHas', queryId: fields.id('queryId'), vnet: fields.vnet('vnet'), mac, ips };
}

function readSearch(fields: FieldReader): SearchMessage {
  const ips = fields.nodeIps('ips', MAX_SEARCHED_IPS);
  if (ips.length === 0) fields.refuse('bad-question');
  const listenSeconds = fields.uint('listenSeconds', MAX_LISTEN_SECONDS);
  return { type: 'search', vnet: fields.vnet('vnet'), mac: fields.nodeMac('mac'), ips, listenSeconds };
}

function readDhcp(fields: FieldReader): DhcpCarriedMessage {
  const carried: DhcpCarriedMessage = {
    type: 'dhcp',
    vnet: fields.vnet('vnet'),
    mac: fields.nodeMac('mac'),
    family: fields.flag('ipv6') ? 6 : 4,
    bytes: fields.bytesUpTo('message', MAX_DHCP_BYTES),
  };
  return fields.flag('routed') ? { ...carried, routed: true } : carried;
}

function readPairHeartbeat(fields: FieldReader): PairHeartbeatMessage {
  const [soundLans, lans] = [fields.uint('soundLans', MAX_LANS), fields.uint('lans', MAX_LANS)];
  if (soundLans > lans) fields.refuse('bad-number');
  return {
    type: 'pairHeartbeat',
    role: fields.word('role', PAIR_ROLE, 'standby'),
    term: fields.uint('term', MAX_TERM),
    soundLans,
    lans,
    peersUp: fields.uint('peersUp', MAX_UINT16),
    heardVrids: fields.vrids('heardVrids'),
    virtualVrids: fields.vrids('virtualVrids'),
  };
}

function readKind(fields: FieldReader): DocumentKind {
  return fields.word('kind', DOCUMENT_KIND, 'description');
}

function readDigest(fields: FieldReader, name: string): string {
  return Buffer.from(fields.bytes(name, 32)).toString('hex');
}

function readVerdict(fields: FieldReader, outcome: TellVerdict['outcome']): TellVerdict {
  return {
    outcome,
    version: fields.sequence('verdictVersion'),
    digest: readDigest(fields, 'verdictDigest'),
    reason: fields.text('reason', MAX_VERDICT_REASON),
  };
}

/** A newer router may have kinds that are not known here: those are passed over. */
function readNetworkState(fields: FieldReader): NetworkStateMessage {
  const documents = fields.list('documents', (document): TellDocument | undefined => {
    const kind = DOCUMENT_KIND.get(document.uint('kind', MAX_UINT16));
    const version = document.sequence('version');
    const digest = readDigest(document, 'digest');
    const totalBytes = document.uint('totalBytes', MAX_DOCUMENT_BYTES);
    if (totalBytes === 0) document.refuse('bad-number');
    return kind && { kind, version, digest, totalBytes };
  });
  const outcome = fields.word<TellVerdict['outcome'] | 'none'>('verdict', NETWORK_VERDICT, 'none');
  return {
    type: 'networkState',
    documents: documents.filter((document) => document !== undefined),
    trial: fields.flag('trial'),
    verdict: outcome === 'none' ? undefined : readVerdict(fields, outcome),
  };
}

/** A claim says where one node is, not that it is gone. */
function isOfMove({ vnet, mac, state }: NodeRecord, move: MoveClaim): boolean {
  return vnet === move.vnet && mac === move.mac && state === 'here';
}
