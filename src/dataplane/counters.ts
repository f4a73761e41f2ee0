/** Counts that the workers keep and everyone may read: one Float64Array over shared memory per worker, single writer. */

/** Why a packet went no further, or what became of it. The order is the index. */
export const PACKET_COUNTERS = [
  'to_tunnel',
  'to_lan',
  'to_gateway',
  'forwarded_on',
  'to_client',
  'held',
  'relayed',
  'relayed_received',
  'drop_malformed',
  'drop_group_destination',
  'drop_link_local',
  'drop_source_unauthorised',
  'drop_source_elsewhere',
  'drop_source_not_peers',
  'drop_destination_unauthorised',
  'drop_no_route',
  'drop_no_gateway',
  'drop_own_address_without_tun',
  'drop_not_for_us',
  'drop_hops_exhausted',
  'drop_ttl_expired',
  'drop_too_big',
  'drop_unresolved',
  'drop_hold_queue_full',
  'drop_not_serving',
  'drop_unknown_vnet',
  'drop_payload_unknown',
  'drop_relay_malformed',
  'drop_relay_refused',
  'drop_relay_rate',
  'drop_client_away',
  'drop_handshake_limited',
  'drop_handshake_queue_full',
  'kernel_own_address',
  'report_dropped_queue_full',
  'stream_dropped_queue_full',
  'control_dropped_peer_rate',
  'control_dropped_peer_queue_full',
  'control_received',
  'handshake_received',
  'handshake_answered_with_cookie',
  'icmp_time_exceeded_sent',
  'icmp_too_big_sent',
  'mss_clamped_syn',
  'rescued',
  'frames_to_others',
] as const;

export type PacketCounter = (typeof PACKET_COUNTERS)[number];

/** Index of each counter. */
export const C: Readonly<Record<PacketCounter, number>> = Object.fromEntries(
  PACKET_COUNTERS.map((name, index) => [name, index]),
) as Record<PacketCounter, number>;

export function createPacketCounters(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(PACKET_COUNTERS.length * 8));
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
