/** What a schema cannot say of lndt.json, alone and beside the other files. */
import type { Prefix } from '../../net/prefix.js';
import { siteResolver } from '../sites.js';
import { ErrorList, repeats } from './check-support.js';
import type { ConfigError } from './error.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';
import { LNDT_FILE, type LndtFile } from './lndt-file.js';
import { listed } from './suggest.js';

/** The checks that need lndt.json alone. */
export function checkLndt(file: LndtFile): ConfigError[] {
  const list = new ErrorList(LNDT_FILE);
  for (const { item, index, first } of repeats(file.nodes, ({ vnet, ip }) => `${vnet} ${ip}`)) {
    const node = item.ip.isHost ? item.ip.address : item.ip;
    const samePin = item.mac === file.nodes[first]?.mac;
    const advice = samePin ? 'leave one of them out' : 'an address can be pinned to one MAC only';
    list.add(`nodes[${index}].ip`, `${node} of vnet "${item.vnet}" is nodes[${first}] already; ${advice}`);
  }
  return list.errors;
}

/** Vnets that must exist, and addresses that must be at home at this router. */
export function checkLndtAgainstGndt(
  file: LndtFile,
  gndt: GndtFile,
  self: string | undefined,
): ConfigError[] {
  const list = new ErrorList(LNDT_FILE);
  const vnetNames = gndt.vnets.map(({ name }) => name);
  for (const [index, { vnet }] of file.nodes.entries()) {
    list.reference(`nodes[${index}].vnet`, vnet, 'vnet', vnetNames, GNDT_FILE);
  }
  // Without a router that gndt.json knows, every entry would be wrong for that one reason.
  if (self !== undefined && gndt.routers.some(({ id }) => id === self)) checkHome(file, gndt, self, list);
  return list.errors;
}

function checkHome(file: LndtFile, gndt: GndtFile, self: string, list: ErrorList): void {
  const homes = new Map(gndt.vnets.map(({ name }): [string, Prefix[]] => [name, []]));
  const siteOf = siteResolver(gndt.sites);
  for (const { vnet, router, prefix } of gndt.networks)
    if (siteOf(router) === siteOf(self)) homes.get(vnet)?.push(prefix);
  for (const [index, { vnet, ip }] of file.nodes.entries()) {
    const home = homes.get(vnet);
    if (home === undefined || home.some((prefix) => prefix.overlaps(ip))) continue;
    const node = ip.isHost ? ip.address : ip;
    const here = listed(home.map(({ key }) => key));
    list.add(
      `nodes[${index}].ip`,
      `${node} is in no network of vnet "${vnet}" that is at home at "${self}" (${here}); list it at its own site (visitors need no entry)`,
    );
  }
}
