import type { Ip } from '../net/ip.js';
import type { Prefix } from '../net/prefix.js';
import { clientKey, clientsVia, type OwnClient, ownClients } from './clients.js';
import { MAX_NETWORKS } from './forwarding/forwarding-layout.js';
import { LatestAnswers } from './latest-answers.js';
import type {
  GndtConfig,
  NetworkConfig,
  RouterEntry,
  RouterId,
  SiteId,
  VnetConfig,
  VnetId,
  WireguardClient,
} from './model.js';
import { PrefixIndex } from './prefix-index.js';
import { siteResolver } from './sites.js';
import { type IndexPlan, StableIndexes } from './stable-indexes.js';
import { VnetMap } from './vnet-map.js';

/** As many peers as the packet engine knows; as many networks as the forwarding table has gateways for. */
export const MAX_PEERS = 4096;

interface Lookups {
  readonly config: GndtConfig;
  readonly vnets: ReadonlyMap<VnetId, VnetConfig>;
  readonly vnetsByName: ReadonlyMap<string, VnetConfig>;
  readonly networks: PrefixIndex<NetworkConfig>;
  /** All sites' routers, in the sites' order. */
  readonly sites: ReadonlyMap<SiteId, readonly RouterId[]>;
  readonly siteIds: ReadonlySet<SiteId>;
  readonly siteOf: (router: RouterId) => SiteId;
  readonly others: readonly RouterEntry[];
  readonly ownClients: readonly OwnClient[];
  readonly clients: VnetMap<string, WireguardClient>;
}

/** A configuration that can be adopted: numbers are found for all that is in it. */
export interface GndtPlan {
  readonly config: GndtConfig;
  readonly peers: IndexPlan;
  readonly networks: IndexPlan;
  /** The WireGuard clients that connect to this router. */
  readonly ownClients: readonly OwnClient[];
}

/**
 * The Global Network Description Table's fixed part: gndt.json and its look-ups, as one router sees it. What moves
 * (host routes for nodes away from home) follows from the `Directory`.
 *
 * A reload replaces the content (`plan`, then `adopt`), never the object: whoever holds it sees the new one at once.
 * What is kept from its answers (`NetworkConfig` objects as keys, compiled routes) has to be made anew.
 */
export class Gndt {
  /** The site that looks: where a node is, and what a network is native to, is a site. */
  readonly self: SiteId;
  /** The router that looks. */
  readonly router: RouterId;
  readonly #peerIndexes = new StableIndexes(MAX_PEERS);
  readonly #networkIndexes = new StableIndexes(MAX_NETWORKS);
  #idsByNumber: ReadonlyMap<number, RouterId | SiteId> = new Map();
  #lookups: Lookups;
  readonly #latestNetworks = new LatestAnswers((vnet, ip) => this.#lookups.networks.longest(vnet, ip));

  /** @param config validated: names are unique and known, prefixes of a vnet do not repeat; at most 4,096 of each */
  constructor(config: GndtConfig, router: RouterId) {
    this.router = router;
    this.self = siteResolver(config.sites)(router);
    this.#lookups = lookupsOf(config, router, []);
    const plan = this.plan(config, 0);
    if (typeof plan === 'string') throw new RangeError(plan);
    this.adopt(plan, 0);
  }

  get config(): GndtConfig {
    return this.#lookups.config;
  }

  /** Looks for numbers for all that is in the new configuration. Changes nothing; a string says why it cannot be. */
  plan(config: GndtConfig, nowMs: number): GndtPlan | string {
    const site = siteResolver(config.sites)(this.router);
    if (site !== this.self)
      return `this router is of site "${this.self}", and would be of "${site}": restart it`;
    const numberedKeys = new Set([
      ...config.routers.map(({ id }) => id),
      ...(config.sites ?? []).map(({ id }) => id),
      ...clientsVia(config, this.router).map(clientKey),
    ]);
    const peers = this.#peerIndexes.plan([...numberedKeys], nowMs);
    if (peers === undefined) return tooMany('routers, sites and WireGuard clients of this one', MAX_PEERS);
    const networks = this.#networkIndexes.plan(config.networks.map(networkKey), nowMs);
    if (networks === undefined) return tooMany('networks', MAX_NETWORKS);
    const numbered = ownClients(config, this.router, (key) => peers.taken.get(key) ?? -1);
    return { config, peers, networks, ownClients: numbered };
  }

