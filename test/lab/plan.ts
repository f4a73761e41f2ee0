/**
 * What a lab consists of, as plain data: namespaces, the veth pairs between them, addresses, routes.
 *
 * Each site x (a, b, c = number 1, 2, 3) has network 10.N.0.0/24 and fd00:N::/64, a switch `sw-x` (a bridge in a
 * namespace of its own), the gateway machine `vr-x` (lan0 10.N.0.1, wan0 192.0.2.N) and hosts `x1`, `x2` (.11, .12).
 * Site a also has `ax` (.66, a host that no LNDT lists), the gateway `gw-a` (.254) with the machine `outside`
 * (198.51.100.10 and 2001:db8::10) behind it, and the nodes that move: `vm` (10.1.0.9), `vm20`, `vm21` … (10.1.0.20 …).
 * `vmb` (10.2.0.9) moves too; its home is site b.
 *
 * In topology `nat` the gateways of sites a and b are behind NAT boxes `nat-a`, `nat-b` (192.0.2.1 and .2 outside,
 * 172.16.N.1 inside) and have no address of their own in the WAN; site c's is in the open, and a relay.
 *
 * In topology `pair` site a has two gateway machines, `vr-a1` (lan0 10.1.0.1, wan0 192.0.2.1) and `vr-a2` (10.1.0.2 and
 * 192.0.2.11); its nodes reach the overlay by 10.1.0.3 and fd00:1::3, which no kernel holds. Site b has one, as always.
 *
 * In topology `spare`, which is `three-site` otherwise, site a has a second gateway machine, `vr-a2` (10.1.0.2 and
 * 192.0.2.11), on which nothing runs: who keeps the handbook makes a router of it.
 *
 * A node that moves must see what a migrated guest sees: its link stays up, its ARP cache stays as it is. So its veth
 * ends in a hub of its own (in namespace `cable`) with one uplink to every site's switch; exactly one of these uplinks
 * is a port of its switch. Moving it is unplugging it there (the switch forgets its MAC, as when a port goes down) and
 * plugging it in elsewhere.
 */

/**
 * `large-subnet…`: single-large-subnet mode. A vnet has one `subnet`: 10.0.0.0/8, or in `large-subnet-6` fd00::/16; the
 * other family's networks are separate ones, as in classic mode.
 */
export const topologies = [
  'two-site',
  'three-site',
  'large-subnet',
  'large-subnet-three',
  'large-subnet-6',
  'nat',
  'pair',
  'spare',
] as const;
export type Topology = (typeof topologies)[number];
export type SiteLetter = 'a' | 'b' | 'c';

/** What the sites' nodes take to be one link; undefined in classic mode. */
export function subnetOf(topology: Topology): string | undefined {
  if (topology === 'large-subnet-6') return 'fd00::/16';
  return topology.startsWith('large-subnet') ? '10.0.0.0/8' : undefined;
}

export interface Site {
  readonly letter: SiteLetter;
  /** N in 10.N.0.0/24, fd00:N::/64 and 192.0.2.N. */
  readonly number: number;
}

/** A gateway machine. */
export interface RouterPlan {
  /** Also the name of its node. */
  readonly id: string;
  /** Short: the site's letter, with a number when the site has two. Names its directory and its port of the WAN. */
  readonly tag: string;
  readonly site: Site;
  /** H in 10.N.0.H and fd00:N::H. */
  readonly lanHost: number;
  /** W in 192.0.2.W. */
  readonly wanHost: number;
}

export interface NodePlan {
  readonly name: string;
  /** Switches and the WAN carry frames only: no address of their own, not even a link-local one. */
  readonly layer: 'host' | 'switch';
  readonly forwards: boolean;
  /** Masquerades what goes out by `out0`, and lets nothing in there that was not asked for. */
  readonly nat?: boolean;
  /** Arguments after `ip route add` / `ip -6 route add`. */
  readonly routes: readonly string[];
}

export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
  readonly mac?: string;
  /** With mask. */
  readonly addresses?: readonly string[];
  /** Bridge in `node` that this end is a port of. */
  readonly bridge?: string;
}

