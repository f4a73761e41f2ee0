/**
 * The memberships that a router has taken: one grant, one binding.
 *
 * The routers that a grant names as bootstrap routers say what it was used for; of two that have admitted different
 * machines at the same time the one that stands first in the grant is right. So all routers that hear both come to the same,
 * in whatever order they hear them, and nobody can choose a binding that wins. Only who has admitted a machine itself counts
 * so: what others have heard of it is believed while the grant has not expired, and until one is heard who has.
 * (If what a bootstrap router has only heard had its rank too, two of them could go on changing each other's mind.)
 *
 *   a grant that is            unexpired               expired
 *   heard from who admitted it taken                   taken: it was admitted in time, or that router lies
 *   heard from another         taken, of lowest rank   refused
 *   handed in here             taken                   refused
 */
import { createHash } from 'node:crypto';
import { decodeMembership, type Forgery, forgeryIn, type Membership } from './membership.js';

/** As many as there can be routers. */
export const MOST_MEMBERSHIPS = 4096;
/** Behind every bootstrap router's. */
export const HEARSAY = 3;
/** So many second bindings are remembered, so that each is alarmed once. */
const MOST_ALARMS = 64;

export interface HeldMembership {
  readonly membership: Membership;
  /** Position in the grant of the bootstrap router that has admitted it; `HEARSAY`: none has said so. The least one counts. */
  readonly rank: number;
}

/** What a membership is judged by. */
export interface Hearing {
  /** Unix time in seconds. */
  readonly nowS: number;
  /** The network's present public keys. */
  readonly networkKeys: readonly Uint8Array[];
  /** Ids of grants. */
  readonly revoked: ReadonlySet<string>;
  /** Public key of the router that says it. */
  readonly speaker: Uint8Array;
  /** It says that it has admitted the machine itself; else it has only heard of it. */
  readonly isAdmission?: boolean;
  /** The machine itself has handed it in here, and `speaker` is this router. */
  readonly isHandedIn?: boolean;
}

export type SetRefusal =
  | 'malformed'
  | Forgery
  | 'revoked'
  | 'expired'
  | 'not-bootstrap'
  | 'used-by-another'
  | 'too-many';

export type SetVerdict =
  | { readonly is: 'known'; readonly membership: Membership }
  | { readonly is: 'new'; readonly membership: Membership }
  /** `before` was taken of the same grant; a router that is nearer to the truth says otherwise. */
  | { readonly is: 'replaced'; readonly membership: Membership; readonly before: Membership }
  | {
      readonly is: 'refused';
      readonly why: SetRefusal;
      readonly reason: string;
      /** Set for a second binding that was not heard of before: somebody else has used the token. */
      readonly second?: Membership | undefined;
    };

export class MembershipSet {
  /** By grant. */
  #held = new Map<string, HeldMembership>();
  readonly #alarmed = new Set<string>();
  #digest: Uint8Array | undefined;

  constructor(held: Iterable<HeldMembership> = []) {
    for (const one of held) this.#held.set(one.membership.grant.id, one);
  }

  get size(): number {
    return this.#held.size;
  }

  /** In the order of their grants. */
  all(): HeldMembership[] {
    return [...this.#held].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, held]) => held);
  }

  get(grant: string): HeldMembership | undefined {
    return this.#held.get(grant);
  }

  /** SHA-256 of all memberships' ids in order: equal exactly when the sets are. */
  get digest(): Uint8Array {
    if (this.#digest === undefined) {
      const hash = createHash('sha256');
      for (const { membership } of this.all()) hash.update(membership.id, 'hex');
      this.#digest = new Uint8Array(hash.digest());
    }
    return this.#digest;
  }

  copy(): MembershipSet {
    return new MembershipSet(this.#held.values());
  }

  /** Judges a membership and takes it if it may. Never throws for what is in it. */
  take(bytes: Uint8Array, hearing: Hearing): SetVerdict {
    const membership = decodeMembership(bytes);
    if (typeof membership === 'string') return { is: 'refused', why: 'malformed', reason: membership };
    const { grant } = membership;
    if (hearing.revoked.has(grant.id))
      return { is: 'refused', why: 'revoked', reason: 'the token is revoked; ask for another' };
    const held = this.#held.get(grant.id);
    const position = grant.bootstraps.findIndex((key) => Buffer.compare(key, hearing.speaker) === 0);
    const isFirstHand = hearing.isHandedIn === true || hearing.isAdmission === true;
    const rank = isFirstHand && position >= 0 ? position : HEARSAY;
    if (held?.membership.id === membership.id) {
      if (rank < held.rank) this.#held.set(grant.id, { membership: held.membership, rank });
      return { is: 'known', membership: held.membership };
    }
    const objection = this.#objection(membership, rank, hearing);
    if (objection !== undefined) return { is: 'refused', ...objection };
    if (held !== undefined && (hearing.isHandedIn === true || rank >= held.rank))
      return this.#second(held.membership, membership);
    if (held === undefined && this.#held.size >= MOST_MEMBERSHIPS)
      return { is: 'refused', why: 'too-many', reason: `${MOST_MEMBERSHIPS} routers have joined already` };
    this.#held.set(grant.id, { membership, rank });
    this.#digest = undefined;
    if (held === undefined) return { is: 'new', membership };
    return { is: 'replaced', membership, before: held.membership };
  }

  /** Lets go of those. @returns them */
  drop(isDropped: (membership: Membership) => boolean): Membership[] {
    const dropped = [...this.#held.values()].filter(({ membership }) => isDropped(membership));
    for (const { membership } of dropped) this.#held.delete(membership.grant.id);
    if (dropped.length > 0) this.#digest = undefined;
    return dropped.map(({ membership }) => membership);
  }

  #objection(
    membership: Membership,
    rank: number,
    { nowS, networkKeys, isHandedIn = false }: Hearing,
  ): { readonly why: SetRefusal; readonly reason: string } | undefined {
    const forgery = forgeryIn(membership, networkKeys);
    if (forgery === 'unknown-network-key')
      return { why: forgery, reason: "the token was not signed by this network's key" };
    if (forgery !== undefined)
      return { why: forgery, reason: 'the binding was not signed with the one-time key of its token' };
    const { expiresS } = membership.grant;
    if (isHandedIn && rank === HEARSAY)
      return { why: 'not-bootstrap', reason: 'the token does not name this router; ask one that it names' };
    if (nowS >= expiresS && (isHandedIn || rank === HEARSAY)) {
      const [expiry, now] = [expiresS, nowS].map((s) => new Date(s * 1000).toISOString());
      return { why: 'expired', reason: `the token expired at ${expiry}; here it is ${now}; ask for another` };
    }
    return undefined;
  }

  #second(held: Membership, second: Membership): SetVerdict {
    const isNew = !this.#alarmed.has(second.id);
    if (isNew && this.#alarmed.size < MOST_ALARMS) this.#alarmed.add(second.id);
    return {
      is: 'refused',
      why: 'used-by-another',
      reason: `the token was used by another router already, "${held.binding.router}" (key ${Buffer.from(held.binding.publicKey).toString('base64')}); ask for another, and revoke this one if you do not know that router`,
      ...(isNew ? { second } : {}),
    };
  }
}
