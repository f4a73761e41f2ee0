/** Who a node may have in its neighbour cache: which addresses it must be told about when it has moved. */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { Directory } from '../tables/directory.js';
import { isVirtualMac, servingMac } from '../tables/gateway.js';
import type { Gndt } from '../tables/gndt.js';
import type { Lan } from '../tables/lan.js';
import type { NetworkConfig, NodeRecord, VnetId } from '../tables/model.js';
import { nodeKey } from '../tables/node-key.js';
import type { Context } from './context.js';

/** An address, and where the node has to send what is for it. */
export interface Neighbour {
  readonly ip: Ip;
  readonly at: Mac;
  /** A gateway: its IPv6 advertisements need the Router flag. */
  readonly router: boolean;
}

/** Bounds one node's redirection; what is beyond is met by proxy answers when the node asks. */
const MOST_NEIGHBOURS = 4_096;

/** The directory's nodes by native network, kept in step, so that a move need not look at every node there is. */
export class NetworkNodes {
  readonly #nodes = new Map<NetworkConfig, Map<string, NodeRecord>>();
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  /** No change of the directory is followed any more. */
  readonly stop: () => void;

  constructor(gndt: Gndt, directory: Directory) {
    this.#gndt = gndt;
    this.#directory = directory;
    this.rebuild();
    this.stop = directory.subscribe(({ after }) => {
      // Not `after` itself: another listener may have changed the directory meanwhile.
      const current = directory.get(after.vnet, after.ip);
      if (current !== undefined) this.#note(current);
    });
  }

  /** The GNDT's networks are others now. */
  rebuild(): void {
    this.#nodes.clear();
    for (const record of this.#directory.all()) this.#note(record);
  }

  /** Nodes that are somewhere (not withdrawn), first known first: a home VR's own addresses lead. */
  of(network: NetworkConfig): Iterable<NodeRecord> {
    return this.#nodes.get(network)?.values() ?? [];
  }

  #note(record: NodeRecord): void {
    const network = this.#gndt.networkOf(record.vnet, record.ip);
    if (network === undefined) return;
    let nodes = this.#nodes.get(network);
    if (nodes === undefined) {
      nodes = new Map();
      this.#nodes.set(network, nodes);
    }
    if (record.state === 'here') nodes.set(record.ip.key, record);
    else nodes.delete(record.ip.key);
  }
}

/**
 * The neighbours of a node with these addresses that is on `lan`: its home gateways first, then the nodes of its home
 * networks, then (single-large-subnet mode) this LAN's nodes and everybody in the subnet.
 * Each is at its real MAC when it is on the same LAN, else at the VR's.
 */
export function* neighboursOf(
  context: Context,
  nodes: NetworkNodes,
  lan: Lan,
  ips: readonly Ip[],
): Generator<Neighbour> {
  const done = new Set(ips.map((ip) => ip.key));
  let left = MOST_NEIGHBOURS;
  for (const ip of candidates(context, nodes, lan, ips)) {
    if (done.has(ip.key)) continue;
    done.add(ip.key);
    const at = locate(context, lan, ip);
    if (at === undefined) continue;
    if (left-- === 0) return;
    yield { ip, at, router: isGateway(context, lan.vnet, ip) };
  }
}

function* candidates(context: Context, nodes: NetworkNodes, lan: Lan, ips: readonly Ip[]): Generator<Ip> {
  const home = homeNetworks(context, lan.vnet, ips);
  for (const network of home) if (network.gateway !== undefined) yield network.gateway;
  for (const network of home) for (const record of nodes.of(network)) yield record.ip;
  // Hosts of this LAN that take no part in the overlay have bindings only. They matter to a node that is home again.
  for (const network of home) {
    if (network.router === context.self) yield* boundOn(context, lan, network);
  }
  const wide = ips.find((ip) => context.inSubnet(lan.vnet, ip));
  if (wide === undefined) return;
  const others = context.gndt.config.networks.filter(
    (network) =>
      network.vnet === lan.vnet &&
      !home.includes(network) &&
      context.gndt.sameLink(lan.vnet, wide, network.prefix.address),
  );
  others.sort((a, b) => Number(b.router === context.self) - Number(a.router === context.self));
  for (const network of others) {
    if (network.gateway !== undefined) yield network.gateway;
    for (const record of nodes.of(network)) yield record.ip;
  }
}

export function homeNetworks(context: Context, vnet: VnetId, ips: readonly Ip[]): readonly NetworkConfig[] {
  const networks = new Set<NetworkConfig>();
  for (const ip of ips) {
    const network = context.gndt.networkOf(vnet, ip);
    if (network !== undefined) networks.add(network);
  }
  return [...networks];
}

function* boundOn(context: Context, lan: Lan, network: NetworkConfig): Generator<Ip> {
  for (const binding of context.hwdt.all()) {
    if (binding.lan === lan.index && binding.vnet === lan.vnet && network.prefix.contains(binding.ip)) {
      yield binding.ip;
    }
  }
}

/** Where a host on `lan` has to send what is for `ip`; undefined: on this LAN at a MAC that is not known. */
function locate(context: Context, lan: Lan, ip: Ip): Mac | undefined {
  const here = servingMac(lan, ip.family);
  if (context.gndt.clientAt(lan.vnet, ip) !== undefined) return here;
  const record = context.directory.here(lan.vnet, ip);
  if (record !== undefined && record.router !== context.self) return here;
  const binding = context.hwdt.get(lan.vnet, ip);
  if (record !== undefined) return binding === undefined || binding.lan === lan.index ? record.mac : here;
  if (binding?.lan === lan.index) return binding.mac;
  return context.gndt.isHome(lan.vnet, ip) ? undefined : here;
}

/** Does a host take it to be a router? A network's gateway, and what a router answers for with a virtual MAC. */
export function isGateway(context: Context, vnet: VnetId, ip: Ip): boolean {
  if (context.gndt.networkOf(vnet, ip)?.gateway?.equals(ip) === true) return true;
  const record = context.directory.here(vnet, ip);
  return record !== undefined && isVirtualMac(record.mac);
}

/** Nodes on this LAN other than these, optionally of these networks only. */
export function nodesOnLan(
  context: Context,
  nodes: NetworkNodes,
  lan: Lan,
  networks: readonly NetworkConfig[],
  except: readonly Ip[],
): readonly NodeRecord[] {
  const skip = new Set(except.map((ip) => nodeKey(lan.vnet, ip)));
  const found: NodeRecord[] = [];
  for (const network of networks) {
    for (const record of nodes.of(network)) {
      if (record.router !== context.self || skip.has(nodeKey(record.vnet, record.ip))) continue;
      if (context.isOwnAddress(record.vnet, record.ip)) continue;
      if (context.gndt.clientAt(record.vnet, record.ip) !== undefined) continue;
      const binding = context.hwdt.get(record.vnet, record.ip);
      if (binding === undefined || binding.lan === lan.index) found.push(record);
    }
  }
  return found;
}
