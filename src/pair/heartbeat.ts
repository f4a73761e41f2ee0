/** What the two routers of a site tell each other and the world about who answers there (design/pairs.md). */

import type { PairRole } from '../protocol/pair-message.js';

/** The router's place in `sites[].routers` of gndt.json. */
export type Place = 0 | 1;

/**
 * `active` answers and forwards; `standby` hears and does neither; `isolated` would be active, but hears nobody and has no
 * LAN: it answers nothing, so that two never serve one LAN.
 */
export type Role = PairRole;

/** How well a router can serve. */
export interface Health {
  /** LANs with a carrier on which a host was heard within the last 10 s, of `lans`. */
  readonly soundLans: number;
  readonly lans: number;
  /** Routers of other sites with which there is a session. */
  readonly peersUp: number;
}

/** Told to the partner every 50 ms, in the session between the two. */
export interface Heartbeat {
  readonly role: Role;
  readonly term: number;
  readonly health: Health;
}

export { MAX_TERM } from '../protocol/constants.js';

/** A number from outside may exceed the one that is known by so much. */
export const TERM_STEP = 2 ** 20;
/**
 * What other sites say of this one's terms exceeds those that were said here by no more than this: far less than
 * `TERM_STEP`, so that one of them cannot make a site's routers say what the rest then take for out of range.
 */
export const LEARNT_STEP = 2 ** 10;

const LEAST_PRIORITY = 10;
const LAN_PART = 120;
const WAN_PART = 120;

/**
 * Health as one number that can be compared, and the priority of the advertisement on the LAN (RFC 9568 §5.2.4): 10 to
 * 250. All LANs and the WAN count the same.
 */
export function priorityOf({ soundLans, lans, peersUp }: Health): number {
  const lan = lans === 0 ? 1 : soundLans / lans;
  return LEAST_PRIORITY + Math.round(LAN_PART * lan) + (peersUp > 0 ? WAN_PART : 0);
}

/** Is one's LAN side worse than the other's? */
export function hasWorseLans(one: Health, other: Health): boolean {
  return one.soundLans * Math.max(1, other.lans) < other.soundLans * Math.max(1, one.lans);
}

/** Does every LAN carry? */
export function hasSoundLan({ soundLans, lans }: Health): boolean {
  return lans === 0 || soundLans > 0;
}
