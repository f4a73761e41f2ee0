/** Sites on one simulated clock, the truth about where each node is, and the checks against it. */
import assert from 'node:assert/strict';
import { Ip } from '../../src/net/ip.js';
import { formatMac, type Mac } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { RouteKind } from '../../src/tables/forwarding/route.js';
import type { GndtConfig, MobilityConfig, RouterId, WireguardClient } from '../../src/tables/model.js';
import { SimClock } from './sim-clock.js';
import { SimHost } from './sim-lan-host.js';
import { SimSite, type SiteOptions, type Wan } from './sim-lan-site.js';
import { randomOf, SimWan, type WanOptions } from './sim-lan-wan.js';
import { SimLinkWan } from './sim-link-wan.js';

export const BLUE = 1;
/** Which addresses a host has. */
export type Families = '4' | '6' | '46';
export type Announcement = 'rarp' | 'gratuitous' | 'both' | 'none';

export interface WorldOptions {
  readonly sites: number;
  /** One number for all, or one for each. */
  readonly hostsPerSite: number | readonly number[];
  /** Single-large-subnet mode: 10.0.0.0/8; with '6': fd00::/16. */
  readonly largeSubnet?: boolean | '6';
  /** Sites have IPv6 networks too; each host that is no gateway has what this says. Default: IPv4 only. */
  readonly families?: () => Families;
  readonly wan?: Partial<WanOptions>;
  readonly seed?: number;
  readonly verify?: MobilityConfig['verify'];
  readonly maxMoves?: number;
  readonly moveWindowSeconds?: number;
  /** Messages go through the tunnel's links and channels, as bytes. */
  readonly links?: boolean;
  /** Which routers may claim nodes of site 1, as the file of site `number` says; default all. */
  readonly allow?: (number: number) => readonly RouterId[] | undefined;
  /** Which routers may claim nodes of a site, the same in all files; default all. `allow` goes before it. */
  readonly allowOf?: (site: number) => readonly RouterId[] | undefined;
  /** WireGuard clients, the same in all files. */
  readonly clients?: readonly WireguardClient[];
  /** Another WAN for a site, in between it and the true one. */
  readonly wanOf?: (site: number, wan: SimWan | SimLinkWan) => Wan;
  /** Of the forwarding tables; default 512. */
  readonly slots?: number;
  /** See `SiteOptions`. */
  readonly hasLinkLocal?: boolean;
  /** Of all sites; else as router.json has them by default. */
  readonly limits?: SiteOptions['limits'];
}

const QUIET_MS = 8_000;

export class SimWorld {
  readonly clock = new SimClock();
  readonly wan: SimWan | SimLinkWan;
  readonly sites: readonly SimSite[];
  readonly hosts: SimHost[] = [];
  readonly random: () => number;
  /** Where each host is; absent while it is being moved. */
  readonly #truth = new Map<SimHost, SimSite>();

  constructor(options: WorldOptions) {
    this.random = randomOf(options.seed ?? 1);
    const wan = { delayMs: 10, jitterMs: 0, loss: 0, retryMs: 30, duplicate: 0, ...options.wan };
    this.wan = new (options.links === true ? SimLinkWan : SimWan)(this.clock, wan, this.random);
    const { verify = 'optimistic', maxMoves = 100, moveWindowSeconds = 60 } = options;
    const mobility = { verify, maxMoves, moveWindowSeconds };
    this.sites = Array.from({ length: options.sites }, (_, i) => {
      const own = options.wanOf?.(i + 1, this.wan) ?? this.wan;
      return new SimSite(this.clock, own, siteOptions(options, i + 1, mobility));
    });
    for (const site of this.sites) site.mobility.start();
    this.wan.connectAll();
    for (const [i, site] of this.sites.entries()) {
      const { hostsPerSite, families } = options;
      this.addHost(site, `gw${i + 1}`, addresses(i + 1, 254, families === undefined ? '4' : '46'));
      const count = typeof hostsPerSite === 'number' ? hostsPerSite : (hostsPerSite[i] ?? 0);
      for (let n = 0; n < count; n++) {
        this.addHost(site, `h${i + 1}-${n + 1}`, addresses(i + 1, 11 + n, families?.() ?? '4'));
      }
    }
    this.settle(1_000);
  }

  site(number: number): SimSite {
    const site = this.sites[number - 1];
    assert(site, `no site ${number}`);
    return site;
  }

