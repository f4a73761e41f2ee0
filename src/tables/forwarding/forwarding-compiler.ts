import type { Clock, Timer } from '../../net/clock.js';
import type { CounterName, CounterTable } from '../../net/counters.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import type { OwnClient } from '../clients.js';
import type { Directory, DirectoryChange } from '../directory.js';
import type { Gndt } from '../gndt.js';
import type { Hwdt } from '../hwdt.js';
import type { Lan, Lans } from '../lan.js';
import { NEWCOMERS_SHARE } from '../limits.js';
import type { Lndt } from '../lndt.js';
import type { NetworkConfig, NodeRecord, RouterId, VnetId } from '../model.js';
import { VnetMap } from '../vnet-map.js';
import { baseRoute, type FixedRoute, fixedRoutes, lanFor, type Port } from './fixed-routes.js';
import { MAX_NETWORKS } from './forwarding-layout.js';
import type { ForwardingTable } from './forwarding-table.js';
import type { NodeActivity } from './node-activity.js';
import { type Route, RouteFlag, RouteKind } from './route.js';

/** Routes that found no room. */
export const FORWARDING_COUNTERS = {
  forwarding_routes_refused: 'drop',
  forwarding_newcomers_refused: 'drop',
} as const satisfies CounterTable;

/** Packets that a node has sent from where it was arrive within this time after its move is known. */
const IN_FLIGHT_MS = 2_000;
/** That time has begun, and its timer is to be set: that takes longer than the route. */
const BEGUN: Timer = { cancel: () => {} };

export interface CompilerInputs {
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly directory: Directory;
  /** Written by this compiler alone. */
  readonly table: ForwardingTable;
  readonly clock: Clock;
  readonly lans: Pick<Lans, 'current' | 'subscribe'>;
  readonly activity?: Pick<NodeActivity, 'numberOf' | 'subscribe'>;
  readonly tuns?: readonly Port[];
}

/**
 * Keeps a forwarding table in step with the other tables. The route of an address depends on the configuration and on
 * what the directory and the HWDT say of that one address, so each of their changes recomputes one route. When GNDT or
 * LNDT have adopted a new configuration, `reconfigure`.
 */
export class ForwardingCompiler {
  readonly #inputs: CompilerInputs;
  /** Configured routes of whole prefixes by the prefix's key, and of single addresses by the address's. */
  #fixedPrefixes = new VnetMap<string, FixedRoute>();
  #fixedHosts = new VnetMap<string, FixedRoute>();
  /** Routes that the table had no room for. */
  #unplaced = new VnetMap<string, { readonly vnet: VnetId; readonly prefix: Prefix }>();
  /** Addresses that have a host route for their binding alone: they have no record. */
  #newcomers = new VnetMap<string, true>();
  readonly #mostNewcomers: number;
  #newcomersRefused = 0;
  #routesRefused = 0;
  readonly #justMoved = new VnetMap<string, Timer>();
  readonly #unsubscribe: readonly (() => void)[];

