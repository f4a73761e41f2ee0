/** The router's LAN interfaces as the kernel has them. */
import { networkInterfaces } from 'node:os';
import type { Lan } from '../../mobility/ports.js';
import { Ip } from '../../net/ip.js';

/** The machine's own addresses on the interface, IPv4 and IPv6, link-local included; none while it is down. */
export function interfaceAddresses(name: string): readonly Ip[] {
  const entries = networkInterfaces()[name] ?? [];
  return entries.flatMap(({ address }) => Ip.parse(address.split('%')[0] ?? '') ?? []);
}

export function lanWarnings(lans: readonly Lan[]): string[] {
  return lans
    .filter(({ addresses }) => addresses.length === 0)
    .map(
      (lan) =>
        `${lan.interface} has no address: nodes are asked for by ARP probes only, and no ICMP errors are sent`,
    );
}
