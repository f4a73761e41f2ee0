/** Decoded protobuf objects to value types, every field checked. */

import type { NodeRecord } from '../tables/model.js';
import type { ControlMessage } from './control-message.js';
import type { FieldReader } from './field-reader.js';
import type { MoveClaim } from './table-message.js';
import { CLAIM_REASON, CLAIM_VERDICT, MOVE_TRIGGER, NODE_STATE } from './words.js';

const MAX_UINT32 = 0xffffffff;
const MAX_PORT = 0xffff;
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
    protocolMajor: fields.uint('protocolMajor'),
    protocolMinor: fields.uint('protocolMinor'),
    capabilities: fields.texts('capabilities', MAX_WORD),
    gndtDigest: fields.bytes('gndtDigest', 32),
    innerMtuBytes: fields.uint('innerMtuBytes'),
  }),
  ping: (fields) => ({ type: 'ping', token: fields.uint('token') }),
  pong: (fields) => ({ type: 'pong', token: fields.uint('token'), wallUs: fields.uint('wallUs') }),
  bye: (fields) => ({
    type: 'bye',
    reason: fields.text('reason', MAX_REASON),
    refusal: fields.flag('refusal'),
  }),
  seek: (fields) => ({ type: 'seek', router: fields.routerId('router') }),
  seen: (fields) => ({
    type: 'seen',
    router: fields.routerId('router'),
    ip: fields.optionalIp('ip'),
    port: fields.uint('port', MAX_PORT),
  }),
  records: (fields) => ({ type: 'records', records: fields.list('records', readRecord) }),
  digest: (fields) => ({
    type: 'digest',
    highestStamp: fields.uint('highestStamp'),
    count: fields.uint('count'),
    hash: fields.uint('hash', MAX_UINT32),
  }),
  stale: (fields) => ({
    type: 'stale',
    records: fields.list('records', (record) => ({
      vnet: record.vnet('vnet'),
      ip: record.ip('ip'),
      seq: record.uint('seq'),
      router: record.routerId('router'),
    })),
  }),
  recall: () => ({ type: 'recall' }),
  returned: (fields) => ({ type: 'returned', records: fields.list('records', readRecord) }),
  whoHas: (fields) => ({
    type: 'whoHas',
    queryId: fields.uint('queryId'),
    vnet: fields.vnet('vnet'),
    mac: fields.optionalMac('mac'),
    ips: [fields.optionalIp('ip')].filter((ip) => ip !== undefined),
  }),
  has: (fields) => ({
    type: 'has',
    queryId: fields.uint('queryId'),
    records: fields.list('records', readRecord),
  }),
  claim: (fields) => ({
    type: 'claim',
    claimId: fields.uint('claimId'),
    moves: fields.list('moves', readMove),
  }),
  claimResult: (fields) => ({
    type: 'claimResult',
    claimId: fields.uint('claimId'),
    results: fields.list('results', (result) => ({
      vnet: result.vnet('vnet'),
      ip: result.ip('ip'),
      verdict: result.word('verdict', CLAIM_VERDICT, 'refused'),
      reason: result.word('reason', CLAIM_REASON, ''),
      seq: result.uint('seq'),
    })),
  }),
  nodesOf: (fields) => ({
    type: 'nodesOf',
    queryId: fields.uint('queryId'),
    vnet: fields.vnet('vnet'),
    prefix: fields.prefix('prefix', 'prefixLength'),
  }),
  nodes: (fields) => ({
    type: 'nodes',
    queryId: fields.uint('queryId'),
    nodes: fields.list('nodes', (node) => ({ ip: node.ip('ip'), mac: node.mac('mac') })),
  }),
  redirect: (fields) => ({
    type: 'redirect',
    vnet: fields.vnet('vnet'),
    ip: fields.ip('ip'),
    router: fields.routerId('router'),
    seq: fields.uint('seq'),
  }),
};

/** @param type name of the set field of the envelope's `body`; undefined when the name is none of ours */
export function readBody(type: string, fields: FieldReader): ControlMessage | undefined {
  return isBodyType(type) ? READERS[type](fields) : undefined;
}

function isBodyType(type: string): type is ControlMessage['type'] {
  return Object.hasOwn(READERS, type);
}

function readRecord(fields: FieldReader): NodeRecord {
  const record: NodeRecord = {
    vnet: fields.vnet('vnet'),
    ip: fields.ip('ip'),
    mac: fields.mac('mac'),
    router: fields.routerId('router'),
    seq: fields.uint('seq'),
    state: fields.word('state', NODE_STATE, 'here'),
    stamp: fields.uint('stamp'),
  };
  return fields.flag('frozen') ? { ...record, frozen: true } : record;
}

function readMove(fields: FieldReader): MoveClaim {
  const move: MoveClaim = {
    vnet: fields.vnet('vnet'),
    mac: fields.mac('mac'),
    records: fields.list('records', readRecord),
    trigger: fields.word('trigger', MOVE_TRIGGER, 'operator'),
    sinceDetectionUs: fields.uint('sinceDetectionUs'),
  };
  return fields.flag('objection') ? { ...move, objection: true } : move;
}
