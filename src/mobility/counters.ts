import { type CounterName, type CounterTable, DeclaredCounters } from '../net/counters.js';

/** All that mobility counts; see `net/counters`. */
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
  records_disowned: 'event',
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
  partner_records_sent: 'event',
  partner_records_applied: 'event',
  partner_answers: 'event',
  partner_surplus_dropped: 'event',
  // When a router that has stood by takes over.
  heard_asked: 'event',
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
  moves_too_many: 'drop',
  moves_not_allowed: 'drop',
  moves_not_claimed: 'drop',
  nodes_frozen: 'event',
  nodes_released: 'event',
  nodes_doubted: 'event',
  nodes_missing: 'event',
  nodes_found: 'event',
  searches: 'event',
  // The node is searched for when it is wanted again.
  searches_delayed: 'event',
  searches_sent: 'event',
  searches_received: 'event',
  searches_not_allowed: 'event',
  searches_refused: 'drop',
  sought_asked: 'event',
  unheard_asked: 'event',
  // Seen on a LAN, of nodes that are not visiting.
  dhcp_of_others: 'event',
  'dhcp_carried_*': 'event',
  // Put on a home LAN for servers; handed to nodes.
  dhcp_asked: 'event',
  dhcp_delivered: 'event',
  dhcp_routed: 'event',
  dhcp_answered: 'event',
  'dhcp_drop_*': 'drop',
} as const satisfies CounterTable;

/** Named counts. What operators and metrics see has `mobility_` before it; a name that is in no table does not compile. */
export class Counters {
  readonly #counts = new DeclaredCounters(MOBILITY_COUNTERS);

  count(name: CounterName<typeof MOBILITY_COUNTERS>, by = 1): void {
    this.#counts.count(name, by);
  }

  view(): Readonly<Record<string, number>> {
    const counts = Object.entries(this.#counts.counters());
    return Object.fromEntries(counts.map(([name, value]) => [`mobility_${name}`, value]));
  }
}
