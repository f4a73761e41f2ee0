import { type CounterName, type CounterTable, DeclaredCounters } from '../net/counters.js';

/** All that the tunnel counts; see `net/counters`. */
export const TUNNEL_COUNTERS = {
  sessions_established: 'event',
  handshake_initiations_sent: 'event',
  handshake_responses_sent: 'event',
  handshake_cookies_received: 'event',
  handshake_send_failed: 'drop',
  'handshake_drop_*': 'drop',
  'handshake_failed_*': 'drop',
  'control_received_*': 'event',
  'control_sent_*': 'event',
  control_acks: 'event',
  control_duplicates: 'event',
  control_retransmitted: 'event',
  control_with_unknown_fields: 'event',
  control_unknown_bodies: 'event',
  control_send_failed: 'drop',
  'control_drop_*': 'drop',
  'control_dropped_*': 'drop',
  'control_refused_*': 'drop',
  client_calls: 'event',
  client_calls_answered: 'event',
  client_calls_unanswered: 'event',
  introductions_made: 'event',
  introductions_limited: 'event',
  link_stalls: 'event',
  resolver_lookups: 'event',
  resolver_answers: 'event',
  resolver_failures: 'event',
  resolver_changes: 'event',
  resolver_addresses_skipped: 'event',
  tcp_dialled: 'event',
  tcp_connected: 'event',
  tcp_accepted: 'event',
  tcp_closed: 'event',
  tcp_dial_failed: 'event',
  tcp_given_up: 'event',
} as const satisfies CounterTable;

/** Named counts, for `vinectl counters`. A name exists from its first count on; one that is in no table does not compile. */
export class Counters {
  readonly #counts = new DeclaredCounters(TUNNEL_COUNTERS);

  /** Dashes in `name` (drop reasons have them) become underscores. */
  add(name: CounterName<typeof TUNNEL_COUNTERS>, by = 1): void {
    this.#counts.count(name, by);
  }

  get(name: CounterName<typeof TUNNEL_COUNTERS>): number {
    return this.#counts.get(name);
  }

  toObject(): Readonly<Record<string, number>> {
    return this.#counts.counters();
  }
}
