/** What is counted of advertisements; see `net/counters`. */
import type { CounterTable } from '../net/counters.js';
import type { AdvertisementDropReason } from './advertisement.js';

/** The words are those of RFC 8347, where it has one: operators' tools know VRRP's counters by them. */
export const ADVERTISEMENT_COUNTERS = {
  advertisements_sent: 'event',
  advertisements_received: 'event',
  /** Also among those sent and received. */
  priority_zero_sent: 'event',
  priority_zero_received: 'event',
  send_errors: 'drop',
  receive_errors: 'drop',
  /** Times that the interface went away and its sockets were opened again. */
  reopened: 'event',
  ip_header_errors: 'drop',
  ip_ttl_errors: 'drop',
  invalid_type_packets: 'drop',
  packet_length_errors: 'drop',
  checksum_errors: 'drop',
  interval_errors: 'drop',
  address_list_errors: 'drop',
  // Ordinary on a LAN that has other VRRP routers: neither is said to this router.
  version_errors: 'event',
  vrid_errors: 'event',
} as const satisfies CounterTable & Record<AdvertisementDropReason, unknown>;
