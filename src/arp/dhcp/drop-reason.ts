/** Why a captured or a carried DHCP message is not used. The list serves counters: each reason has one. */
export const DHCP_DROP_REASONS = [
  'udp-too-short',
  'udp-ip-version',
  'udp-ip-length',
  'udp-ip-checksum',
  'udp-fragment',
  'udp-other-protocol',
  'udp-source',
  'udp-length',
  'udp-checksum',
  'ports',
  'too-short',
  'too-long',
  'operation',
  'hardware',
  'chaddr',
  'cookie',
  'option-length',
  'option-repeated',
  'type',
] as const;

export type DhcpDropReason = (typeof DHCP_DROP_REASONS)[number];