  host(name: string): SimHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    assert(host, `no host ${name}`);
    return host;
  }

  siteOf(host: SimHost): SimSite | undefined {
    return this.#truth.get(host);
  }

  /** Hosts that are no gateways. */
  nodes(): readonly SimHost[] {
    return this.hosts.filter((host) => host.name.startsWith('h'));
  }

  settle(ms = QUIET_MS): void {
    this.clock.advance(ms);
  }

  /** Takes the node off its LAN now; it resumes on the other `downtimeMs` later. */
  move(host: SimHost, to: SimSite, announcement: Announcement, downtimeMs = 30): void {
    host.detach();
    this.#truth.delete(host);
    this.clock.after('resume', downtimeMs, () => {
      // A later move of the same node has overtaken this one.
      if (host.lan !== undefined) return;
      host.attach(to.lan);
      this.#truth.set(host, to);
      if (announcement === 'rarp' || announcement === 'both') host.announceRarp();
      if (announcement === 'gratuitous' || announcement === 'both') host.announceGratuitous();
    });
  }

  /** Everybody asks for everybody whom it takes to be on its link, so that all caches are full. */
  fillCaches(): void {
    for (const host of this.hosts) {
      for (const target of this.#targets(host)) host.ask(target);
    }
    this.settle(2_000);
  }

  /** All directories hold the same records, and these say where the nodes are. */
  checkDirectories(): void {
    const [first] = this.sites;
    assert(first);
    for (const host of this.hosts) {
      const at = this.#truth.get(host);
      assert(at, `${host.name} is nowhere`);
      for (const site of this.sites) {
        for (const ip of host.ips) {
          const record = site.directory.get(BLUE, ip);
          const where: string = `${host.name} (${ip.key}) at ${at.id}, says ${site.id}`;
          assert.equal(record?.router, at.id, where);
          assert.equal(record?.state, 'here', where);
          assert.equal(record?.mac, host.mac, where);
          assert.deepEqual(record, first.directory.get(BLUE, ip), where);
        }
      }
    }
    for (const site of this.sites) assert.equal(site.directory.size, first.directory.size);
  }

  /** Every forwarding table leads to every node. */
  checkForwarding(): void {
    for (const { ips } of this.hosts)
      for (const ip of ips) for (const site of this.sites) this.#checkRoute(site, ip);
  }

  /**
   * Every entry of every host leads to where the address really is; each is confirmed when its host asks again. Not the
   * link-local ones, from which routers ask.
   */
  checkCaches(): void {
    for (const host of this.hosts) {
      for (const [key, entry] of host.cache) {
        const ip = Ip.of(key);
        if (entry.state !== 'incomplete' && !ip.isLinkLocal) this.#checkEntry(host, ip, entry.mac);
      }
    }
    for (const host of this.hosts) for (const key of host.cache.keys()) host.confirm(Ip.of(key));
    this.settle(10);
    for (const host of this.hosts) {
      for (const [key, entry] of host.cache) {
        if (Ip.of(key).isLinkLocal) continue;
        assert.notEqual(
          entry.state,
          'stale',
          `${host.name} got no answer for ${key} at ${formatMac(entry.mac)}`,
        );
        this.#checkEntry(host, Ip.of(key), entry.mac);
      }
    }
  }

  checkAll(): void {
    this.checkDirectories();
    this.checkForwarding();
    this.checkCaches();
  }

  /** Follows an entry: the host itself on this LAN, or the VR here and from it the way through the overlay. */
  #checkEntry(from: SimHost, ip: Ip, mac: Mac): void {
    const site = this.#truth.get(from);
    assert(site);
    const what = `${from.name} at ${site.id} has ${ip.key} at ${formatMac(mac)}`;
    const target = this.hosts.find((host) => host.ips.some((own) => own.equals(ip)));
    if (target !== undefined && this.#truth.get(target) === site) {
      // At the VR's own MAC is a detour, but only for classic mode's visitors and the hosts that met them there.
      assert.equal(formatMac(mac), formatMac(target.mac), what);
      return;
    }
    const vr = this.sites.find((candidate) => candidate.options.addresses.some((own) => own.equals(ip)));
    assert.equal(formatMac(mac), formatMac(site.options.mac), what);
    if (target !== undefined) this.#checkRoute(site, ip);
    else assert(vr !== undefined, `${what}: nobody's address`);
  }

  #checkRoute(site: SimSite, ip: Ip): void {
    const target = this.hosts.find((host) => host.ips.some((own) => own.equals(ip)));
    assert(target);
    const at = this.#truth.get(target);
    const route = site.table.matched(BLUE, ip)?.route;
    const what = `${site.id} for ${ip.key}, which is at ${at?.id}`;
    if (at === site) {
      assert.equal(route?.kind, RouteKind.host, what);
      assert.equal(route?.mac, target.mac, what);
    } else {
      assert.equal(route?.kind, RouteKind.peer, what);
      assert.equal(this.sites[route?.peer ?? -1]?.id, at?.id, what);
    }
  }

  #targets(host: SimHost): readonly Ip[] {
    const site = this.#truth.get(host);
    assert(site);
    const subnet = site.gndt.vnet(BLUE)?.subnet;
    const links = host.ips.map((own) =>
      subnet?.contains(own) === true ? subnet : site.gndt.networkOf(BLUE, own)?.prefix,
    );
    const all = [
      ...this.hosts.flatMap(({ ips }) => ips),
      ...this.sites.flatMap(({ options }) => options.addresses),
    ];
    return all.filter(
      (ip) => links.some((link) => link?.contains(ip)) && !host.ips.some((own) => own.equals(ip)),
    );
  }

  addHost(site: SimSite, name: string, its: readonly string[]): SimHost {
    const ips = its.map((address) => Ip.of(address));
    const mac = (0x525400000000 + ((ips[0]?.words[3] ?? 0) % 0x1000000)) as Mac;
    const host = new SimHost(this.clock, name, mac, ips);
    this.hosts.push(host);
    host.attach(site.lan);
    this.#truth.set(host, site);
    host.announceGratuitous();
    return host;
  }

  /** Another machine with the node's MAC and addresses, which answers and says nothing by itself. It is no node of the world's. */
  addSilentHost(site: SimSite, name: string, { mac, ips }: SimHost): SimHost {
    const host = new SimHost(this.clock, name, mac, ips);
    host.attach(site.lan);
    return host;
  }
}

