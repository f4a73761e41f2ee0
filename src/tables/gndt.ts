import type { Ip } from '../net/ip.js';
import type { Prefix } from '../net/prefix.js';
import { type OwnClient, ownClients } from './clients.js';
import type {
  GndtConfig,
  NetworkConfig,
  RouterEntry,
  RouterId,
  VnetConfig,
  VnetId,
  WireguardClient,
} from './model.js';
import { PrefixIndex } from './prefix-index.js';
import { VnetMap } from './vnet-map.js';

/**
 * The Global Network Description Table's fixed part: gndt.json and its look-ups, as one router sees it. What moves
 * (host routes for nodes away from home) follows from the `Directory`.
 */
export class Gndt {
  readonly config: GndtConfig;
  /** The router that looks. */
  readonly self: RouterId;
  /** The WireGuard clients that connect to this router. */
  readonly ownClients: readonly OwnClient[];
  readonly #vnets: ReadonlyMap<VnetId, VnetConfig>;
  readonly #vnetsByName: ReadonlyMap<string, VnetConfig>;
  readonly #networks = new PrefixIndex<NetworkConfig>();
  readonly #networkIndexes = new Map<NetworkConfig, number>();
  readonly #peerIndexes: ReadonlyMap<RouterId, number>;
  readonly #others: readonly RouterEntry[];
  readonly #clients = new VnetMap<string, WireguardClient>();

  /** @param config validated: names are unique and known, prefixes of a vnet do not repeat */
  constructor(config: GndtConfig, self: RouterId) {
    this.config = config;
    this.self = self;
    this.#vnets = new Map(config.vnets.map((vnet) => [vnet.id, vnet]));
    this.#vnetsByName = new Map(config.vnets.map((vnet) => [vnet.name, vnet]));
    this.#peerIndexes = new Map(config.routers.map((router, index) => [router.id, index]));
    this.#others = config.routers.filter((router) => router.id !== self);
    this.ownClients = ownClients(config, self);
    for (const client of [...config.nodes, ...this.ownClients]) {
      this.#clients.set(client.vnet, client.ip.key, client);
    }
    for (const [index, network] of config.networks.entries()) {
      this.#networks.set(network.vnet, network.prefix, network);
      this.#networkIndexes.set(network, index);
    }
  }

  vnet(id: VnetId): VnetConfig | undefined {
    return this.#vnets.get(id);
  }

  vnetByName(name: string): VnetConfig | undefined {
    return this.#vnetsByName.get(name);
  }

  /** The network that the address is native to: the longest prefix that holds it. */
  networkOf(vnet: VnetId, ip: Ip): NetworkConfig | undefined {
    return this.#networks.longest(vnet, ip);
  }

  /** The longest network that covers the whole prefix. */
  networkCovering(vnet: VnetId, prefix: Prefix): NetworkConfig | undefined {
    return this.#networks.covering(vnet, prefix);
  }

  /** Position in `config.networks`; −1 for a network of another configuration. */
  networkIndex(network: NetworkConfig): number {
    return this.#networkIndexes.get(network) ?? -1;
  }

  /** The home VR of the address's network. */
  homeOf(vnet: VnetId, ip: Ip): RouterId | undefined {
    return this.networkOf(vnet, ip)?.router;
  }

  isHome(vnet: VnetId, ip: Ip): boolean {
    return this.homeOf(vnet, ip) === this.self;
  }

  /** The WireGuard client that has this address. */
  clientAt(vnet: VnetId, ip: Ip): WireguardClient | undefined {
    return this.#clients.get(vnet, ip.key);
  }

  /** The same, when it connects to this router. */
  ownClientAt(vnet: VnetId, ip: Ip): OwnClient | undefined {
    const client = this.#clients.get(vnet, ip.key);
    return client !== undefined && 'peer' in client ? (client as OwnClient) : undefined;
  }

  /**
   * May router `by` take the node with this address? Only networks' addresses can be claimed; the home VR always may.
   * A WireGuard client is where the file says.
   */
  mayClaim(vnet: VnetId, ip: Ip, by: RouterId): boolean {
    const network = this.networkOf(vnet, ip);
    if (network === undefined) return false;
    const client = this.clientAt(vnet, ip);
    if (client !== undefined) return client.via === by;
    return network.router === by || network.allow === undefined || network.allow.includes(by);
  }

  /** Do hosts with these two addresses believe that they are on one link? (Same network, or one large subnet.) */
  sameLink(vnet: VnetId, a: Ip, b: Ip): boolean {
    const network = this.networkOf(vnet, a);
    if (network !== undefined && network === this.networkOf(vnet, b)) return true;
    const subnet = this.vnet(vnet)?.subnet;
    return subnet?.contains(a) === true && subnet.contains(b);
  }

  /** Position in `config.routers`, the data plane's number for the peer; −1 if the router is unknown. */
  peerIndex(router: RouterId): number {
    return this.#peerIndexes.get(router) ?? -1;
  }

  otherRouters(): readonly RouterEntry[] {
    return this.#others;
  }
}
