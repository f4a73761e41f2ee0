/** Value types to the plain objects that protobufjs encodes (proto/vine.proto, names in camel case). */
import { type Mac, writeMac } from '../net/mac.js';
import type { NodeRecord } from '../tables/model.js';
import { MAX_SINCE_DETECTION_US } from './constants.js';
import type { ControlMessage, PongMessage } from './control-message.js';
import { coordinateToWire } from './coordinate-codec.js';
import type { Envelope } from './envelope.js';
import { DOCUMENT_KINDS, type NetworkStateMessage } from './network-message.js';
import type { MoveClaim } from './table-message.js';
import { trafficAskToWire, trafficPartToWire } from './traffic-to-wire.js';
import {
  CLAIM_REASON_NUMBER,
  CLAIM_VERDICT_NUMBER,
  MOVE_TRIGGER_NUMBER,
  NETWORK_VERDICT_NUMBER,
  NODE_STATE_NUMBER,
  PAIR_ROLE_NUMBER,
} from './words.js';

export type WireObject = Readonly<Record<string, unknown>>;

const NO_BYTES = new Uint8Array(0);

export function envelopeToWire(envelope: Envelope): WireObject {
  const { id, acks, epoch, ackEpoch, oldest, body } = envelope;
  const head = { id, acks, epoch, ackEpoch, oldest };
  // The body's field is named like the message's type.
  return body === undefined ? head : { ...head, [body.type]: bodyToWire(body) };
}

function networkStateToWire({ documents, trial, verdict }: NetworkStateMessage): WireObject {
  const told = documents.map((document) => ({
    ...document,
    kind: DOCUMENT_KINDS[document.kind],
    digest: digestToWire(document.digest),
  }));
  if (verdict === undefined) return { documents: told, trial };
  const { outcome, version, digest, reason } = verdict;
  return {
    documents: told,
    trial,
    verdict: NETWORK_VERDICT_NUMBER[outcome],
    verdictVersion: version,
    verdictDigest: digestToWire(digest),
    reason,
  };
}

function pongToWire({ token, wallUs, coordinate }: PongMessage): WireObject {
  return { token, wallUs, ...(coordinate === undefined ? {} : { coordinate: coordinateToWire(coordinate) }) };
}

function digestToWire(digest: string): Uint8Array {
  return new Uint8Array(Buffer.from(digest, 'hex'));
}

function bodyToWire(message: ControlMessage): WireObject {
  switch (message.type) {
    case 'hello':
    case 'ping':
    case 'bye':
    case 'seek':
    case 'digest':
    case 'partnerDigests':
    case 'partnerWhole':
    case 'siteActive':
    case 'siteActiveRefused':
    case 'partnerQuery':
      return { ...message };
    case 'pong':
      return pongToWire(message);
    case 'pairHeartbeat':
      return {
        ...message,
        role: PAIR_ROLE_NUMBER[message.role],
        heardVrids: Uint8Array.from(message.heardVrids),
        virtualVrids: Uint8Array.from(message.virtualVrids),
      };
    case 'partnerAnswer': {
      const { queryId, heardAgoMs, term } = message;
      return { queryId, term, ...(heardAgoMs === undefined ? {} : { heard: true, heardAgoMs }) };
    }
    case 'membership':
    case 'membershipDigest':
      return { ...message };
    case 'handOver':
      return {};
    case 'networkState':
      return networkStateToWire(message);
    case 'networkAsk':
    case 'networkPart':
      return { ...message, kind: DOCUMENT_KINDS[message.kind], digest: digestToWire(message.digest) };
    case 'trafficAsk':
      return trafficAskToWire(message);
    case 'trafficPart':
      return trafficPartToWire(message);
    case 'seen':
      return { router: message.router, ip: message.ip?.toBytes() ?? NO_BYTES, port: message.port };
    case 'recall':
      return {};
    case 'records':
    case 'returned':
    case 'partnerRecords':
      return { records: message.records.map(recordToWire) };
    case 'stale':
      return { records: message.records.map((record) => ({ ...record, ip: record.ip.toBytes() })) };
    case 'whoHas':
      return {
        queryId: message.queryId,
        vnet: message.vnet,
        mac: message.mac === undefined ? NO_BYTES : macBytes(message.mac),
        ips: message.ips.map((ip) => ip.toBytes()),
      };
    case 'has':
      return { queryId: message.queryId, records: message.records.map(recordToWire) };
    case 'claim':
      return { claimId: message.claimId, moves: message.moves.map(moveToWire) };
    case 'claimResult':
      return { claimId: message.claimId, results: message.results.map(resultToWire) };
    case 'nodesOf':
      return {
        queryId: message.queryId,
        vnet: message.vnet,
        prefix: message.prefix.address.toBytes(),
        prefixLength: message.prefix.length,
      };
    case 'nodes':
      return {
        queryId: message.queryId,
        nodes: message.nodes.map(({ ip, mac }) => ({ ip: ip.toBytes(), mac: macBytes(mac) })),
      };
    case 'search':
      return {
        vnet: message.vnet,
        mac: macBytes(message.mac),
        ips: message.ips.map((ip) => ip.toBytes()),
        listenSeconds: message.listenSeconds,
      };
    case 'redirect':
      return {
        vnet: message.vnet,
        ip: message.ip.toBytes(),
        router: message.router,
        seq: message.seq,
      };
    case 'dhcp':
      return {
        vnet: message.vnet,
        mac: macBytes(message.mac),
        ipv6: message.family === 6,
        message: message.bytes,
        ...(message.routed === true ? { routed: true } : {}),
      };
  }
}

function recordToWire(record: NodeRecord): WireObject {
  return {
    ...record,
    ip: record.ip.toBytes(),
    mac: macBytes(record.mac),
    state: NODE_STATE_NUMBER[record.state],
  };
}

function moveToWire(move: MoveClaim): WireObject {
  return {
    vnet: move.vnet,
    mac: macBytes(move.mac),
    records: move.records.map(recordToWire),
    trigger: MOVE_TRIGGER_NUMBER[move.trigger],
    // A monotonic clock may have fractions, and a captured frame's time may be a little ahead of it.
    sinceDetectionUs: Math.min(MAX_SINCE_DETECTION_US, Math.max(0, Math.round(move.sinceDetectionUs))),
    ...(move.trigger === 'search' ? { searched: true } : {}),
    ...(move.objection === true ? { objection: true } : {}),
    ...(move.objection === true && move.against !== undefined ? { against: move.against } : {}),
  };
}

function resultToWire(result: (ControlMessage & { type: 'claimResult' })['results'][number]): WireObject {
  return {
    ...result,
    ip: result.ip.toBytes(),
    verdict: CLAIM_VERDICT_NUMBER[result.verdict],
    reason: CLAIM_REASON_NUMBER[result.reason],
  };
}

function macBytes(mac: Mac): Uint8Array {
  const bytes = new Uint8Array(6);
  writeMac(mac, bytes, 0);
  return bytes;
}