export interface BridgePlan {
  readonly node: string;
  readonly name: string;
  /** A hub learns nothing: every frame to every port. */
  readonly hub: boolean;
}

/** A node that can move. */
export interface MoverPlan {
  readonly name: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly home: SiteLetter;
}

/** A place in site a that is kept for a QEMU guest (qemu/guest.ts). */
export interface GuestPlan {
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** An address that takes part, and where. */
export interface ListedNode {
  readonly site: SiteLetter;
  readonly address: string;
}

export interface Plan {
  readonly topology: Topology;
  readonly sites: readonly Site[];
  /** In the order of their sites; a site's two in the order of gndt.json. */
  readonly routers: readonly RouterPlan[];
  /** Gateway machines without a router. */
  readonly spares: readonly RouterPlan[];
  readonly nodes: readonly NodePlan[];
  readonly bridges: readonly BridgePlan[];
  readonly links: readonly (readonly [LinkEnd, LinkEnd])[];
  readonly movers: readonly MoverPlan[];
  readonly guest: GuestPlan;
  readonly listed: readonly ListedNode[];
}

export const outsideAddress = '198.51.100.10';
export const outsideAddress6 = '2001:db8::10';
export const unlistedAddress = '10.1.0.66';

/** Is the site's gateway behind NAT? */
export const isBehindNat = (topology: Topology, site: Site): boolean =>
  topology === 'nat' && site.letter !== 'c';

export const siteAddress = (site: Site, host: number): string => `10.${site.number}.0.${host}`;
/** The interface identifier is the host's number in decimal digits: 10.1.0.11 is also fd00:1::11. */
export const siteAddress6 = (site: Site, host: number): string => `fd00:${site.number}::${host}`;
export const switchName = (letter: SiteLetter): string => `sw-${letter}`;
export const natName = (letter: SiteLetter): string => `nat-${letter}`;
export const routerName = (letter: SiteLetter): string => `vr-${letter}`;
/** By what records and networks name the site: its only router, or the name of its own that it has with two. */
export const siteName = (topology: Topology, letter: SiteLetter): string =>
  isOfTwo(topology, letter) ? `site-${letter}` : routerName(letter);

const isOfTwo = (topology: Topology, letter: SiteLetter): boolean => topology === 'pair' && letter === 'a';

/** Of one site. */
function routersOf(topology: Topology, site: Site): RouterPlan[] {
  const { letter, number } = site;
  if (!isOfTwo(topology, letter))
    return [{ id: routerName(letter), tag: letter, site, lanHost: 1, wanHost: number }];
  return [1, 2].map((place) => {
    const tag = `${letter}${place}`;
    return { id: `vr-${tag}`, tag, site, lanHost: place, wanHost: number + 10 * (place - 1) };
  });
}

function sparesOf(topology: Topology, site: Site): RouterPlan[] {
  if (topology !== 'spare' || site.letter !== 'a') return [];
  const [id, tag] = [`${routerName(site.letter)}2`, `${site.letter}2`];
  return [{ id, tag, site, lanHost: 2, wanHost: site.number + 10 }];
}

const allSites: readonly Site[] = [
  { letter: 'a', number: 1 },
  { letter: 'b', number: 2 },
  { letter: 'c', number: 3 },
];
const gatewayHost = 254;
/** The gateway address that routers answer for themselves, where they have one. */
export const sharedHost = 3;
const guestHost = 99;
/** The bridge in a switch's namespace and in the WAN's. */
export const lanBridge = 'br0';

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const hostMac = (site: Site, host: number): string => `02:00:00:00:${hex(site.number)}:${hex(host)}`;
/** Site a's nodes: 52:54:00:00:00:HH. */
const moverMac = (site: Site, host: number): string => `52:54:00:00:${hex(site.number - 1)}:${hex(host)}`;
const wanMac = ({ wanHost }: RouterPlan): string => `02:00:00:ff:00:${hex(wanHost)}`;

/** 20 to 59, then 100 to 249: none that another node has. */
const moverHost = (i: number): number => (i < 40 ? 20 : 60) + i;
/** The i-th of `moreVms`, from 0. */
export const moverName = (i: number): string => `vm${moverHost(i)}`;

class PlanBuilder {
  readonly nodes: NodePlan[] = [];
  readonly bridges: BridgePlan[] = [];
  readonly links: [LinkEnd, LinkEnd][] = [];
  readonly movers: MoverPlan[] = [];
  readonly listed: ListedNode[] = [];

