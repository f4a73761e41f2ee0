/** What the kernel lets through to the sensor (pcap-filter(7)). */
import type { Prefix } from '../net/prefix.js';

/** A longer program is not taken by the kernel. */
const MOST_LINKS = 64;

/** IP packets between two addresses of one link. */
export function sensorFilter(links: readonly Prefix[]): string {
  const on = ({ family, key }: Prefix): string =>
    `(${family === 4 ? 'ip' : 'ip6'} and src net ${key} and dst net ${key})`;
  const all = '(ip or ip6)';
  const wanted = links.length > MOST_LINKS ? all : links.map(on).join(' or ');
  // The kernel has taken a tag off the frame before; libpcap knows. Last: what comes behind `vlan` would be looked for behind a tag.
  return `(${wanted}) and not ether multicast and not vlan`;
}