  /** Subscribes; the table is complete after the first `rebuild`. */
  constructor(inputs: CompilerInputs) {
    this.#inputs = inputs;
    this.#mostNewcomers = Math.floor(inputs.table.capacity * NEWCOMERS_SHARE);
    this.#readConfiguration();
    this.#unsubscribe = [
      inputs.directory.subscribe((change) => this.#changed(change)),
      inputs.directory.subscribeLater(({ after: { vnet, ip } }) => this.#endLater(vnet, ip)),
      inputs.hwdt.subscribe((vnet, ip) => this.#bound(vnet, ip)),
      inputs.lans.subscribe((after, before) => this.#readdressed(after, before)),
      inputs.activity?.subscribe((vnet, ip, mac) => this.#renumbered(vnet, ip, mac)) ?? (() => {}),
    ];
  }

  /** Routes that the table had no room for. */
  get unplaced(): number {
    return this.#unplaced.size;
  }

  counters(): Readonly<Record<CounterName<typeof FORWARDING_COUNTERS>, number>> {
    return {
      forwarding_routes_refused: this.#routesRefused,
      forwarding_newcomers_refused: this.#newcomersRefused,
    };
  }

  /** Takes over what GNDT and LNDT say now. Its place among those who follow the directory stays the same. */
  reconfigure(): void {
    this.#readConfiguration();
    this.rebuild();
  }

  /**
   * Computes every route anew and writes those that differ, new ones before old ones go, so that a reload interrupts
   * nobody.
   */
  rebuild(): void {
    const { directory, hwdt, table, gndt } = this.#inputs;
    const before = [...table.routes()];
    this.#unplaced = new VnetMap();
    this.#newcomers = new VnetMap();
    for (const { vnet, prefix } of this.#fixedPrefixes.values()) this.#update(vnet, prefix);
    for (const { vnet, prefix } of this.#fixedHosts.values()) this.#update(vnet, prefix);
    for (const { vnet, ip } of gndt.ownClients) this.#update(vnet, Prefix.host(ip));
    for (const { vnet, ip } of directory.all()) this.#update(vnet, Prefix.host(ip));
    for (const { vnet, ip } of hwdt.all()) this.#update(vnet, Prefix.host(ip));
    for (const { vnet, prefix } of before) {
      if (this.#routeOf(vnet, prefix) === undefined) this.#remove(vnet, prefix);
    }
    const networks = new Map(gndt.config.networks.map((network) => [gndt.networkIndex(network), network]));
    for (let index = 0; index < MAX_NETWORKS; index++) {
      const network = networks.get(index);
      table.setGateway(index, network?.vnet ?? 0, network?.gateway);
    }
  }

  /**
   * The gateway machine's or the router's own addresses on a LAN are others: that concerns them alone, unless some network is expected
   * on another LAN now.
   */
  #readdressed(after: Lan, before: Lan): void {
    const { gndt, lans } = this.#inputs;
    const now = lans.current();
    const then = now.map((lan) => (lan.index === after.index ? before : lan));
    const changesLan = gndt.config.networks.some(
      ({ vnet, prefix }) => lanFor(then, vnet, prefix)?.index !== lanFor(now, vnet, prefix)?.index,
    );
    if (changesLan) {
      this.reconfigure();
      return;
    }
    this.#readConfiguration();
    for (const { gateway = [], addresses } of [before, after]) {
      for (const ip of [...gateway, ...addresses]) this.#update(after.vnet, Prefix.host(ip));
    }
  }

  /** A node that has changed its VR is in between for as long as packets may be under way. */
  #changed({ before, after }: DirectoryChange): void {
    const { vnet, ip } = after;
    if (before !== undefined && before.router !== after.router && after.state === 'here') {
      this.#justMoved.get(vnet, ip.key)?.cancel();
      this.#justMoved.set(vnet, ip.key, BEGUN);
    }
    this.#update(vnet, Prefix.host(ip));
  }

  #endLater(vnet: VnetId, ip: Ip): void {
    if (this.#justMoved.get(vnet, ip.key) !== BEGUN) return;
    const settle = (): void => {
      this.#justMoved.delete(vnet, ip.key);
      this.#update(vnet, Prefix.host(ip));
    };
    this.#justMoved.set(vnet, ip.key, this.#inputs.clock.after('in flight', IN_FLIGHT_MS, settle));
  }

  /** The route of a node at another VR does not depend on its MAC here: it is learned just before each arrival. */
  #bound(vnet: VnetId, ip: Ip): void {
    const { directory, gndt } = this.#inputs;
    const record = directory.here(vnet, ip);
    if (record === undefined || record.router === gndt.self) this.#update(vnet, Prefix.host(ip));
  }

  /** A machine is watched from now on, or no longer: its routes, which are there already, say with which number. */
  #renumbered(vnet: VnetId, ip: Ip, mac: Mac): void {
    this.#update(vnet, Prefix.host(ip));
    for (const other of this.#inputs.directory.byMac(vnet, mac)) this.#update(vnet, Prefix.host(other.ip));
  }

  /** Stops listening; the table stays as it is. */
  dispose(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const timer of this.#justMoved.values()) timer.cancel();
  }

  #readConfiguration(): void {
    this.#fixedPrefixes = new VnetMap();
    this.#fixedHosts = new VnetMap();
    for (const fixed of fixedRoutes(this.#inputs)) {
      const { vnet, prefix } = fixed;
      if (prefix.isHost) this.#fixedHosts.set(vnet, prefix.address.key, fixed);
      else this.#fixedPrefixes.set(vnet, prefix.key, fixed);
    }
  }

  #update(vnet: VnetId, prefix: Prefix): void {
    const route = this.#routeOf(vnet, prefix);
    if (route === undefined || !this.#mayTakeRoom(vnet, prefix, route)) this.#remove(vnet, prefix);
    else this.#put(vnet, prefix, route);
  }

  #put(vnet: VnetId, prefix: Prefix, route: Route): void {
    if (this.#inputs.table.set(vnet, prefix, route)) {
      if (this.#unplaced.size > 0) this.#unplaced.delete(vnet, prefix.key);
    } else {
      this.#unplaced.set(vnet, prefix.key, { vnet, prefix });
      this.#routesRefused++;
    }
  }

  /** One that has waited for room takes its place. */
  #remove(vnet: VnetId, prefix: Prefix): void {
    this.#inputs.table.delete(vnet, prefix);
    if (this.#newcomers.size > 0) this.#newcomers.delete(vnet, prefix.address.key);
    if (this.#unplaced.size === 0) return;
    this.#unplaced.delete(vnet, prefix.key);
    for (const waiting of this.#unplaced.values()) {
      // Should it have to wait on, then behind the others.
      this.#unplaced.delete(waiting.vnet, waiting.prefix.key);
      const route = this.#routeOf(waiting.vnet, waiting.prefix);
      if (route !== undefined) this.#put(waiting.vnet, waiting.prefix, route);
      return;
    }
  }

  /**
   * A LAN can make up any number of bindings, so those without a record share a part of the room. One that gets no route is
   * served by its network's: its MAC is asked for.
   */
  #mayTakeRoom(vnet: VnetId, prefix: Prefix, { kind }: Route): boolean {
    const { key } = prefix.address;
    const isNewcomer =
      kind === RouteKind.host &&
      this.#fixedHosts.get(vnet, key) === undefined &&
      this.#inputs.directory.here(vnet, prefix.address) === undefined;
    if (!isNewcomer) {
      if (this.#newcomers.size > 0 && prefix.isHost) this.#newcomers.delete(vnet, key);
      return true;
    }
    if (this.#newcomers.get(vnet, key) !== undefined) return true;
    if (this.#newcomers.size >= this.#mostNewcomers) {
      this.#newcomersRefused++;
      return false;
    }
    this.#newcomers.set(vnet, key, true);
    return true;
  }

  /** The route that exactly this prefix should have; undefined when a shorter one serves. */
  #routeOf(vnet: VnetId, prefix: Prefix): Route | undefined {
    if (!prefix.isHost) return this.#fixedPrefixes.get(vnet, prefix.key)?.route;
    const fixed = this.#fixedHosts.get(vnet, prefix.address.key)?.route;
    if (fixed?.kind === RouteKind.own || fixed?.kind === RouteKind.gateway) return fixed;
    const network = this.#inputs.gndt.networkOf(vnet, prefix.address);
    const client = this.#inputs.gndt.ownClientAt(vnet, prefix.address);
    if (client !== undefined) return this.#client(network, client);
    // An address that is native nowhere is nobody's to announce.
    if (network === undefined) return fixed;
    const record = this.#inputs.directory.here(vnet, prefix.address);
    const isAway = record !== undefined && record.router !== this.#inputs.gndt.self;
    const route = isAway ? this.#remote(network, record) : this.#local(network, prefix.address, record);
    return route ?? fixed;
  }

  /** A WireGuard client is where the configuration has it, whatever is said on a LAN. */
  #client(network: NetworkConfig | undefined, { vnet, ip, peer }: OwnClient): Route {
    const { gndt, directory } = this.#inputs;
    const base = baseRoute(gndt, network);
    const visiting = network !== undefined && network.router !== gndt.self ? RouteFlag.visiting : 0;
    return {
      ...base,
      kind: RouteKind.client,
      peer,
      previousPeer: this.#peerOf(directory.previous(vnet, ip)),
      flags: base.flags | RouteFlag.authorised | visiting,
    };
  }

  /** A node at another VR. One that is at home is served by its network's route, unless it came from elsewhere. */
  #remote(network: NetworkConfig, record: NodeRecord): Route | undefined {
    const { gndt, directory } = this.#inputs;
    const peer = gndt.peerIndex(record.router);
    const previousPeer = this.#peerOf(directory.previous(record.vnet, record.ip));
    if (peer < 0 || (record.router === network.router && previousPeer < 0)) return undefined;
    const departed = network.router === gndt.self ? RouteFlag.departed : 0;
    const base = baseRoute(gndt, network);
    const moved = this.#moved(record.vnet, record.ip);
    const flags = base.flags | departed | moved | this.#authorised(record.vnet, record.ip);
    return { ...base, kind: RouteKind.peer, peer, previousPeer, flags };
  }

  /** A node on one of our LANs: the directory says so, or it is native here and has been seen. */
  #local(network: NetworkConfig, ip: Ip, record: NodeRecord | undefined): Route | undefined {
    const { gndt, lndt, hwdt, directory, lans, activity } = this.#inputs;
    const { vnet } = network;
    const isNative = network.router === gndt.self;
    if (record === undefined && !isNative) return undefined;
    const binding = hwdt.get(vnet, ip);
    const pinnedMac = isNative ? lndt.entryFor(vnet, Prefix.host(ip))?.mac : undefined;
    const seenMac = binding?.mac ?? record?.mac;
    const lan = binding?.lan ?? lanFor(lans.current(), vnet, network.prefix)?.index;
    if (seenMac === undefined || lan === undefined) return undefined;
    const base = baseRoute(gndt, network);
    // Whoever else says that it has a pinned address does not get its traffic.
    const mac = pinnedMac ?? seenMac;
    return {
      ...base,
      kind: RouteKind.host,
      peer: activity?.numberOf(vnet, mac) ?? -1,
      lan,
      mac,
      previousPeer: record === undefined ? -1 : this.#peerOf(directory.previous(vnet, ip)),
      flags:
        base.flags | this.#authorised(vnet, ip) | this.#moved(vnet, ip) | (isNative ? 0 : RouteFlag.visiting),
      pinnedMac,
    };
  }

  #authorised(vnet: VnetId, ip: Ip): number {
    return this.#inputs.lndt.authorises(vnet, ip, undefined) ? RouteFlag.authorised : 0;
  }

  #moved(vnet: VnetId, ip: Ip): number {
    return this.#justMoved.get(vnet, ip.key) === undefined ? 0 : RouteFlag.justMoved;
  }

  #peerOf(router: RouterId | undefined): number {
    return router === undefined ? -1 : this.#inputs.gndt.peerIndex(router);
  }
}