  /** Is IPv4, is IPv6 in single-large-subnet mode? */
  private readonly large4: boolean;
  private readonly large6: boolean;

  constructor(private readonly topology: Topology) {
    const subnet = subnetOf(topology);
    this.large6 = subnet?.includes(':') === true;
    this.large4 = subnet !== undefined && !this.large6;
  }

  /** To the other sites' networks. */
  private overlayRoutes(site: Site): string[] {
    const routes: string[] = [];
    const via = isOfTwo(this.topology, site.letter) ? sharedHost : 1;
    if (!this.large6) routes.push(`fd00::/16 via ${siteAddress6(site, via)}`);
    if (!this.large4) routes.push(`10.0.0.0/8 via ${siteAddress(site, via)}`);
    return routes;
  }

  private routesOf(site: Site): string[] {
    const routes = this.overlayRoutes(site);
    if (site.letter === 'a')
      routes.push(
        `default via ${siteAddress(site, gatewayHost)}`,
        `default via ${siteAddress6(site, gatewayHost)}`,
      );
    return routes;
  }

  private switch(name: string, bridge: string): void {
    this.nodes.push({ name, layer: 'switch', forwards: false, routes: [] });
    this.bridges.push({ node: name, name: bridge, hub: false });
  }

  private lanAddresses(site: Site, host: number): string[] {
    const [mask4, mask6] = [this.large4 ? 8 : 24, this.large6 ? 16 : 64];
    return [`${siteAddress(site, host)}/${mask4}`, `${siteAddress6(site, host)}/${mask6}`];
  }

  private onLan(site: Site, node: string, host: number, interfaceName: string): void {
    this.links.push([
      { node, interface: interfaceName, mac: hostMac(site, host), addresses: this.lanAddresses(site, host) },
      { node: switchName(site.letter), interface: node, bridge: lanBridge },
    ]);
  }

  private list(site: Site, host: number): void {
    this.listed.push({ site: site.letter, address: siteAddress(site, host) });
    this.listed.push({ site: site.letter, address: siteAddress6(site, host) });
  }

  host(site: Site, name: string, host: number, listed: boolean): void {
    this.nodes.push({ name, layer: 'host', forwards: false, routes: this.routesOf(site) });
    this.onLan(site, name, host, 'eth0');
    if (listed) this.list(site, host);
  }

  router(router: RouterPlan): void {
    const { id: name, site } = router;
    const nat = isBehindNat(this.topology, site);
    const inside = `172.16.${site.number}`;
    this.nodes.push({
      name,
      layer: 'host',
      forwards: false,
      routes: nat ? [`192.0.2.0/24 via ${inside}.1`] : [],
    });
    this.onLan(site, name, router.lanHost, 'lan0');
    const open = { mac: wanMac(router), addresses: [`192.0.2.${router.wanHost}/24`] };
    const port = { node: 'wan', interface: wanPort(router), bridge: lanBridge };
    if (!nat) {
      this.links.push([{ node: name, interface: 'wan0', ...open }, port]);
      return;
    }
    const box = natName(site.letter);
    this.nodes.push({ name: box, layer: 'host', forwards: true, nat: true, routes: [] });
    this.links.push(
      [
        { node: name, interface: 'wan0', addresses: [`${inside}.2/24`] },
        { node: box, interface: 'in0', addresses: [`${inside}.1/24`] },
      ],
      [{ node: box, interface: 'out0', ...open }, port],
    );
  }

