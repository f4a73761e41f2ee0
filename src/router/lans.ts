/** The router's LAN interfaces as the kernel has them. */
import { networkInterfaces } from 'node:os';
import { Ip } from '../net/ip.js';

/** The machine's own addresses on the interface, IPv4 and IPv6, link-local included; none while it is down. */
export function interfaceAddresses(name: string): readonly Ip[] {
  const entries = networkInterfaces()[name] ?? [];
  return entries.flatMap(({ address }) => Ip.parse(address.split('%')[0] ?? '') ?? []);
}
