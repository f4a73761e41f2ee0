/** The router's LAN interfaces as the kernel has them. */
import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { Ip } from '../../net/ip.js';
import { type Mac, parseMac } from '../../net/mac.js';
import type { Lan } from '../../tables/lan.js';

export interface InterfaceState {
  /** Undefined: there is no such interface now. */
  readonly mac: Mac | undefined;
  /** The machine's own, IPv4 and IPv6, link-local included. Undefined: it is down, and they cannot be told. */
  readonly addresses: readonly Ip[] | undefined;
}

/** What the kernel is asked; other than its own only in tests. */
export interface InterfaceSources {
  /** As `networkInterfaces` of node:os: only what is up and has an address. */
  readonly list: () => NodeJS.Dict<readonly Pick<NetworkInterfaceInfo, 'address' | 'mac'>[]>;
  /**
   * A file of /sys/class/net/NAME; undefined when it cannot be read. It may be of another network namespace, that in which /sys was
   * mounted: what `list` says comes first.
   */
  readonly read: (name: string, file: 'address' | 'operstate') => string | undefined;
}

const KERNEL: InterfaceSources = {
  list: networkInterfaces,
  read: (name, file) => {
    try {
      return readFileSync(`/sys/class/net/${name}/${file}`, 'latin1').trim();
    } catch {
      return undefined;
    }
  },
};

/** In the order of the names. */
export function readInterfaces(
  names: readonly string[],
  sources: InterfaceSources = KERNEL,
): readonly InterfaceState[] {
  const all = Object.entries(sources.list());
  return names.map((name) => {
    // An IPv4 address with a label of its own (eth0:web) is listed under that.
    const listed = all.flatMap(([label, entries = []]) =>
      label === name || label.startsWith(`${name}:`) ? entries : [],
    );
    const addresses = listed.flatMap(({ address }) => Ip.parse(address.split('%')[0] ?? '') ?? []);
    const isUp = addresses.length > 0 || ['up', 'unknown'].includes(sources.read(name, 'operstate') ?? '');
    const mac = listed[0]?.mac ?? sources.read(name, 'address') ?? '';
    return { mac: parseMac(mac), addresses: isUp ? addresses : undefined };
  });
}

export function lanWarnings(lans: readonly Lan[]): string[] {
  return lans
    .filter(({ addresses }) => addresses.length === 0)
    .map(({ interface: name, gateway = [] }) => {
      const noErrors = gateway.length === 0 ? ', and no ICMP errors are sent' : '';
      return `${name} has no address: nodes are asked for by ARP probes only${noErrors}`;
    });
}
