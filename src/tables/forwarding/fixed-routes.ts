/** The routes that follow from the configuration alone: networks, LNDT entries, gateways, own addresses. */
import type { Ip } from '../../net/ip.js';
import { ZERO_MAC } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import type { Gndt } from '../gndt.js';
import type { Lan, Lans } from '../lan.js';
import type { Lndt } from '../lndt.js';
import type { NetworkConfig, VnetId } from '../model.js';
import { type Route, RouteFlag, RouteKind } from './route.js';

/** A LAN interface or a TUN port, with the gateway machine's own addresses there. */
export type Port = Pick<Lan, 'index' | 'vnet' | 'addresses' | 'gateway'>;

export interface FixedRoute {
  readonly vnet: VnetId;
  readonly prefix: Prefix;
  readonly route: Route;
}

interface Configuration {
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly lans: Pick<Lans, 'current'>;
  /** TUN ports: the way to the machine's own addresses, those of its LANs in the same vnet included. */
  readonly tuns?: readonly Port[];
}

/** In the order of precedence: of two for one prefix the later one holds. */
export function fixedRoutes(configuration: Configuration): FixedRoute[] {
  const { gndt, lndt, lans, tuns = [] } = configuration;
  const networks = gndt.config.networks;
  const gateways = networks.flatMap(({ vnet, gateway }) =>
    gateway === undefined ? [] : [{ vnet, prefix: Prefix.host(gateway) }],
  );
  return [
    ...networks.map((network) => networkRoute(configuration, network)),
    ...[...lndt.entries, ...gateways].flatMap((entry) => entryRoute(configuration, entry.vnet, entry.prefix)),
    ...[...lans.current(), ...tuns].flatMap((port) =>
      port.addresses.map((ip) => ownRoute(configuration, port, ip)),
    ),
    ...lans.current().flatMap((lan) => (lan.gateway ?? []).map((ip) => gatewayRoute(configuration, lan, ip))),
  ];
}

/** What every route in a network has in common; no next hop yet, and nobody authorised. */
export function baseRoute(gndt: Gndt, network: NetworkConfig | undefined): Route {
  const subnet = network && gndt.vnet(network.vnet)?.subnet;
  return {
    kind: RouteKind.none,
    peer: -1,
    lan: -1,
    mac: ZERO_MAC,
    network: network === undefined ? 0 : gndt.networkIndex(network) + 1,
    homePeer: homePeer(gndt, network),
    previousPeer: -1,
    flags: network !== undefined && subnet?.covers(network.prefix) === true ? RouteFlag.inSubnet : 0,
    pinnedMac: undefined,
  };
}

/** The LAN where a prefix is expected: the vnet's LAN that has an address in it, else the vnet's first. */
export function lanFor(lans: readonly Port[], vnet: VnetId, prefix: Prefix): Port | undefined {
  const candidates = lans.filter((lan) => lan.vnet === vnet);
  const hasOneIn = ({ gateway = [], addresses }: Port): boolean =>
    [...gateway, ...addresses].some((ip) => prefix.contains(ip));
  return candidates.find(hasOneIn) ?? candidates[0];
}

function homePeer(gndt: Gndt, network: NetworkConfig | undefined): number {
  if (network === undefined) return -2;
  return network.router === gndt.self ? -1 : gndt.peerIndex(network.router);
}

function networkRoute(configuration: Configuration, network: NetworkConfig): FixedRoute {
  const { gndt } = configuration;
  const { vnet, prefix } = network;
  const base = baseRoute(gndt, network);
  if (network.router !== gndt.self) {
    return { vnet, prefix, route: { ...base, kind: RouteKind.peer, peer: base.homePeer } };
  }
  return { vnet, prefix, route: onLink(configuration, network, prefix) };
}

/** A part of a home network that the LNDT speaks of; entries that are as wide as the network are in its own route. */
function entryRoute(configuration: Configuration, vnet: VnetId, prefix: Prefix): FixedRoute[] {
  const network = configuration.gndt.networkCovering(vnet, prefix);
  if (network?.router !== configuration.gndt.self || network.prefix.length === prefix.length) return [];
  return [{ vnet, prefix, route: onLink(configuration, network, prefix) }];
}

/** `lan` of the route is the vnet's TUN port where there is one, else the LAN that has the address. */
function ownRoute(configuration: Configuration, port: Port, ip: Ip): FixedRoute {
  const lan = configuration.tuns?.find(({ vnet }) => vnet === port.vnet) ?? port;
  const prefix = Prefix.host(ip);
  const network = configuration.gndt.networkOf(lan.vnet, ip);
  const base = network && onLink(configuration, network, prefix);
  const route = {
    ...(base ?? baseRoute(configuration.gndt, undefined)),
    kind: RouteKind.own,
    lan: lan.index,
  };
  return { vnet: lan.vnet, prefix, route };
}

function gatewayRoute({ gndt }: Configuration, { vnet, index }: Port, ip: Ip): FixedRoute {
  const base = baseRoute(gndt, gndt.networkOf(vnet, ip));
  return { vnet, prefix: Prefix.host(ip), route: { ...base, kind: RouteKind.gateway, lan: index } };
}

/** A prefix inside `network` on this VR's LAN, with what the LNDT says of all of it. */
function onLink({ gndt, lndt, lans }: Configuration, network: NetworkConfig, prefix: Prefix): Route {
  const base = baseRoute(gndt, network);
  const lan = lanFor(lans.current(), network.vnet, network.prefix);
  const next = lan === undefined ? {} : { kind: RouteKind.onLink, lan: lan.index };
  const entry = network.router === gndt.self ? lndt.entryFor(network.vnet, prefix) : undefined;
  if (entry === undefined) return { ...base, ...next };
  return { ...base, ...next, flags: base.flags | RouteFlag.authorised, pinnedMac: entry.mac };
}
