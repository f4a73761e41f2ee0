/** What the two routers of a site tell each other, and the other sites, about who is active (design/pairs.md). Each is sent once. */

/** @see src/pair/heartbeat */
export type PairRole = 'active' | 'standby' | 'isolated';

/** To the partner, every 50 ms: that it lives, what it is, how well it could serve. */
export interface PairHeartbeatMessage {
  readonly type: 'pairHeartbeat';
  readonly role: PairRole;
  /** 0 to `MAX_TERM`. */
  readonly term: number;
  /** LANs that carry, of `lans`. */
  readonly soundLans: number;
  readonly lans: number;
  readonly peersUp: number;
  /** LANs by VRID (`vridSet`): where advertisements of the receiver are heard, and where frames of the virtual MAC are. */
  readonly heardVrids: readonly number[];
  readonly virtualVrids: readonly number[];
}

/** To all: the sender is active for its site, since this term. */
export interface SiteActiveMessage {
  readonly type: 'siteActive';
  readonly term: number;
}

/** The answer when another router of that site is followed, in a term as high or higher. */
export interface SiteActiveRefusedMessage {
  readonly type: 'siteActiveRefused';
  readonly term: number;
}

/** "How long ago did you hear my partner as active?" */
export interface PartnerQueryMessage {
  readonly type: 'partnerQuery';
  readonly queryId: number;
}

export interface PartnerAnswerMessage {
  readonly type: 'partnerAnswer';
  readonly queryId: number;
  /** Milliseconds, at most `MAX_HEARD_AGO_MS`; undefined: never. */
  readonly heardAgoMs: number | undefined;
  /** The highest that the sender knows for the site. */
  readonly term: number;
}

/** To the partner: be active. */
export interface HandOverMessage {
  readonly type: 'handOver';
}

export type PairMessage =
  | PairHeartbeatMessage
  | SiteActiveMessage
  | SiteActiveRefusedMessage
  | PartnerQueryMessage
  | PartnerAnswerMessage
  | HandOverMessage;
