/** What a bootstrap router says to a machine that hands in a membership: the set's rules, then the description's. */

import type { GndtFile } from '../tables/files/gndt-file.js';
import { type Member, withMembers } from '../tables/files/members.js';
import { type Membership, memberOf } from './membership.js';
import type { Hearing, MembershipSet, SetRefusal, SetVerdict } from './membership-set.js';

export type AdmissionRefusal =
  | SetRefusal
  | 'not-its-key'
  | 'name-taken'
  | 'key-taken'
  | 'site-exists'
  | 'endpoint-taken'
  | 'unknown-vnet'
  | 'networks-overlap';

export type Admission =
  /** `set` has it; nothing else has changed. `isKnown`: it was there before. */
  | {
      readonly is: 'admitted';
      readonly membership: Membership;
      readonly set: MembershipSet;
      readonly isKnown: boolean;
    }
  | {
      readonly is: 'refused';
      readonly why: AdmissionRefusal;
      readonly reason: string;
      readonly second?: Membership | undefined;
    };

/**
 * Judges without changing anything but which second bindings were alarmed.
 * @param from X25519 key that the machine has proven to hold
 * @param file the description, without members
 */
export function admit(
  bytes: Uint8Array,
  from: Uint8Array,
  { set, file, hearing }: { readonly set: MembershipSet; readonly file: GndtFile; readonly hearing: Hearing },
): Admission {
  const copy = set.copy();
  const verdict = copy.take(bytes, { ...hearing, isHandedIn: true });
  if (verdict.is === 'refused') return refusalIn(set, bytes, hearing, verdict);
  const { membership } = verdict;
  if (Buffer.compare(membership.binding.publicKey, from) !== 0)
    return { is: 'refused', why: 'not-its-key', reason: "the membership is another router's" };
  const member = memberOf(membership);
  // Behind all that are there: who comes later displaces nobody, whatever the order of the grants.
  const present = withMembers(file, others(set, membership)).file;
  const problem = withMembers(present, [member]).refused[0];
  if (problem !== undefined && problem.why !== 'absorbed')
    return { is: 'refused', why: problem.why, reason: problem.reason };
  return { is: 'admitted', membership, set: copy, isKnown: verdict.is === 'known' };
}

/** Asked of the set itself: it remembers of which it has warned. */
function refusalIn(
  set: MembershipSet,
  bytes: Uint8Array,
  hearing: Hearing,
  verdict: Extract<SetVerdict, { is: 'refused' }>,
): Admission {
  if (verdict.why !== 'used-by-another') return verdict;
  const again = set.take(bytes, { ...hearing, isHandedIn: true });
  return again.is === 'refused' ? again : verdict;
}

function others(set: MembershipSet, { grant }: Membership): Member[] {
  return set
    .all()
    .filter(({ membership }) => membership.grant.id !== grant.id)
    .map(({ membership }) => memberOf(membership));
}
