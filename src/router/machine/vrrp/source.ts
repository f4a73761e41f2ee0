/** Which address advertisements are sent from: the machine's own on the LAN, never one of the virtual router (RFC 9568 §5.1). */
import type { Family, Ip } from '../../../net/ip.js';

/**
 * The first of an interface's addresses that serves: of IPv4 any, of IPv6 a link-local one.
 * Throws an Error that names the remedy when there is none.
 */
export function advertisementSource(name: string, family: Family, addresses: readonly Ip[]): Ip {
  const found = addresses.find((address) => isSource(address, family));
  if (found !== undefined) return found;
  const needed =
    family === 4
      ? `no IPv4 address: give it one ("ip address add ADDRESS/LENGTH dev ${name}")`
      : `no IPv6 link-local address: let it make one ("sysctl net.ipv6.conf.${name}.disable_ipv6=0" and ` +
        `"ip link set ${name} addrgenmode eui64"), or give it one ("ip address add fe80::1/64 dev ${name}")`;
  throw new Error(`VRRP advertisements need an address of ${name} to be sent from, and it has ${needed}`);
}

/** Throws an Error that names the remedy when the interface, which has `addresses`, does not have `source`, or it does not serve. */
export function checkSource(name: string, source: Ip, addresses: readonly Ip[]): void {
  const family = source.family;
  if (!isSource(source, family)) {
    const kind = family === 4 ? 'an address of the machine' : 'a link-local address';
    throw new Error(`VRRP advertisements cannot be sent from ${source}: it must be ${kind}`);
  }
  if (addresses.some((address) => address.equals(source))) return;
  const others = addresses.filter((address) => isSource(address, family));
  const has = others.length === 0 ? 'it has none' : `it has ${others.join(', ')}`;
  throw new Error(
    `${name} does not have ${source}, from which VRRP advertisements would be sent (${has}): add it there, or name another`,
  );
}

function isSource(address: Ip, family: Family): boolean {
  if (address.family !== family || address.isGroup || address.isUnspecified || address.isLoopback)
    return false;
  return family === 4 || address.isLinkLocal;
}
