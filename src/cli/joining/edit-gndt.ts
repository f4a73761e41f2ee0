/** Changes to a gndt.json that are more than one member; the file is laid out anew. */
import { replaceFile } from '../../config/append-node.js';
import type { MembershipView } from '../../control/membership-view.js';
import { messageOf } from '../../net/system-error.js';
import { formatConfigError } from '../../tables/files/error.js';
import { checkGndt } from '../../tables/files/gndt-checks.js';
import { GNDT_FILE, gndtSchema } from '../../tables/files/gndt-file.js';
import { parseFile } from '../../tables/files/schema.js';
import { CliError, REFUSED } from '../exit.js';
import type { ReadDescription } from '../network-files.js';

/** A gndt.json that has been checked, as JSON. */
export type GndtJson = Readonly<Record<string, unknown>>;

/** Writes the changed file if a router would take it. */
export function writeGndt({ path, text }: ReadDescription, change: (json: GndtJson) => GndtJson): void {
  const changed = `${JSON.stringify(change(JSON.parse(text) as GndtJson), null, 2)}\n`;
  const read = parseFile(GNDT_FILE, changed, gndtSchema);
  const errors = 'errors' in read ? read.errors : checkGndt(read.value);
  if (errors.length > 0)
    throw new CliError(
      REFUSED,
      `${path} would not be in order any more:\n${errors.map(formatConfigError).join('\n')}`,
    );
  try {
    replaceFile(path, changed);
  } catch (error) {
    throw new CliError(REFUSED, `cannot write ${path}: ${messageOf(error)}`);
  }
}

/** Without a router: with it go a site that has no other one, their networks, and what they are named in. */
export function withoutRouter(json: GndtJson, router: string): GndtJson {
  const sites = listOf(json, 'sites').map((site) => ({
    ...site,
    routers: names(site.routers).filter((id) => id !== router),
  }));
  const emptied = sites
    .filter(({ routers }) => routers.length === 0)
    .map((site) => String((site as { id?: unknown }).id));
  const gone = new Set([router, ...emptied]);
  const networks = listOf(json, 'networks')
    .filter((network) => !gone.has(String(network.router)))
    .map((network) => ({ ...network, ...mobilityWithout(network.mobility, gone) }));
  return {
    ...json,
    routers: listOf(json, 'routers').filter(({ id }) => id !== router),
    ...(json.sites === undefined ? {} : { sites: sites.filter(({ routers }) => routers.length > 0) }),
    networks,
    ...(json.nodes === undefined ? {} : { nodes: listOf(json, 'nodes').filter(({ via }) => via !== router) }),
  };
}

/** With routers that have joined, as if they had been written there at once. */
export function withRouters(json: GndtJson, members: readonly MembershipView[]): GndtJson {
  const sites = members
    .filter(({ router, site }) => router !== site)
    .map(({ router, site }) => ({ id: site, routers: [router] }));
  return {
    ...json,
    routers: [
      ...listOf(json, 'routers'),
      ...members.map(({ router, publicKey, endpoints }) => ({ id: router, publicKey, endpoints })),
    ],
    ...(json.sites === undefined && sites.length === 0
      ? {}
      : { sites: [...listOf(json, 'sites'), ...sites] }),
    networks: [
      ...listOf(json, 'networks'),
      ...members.flatMap(({ networks, site }) =>
        networks.map(({ vnet, prefix }) => ({ vnet, prefix, router: site })),
      ),
    ],
  };
}

function mobilityWithout(mobility: unknown, gone: ReadonlySet<string>): object {
  if (typeof mobility !== 'object' || mobility === null || !('allow' in mobility)) return {};
  return { mobility: { ...mobility, allow: names(mobility.allow).filter((id) => !gone.has(id)) } };
}

function listOf(json: GndtJson, name: string): readonly GndtJson[] {
  const list = json[name];
  return Array.isArray(list) ? (list as readonly GndtJson[]) : [];
}

function names(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : [];
}
