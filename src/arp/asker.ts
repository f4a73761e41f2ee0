/** What resolver, scanner and prober have in common: the LANs that they ask on, and how they send. */
import type { Clock } from '../net/clock.js';
import type { Family, Ip } from '../net/ip.js';
import { BROADCAST_MAC } from '../net/mac.js';
import type { Lan, Lans } from '../tables/lan.js';
import type { LanIndex } from '../tables/model.js';
import { probe } from './announce.js';

/** The LANs as they are when something is asked. */
export type AskingLans = Pick<Lans, 'current' | 'of' | 'get'>;

export interface AskingPorts {
  readonly clock: Clock;
  /** Puts a complete Ethernet frame on a LAN at once; keeps no reference to it. */
  sendFrame(lan: LanIndex, frame: Uint8Array): void;
}

/** The address to ask from; undefined = ask as nobody. IPv6 asks from the link-local address where there is one. */
export function ownAddress(lan: Lan, family: Family): Ip | undefined {
  const fitting = lan.addresses.filter((ip) => ip.family === family);
  return (family === 6 ? fitting.find((ip) => ip.isLinkLocal) : undefined) ?? fitting[0];
}

/** Asks everyone on the LAN. */
export function askLan(ports: AskingPorts, lan: Lan, ip: Ip, from = ownAddress(lan, ip.family)): void {
  ports.sendFrame(lan.index, probe(ip, lan.mac, BROADCAST_MAC, from));
}
