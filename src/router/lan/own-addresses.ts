/** What the packet workers know of the LANs, kept in step: where ICMP errors come from, and what they are to do there. */
import { LanAddressTable } from '../../dataplane/lan-addresses.js';
import { LanRoles } from '../../dataplane/lan-roles.js';
import type { Lan, Lans } from '../../tables/lan.js';
import { sourceAddress } from '../address-words.js';

export function followOwnAddresses(lans: Lans): LanAddressTable {
  const table = LanAddressTable.create(lans.current().length);
  // A host hears of it from the address that it has sent to.
  const write = ({ index, gateway = [], addresses }: Lan): void => {
    const candidates = [...gateway, ...addresses];
    for (const family of [4, 6] as const) table.set(index, family, sourceAddress(candidates, family));
  };
  for (const lan of lans.current()) write(lan);
  lans.subscribe(write);
  return table;
}

export function followRoles(lans: Lans): LanRoles {
  const roles = LanRoles.create(lans.current().length);
  for (const { index } of lans.current()) roles.set(index, lans.role(index));
  lans.followRoles((lan, role) => roles.set(lan, role));
  return roles;
}
