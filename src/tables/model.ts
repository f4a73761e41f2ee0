/** The things that the tables speak of. Plain data; every other room builds on these names. */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { Prefix } from '../net/prefix.js';

/** A router's `id` in gndt.json. */
export type RouterId = string;
/** A site's `id` in gndt.json; a router that stands in no site is a site by itself, with its own id. */
export type SiteId = string;
/** A vnet's `id` in gndt.json, 1 … 65535; what the overlay header carries. */
export type VnetId = number;
/** Position in router.json's `lans`. */
export type LanIndex = number;

export type VerifyMode = 'optimistic' | 'strict' | 'off';

export interface Endpoint {
  readonly transport: 'udp' | 'tcp';
  readonly address: Ip;
  readonly port: number;
}

/** An endpoint that says by a host name where it is: what is there is asked of the resolver again and again. */
export interface NamedEndpoint {
  readonly transport: 'udp' | 'tcp';
  /** In small letters; with a last dot when search domains are not to be tried. */
  readonly name: string;
  readonly port: number;
}

/** Where a router is reached, as `gndt.json` has it. */
export type RouterEndpoint = Endpoint | NamedEndpoint;

/** An entry of router.json's `tun`: an interface, and the vnet whose nodes are behind it. */
export interface PortConfig {
  readonly interface: string;
  /** By name. */
  readonly vnet: string;
}

/** An entry of router.json's `lans`. */
export interface LanConfig extends PortConfig {
  /** Addresses that the router itself answers for; not to be confused with a network's `gateway`, a machine. */
  readonly gateway?: readonly Ip[] | undefined;
  /** With which MAC it serves the LAN; undefined: virtual when there are gateway addresses. */
  readonly mac?: 'virtual' | 'own' | undefined;
  /** Number of the virtual MAC; undefined: derived (`vridOf`). */
  readonly vrid?: number | undefined;
}

export const MOST_ETCD_ENDPOINTS = 8;

