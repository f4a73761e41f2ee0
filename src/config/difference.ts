/** What a reload would change: the difference between two checked configurations, and what of it needs a restart. */
import { isDeepStrictEqual } from 'node:util';
import { formatMac } from '../net/mac.js';
import { formatEndpoint } from '../tables/files/endpoint-text.js';
import type { ConfigError } from '../tables/files/error.js';
import { GNDT_FILE } from '../tables/files/gndt-file.js';
import { LNDT_FILE } from '../tables/files/lndt-file.js';
import { encodeKey } from '../tables/files/read.js';
import { ROUTER_FILE } from '../tables/files/router-file.js';
import { Gndt } from '../tables/gndt.js';
import type {
  Endpoint,
  GndtConfig,
  LanConfig,
  LndtEntry,
  PortConfig,
  RouterConfig,
  SiteConfig,
} from '../tables/model.js';
import { siteResolver } from '../tables/sites.js';
import type { VineConfig } from './load.js';

export type ChangedThing = 'setting' | 'vnet' | 'router' | 'site' | 'network' | 'node';

/** One thing that differs. */
export interface ConfigChange {
  /** `router.json` … */
  readonly file: string;
  readonly thing: ChangedThing;
  /** As people call it: `vr-b`, `blue 10.2.0.0/24`, `log.level`. */
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What it is, or `field: before → after` for each field that differs. */
  readonly detail: string;
}

export interface ConfigDifference {
  readonly changes: readonly ConfigChange[];
  /** What cannot change while the router runs; nothing may be applied unless this is empty. */
  readonly refused: readonly ConfigError[];
}

const NONE = 'none';
const FIXED = 'cannot change while the router runs; restart it (systemctl restart vined)';

/** Both are of one directory, so that the paths in them can be compared. The order within lists is no difference. */
export function configDifference(before: VineConfig, after: VineConfig): ConfigDifference {
  return {
    changes: [
      ...settingChanges(before.router, after.router),
      ...vnetChanges(before.gndt, after.gndt),
      ...routerChanges(before.gndt, after.gndt),
      ...siteChanges(before.gndt, after.gndt),
      ...networkChanges(before.gndt, after.gndt),
      ...clientChanges(before.gndt, after.gndt),
      ...nodeChanges(before, after),
    ],
    refused: [...fixedSettings(before, after), ...fixedTables(before, after)],
  };
}

type Fields = Readonly<Record<string, string>>;

/** Things by name, each with its fields as text. */
function compare(
  file: string,
  thing: ChangedThing,
  before: ReadonlyMap<string, Fields>,
  after: ReadonlyMap<string, Fields>,
): ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const [name, fields] of before) {
    if (!after.has(name)) changes.push({ file, thing, name, change: 'removed', detail: describe(fields) });
  }
  for (const [name, fields] of after) {
    const old = before.get(name);
    if (old === undefined) {
      changes.push({ file, thing, name, change: 'added', detail: describe(fields) });
      continue;
    }
    const detail = Object.entries(fields)
      .filter(([field, value]) => old[field] !== value)
      .map(([field, value]) => `${field}: ${old[field] ?? NONE} → ${value}`)
      .join('; ');
    if (detail !== '') changes.push({ file, thing, name, change: 'changed', detail });
  }
  return changes;
}

function describe(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== NONE)
    .map(([field, value]) => `${field}: ${value}`)
    .join('; ');
}

function settingChanges(before: RouterConfig, after: RouterConfig): ConfigChange[] {
  const listen = ({ metrics }: RouterConfig): string =>
    metrics === undefined ? NONE : formatSocket(metrics.address.key, metrics.port);
  return [
    ...setting('privateKeyFile', before.privateKeyFile, after.privateKeyFile),
    ...setting('metrics.listen', listen(before), listen(after)),
    ...setting('log.level', before.log.level, after.log.level),
    ...setting('mobility.verify', before.mobility.verify, after.mobility.verify),
    ...setting('mobility.maxMoves', String(before.mobility.maxMoves), String(after.mobility.maxMoves)),
    ...setting(
      'mobility.moveWindowSeconds',
      String(before.mobility.moveWindowSeconds),
      String(after.mobility.moveWindowSeconds),
    ),
    ...setting('mobility.dhcp.ignoreFile', before.dhcpIgnore?.file ?? NONE, after.dhcpIgnore?.file ?? NONE),
    ...setting('mobility.dhcp.ignoreFormat', formatOf(before), formatOf(after)),
    ...limitChanges(before, after),
    ...setting('failover.deadMs', String(before.failover.deadMs), String(after.failover.deadMs)),
    ...setting('traffic.export', endpointsOf(before.traffic.export), endpointsOf(after.traffic.export)),
    ...setting('traffic.exporters', exportersOf(before), exportersOf(after)),
    ...setting('traffic.keep', String(before.traffic.keepSeconds), String(after.traffic.keepSeconds)),
    ...setting('traffic.listen', endpointsOf(before.traffic.listen), endpointsOf(after.traffic.listen)),
    ...setting('traffic.sensors', sensorsOf(before), sensorsOf(after)),
    ...gatewayChanges(before, after),
  ];
}

