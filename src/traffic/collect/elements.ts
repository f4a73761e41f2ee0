/**
 * Information elements that are looked at (IANA registry "ipfix"; NetFlow v9's field types have the same numbers, RFC 3954 §8).
 * All others are skipped by their length.
 */

/** What a field says; of each at most one counts in a record, the last. */
export type Role =
  | 'bytes'
  | 'packets'
  | 'reverseBytes'
  | 'reversePackets'
  | 'source4'
  | 'destination4'
  | 'source6'
  | 'destination6'
  | 'direction'
  | 'sampler'
  | 'oneIn'
  | 'interval'
  | 'space'
  | 'size'
  | 'population'
  | 'probability';

const ROLES: ReadonlyMap<number, Role> = new Map([
  [1, 'bytes'], // octetDeltaCount
  [2, 'packets'], // packetDeltaCount
  [8, 'source4'],
  [12, 'destination4'],
  [27, 'source6'],
  [28, 'destination6'],
  [34, 'oneIn'], // samplingInterval
  [48, 'sampler'], // samplerId
  [50, 'oneIn'], // samplerRandomInterval
  [61, 'direction'], // flowDirection: 0 ingress, 1 egress
  [302, 'sampler'], // selectorId
  [305, 'interval'], // samplingPacketInterval: packets taken one after the other
  [306, 'space'], // samplingPacketSpace: packets left out then
  [309, 'size'], // samplingSize: packets taken of a population
  [310, 'population'],
  [311, 'probability'],
]);

/** RFC 5103: elements of this enterprise are those of the registry in the other direction. */
const REVERSE_ENTERPRISE = 29_305;
const REVERSE_ROLES: ReadonlyMap<number, Role> = new Map([
  [1, 'reverseBytes'],
  [2, 'reversePackets'],
]);

const FIXED_BYTES: Partial<Record<Role, readonly number[]>> = {
  source4: [4],
  destination4: [4],
  source6: [16],
  destination6: [16],
  probability: [4, 8],
};

/** @param enterprise 0: the registry's */
export function roleOf(element: number, enterprise: number): Role | undefined {
  if (enterprise === 0) return ROLES.get(element);
  return enterprise === REVERSE_ENTERPRISE ? REVERSE_ROLES.get(element) : undefined;
}

/** Numbers may be shorter than they are in the registry (RFC 7011 §6.2). */
export function isLengthOf(role: Role, bytes: number): boolean {
  return FIXED_BYTES[role]?.includes(bytes) ?? (bytes >= 1 && bytes <= 8);
}
