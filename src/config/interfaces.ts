/** The checks that look at the machine instead of the files: are the LAN interfaces there, whose are the addresses? */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { Ip } from '../net/ip.js';
import type { ConfigError } from '../tables/files/error.js';
import type { TableConfig } from '../tables/files/parse.js';
import { ROUTER_FILE } from '../tables/files/router-file.js';
import { didYouMean, listed } from '../tables/files/suggest.js';

/**
 * @param exists whether this machine has an interface of that name
 * @param names the interfaces there are, for the message
 */
export function checkInterfaces(
  config: Pick<TableConfig, 'router'>,
  exists: (name: string) => boolean = (name) => listInterfaces().includes(name),
  names: () => readonly string[] = listInterfaces,
): ConfigError[] {
  const errors: ConfigError[] = [];
  for (const [index, lan] of config.router.lans.entries()) {
    if (exists(lan.interface)) continue;
    const others = names().filter((name) => name !== 'lo');
    errors.push({
      file: ROUTER_FILE,
      path: `lans[${index}].interface`,
      message: `this machine has no interface "${lan.interface}"${didYouMean(lan.interface, others)}; it has ${listed(others, 30)}`,
    });
  }
  return errors;
}

/** An address that this machine's kernel answers for, whatever interface is asked (arp(7), arp_ignore). */
export interface HeldAddress {
  readonly interface: string;
  readonly address: string;
}

/** Gateway addresses are the router's: a kernel that has one would answer for it with another MAC, and take its packets. */
export function checkGatewayAddresses(
  config: Pick<TableConfig, 'router'>,
  held: readonly HeldAddress[] = heldAddresses(),
): ConfigError[] {
  const holders = new Map(held.map(({ interface: name, address }) => [Ip.parse(address)?.key, name]));
  return config.router.lans.flatMap(({ gateway = [] }, lan) =>
    gateway.flatMap((ip, i) => {
      const holder = holders.get(ip.key);
      if (holder === undefined) return [];
      const remedy = `take it away there ("ip address del ${ip}/… dev ${holder}"), or choose another one here`;
      const message = `the kernel of this machine has ${ip}, on ${holder}, and would answer for it too; ${remedy}`;
      return [{ file: ROUTER_FILE, path: `lans[${lan}].gateway[${i}]`, message }];
    }),
  );
}

export function heldAddresses(): readonly HeldAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ address }) => ({ interface: name, address: address.split('%')[0] ?? '' })),
  );
}

/**
 * The interfaces of this process's network namespace, those that are down included (which `os.networkInterfaces`
 * leaves out). Not from /sys/class/net: that shows the namespace in which /sys was mounted.
 */
export function listInterfaces(): string[] {
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .flatMap((line) => /^\s*([^\s|]+):/.exec(line)?.[1] ?? []);
}