function configOf(options: WorldOptions, number: number): GndtConfig {
  const ids = Array.from({ length: options.sites }, (_, i) => idOf(i + 1));
  return {
    vnets: [{ name: 'blue', id: BLUE, subnet: subnetOf(options.largeSubnet) }],
    routers: ids.map((id) => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false })),
    networks: ids.flatMap((router, i) =>
      prefixes(i + 1, options.families !== undefined).map((prefix) => ({
        vnet: BLUE,
        prefix,
        router,
        gateway: Ip.of(addressOf(i + 1, 254, prefix.family)),
        allow: (i === 0 ? options.allow?.(number) : undefined) ?? options.allowOf?.(i + 1),
      })),
    ),
    cipher: 'chacha20-poly1305',
    nodes: options.clients ?? [],
  };
}

function siteOptions(options: WorldOptions, number: number, mobility: MobilityConfig): SiteOptions {
  const isDual = options.families !== undefined;
  return {
    id: idOf(number),
    vnet: BLUE,
    mac: (0x020000000001 + number * 0x100) as Mac,
    addresses: addresses(number, 1, isDual ? '46' : '4').map((address) => Ip.of(address)),
    gndt: configOf(options, number),
    authorised: prefixes(number, isDual),
    mobility,
    ...(options.slots === undefined ? {} : { slots: options.slots }),
    ...(options.hasLinkLocal === undefined ? {} : { hasLinkLocal: options.hasLinkLocal }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  };
}

function idOf(number: number): RouterId {
  return `vr-${String.fromCharCode(96 + number)}`;
}

function addressOf(site: number, host: number, family: number): string {
  return family === 4 ? `10.${site}.0.${host}` : `fd00:${site}::10.${site}.0.${host}`;
}

function addresses(site: number, host: number, families: Families): string[] {
  return [...families].map((family) => addressOf(site, host, Number(family)));
}

function prefixes(site: number, isDual: boolean): Prefix[] {
  const v4 = Prefix.of(`10.${site}.0.0/24`);
  return isDual ? [v4, Prefix.of(`fd00:${site}::/64`)] : [v4];
}

function subnetOf(large: boolean | '6' | undefined): Prefix | undefined {
  if (large === '6') return Prefix.of('fd00::/16');
  return large === true ? Prefix.of('10.0.0.0/8') : undefined;
}
