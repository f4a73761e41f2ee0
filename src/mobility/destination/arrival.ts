/** A node has arrived on this LAN: its own neighbour cache, and those of the hosts that it can now reach directly. */
import { announcementBroadcast, announcementTo } from '../../arp/announce.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import { servingMac } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { NetworkConfig } from '../../tables/model.js';
import type { Context } from '../context.js';
import {
  homeNetworks,
  isGateway,
  type Neighbour,
  type NetworkNodes,
  neighboursOf,
  nodesOnLan,
} from '../neighbours.js';
import type { Pacer } from '../pacer.js';
import type { Rounds } from '../rounds.js';
import type { NetworkNode, Queries } from '../sync/queries.js';
import type { Arrived } from './candidate.js';

/** A gateway's for each family. */
const LEADING_FRAMES = 2;
/** Neighbours of a node that a home VR may tell, and nodes of which they are kept. */
const MOST_TOLD = 1_024;
const TOLD_KEPT = 64;

export class Arrival {
  readonly #context: Context;
  readonly #nodes: NetworkNodes;
  readonly #rounds: Rounds;
  readonly #pacer: Pacer;
  readonly #queries: Queries;
  /** What home VRs have told of the neighbours of nodes that have arrived, in parts. */
  readonly #told = new BoundedMap<string, readonly Neighbour[]>(TOLD_KEPT);

  constructor(context: Context, nodes: NetworkNodes, rounds: Rounds, pacer: Pacer, queries: Queries) {
    this.#context = context;
    this.#nodes = nodes;
    this.#rounds = rounds;
    this.#pacer = pacer;
    this.#queries = queries;
  }

  /**
   * Redirects now and for 3 s, as long as the node is here with this MAC. What is urgent leaves before it returns.
   * @param firstSent called when the very first frame has left
   */
  redirect(arrived: Arrived, firstSent: () => void): void {
    this.#rounds.repeat(arrivalKey(arrived), (round) => {
      const left = this.#whatIsHere(arrived);
      if (left === undefined) return false;
      const toNode = this.#toNode(left, neighboursOf(this.#context, this.#nodes, left.lan, left.ips));
      const urgent = this.#urgent(left, toNode);
      this.#pacer.send(left.lan.index, urgent, round === 0, round === 0 ? firstSent : undefined);
      this.#pacer.send(left.lan.index, this.#others(left, toNode), false);
      return true;
    });
    this.#askForUnknownNeighbours(arrived);
  }

  /** With those of its addresses that are still here; undefined when none is. */
  #whatIsHere(arrived: Arrived): Arrived | undefined {
    const ips = arrived.ips.filter((ip) => this.#isHere(arrived, ip));
    return ips.length === 0 ? undefined : { ...arrived, ips };
  }

  #isHere(arrived: Arrived, ip: Ip): boolean {
    const record = this.#context.directory.here(arrived.lan.vnet, ip);
    return record?.router === this.#context.self && record.mac === arrived.mac;
  }

  /** The node's gateway entries lead: what it sends is lost or goes round by its old site until they are right. */
  *#urgent(arrived: Arrived, toNode: Iterator<Uint8Array>): Generator<Uint8Array> {
    yield* first(toNode, LEADING_FRAMES);
    for (const ip of arrived.ips) {
      if (this.#concernsWholeLan(arrived.lan, ip)) yield* this.#toLan(arrived, ip);
    }
  }

  *#others(arrived: Arrived, toNode: Iterable<Uint8Array>): Generator<Uint8Array> {
    yield* toNode;
    for (const ip of arrived.ips) {
      if (!this.#concernsWholeLan(arrived.lan, ip)) yield* this.#toCoVisitors(arrived, ip);
    }
  }

  /** Home, or one large subnet: hosts of the LAN reach it directly from now on, at its *own* MAC. */
  #concernsWholeLan(lan: Lan, ip: Ip): boolean {
    return this.#context.gndt.isHome(lan.vnet, ip) || this.#context.inSubnet(lan.vnet, ip);
  }

  #toLan(arrived: Arrived, ip: Ip): Uint8Array[] {
    const { lan, mac } = arrived;
    return announcementBroadcast(ip, mac, servingMac(lan, ip.family), isGateway(this.#context, lan.vnet, ip));
  }

  /** To the node's MAC only: a broadcast would poison the caches of the LAN's other hosts. */
  *#toNode(arrived: Arrived, neighbours: Iterable<Neighbour>): Generator<Uint8Array> {
    for (const neighbour of neighbours) {
      const toIp = arrived.ips.find((ip) => ip.family === neighbour.ip.family);
      if (toIp === undefined || neighbour.at === arrived.mac) continue;
      const { ip, at, router } = neighbour;
      yield* announcementTo(ip, at, servingMac(arrived.lan, ip.family), arrived.mac, toIp, router);
    }
  }

  *#toCoVisitors(arrived: Arrived, ip: Ip): Generator<Uint8Array> {
    const { lan, mac } = arrived;
    const networks = homeNetworks(this.#context, lan.vnet, [ip]);
    const router = isGateway(this.#context, lan.vnet, ip);
    for (const host of nodesOnLan(this.#context, this.#nodes, lan, networks, arrived.ips)) {
      if (host.ip.family !== ip.family) continue;
      yield* announcementTo(ip, mac, servingMac(lan, ip.family), host.mac, host.ip, router);
    }
  }

  /** A router that has just started may not have its peers' records yet: then the home VR tells who is there. */
  #askForUnknownNeighbours(arrived: Arrived): void {
    for (const network of homeNetworks(this.#context, arrived.lan.vnet, arrived.ips)) {
      if (network.router === this.#context.self || this.#knowsNodesOf(network, arrived)) continue;
      this.#told.delete(toldKey(arrived, network));
      this.#queries.nodesOf(network, arrived);
    }
  }

  /** The home VR of a network has told its nodes, or a part of them. */
  neighboursTold(arrived: Arrived, network: NetworkConfig, nodes: readonly NetworkNode[]): void {
    const key = toldKey(arrived, network);
    const neighbours = [
      ...(this.#told.get(key) ?? []),
      ...nodes.map(({ ip }) => ({ ip, at: servingMac(arrived.lan, ip.family), router: false })),
    ].slice(0, MOST_TOLD);
    this.#told.set(key, neighbours);
    this.#rounds.repeat(key, (round) => {
      const left = this.#whatIsHere(arrived);
      if (left === undefined) return false;
      const toNode = this.#toNode(left, this.#stillRemote(left, neighbours));
      this.#pacer.send(left.lan.index, toNode, round === 0);
      return true;
    });
  }

  #knowsNodesOf(network: NetworkConfig, arrived: Arrived): boolean {
    for (const record of this.#nodes.of(network)) if (record.mac !== arrived.mac) return true;
    return false;
  }

  #stillRemote(arrived: Arrived, neighbours: readonly Neighbour[]): readonly Neighbour[] {
    const own = new Set(arrived.ips.map((ip) => ip.key));
    return neighbours.filter(({ ip }) => !own.has(ip.key) && !this.#context.isHere(arrived.lan.vnet, ip));
  }
}

/** At most so many of what is left. */
function* first<T>(items: Iterator<T>, most: number): Generator<T> {
  for (let n = 0; n < most; n++) {
    const item = items.next();
    if (item.done === true) return;
    yield item.value;
  }
}

function arrivalKey(arrived: Arrived): string {
  return `arrived|${arrived.lan.vnet}|${arrived.mac}`;
}

function toldKey(arrived: Arrived, network: NetworkConfig): string {
  return `${arrivalKey(arrived)}|${network.prefix.key}`;
}
