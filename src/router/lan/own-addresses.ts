/** The addresses that the packet workers send ICMP errors from, kept in step with the LANs'. */
import { LanAddressTable } from '../../dataplane/lan-addresses.js';
import type { Lan, Lans } from '../../tables/lan.js';
import { sourceAddress } from '../address-words.js';

export function followOwnAddresses(lans: Lans): LanAddressTable {
  const table = LanAddressTable.create(lans.current().length);
  const write = ({ index, addresses }: Lan): void => {
    for (const family of [4, 6] as const) table.set(index, family, sourceAddress(addresses, family));
  };
  for (const lan of lans.current()) write(lan);
  lans.subscribe(write);
  return table;
}
