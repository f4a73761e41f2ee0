/**
 * With which MAC a LAN is served: the interface's own, or a virtual one that whoever serves the LAN takes over (RFC 9568
 * §7.3). Of one number there are two, because each family's protocol has its own.
 */
import type { Family, Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { LanConfig, VnetId } from './model.js';

/** The number of a virtual router on its LAN (RFC 9568 §5.2.3). */
export const MAX_VRID = 255;
export const MOST_GATEWAYS = 8;

/** 00:00:5e:00:01 and 00:00:5e:00:02. */
const VIRTUAL_4 = 0x00005e0001;
const VIRTUAL_6 = 0x00005e0002;

/** What of a LAN says how it is served; `Lan` fits. */
export interface Served {
  /** The interface's own MAC. */
  readonly mac: Mac;
  /** Addresses that the router itself answers for. */
  readonly gateway?: readonly Ip[];
  /** Undefined: it is served with the interface's own MAC. */
  readonly vrid?: number;
}

/** 00:00:5e:00:01:VRID, for IPv6 00:00:5e:00:02:VRID. */
export function virtualMac(vrid: number, family: Family): Mac {
  return ((family === 4 ? VIRTUAL_4 : VIRTUAL_6) * 0x100 + vrid) as Mac;
}

/** Is it one of anybody's? */
export function isVirtualMac(mac: Mac): boolean {
  const range = Math.floor(mac / 0x100);
  return range === VIRTUAL_4 || range === VIRTUAL_6;
}

/** The MAC that hosts of the LAN reach the router by, and that all comes from which it sends for the overlay. */
export function servingMac({ mac, vrid }: Served, family: Family): Mac {
  return vrid === undefined ? mac : virtualMac(vrid, family);
}

/** Every MAC that is this router on the LAN. */
export function macsOf({ mac, vrid }: Served): readonly Mac[] {
  return vrid === undefined ? [mac] : [mac, virtualMac(vrid, 4), virtualMac(vrid, 6)];
}

/** Is it one of the addresses that the router itself answers for on this LAN? */
export function isGatewayAddress({ gateway }: Pick<Served, 'gateway'>, ip: Ip): boolean {
  return gateway?.some((own) => own.equals(ip)) === true;
}

/**
 * @param site whose routers all come to the same number
 * @returns undefined: the LAN is served with the interface's own MAC
 */
export function vridOf(
  { gateway = [], mac, vrid }: Pick<LanConfig, 'gateway' | 'mac' | 'vrid'>,
  vnet: VnetId,
  site: string,
): number | undefined {
  const isVirtual = mac === undefined ? gateway.length > 0 : mac === 'virtual';
  return isVirtual ? (vrid ?? defaultVrid(vnet, site)) : undefined;
}

/** FNV-1a over the vnet's number and the site's id: spread over the range, and the same wherever it is computed. */
export function defaultVrid(vnet: VnetId, site: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${vnet} ${site}`))
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return 1 + (hash % MAX_VRID);
}
