/** Tokens and memberships with keys that tests know. */
import { derivePublicKey } from '../../src/config/keys.js';
import { createBinding } from '../../src/membership/binding.js';
import { createGrant, decodeGrant, type Grant, type GrantTerms } from '../../src/membership/grant.js';
import { decodeMembership, joinMembership, type Membership } from '../../src/membership/membership.js';
import { publicKeyOf } from '../../src/membership/signature.js';
import { encodeToken } from '../../src/membership/token.js';
import { Prefix } from '../../src/net/prefix.js';
import { readEndpoint } from '../../src/tables/files/read.js';
import type { RouterEndpoint } from '../../src/tables/model.js';

/** 2026-01-01T00:00:00Z. */
export const EXPIRES_S = 1_767_225_600;

/** 32 equal bytes: a seed or private key that no one else has. */
export function secret(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

export const NETWORK_SEED = secret(1);
export const NETWORK_KEY = publicKeyOf(NETWORK_SEED);

/** X25519 key of a router. */
export function routerKey(byte: number): Uint8Array {
  return derivePublicKey(secret(byte));
}

export const BOOTSTRAPS = [101, 102, 103].map(routerKey);

export function endpointOf(text: string): RouterEndpoint {
  const read = readEndpoint(text);
  if ('problem' in read) throw new Error(read.problem);
  return read.value;
}

/** @param number of the token: nonce, one-time key, site and network follow from it */
export function grantTerms(number = 3, changes: Partial<GrantTerms> = {}): GrantTerms {
  return {
    expiresS: EXPIRES_S,
    nonce: new Uint8Array(16).fill(number),
    oneTimeKey: publicKeyOf(secret(number)),
    site: `site-${number}`,
    vnets: [{ id: 7, name: 'blue' }],
    networks: [{ vnet: 0, prefix: Prefix.of(`10.${number}.0.0/24`) }],
    bootstraps: BOOTSTRAPS,
    ...changes,
  };
}

export function whole<T>(made: T | string): T {
  if (typeof made === 'string') throw new Error(made);
  return made;
}

export interface TokenChanges {
  readonly terms?: Partial<GrantTerms>;
  readonly networkSeed?: Uint8Array;
}

export function grantBytes(
  number = 3,
  { terms = {}, networkSeed = NETWORK_SEED }: TokenChanges = {},
): Uint8Array {
  return bytesOf(createGrant(grantTerms(number, terms), networkSeed));
}

export function grant(number = 3, changes: TokenChanges = {}): Grant {
  return whole(decodeGrant(grantBytes(number, changes)));
}

export interface MembershipChanges extends TokenChanges {
  readonly router?: string;
  readonly publicKey?: Uint8Array;
  readonly endpoints?: readonly string[];
  readonly oneTimeSeed?: Uint8Array;
}

export function membershipBytes(number = 3, changes: MembershipChanges = {}): Uint8Array {
  const { router = `vr-${number}`, publicKey = routerKey(number), endpoints = [] } = changes;
  const terms = { router, publicKey, endpoints: endpoints.map(endpointOf) };
  const binding = createBinding(grant(number, changes), terms, changes.oneTimeSeed ?? secret(number));
  return joinMembership(grantBytes(number, changes), bytesOf(binding));
}

export function membership(number = 3, changes: MembershipChanges = {}): Membership {
  return whole(decodeMembership(membershipBytes(number, changes)));
}

export function tokenLine(
  number = 3,
  changes: TokenChanges & { readonly oneTimeSeed?: Uint8Array } = {},
): string {
  return encodeToken({
    grantBytes: grantBytes(number, changes),
    oneTimeSeed: changes.oneTimeSeed ?? secret(number),
    networkKey: NETWORK_KEY,
    cipher: 'chacha20-poly1305',
    bootstraps: (changes.terms?.bootstraps ?? BOOTSTRAPS).map((publicKey, i) => ({
      router: `vr-${'abc'[i]}`,
      publicKey,
      endpoints: [endpointOf(`udp://192.0.2.${i + 1}:7700`)],
    })),
  });
}

function bytesOf(made: Uint8Array | string): Uint8Array {
  if (typeof made === 'string') throw new Error(made);
  return made;
}
