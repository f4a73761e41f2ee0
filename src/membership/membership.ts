/**
 * A membership: a grant and the binding that used it. Every router checks it by itself; nobody need be asked.
 *
 *   version 1 | length of the grant 2 | grant | binding        (at most 953 bytes: with all that is around it, one control message)
 *
 * Its id is the SHA-256 of all its bytes. Expiry is not looked at here: who may admit an expired one is `membership-set`'s.
 */
import { createHash } from 'node:crypto';
import type { Member } from '../tables/files/members.js';
import { type Binding, decodeBinding, isBoundBy, MOST_BINDING_BYTES } from './binding.js';
import { FieldReader, FieldWriter } from './byte-fields.js';
import { decodeGrant, type Grant, isGrantedBy, MOST_GRANT_BYTES } from './grant.js';

const VERSION = 1;
export const MOST_MEMBERSHIP_BYTES = 3 + MOST_GRANT_BYTES + MOST_BINDING_BYTES;

export interface Membership {
  /** SHA-256 of the bytes, in hexadecimal. */
  readonly id: string;
  readonly grant: Grant;
  readonly binding: Binding;
  readonly bytes: Uint8Array;
}

/** @param grant @param binding encoded, each within its bounds */
export function joinMembership(grant: Uint8Array, binding: Uint8Array): Uint8Array {
  return new FieldWriter().u8(VERSION).u16(grant.length).bytes(grant).bytes(binding).done();
}

/** The membership, its signatures not looked at; or what is wrong. Keeps no view of the input. */
export function decodeMembership(bytes: Uint8Array): Membership | string {
  if (bytes.length > MOST_MEMBERSHIP_BYTES) return `a membership of ${bytes.length} bytes`;
  const reader = new FieldReader(bytes);
  reader.u8('version', VERSION, VERSION);
  const grantBytes = reader.bytes(reader.u16('length of the grant', 1, MOST_GRANT_BYTES), 'grant');
  if (reader.problem !== undefined) return reader.problem;
  const grant = decodeGrant(grantBytes);
  if (typeof grant === 'string') return grant;
  const binding = decodeBinding(bytes.subarray(reader.position));
  if (typeof binding === 'string') return binding;
  const own = Uint8Array.from(bytes);
  return { id: createHash('sha256').update(own).digest('hex'), grant, binding, bytes: own };
}

export type Forgery = 'unknown-network-key' | 'not-bound';

/** What of its signatures does not hold; undefined: both do. */
export function forgeryIn(
  { grant, binding }: Membership,
  networkKeys: readonly Uint8Array[],
): Forgery | undefined {
  if (!isGrantedBy(grant, networkKeys)) return 'unknown-network-key';
  return isBoundBy(grant, binding) ? undefined : 'not-bound';
}

/** As the network's description takes it. */
export function memberOf({ grant, binding }: Membership): Member {
  return {
    grant: grant.id,
    router: binding.router,
    publicKey: binding.publicKey,
    endpoints: binding.endpoints,
    site: grant.site,
    networks: grant.networks.map(({ vnet, prefix }) => ({
      vnet: grant.vnets[vnet] ?? { id: 0, name: '' },
      prefix,
    })),
  };
}
