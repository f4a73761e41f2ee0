/** How routers tell each other who has joined with a token. Both are said until acknowledged. */

/** With all that is around it it fits in one control message. */
export const MOST_MEMBERSHIP_BYTES = 953;

/** "This router belongs." */
export interface OneMembershipMessage {
  readonly type: 'membership';
  /** As `src/membership/membership` has it; 1 … MOST_MEMBERSHIP_BYTES bytes. */
  readonly membership: Uint8Array;
  /** The sender has admitted it itself. */
  readonly admitted: boolean;
}

/** "These are all that I have." */
export interface MembershipDigestMessage {
  readonly type: 'membershipDigest';
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

export type MembershipMessage = OneMembershipMessage | MembershipDigestMessage;
