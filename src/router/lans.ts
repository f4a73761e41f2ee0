/** The router's LAN interfaces as the kernel has them. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { Ip } from '../net/ip.js';

/** The machine's own addresses on the interface, IPv4 and IPv6, link-local included; none while it is down. */
export function interfaceAddresses(name: string): readonly Ip[] {
  const entries = networkInterfaces()[name] ?? [];
  return entries.flatMap(({ address }) => Ip.parse(address.split('%')[0] ?? '') ?? []);
}

/** True when the kernel would itself forward what arrives on the interface, and so duplicate the router's packets. */
export function kernelForwards(name: string): boolean {
  return (
    readSysctl(`ipv4/conf/${name}/forwarding`) === '1' || readSysctl(`ipv6/conf/${name}/forwarding`) === '1'
  );
}

function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch {
    return undefined; // No IPv6, or /proc not mounted: nothing forwards that we know of.
  }
}