  site(site: Site): void {
    this.switch(switchName(site.letter), lanBridge);
    const machines = [...routersOf(this.topology, site), ...sparesOf(this.topology, site)];
    for (const machine of machines) this.router(machine);
    this.host(site, `${site.letter}1`, 11, true);
    this.host(site, `${site.letter}2`, 12, true);
  }

  wan(): void {
    this.switch('wan', lanBridge);
  }

  /** The gateway of site a and a machine of the outside world, which knows nothing of the overlay. */
  outside(site: Site): void {
    this.nodes.push({ name: 'gw-a', layer: 'host', forwards: true, routes: this.overlayRoutes(site) });
    this.onLan(site, 'gw-a', gatewayHost, 'eth0');
    this.nodes.push({
      name: 'outside',
      layer: 'host',
      forwards: false,
      routes: ['10.1.0.0/24 via 198.51.100.254', 'fd00:1::/64 via 2001:db8::fe'],
    });
    this.links.push([
      { node: 'outside', interface: 'eth0', addresses: [`${outsideAddress}/24`, `${outsideAddress6}/64`] },
      { node: 'gw-a', interface: 'out0', addresses: ['198.51.100.254/24', '2001:db8::fe/64'] },
    ]);
  }

  mover(site: Site, name: string, host: number, sites: readonly Site[]): void {
    const mac = moverMac(site, host);
    this.nodes.push({ name, layer: 'host', forwards: false, routes: this.routesOf(site) });
    this.bridges.push({ node: 'cable', name, hub: true });
    this.links.push([
      { node: name, interface: 'eth0', mac, addresses: this.lanAddresses(site, host) },
      { node: 'cable', interface: `${name}-in`, bridge: name },
    ]);
    for (const { letter } of sites)
      this.links.push([
        { node: 'cable', interface: `${name}-${letter}`, bridge: name },
        {
          node: switchName(letter),
          interface: name,
          ...(letter === site.letter ? { bridge: lanBridge } : {}),
        },
      ]);
    this.list(site, host);
    const [ipv4, ipv6] = [siteAddress(site, host), siteAddress6(site, host)];
    this.movers.push({ name, mac, ipv4, ipv6, home: site.letter });
  }

  allMovers(sites: readonly Site[], more: number): void {
    const [first, second] = sites;
    if (first === undefined || second === undefined) throw new Error('a lab has two sites at least');
    this.nodes.push({ name: 'cable', layer: 'switch', forwards: false, routes: [] });
    this.mover(first, 'vm', 9, sites);
    this.mover(second, 'vmb', 9, sites);
    for (let i = 0; i < more; i++) this.mover(first, moverName(i), moverHost(i), sites);
  }

  guest(site: Site): GuestPlan {
    this.list(site, guestHost);
    const [ipv4, ipv6] = [siteAddress(site, guestHost), siteAddress6(site, guestHost)];
    return { mac: moverMac(site, guestHost), ipv4, ipv6 };
  }
}

/** The WAN's end of a router's wan0. */
export const wanPort = ({ tag }: Pick<RouterPlan, 'tag'>): string => `w-${tag}`;

/** `moreVms`: nodes that can move besides `vm` and `vmb`, at most 190. */
export function planOf(topology: Topology, moreVms = 0): Plan {
  const hasTwo = topology === 'two-site' || topology === 'large-subnet' || topology === 'pair';
  const sites = hasTwo ? allSites.slice(0, 2) : allSites;
  const builder = new PlanBuilder(topology);
  builder.wan();
  for (const site of sites) builder.site(site);
  const [first] = sites;
  if (first === undefined) throw new Error('a lab needs a site');
  builder.host(first, 'ax', 66, false);
  builder.outside(first);
  builder.allMovers(sites, moreVms);
  const guest = builder.guest(first);
  const { nodes, bridges, links, movers, listed } = builder;
  const routers = sites.flatMap((site) => routersOf(topology, site));
  const spares = sites.flatMap((site) => sparesOf(topology, site));
  return { topology, sites, routers, spares, nodes, bridges, links, movers, guest, listed };
}
