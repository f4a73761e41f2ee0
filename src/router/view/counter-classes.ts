/** The classes of all that is counted. Each room declares its own. */

import { PLANE_COUNTER_CLASSES } from '../../dataplane/counters.js';
import { NETWORK_COUNTERS } from '../../membership/authority.js';
import { ETCD_COUNTERS } from '../../membership/etcd/follower.js';
import { MOBILITY_COUNTERS } from '../../mobility/counters.js';
import { CounterClasses, type CounterName, type CounterTable, prefixed } from '../../net/counters.js';
import { FORWARDING_COUNTERS } from '../../tables/forwarding/forwarding-compiler.js';
import { GROWTH_COUNTERS } from '../../tables/lan-growth.js';
import { TRAFFIC_COUNTERS } from '../../traffic/asking/authority.js';
import { TUNNEL_COUNTERS } from '../../tunnel/counters.js';
import { LAN_COUNTERS } from '../lan/lan-counters.js';
import { MEMBERSHIP_COUNTERS } from '../network/memberships.js';
import { DESK_COUNTERS } from '../pair/desk-options.js';
import { VRRP_COUNTERS } from '../pair/pair-lans.js';
import { PAIR_COUNTERS } from '../pair/site-roles.js';
import { EVENT_COUNTERS } from './event-hub.js';
import { PAIR_EVENT_COUNTERS } from './pair-events.js';

/** Of the tables. */
const ROUTER_COUNTERS = { hwdt_evicted: 'drop', log_lines_lost: 'drop' } as const satisfies CounterTable;

export type RouterCounts = { readonly [Name in CounterName<typeof ROUTER_COUNTERS>]: number };

export const COUNTER_CLASSES = new CounterClasses([
  PLANE_COUNTER_CLASSES,
  LAN_COUNTERS,
  TUNNEL_COUNTERS,
  prefixed('mobility_', MOBILITY_COUNTERS),
  GROWTH_COUNTERS,
  FORWARDING_COUNTERS,
  EVENT_COUNTERS,
  NETWORK_COUNTERS,
  ETCD_COUNTERS,
  PAIR_COUNTERS,
  DESK_COUNTERS,
  VRRP_COUNTERS,
  MEMBERSHIP_COUNTERS,
  PAIR_EVENT_COUNTERS,
  TRAFFIC_COUNTERS,
  ROUTER_COUNTERS,
]);
