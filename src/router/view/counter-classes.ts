/**
 * The classes of all that is counted. Each room declares its own; mobility's are declared here, and a test holds them
 * against its sources.
 */

import { PLANE_COUNTER_CLASSES } from '../../dataplane/counters.js';
import { CounterClasses, type CounterName, type CounterTable, prefixed } from '../../net/counters.js';
import { FORWARDING_COUNTERS } from '../../tables/forwarding-compiler.js';
import { GROWTH_COUNTERS } from '../../tables/lan-growth.js';
import { TUNNEL_COUNTERS } from '../../tunnel/counters.js';
import { LAN_COUNTERS } from '../lan/lan-counters.js';

export const MOBILITY_COUNTERS = {
  'messages_*': 'event',
  'refused_*': 'drop',
  // By what they mean, and why they mean nothing.
  'frames_*': 'event',
  proxy_answers: 'event',
  presence_probes: 'event',
  presence_probes_refused: 'drop',
  redirects_sent: 'event',
  queries_sent: 'event',
  queries_suppressed: 'event',
  records_accepted: 'event',
  records_beaten: 'event',
  records_recovered: 'event',
  records_returned: 'event',
  records_sent: 'event',
  // Beaten by one that is newer: ordinary whenever tables are compared.
  records_stale: 'event',
  'records_*': 'drop',
  claims_sent: 'event',
  'claims_accepted_*': 'event',
  claims_contradicted: 'event',
  claims_not_verified: 'drop',
  claimers_suppressed: 'event',
  confirmations_asked: 'event',
  full_answers_deferred: 'event',
  full_answers_refused: 'drop',
  'claims_refused_*': 'drop',
  'own_claims_refused_*': 'drop',
  false_claims: 'event',
  objections_received: 'event',
  departures_verified: 'event',
  moves_proposed: 'event',
  'moves_claimed_*': 'event',
  moves_learned: 'event',
  moves_in_conflict: 'event',
  moves_frozen: 'drop',
  moves_suppressed: 'drop',
  moves_not_allowed: 'drop',
  moves_not_claimed: 'drop',
  nodes_frozen: 'event',
  nodes_released: 'event',
} as const satisfies CounterTable;

/** Of the tables. */
const ROUTER_COUNTERS = { hwdt_evicted: 'drop' } as const satisfies CounterTable;

export type RouterCounts = { readonly [Name in CounterName<typeof ROUTER_COUNTERS>]: number };

export const COUNTER_CLASSES = new CounterClasses([
  PLANE_COUNTER_CLASSES,
  LAN_COUNTERS,
  TUNNEL_COUNTERS,
  prefixed('mobility_', MOBILITY_COUNTERS),
  GROWTH_COUNTERS,
  FORWARDING_COUNTERS,
  ROUTER_COUNTERS,
]);
