/** What a site's router knows of the pair, what happens to it, and what it does then (`role.ts`). */
import type { Health, Heartbeat, Place, Role } from './heartbeat.js';

/** Default of `failover.deadMs`. */
export const DEAD_MS = 250;

export type Cause =
  | 'silence'
  | 'nobody-active'
  | 'better-health'
  | 'order'
  | 'hand-over'
  | 'higher-term'
  | 'same-term'
  | 'isolation'
  | 'isolation-over';

export type PairEvent =
  /** Every 25 ms. `heardOther`: a router of another site was heard since the last one. */
  | {
      readonly type: 'tick';
      readonly health: Health;
      readonly heardOther: boolean;
      /** Routers of other sites that can be asked, and the round trip to the nearest. */
      readonly witnesses: number;
      readonly nearestRttMs: number;
    }
  /** The partner's, from the session. */
  | { readonly type: 'heartbeat'; readonly heartbeat: Heartbeat }
  /** An advertisement of this LAN's VRID, from another machine: who sends one is active. @see RFC 9568 §5.2.4 */
  | { readonly type: 'advertisement'; readonly priority: number }
  /**
   * A router of another site to question `id`: how long ago it heard the partner as active, undefined if it never did; and
   * the highest term that it knows for the site.
   */
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly heardAgoMs: number | undefined;
      readonly term: number;
    }
  /** A router of another site, told that this one is active, follows this term, as high or higher. */
  | { readonly type: 'refused'; readonly term: number }
  /** The partner wants this router to be active. */
  | { readonly type: 'hand-over' }
  | { readonly type: 'order'; readonly role: 'active' | 'standby' };

export type PairAction =
  | { readonly do: 'store'; readonly term: number }
  | { readonly do: 'become'; readonly role: Role; readonly term: number; readonly cause: Cause }
  /** Tell all routers: this one is active. */
  | { readonly do: 'tell-role'; readonly term: number }
  /** Gratuitous ARP and unsolicited advertisements on all LANs. */
  | { readonly do: 'announce' }
  | { readonly do: 'heartbeat'; readonly heartbeat: Heartbeat }
  | { readonly do: 'advertise'; readonly priority: number }
  | { readonly do: 'ask'; readonly id: number }
  | { readonly do: 'hand-over' }
  | { readonly do: 'refuse'; readonly why: 'no-partner' | 'partner-unfit' };

/** Answers to the question that is open. */
export interface Inquiry {
  readonly id: number;
  readonly asked: number;
  readonly hears: number;
  readonly deaf: number;
  readonly waitedMs: number;
  readonly waitMs: number;
}

export interface PairState {
  readonly place: Place;
  readonly deadMs: number;
  readonly role: Role;
  /** The highest that is known. */
  readonly term: number;
  /** The highest that is on disk: said by this router or by its partner. */
  readonly storedTerm: number;
  readonly health: Health;
  readonly tickedMs: number | undefined;
  readonly beatMs: number;
  /** Since the partner was heard at all in the session, as active on any way, as active on the LAN; without own stalls. */
  readonly unheardMs: number;
  readonly inactiveMs: number;
  readonly unadvertisedMs: number;
  /** Since the partner or a router of another site was heard. */
  readonly deafMs: number;
  /** What the partner said last; undefined when it never did. */
  readonly partner: Heartbeat | undefined;
  /** Of its last advertisement. */
  readonly priority: number | undefined;
  /** How long this router's health has been better than the active one's. */
  readonly betterMs: number;
  /** The partner is active too, or has been and has not stood down yet. */
  readonly contested: boolean;
  /** How long other sites have followed a higher term than this active router's. */
  readonly refusedMs: number | undefined;
  readonly inquiry: Inquiry | undefined;
  readonly asked: number;
  readonly sinceAskedMs: number;
}

export interface Step {
  readonly state: PairState;
  readonly actions: readonly PairAction[];
}

export const NO_HEALTH: Health = { soundLans: 0, lans: 0, peersUp: 0 };

/** @param term the one on disk, 0 when there is none */
export function initialState(place: Place, term: number, deadMs = DEAD_MS): PairState {
  return {
    place,
    deadMs,
    role: 'standby',
    term,
    storedTerm: term,
    health: NO_HEALTH,
    tickedMs: undefined,
    beatMs: 0,
    unheardMs: 0,
    inactiveMs: 0,
    unadvertisedMs: 0,
    deafMs: 0,
    partner: undefined,
    priority: undefined,
    betterMs: 0,
    contested: false,
    refusedMs: undefined,
    inquiry: undefined,
    asked: 0,
    sinceAskedMs: 0,
  };
}
