import type { CounterName, CounterTable } from '../../net/counters.js';

export const LAN_COUNTERS = {
  neighbour_frames_received: 'event',
  neighbour_frames_sent: 'event',
  neighbour_send_errors: 'drop',
  'drop_neighbour_*': 'drop',
  'drop_dhcp_*': 'drop',
  capture_reopened: 'event',
  gateway_answers: 'event',
  arp_frames_over_budget_lan: 'drop',
  arp_frames_over_budget_mac: 'drop',
  /** Addresses that nobody said to have. */
  resolver_unanswered: 'event',
  /** Addresses that were not asked for: too many were being asked for. */
  resolver_refused: 'drop',
  /** Addresses that gave way to others before their last question. */
  resolver_displaced: 'drop',
} as const satisfies CounterTable;

/** Counts by name; a name that is not in the table does not compile. */
export type LanCounts = { readonly [Name in CounterName<typeof LAN_COUNTERS>]?: number };
