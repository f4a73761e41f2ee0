import type { TableConfig } from '../tables/files/parse.js';
import { siteResolver } from '../tables/sites.js';

/** Networks that are at home here although no LAN carries their vnet: allowed, but hardly meant. */
export function unusedNetworks({ router, gndt }: TableConfig): string[] {
  const self = siteResolver(gndt.sites)(router.id);
  const carried = new Set([...router.lans, ...router.tun].map(({ vnet }) => vnet));
  return gndt.vnets
    .filter(({ name, id }) => {
      const home = gndt.networks.some((network) => network.vnet === id && network.router === self);
      return home && !carried.has(name);
    })
    .map(
      ({ name }) =>
        `gndt.json gives "${router.id}" networks of vnet "${name}", but none of router.json's LANs carries it: their nodes cannot be reached`,
    );
}
