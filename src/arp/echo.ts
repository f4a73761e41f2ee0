/**
 * An echo request (RFC 4443 §4.1) to all nodes of the link, in a frame to one machine only. A host answers it from the
 * address of its own that suits the asker's, and asks for the asker first if need be: either way it shows that address.
 */
import { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { Prefix } from '../net/prefix.js';
import { createFrame, ETHERNET_HEADER_BYTES, EtherType, writeU16 } from './ethernet.js';
import { ALL_NODES, IPV6_HEADER_BYTES, icmpv6Checksum, linkLocalOf, writeIpv6Header } from './ipv6.js';

const ECHO_REQUEST = 128;
const ECHO_BYTES = 8;
/** Where a modified EUI-64 interface identifier fits. */
const MAX_PREFIX_LENGTH = 64;

/**
 * @param prefix of IPv6; the asker's address is the one that `via` would make itself in it (RFC 4862 §5.5.3)
 * @returns undefined: the prefix has no room for such an address
 */
export function echoRequestToAll(prefix: Prefix, via: Mac, to: Mac): Uint8Array | undefined {
  if (prefix.family !== 6 || prefix.length > MAX_PREFIX_LENGTH) return undefined;
  const { w0, w1 } = prefix.address;
  const { w2, w3 } = linkLocalOf(via);
  const source = Ip.v6(w0, w1, w2, w3);
  const start = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
  const bytes = createFrame(
    { destination: to, source: via, etherType: EtherType.ipv6 },
    IPV6_HEADER_BYTES + ECHO_BYTES,
  );
  const location = { source, destination: ALL_NODES, hopLimit: 1, start, length: ECHO_BYTES };
  writeIpv6Header(bytes, location);
  bytes[start] = ECHO_REQUEST;
  writeU16(bytes, start + 2, icmpv6Checksum(bytes, location));
  return bytes;
}
