/** What a schema cannot say of advice.json: names that gndt.json must have, things that must not stand twice. */
import type { SiteId } from '../model.js';
import { siteResolver } from '../sites.js';
import { ADVICE_FILE, type AdviceFile } from './advice-file.js';
import { ErrorList, repeats } from './check-support.js';
import type { ConfigError } from './error.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';

/** Routers may be named for their sites, as in gndt.json; of two at a site either. */
export function checkAdvice(file: AdviceFile, gndt: GndtFile): ConfigError[] {
  const list = new ErrorList(ADVICE_FILE);
  const sites = siteIds(gndt);
  const siteOf = siteResolver(gndt.sites);
  const named = (path: string, id: string): void =>
    list.reference(path, siteOf(id), 'site', sites, GNDT_FILE);
  for (const [i, { id }] of file.sites.entries()) named(`sites[${i}].id`, id);
  for (const { item, index, first } of repeats(file.sites, ({ id }) => siteOf(id)))
    list.add(`sites[${index}].id`, `"${item.id}" is the site of sites[${first}] already`);
  checkLinks(file, list, siteOf, named);
  for (const [i, { sites: allowed = [] }] of file.machines.entries())
    for (const [j, id] of allowed.entries()) named(`machines[${i}].sites[${j}]`, id);
  checkVnets(file, gndt, list);
  for (const { item, index, first } of repeats(file.machines, ({ vnet = '', ip }) => `${vnet} ${ip}`))
    list.add(`machines[${index}].ip`, `${item.ip} is that of machines[${first}] already`);
  return list.errors;
}

/** Sites of the file, and the routers that are in none. */
export function siteIds({ routers, sites }: Pick<GndtFile, 'routers' | 'sites'>): SiteId[] {
  const siteOf = siteResolver(sites);
  return [...new Set(routers.map(({ id }) => siteOf(id)))];
}

function checkLinks(
  { links }: AdviceFile,
  list: ErrorList,
  siteOf: (id: string) => SiteId,
  named: (path: string, id: string) => void,
): void {
  for (const [i, { from, to }] of links.entries()) {
    named(`links[${i}].from`, from);
    named(`links[${i}].to`, to);
    if (siteOf(from) === siteOf(to))
      list.add(`links[${i}].to`, `"${to}" is the same site; expected another one`);
  }
  for (const { index, first } of repeats(links, ({ from, to }) => `${siteOf(from)} ${siteOf(to)}`))
    list.add(`links[${index}]`, `is the same way as links[${first}]`);
}

function checkVnets({ machines, together, apart }: AdviceFile, { vnets }: GndtFile, list: ErrorList): void {
  const names = vnets.map(({ name }) => name);
  const check = (path: string, vnet: string | undefined): void => {
    if (vnet !== undefined) list.reference(`${path}.vnet`, vnet, 'vnet', names, GNDT_FILE);
    else if (names.length > 1)
      list.add(`${path}.vnet`, `missing; gndt.json has the vnets ${names.join(', ')}`);
  };
  for (const [name, entries] of Object.entries({ machines, together, apart }))
    for (const [i, { vnet }] of entries.entries()) check(`${name}[${i}]`, vnet);
}