function endpointsOf(endpoints: readonly Endpoint[]): string {
  return endpoints.map(formatEndpoint).join(', ') || NONE;
}

function exportersOf({ traffic }: RouterConfig): string {
  return traffic.exporters?.join(', ') ?? NONE;
}

function sensorsOf({ traffic: { sensors } }: RouterConfig): string {
  if (sensors === undefined) return NONE;
  const { listen, tokenFile } = sensors;
  const where = 'path' in listen ? `unix:${listen.path}` : formatEndpoint({ transport: 'tcp', ...listen });
  return `${where}, token ${tokenFile}`;
}

function gatewayChanges({ lans: before }: RouterConfig, { lans: after }: RouterConfig): ConfigChange[] {
  return after.flatMap(({ gateway }, i) =>
    setting(`lans[${i}].gateway`, gatewayText(before[i]?.gateway), gatewayText(gateway)),
  );
}

function gatewayText(gateway: LanConfig['gateway'] = []): string {
  return gateway.map(String).join(', ') || NONE;
}

/** Of a file that is not written nobody asks. */
function formatOf({ dhcpIgnore }: RouterConfig): string {
  return dhcpIgnore?.format ?? NONE;
}

function limitChanges({ limits: before }: RouterConfig, { limits: after }: RouterConfig): ConfigChange[] {
  const names = ['nodesPerLan', 'nodesPerRouter', 'nodes'] as const;
  return names.flatMap((name) => setting(`limits.${name}`, String(before[name]), String(after[name])));
}

function setting(name: string, old: string, now: string): ConfigChange[] {
  if (old === now) return [];
  return [{ file: ROUTER_FILE, thing: 'setting', name, change: 'changed', detail: `${old} → ${now}` }];
}

