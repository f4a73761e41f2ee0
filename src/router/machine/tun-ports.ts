/**
 * TUN ports: how the gateway machine itself takes part (dataplane.md, "The gateway's own addresses"). A port belongs to
 * a vnet. Beside a LAN of that vnet it carries the machine's own addresses of the LAN; without one the machine is a node
 * by itself, with the single addresses that lndt.json lists in its native networks, and these are put on the device.
 *
 * Devices, addresses and routes are the kernel's as long as the descriptor is open: they go with the process, also when
 * it is killed.
 */
import type { NativeAddon, TunSocket } from '../../dataplane/engine.js';
import type { Ip } from '../../net/ip.js';
import { Prefix } from '../../net/prefix.js';
import type { Directory } from '../../tables/directory.js';
import { isNamed } from '../../tables/files/endpoint-text.js';
import type { Port } from '../../tables/forwarding/fixed-routes.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Lan, Lans } from '../../tables/lan.js';
import type { LndtEntry, RouterConfig, RouterEntry, VnetId } from '../../tables/model.js';
import type { EventHub } from '../view/event-hub.js';
import { IpCommands } from './ip-commands.js';

export interface TunPort extends Port {
  readonly interface: string;
  readonly socket: TunSocket;
}

/** Makes the devices; throws what is wrong with the first that cannot be had, with none left. */
export function openTunPorts(
  native: NativeAddon,
  config: RouterConfig,
  gndt: Gndt,
  entries: readonly LndtEntry[],
  lans: Lans,
): readonly TunPort[] {
  const open: TunPort[] = [];
  for (const tun of config.tun) {
    const vnet = gndt.vnetByName(tun.vnet)?.id ?? 0;
    const addresses = lans.of(vnet).length > 0 ? [] : addressesOf(vnet, gndt, entries);
    const index = lans.current().length + open.length;
    try {
      const socket = native.openTun(tun.interface, index);
      open.push({ interface: tun.interface, vnet, index, addresses, socket });
    } catch (error) {
      for (const { socket } of open) native.closeSocket(socket.fd);
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot open TUN port ${tun.interface}: ${reason}`, { cause: error });
    }
  }
  return open;
}

function addressesOf(vnet: VnetId, gndt: Gndt, entries: readonly LndtEntry[]): Ip[] {
  return entries
    .filter((entry) => entry.vnet === vnet && entry.prefix.isHost && gndt.isHome(vnet, entry.prefix.address))
    .map(({ prefix }) => prefix.address);
}

export interface TunRoutesOptions {
  readonly ports: readonly TunPort[];
  readonly lans: Lans;
  readonly gndt: Gndt;
  readonly directory: Directory;
  /** Told what `ip` says of routes that come later. */
  readonly hub: Pick<EventHub, 'emit'>;
}

export class TunRoutes {
  readonly #ports: readonly TunPort[];
  readonly #lans: Lans;
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  readonly #commands: IpCommands;
  /** Nodes that are away and have a host route, by port index and address. */
  readonly #away = new Map<string, { readonly port: TunPort; readonly prefix: Prefix }>();
  /** Routes to the other sites' networks, by port. */
  readonly #networks = new Map<TunPort, ReadonlyMap<string, Prefix>>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor({ ports, lans, gndt, directory, hub }: TunRoutesOptions) {
    this.#ports = ports;
    this.#lans = lans;
    this.#gndt = gndt;
    this.#directory = directory;
    this.#commands = new IpCommands((reason) =>
      hub.emit('warn', 'tun_route_failed', 'a route of a TUN port could not be set', { reason }),
    );
  }

  /** Brings the devices up with addresses and routes. Answers what did not work, as warnings. */
  async start(mtuBytes: number): Promise<string[]> {
    if (this.#ports.length === 0) return [];
    const warnings: string[] = [];
    for (const port of this.#ports) {
      if (this.#sourcesOf(port).length === 0)
        warnings.push(
          `${port.interface}: this machine has no address in the vnet (none on its LANs there, no single address in lndt.json), so nothing can use it`,
        );
      const networks = this.#networksOf(port, warnings);
      this.#networks.set(port, networks);
      const routes = [...networks.values()].flatMap((prefix) => this.#route('add', port, prefix));
      const lines = [...deviceCommands(port, mtuBytes), ...routes];
      const problems = await this.#commands.run(lines);
      warnings.push(...problems.map((problem) => `${port.interface}: ${problem}`));
    }
    for (const { vnet, ip } of this.#directory.all()) this.#update(vnet, ip);
    this.#unsubscribe = [
      this.#directory.subscribe(({ after }) => this.#update(after.vnet, after.ip)),
      this.#lans.subscribe((lan) => this.#readdressed(lan)),
    ];
    return warnings;
  }

  /** The GNDT's networks are others now: new routes come before old ones go. */
  reconfigure(): void {
    for (const port of this.#ports) {
      const before = this.#networks.get(port) ?? new Map<string, Prefix>();
      const now = this.#networksOf(port, []);
      this.#networks.set(port, now);
      const added = [...now].filter(([key]) => !before.has(key));
      const gone = [...before].filter(([key]) => !now.has(key));
      this.#commands.later([
        ...added.flatMap(([, prefix]) => this.#route('replace', port, prefix)),
        ...gone.flatMap(([, prefix]) => this.#route('del', port, prefix)),
      ]);
    }
    for (const { vnet, ip } of this.#directory.all()) this.#update(vnet, ip);
  }

  /** The other site's network by whose route here the kernel sends to that address, or will; undefined: by none. */
  routeTo(ip: Ip): Prefix | undefined {
    if (this.#ports.length === 0) return undefined;
    const { networks, routers } = this.#gndt.config;
    const found = networks.find(
      ({ vnet, prefix, router }) =>
        router !== this.#gndt.self &&
        this.#ports.some((port) => port.vnet === vnet) &&
        prefix.family === ip.family &&
        prefix.contains(ip),
    );
    if (found === undefined || routers.some((entry) => isReachedIn(entry, found.prefix))) return undefined;
    return found.prefix;
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** The other sites' networks. One that a router itself is reached in would catch the tunnel's own datagrams. */
  #networksOf(port: TunPort, warnings: string[]): Map<string, Prefix> {
    const networks = new Map<string, Prefix>();
    for (const { vnet, prefix, router } of this.#gndt.config.networks) {
      if (vnet !== port.vnet || router === this.#gndt.self) continue;
      const reached = this.#gndt.config.routers.find((entry) => isReachedIn(entry, prefix));
      if (reached === undefined) networks.set(prefix.key, prefix);
      else warnings.push(`${port.interface}: no route to ${prefix}: an endpoint of ${reached.id} lies in it`);
    }
    return networks;
  }

  /** A node that is native here and away is no longer on the LAN, where the kernel would look for it. */
  #update(vnet: VnetId, ip: Ip): void {
    const port = this.#ports.find((candidate) => candidate.vnet === vnet);
    if (port === undefined) return;
    const record = this.#directory.here(vnet, ip);
    const isAway = record !== undefined && record.router !== this.#gndt.self && this.#gndt.isHome(vnet, ip);
    const key = `${port.index} ${ip.key}`;
    if (isAway === this.#away.has(key)) return;
    const prefix = Prefix.host(ip);
    if (isAway) this.#away.set(key, { port, prefix });
    else this.#away.delete(key);
    this.#commands.later(this.#route(isAway ? 'replace' : 'del', port, prefix));
  }

  /** The kernel has taken away the routes whose source was an address that is gone; all others get the one of now. */
  #readdressed({ vnet }: Lan): void {
    const port = this.#ports.find((candidate) => candidate.vnet === vnet);
    if (port === undefined) return;
    const away = [...this.#away.values()].filter((route) => route.port === port);
    const prefixes = [...(this.#networks.get(port)?.values() ?? []), ...away.map(({ prefix }) => prefix)];
    this.#commands.later(prefixes.flatMap((prefix) => this.#route('replace', port, prefix)));
  }

  #route(verb: 'add' | 'replace' | 'del', port: TunPort, prefix: Prefix): string[] {
    const source = this.#sourcesOf(port).find((ip) => ip.family === prefix.family);
    if (source === undefined) return [];
    const family = prefix.family === 6 ? '-6 ' : '';
    return [`${family}route ${verb} ${prefix} dev ${port.interface} src ${source}`];
  }

  /** What packets from there come from: the port's own addresses, or those of the vnet's LANs. */
  #sourcesOf(port: TunPort): readonly Ip[] {
    const ofLans = this.#lans.of(port.vnet).flatMap((lan) => lan.addresses);
    return [...port.addresses, ...ofLans].filter((ip) => !ip.isLinkLocal);
  }
}

/** What a name means is another thing each time: addresses in such a network are not taken (`routeTo`). */
function isReachedIn({ endpoints }: RouterEntry, prefix: Prefix): boolean {
  return endpoints.some(
    (endpoint) =>
      !isNamed(endpoint) && endpoint.address.family === prefix.family && prefix.contains(endpoint.address),
  );
}

function deviceCommands(port: TunPort, mtuBytes: number): string[] {
  const device = port.interface;
  return [
    // No link-local address: there is no link.
    `link set dev ${device} mtu ${mtuBytes} txqueuelen 1000 addrgenmode none`,
    ...port.addresses.map(
      (ip) => `addr add ${Prefix.host(ip)} dev ${device}${ip.family === 6 ? ' nodad' : ''}`,
    ),
    `link set dev ${device} up`,
  ];
}