  /** Takes the new configuration. @param plan made by `plan` since the last `adopt` */
  adopt({ config, peers, networks, ownClients }: GndtPlan, nowMs: number): void {
    this.#peerIndexes.adopt(peers, nowMs);
    this.#networkIndexes.adopt(networks, nowMs);
    this.#idsByNumber = new Map(
      [...config.routers, ...(config.sites ?? [])].map(({ id }) => [peers.taken.get(id) ?? -1, id]),
    );
    this.#lookups = lookupsOf(config, this.router, ownClients);
    this.#latestNetworks.forget();
  }

  vnet(id: VnetId): VnetConfig | undefined {
    return this.#lookups.vnets.get(id);
  }

  vnetByName(name: string): VnetConfig | undefined {
    return this.#lookups.vnetsByName.get(name);
  }

  /** The network that the address is native to: the longest prefix that holds it. */
  networkOf(vnet: VnetId, ip: Ip): NetworkConfig | undefined {
    return this.#latestNetworks.of(vnet, ip);
  }

  /** The longest network that covers the whole prefix. */
  networkCovering(vnet: VnetId, prefix: Prefix): NetworkConfig | undefined {
    return this.#lookups.networks.covering(vnet, prefix);
  }

  /** The data plane's number for the network, the same for as long as it is there; −1 for one that is not. */
  networkIndex(network: NetworkConfig): number {
    return this.#networkIndexes.get(networkKey(network));
  }

  /** The home of the address's network. */
  homeOf(vnet: VnetId, ip: Ip): SiteId | undefined {
    return this.networkOf(vnet, ip)?.router;
  }

  isHome(vnet: VnetId, ip: Ip): boolean {
    return this.homeOf(vnet, ip) === this.self;
  }

  /** The WireGuard clients that connect to this router. */
  get ownClients(): readonly OwnClient[] {
    return this.#lookups.ownClients;
  }

  /** The WireGuard client that has this address. */
  clientAt(vnet: VnetId, ip: Ip): WireguardClient | undefined {
    return this.#lookups.clients.get(vnet, ip.key);
  }

  /** The same, when it connects to this router. */
  ownClientAt(vnet: VnetId, ip: Ip): OwnClient | undefined {
    const client = this.clientAt(vnet, ip);
    return client !== undefined && 'peer' in client ? (client as OwnClient) : undefined;
  }

  /**
   * May site `by` take the node with this address? Only networks' addresses can be claimed; the home always may.
   * A WireGuard client is where the file says.
   */
  mayClaim(vnet: VnetId, ip: Ip, by: SiteId): boolean {
    const network = this.networkOf(vnet, ip);
    if (network === undefined) return false;
    const client = this.clientAt(vnet, ip);
    if (client !== undefined) return this.siteOf(client.via) === by;
    return network.router === by || network.allow === undefined || network.allow.includes(by);
  }

  /** Do hosts with these two addresses believe that they are on one link? (Same network, or one large subnet.) */
  sameLink(vnet: VnetId, a: Ip, b: Ip): boolean {
    const network = this.networkOf(vnet, a);
    if (network !== undefined && network === this.networkOf(vnet, b)) return true;
    const subnet = this.vnet(vnet)?.subnet;
    return subnet?.contains(a) === true && subnet.contains(b);
  }

  /**
   * The data plane's number for a router or a site, the same for as long as it is there; −1 if there is none. A site with the id
   * of one of its routers has that one's.
   */
  peerIndex(id: RouterId | SiteId): number {
    return this.#peerIndexes.get(id);
  }

  /** The router that has this number now; of a site with a name of its own, the site. */
  idAt(number: number): RouterId | SiteId | undefined {
    return this.#idsByNumber.get(number);
  }

  /** All sites, this one included. */
  get siteIds(): ReadonlySet<SiteId> {
    return this.#lookups.siteIds;
  }

  /** All sites with their routers, in the sites' order. */
  get sites(): ReadonlyMap<SiteId, readonly RouterId[]> {
    return this.#lookups.sites;
  }

  /** The site of a router; of one that the file has not, its own id. */
  siteOf(router: RouterId): SiteId {
    return this.#lookups.siteOf(router);
  }

  /** A site's routers, in its order; none if there is no such site. */
  routersOf(site: SiteId): readonly RouterId[] {
    return this.#lookups.sites.get(site) ?? [];
  }

  /** The other router of this one's site. */
  get partner(): RouterId | undefined {
    return this.routersOf(this.self).find((router) => router !== this.router);
  }

  otherRouters(): readonly RouterEntry[] {
    return this.#lookups.others;
  }
}

function lookupsOf(config: GndtConfig, self: RouterId, own: readonly OwnClient[]): Lookups {
  const networks = new PrefixIndex<NetworkConfig>();
  for (const network of config.networks) networks.set(network.vnet, network.prefix, network);
  const clients = new VnetMap<string, WireguardClient>();
  const siteOf = siteResolver(config.sites);
  const alone = [self, ...config.routers.map(({ id }) => id)].filter((id) => siteOf(id) === id);
  const sites = new Map<SiteId, readonly RouterId[]>([
    ...alone.map((id) => [id, [id]] as const),
    ...(config.sites ?? []).map(({ id, routers }) => [id, routers] as const),
  ]);
  for (const client of [...config.nodes, ...own]) clients.set(client.vnet, client.ip.key, client);
  return {
    config,
    vnets: new Map(config.vnets.map((vnet) => [vnet.id, vnet])),
    vnetsByName: new Map(config.vnets.map((vnet) => [vnet.name, vnet])),
    networks,
    sites,
    siteIds: new Set(sites.keys()),
    siteOf,
    others: config.routers.filter((router) => router.id !== self),
    ownClients: own,
    clients,
  };
}

function networkKey({ vnet, prefix }: NetworkConfig): string {
  return `${vnet} ${prefix.key}`;
}

function tooMany(what: string, limit: number): string {
  return `more than ${limit} ${what}, those that went within the last minute included`;
}