function formatSocket(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function vnetChanges(before: GndtConfig, after: GndtConfig): ConfigChange[] {
  const byName = ({ vnets }: GndtConfig): Map<string, Fields> =>
    new Map(vnets.map(({ name, id, subnet }) => [name, { id: String(id), subnet: subnet?.key ?? NONE }]));
  return compare(GNDT_FILE, 'vnet', byName(before), byName(after));
}

function routerChanges(before: GndtConfig, after: GndtConfig): ConfigChange[] {
  const byId = ({ routers }: GndtConfig): Map<string, Fields> =>
    new Map(
      routers.map(({ id, publicKey, endpoints, relay }) => [
        id,
        {
          publicKey: encodeKey(publicKey),
          endpoints: endpoints.map(formatEndpoint).join(', ') || NONE,
          relay: relay ? 'yes' : NONE,
        },
      ]),
    );
  return compare(GNDT_FILE, 'router', byId(before), byId(after));
}

function siteChanges(before: GndtConfig, after: GndtConfig): ConfigChange[] {
  const byId = ({ sites = [] }: GndtConfig): Map<string, Fields> =>
    new Map(sites.map(({ id, routers }) => [id, { routers: routers.join(', ') }]));
  return compare(GNDT_FILE, 'site', byId(before), byId(after));
}

function networkChanges(before: GndtConfig, after: GndtConfig): ConfigChange[] {
  const byPrefix = (gndt: GndtConfig): Map<string, Fields> =>
    new Map(
      gndt.networks.map(({ vnet, prefix, router, gateway, allow }) => [
        `${vnetNames(gndt).get(vnet) ?? vnet} ${prefix.key}`,
        {
          router,
          gateway: gateway?.key ?? NONE,
          'mobility.allow': allow === undefined ? NONE : [...new Set(allow)].sort().join(', ') || 'nobody',
        },
      ]),
    );
  return compare(GNDT_FILE, 'network', byPrefix(before), byPrefix(after));
}

function clientChanges(before: GndtConfig, after: GndtConfig): ConfigChange[] {
  const byAddress = (gndt: GndtConfig): Map<string, Fields> =>
    new Map(
      gndt.nodes.map(({ vnet, ip, publicKey, via }) => [
        `${vnetNames(gndt).get(vnet) ?? vnet} ${ip.key}`,
        { publicKey: encodeKey(publicKey), via },
      ]),
    );
  return compare(GNDT_FILE, 'node', byAddress(before), byAddress(after));
}

function nodeChanges(before: VineConfig, after: VineConfig): ConfigChange[] {
  const byNode = ({ gndt, lndt }: VineConfig): Map<string, Fields> => {
    const names = vnetNames(gndt);
    return new Map(
      lndt.map((entry) => [
        `${names.get(entry.vnet) ?? entry.vnet} ${nodeText(entry)}`,
        { mac: entry.mac === undefined ? NONE : formatMac(entry.mac) },
      ]),
    );
  };
  return compare(LNDT_FILE, 'node', byNode(before), byNode(after));
}

function nodeText({ prefix }: LndtEntry): string {
  return prefix.isHost ? prefix.address.key : prefix.key;
}

function vnetNames({ vnets }: GndtConfig): ReadonlyMap<number, string> {
  return new Map(vnets.map(({ id, name }) => [id, name]));
}

function fixedSettings(before: VineConfig, after: VineConfig): ConfigError[] {
  const old = before.router;
  const now = after.router;
  const fixed: readonly (readonly [path: string, same: boolean, what: string])[] = [
    ['id', old.id === now.id, "the router's id"],
    ['privateKeyFile', isDeepStrictEqual(before.privateKey, after.privateKey), "the router's own key"],
    ['presharedKeys', isDeepStrictEqual(before.presharedKeys, after.presharedKeys), 'a preshared key'],
    ['listen', sameTexts(old.listen.map(formatEndpoint), now.listen.map(formatEndpoint)), 'where it listens'],
    ['lans', isDeepStrictEqual(old.lans.map(portOf), now.lans.map(portOf)), 'its LAN interfaces'],
    ...servingOf(old.lans, now.lans),
    ['tun', isDeepStrictEqual(old.tun, now.tun), 'its TUN ports'],
    ['control.socket', old.control.socket === now.control.socket, 'the control socket'],
    ['control.group', old.control.group === now.control.group, "the control socket's group"],
    [
      'network.publicKey',
      isDeepStrictEqual(old.network?.publicKey, now.network?.publicKey),
      "the network's key",
    ],
    ['network.etcd', isDeepStrictEqual(old.network?.etcd, now.network?.etcd), 'the etcd that it follows'],
    ['workers', old.workers === now.workers, 'the number of packet workers'],
    ['stateDir', old.stateDir === now.stateDir, 'the state directory'],
  ];
  return fixed
    .filter(([, same]) => !same)
    .map(([path, , what]) => ({ file: ROUTER_FILE, path, message: `${what} ${FIXED}` }));
}

function portOf({ interface: name, vnet }: PortConfig): PortConfig {
  return { interface: name, vnet };
}

/** Sockets are opened, and hosts' neighbour caches filled, for the MAC that a LAN is served with. */
function servingOf(
  before: readonly LanConfig[],
  after: readonly LanConfig[],
): (readonly [path: string, same: boolean, what: string])[] {
  return after.flatMap((now, i) => {
    const old = before[i];
    if (old === undefined) return [];
    const hasAny = ({ gateway = [] }: LanConfig): boolean => gateway.length > 0;
    const path = `lans[${i}]`;
    return [
      [`${path}.gateway`, hasAny(old) === hasAny(now), 'whether a LAN has gateway addresses at all'],
      [`${path}.mac`, old.mac === now.mac, 'the MAC address that a LAN is served with'],
      [`${path}.vrid`, old.vrid === now.vrid, 'the number of a virtual MAC address'],
    ] as const;
  });
}

function fixedTables(before: VineConfig, after: VineConfig): ConfigError[] {
  const refused: ConfigError[] = [];
  const refuse = (path: string, what: string): void => {
    refused.push({ file: GNDT_FILE, path, message: `${what} ${FIXED}` });
  };
  const ids = new Map(before.gndt.vnets.map(({ name, id }) => [name, id]));
  const carried = new Set([...before.router.lans, ...before.router.tun].map(({ vnet }) => vnet));
  for (const [index, { name, id }] of after.gndt.vnets.entries()) {
    const old = ids.get(name);
    if (carried.has(name) && old !== undefined && old !== id)
      refuse(`vnets[${index}].id`, `the id of vnet "${name}", which a LAN or TUN port here carries,`);
  }
  if (before.gndt.cipher !== after.gndt.cipher) refuse('cipher', "the sessions' cipher");
  if (before.router.id === after.router.id) {
    const [old, now] = [ownSite(before), ownSite(after)];
    if (old.id !== now.id) refuse('sites', "this router's site");
    else if (!sameTexts(old.routers, now.routers)) refuse('sites', "who serves this router's own site");
  }
  for (const { interface: name, vnet } of before.router.tun) {
    if (before.router.lans.some((lan) => lan.vnet === vnet)) continue; // it carries the LAN's own addresses
    if (sameTexts(ownSingles(before, vnet), ownSingles(after, vnet))) continue;
    const message = `the addresses of TUN port ${name} (the single ones of vnet "${vnet}" at home here) ${FIXED}`;
    refused.push({ file: LNDT_FILE, path: 'nodes', message });
  }
  return refused;
}

/** Another one's may change: it is followed. Its own router decides with its partner who serves it, from the start on. */
function ownSite({ gndt: { sites }, router: { id } }: VineConfig): SiteConfig {
  const site = siteResolver(sites)(id);
  return sites?.find((entry) => entry.id === site) ?? { id: site, routers: [id] };
}

/** The single addresses that lndt.json lists in home networks of the vnet: a TUN port without a LAN has them. */
function ownSingles({ router, gndt, lndt }: VineConfig, vnetName: string): string[] {
  const vnet = gndt.vnets.find(({ name }) => name === vnetName)?.id;
  const table = new Gndt(gndt, router.id);
  return lndt
    .filter(
      (entry) => entry.vnet === vnet && entry.prefix.isHost && table.isHome(entry.vnet, entry.prefix.address),
    )
    .map(({ prefix }) => prefix.address.key)
    .sort();
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