/** An etcd that has the signed description too. */
export interface EtcdConfig {
  /** `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  readonly key: string;
  /** PEM files; undefined: the system's certificates, and none of one's own. */
  readonly caFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  /** Undefined: it asks for none; both or neither. */
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** router.json, validated; paths are absolute. */
export interface RouterConfig {
  readonly id: RouterId;
  readonly privateKeyFile: string;
  /** Where the secrets are that this router has with others, besides the keys. */
  readonly presharedKeyFiles: ReadonlyMap<RouterId, string>;
  readonly listen: readonly Endpoint[];
  readonly lans: readonly LanConfig[];
  readonly control: { readonly socket: string; readonly group: string };
  readonly metrics: { readonly address: Ip; readonly port: number } | undefined;
  readonly stateDir: string;
  /** Undefined: `gndt.json` is believed as it is. */
  readonly network?: { readonly publicKey: Uint8Array; readonly etcd?: EtcdConfig } | undefined;
  readonly log: { readonly level: LogLevel };
  readonly mobility: MobilityConfig;
  readonly limits: LimitsConfig;
  readonly failover: FailoverConfig;
  readonly traffic: TrafficConfig;
  readonly tun: readonly PortConfig[];
  /** Packet workers of each direction. */
  readonly workers: number;
  /** Where the machines that visit this site are listed for its DHCP server. */
  readonly dhcpIgnore: DhcpIgnore | undefined;
}

export interface DhcpIgnore {
  readonly file: string;
  readonly format: 'dnsmasq' | 'kea' | 'dhcpd';
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface MobilityConfig {
  readonly verify: VerifyMode;
  readonly maxMoves: number;
  readonly moveWindowSeconds: number;
}

/** At a site with two routers. */
export interface FailoverConfig {
  /** How long the active router is not heard before the other one takes over. */
  readonly deadMs: number;
}

/** What is remembered of who talks to whom. */
export interface TrafficConfig {
  readonly keepSeconds: number;
  /** IPFIX collectors. */
  readonly export: readonly Endpoint[];
  /** Where exporters of IPFIX, NetFlow v9 and sFlow are heard, by UDP. */
  readonly listen: readonly Endpoint[];
  /** Who they may be; undefined: this site's networks, and this machine itself. */
  readonly exporters: readonly Prefix[] | undefined;
  /** Undefined: no sensors are heard. */
  readonly sensors: SensorsConfig | undefined;
}

/** Programs on hypervisors that count for this router. */
export interface SensorsConfig {
  readonly listen: { readonly address: Ip; readonly port: number } | { readonly path: string };
  /** With the key that they have too. */
  readonly tokenFile: string;
}

/** How far the tables may grow; counted in addresses. */
export interface LimitsConfig {
  /** Records of nodes on one of this router's LANs. */
  readonly nodesPerLan: number;
  /** Records that name one other router, tombstones included. */
  readonly nodesPerRouter: number;
  /** Records in all, tombstones included. */
  readonly nodes: number;
}

/** gndt.json, validated. */
export interface GndtConfig {
  /** Of a signed description, 1 … 2^52. */
  readonly version?: number;
  /** Routers that it takes away on purpose. */
  readonly removes?: readonly RouterId[];
  readonly vnets: readonly VnetConfig[];
  readonly routers: readonly RouterEntry[];
  /** Those of the file; each router in none of them is one too. */
  readonly sites?: readonly SiteConfig[];
  readonly networks: readonly NetworkConfig[];
  /** `auto`: ChaCha20-Poly1305, and AES-256-GCM between two routers that are both clearly faster with it. */
  readonly cipher: 'auto' | 'chacha20-poly1305' | 'aes-256-gcm';
  readonly nodes: readonly WireguardClient[];
}

export interface VnetConfig {
  readonly name: string;
  readonly id: VnetId;
  /** Single-large-subnet mode: the wide prefix that nodes are configured with. */
  readonly subnet: Prefix | undefined;
}

export interface RouterEntry {
  readonly id: RouterId;
  /** X25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly endpoints: readonly RouterEndpoint[];
  readonly relay: boolean;
}

/** One or two routers that serve the same LANs. */
export interface SiteConfig {
  readonly id: SiteId;
  /** Of two that would be active at once the first is. */
  readonly routers: readonly RouterId[];
}

/** A prefix that is native to one site. */
export interface NetworkConfig {
  readonly vnet: VnetId;
  readonly prefix: Prefix;
  /** Its home. */
  readonly router: SiteId;
  /** The network's way to the outside world. */
  readonly gateway: Ip | undefined;
  /** Which sites may claim this network's nodes; undefined = all. */
  readonly allow: readonly SiteId[] | undefined;
}

/** An ordinary WireGuard client that is a node (wire.md). */
export interface WireguardClient {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly publicKey: Uint8Array;
  readonly via: RouterId;
}

/** One entry of lndt.json: an address or a prefix that may take part here, optionally pinned to a MAC. */
export interface LndtEntry {
  readonly vnet: VnetId;
  readonly prefix: Prefix;
  readonly mac: Mac | undefined;
}

/**
 * What all routers know of one node address. Of two records for one (vnet, ip) the higher `seq` wins, then the
 * greater router id, then (same router) the greater stamp; see `Directory`.
 */
export interface NodeRecord {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly mac: Mac;
  /** The VR on whose LAN the node is; also the record's originator. */
  readonly router: RouterId;
  /** Rises by one with every move; never by rebinding or withdrawal at the same VR. 1 … `MAX_SEQUENCE`. */
  readonly seq: number;
  readonly state: 'here' | 'withdrawn';
  /**
   * Originator's own counter, rising with each record that it originates; microseconds of Unix time at least.
   * 1 … `MAX_STAMP`.
   */
  readonly stamp: number;
  /** The originator says that the node stays where it is: announcements elsewhere are not believed for a while. */
  readonly frozen?: true;
}

/** How a binding was learned. */
export type BindingSource = 'arp-request' | 'arp-reply' | 'gratuitous' | 'rarp' | 'ndp' | 'static';

/** What set a move off. */
export type MoveTrigger =
  | 'rarp'
  | 'gratuitous-arp'
  | 'arp'
  | 'neighbour-advertisement'
  | 'operator'
  /** It was missed where its record was, and answered where it was looked for. */
  | 'search';
