/** Counts that the workers keep and everyone may read: one Float64Array over shared memory per worker, single writer. */
import type { CounterClass, CounterTable } from '../net/counters.js';
import { EngineCounter } from './engine.js';

/** Why a packet went no further, or what became of it; its class. The order is the index. */
export const PACKET_COUNTER_CLASSES = {
  to_tunnel: 'event',
  to_lan: 'event',
  to_gateway: 'event',
  forwarded_on: 'event',
  to_client: 'event',
  held: 'event',
  relayed: 'event',
  relayed_received: 'event',
  drop_malformed: 'drop',
  drop_group_destination: 'drop',
  drop_link_local: 'drop',
  drop_source_unauthorised: 'drop',
  drop_source_elsewhere: 'drop',
  drop_source_not_peers: 'drop',
  drop_destination_unauthorised: 'drop',
  drop_no_route: 'drop',
  drop_no_gateway: 'drop',
  drop_own_address_without_tun: 'drop',
  drop_not_for_us: 'drop',
  drop_gateway_address: 'drop',
  drop_gateway_echo_rate: 'drop',
  drop_standby: 'drop',
  drop_hops_exhausted: 'drop',
  drop_ttl_expired: 'drop',
  drop_too_big: 'drop',
  drop_unresolved: 'drop',
  drop_hold_queue_full: 'drop',
  drop_not_serving: 'drop',
  drop_unknown_vnet: 'drop',
  drop_payload_unknown: 'drop',
  drop_relay_malformed: 'drop',
  drop_relay_refused: 'drop',
  drop_relay_rate: 'drop',
  drop_client_away: 'drop',
  drop_handshake_limited: 'drop',
  drop_handshake_queue_full: 'drop',
  kernel_own_address: 'event',
  report_dropped_queue_full: 'drop',
  stream_dropped_queue_full: 'drop',
  control_dropped_peer_rate: 'drop',
  control_dropped_peer_queue_full: 'drop',
  control_received: 'event',
  handshake_received: 'event',
  handshake_answered_with_cookie: 'event',
  icmp_time_exceeded_sent: 'event',
  icmp_too_big_sent: 'event',
  icmp_unreachable_sent: 'event',
  gateway_echo_answered: 'event',
  mss_clamped_syn: 'event',
  rescued: 'event',
  frames_to_others: 'event',
} as const satisfies CounterTable;

export type PacketCounter = keyof typeof PACKET_COUNTER_CLASSES;

export const PACKET_COUNTERS = Object.keys(PACKET_COUNTER_CLASSES) as readonly PacketCounter[];

/** Index of each counter. */
export const C: Readonly<Record<PacketCounter, number>> = Object.fromEntries(
  PACKET_COUNTERS.map((name, index) => [name, index]),
) as Record<PacketCounter, number>;

export function createPacketCounters(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(PACKET_COUNTERS.length * 8));
}

/** The engine's counts by class: a row for each, or it does not compile. */
const ENGINE_COUNTER_CLASSES: Readonly<Record<EngineCounterKey, CounterClass>> = {
  lanFramesReceived: 'event',
  lanBytesReceived: 'event',
  lanFramesSent: 'event',
  lanBytesSent: 'event',
  lanSendErrors: 'drop',
  lanFramesMalformed: 'drop',
  tunnelDatagramsReceived: 'event',
  tunnelBytesReceived: 'event',
  tunnelDatagramsSent: 'event',
  tunnelBytesSent: 'event',
  tunnelSendErrors: 'drop',
  messagesMalformed: 'drop',
  messagesUnknownSession: 'drop',
  messagesNotAuthentic: 'drop',
  messagesReplayed: 'drop',
  messagesExpired: 'drop',
  keepalivesReceived: 'event',
  noSession: 'drop',
  splitErrors: 'drop',
  tunnelTrainsSent: 'event',
  tunnelTrainsReceived: 'event',
  // What is in them is sent all the same, one by one.
  tunnelTrainsRefused: 'event',
  lanPacketsCoalesced: 'event',
  lanBundlesRefused: 'event',
  lanQueueDrops: 'drop',
  tunnelQueueDrops: 'drop',
  handshakesBadMac1: 'drop',
  cookieRepliesSent: 'event',
  flowHits: 'event',
  flowMisses: 'event',
  flowStale: 'event',
  flowsReplaced: 'event',
};

type EngineCounterKey = Exclude<keyof typeof EngineCounter, 'count'>;

/** Index and name of each of the engine's counts. */
export const ENGINE_COUNTERS: readonly (readonly [index: number, name: string])[] = Object.entries(
  EngineCounter,
)
  .filter(([key]) => key !== 'count')
  .map(([key, index]) => [index, nameOf(key)]);

/** All that the data plane counts. */
export const PLANE_COUNTER_CLASSES: CounterTable = {
  ...PACKET_COUNTER_CLASSES,
  ...Object.fromEntries(Object.entries(ENGINE_COUNTER_CLASSES).map(([key, is]) => [nameOf(key), is])),
};

function nameOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What is counted per vnet: offsets behind `vnet id × V.count`. Each count of bytes follows that of its packets. */
export const V = {
  packetsToTunnel: 0,
  bytesToTunnel: 1,
  packetsToLan: 2,
  bytesToLan: 3,
  count: 4,
} as const;

/** Vnet ids are 16 bits wide. Pages of vnets without packets never become memory. */
export const VNET_IDS = 65_536;

export function createVnetCounters(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(VNET_IDS * V.count * 8));
}
