/**
 * Three honest sites and one whose router is mad: vr-a, vr-b, vr-c, and vr-d. Nodes of site 1 may be claimed by the honest
 * routers only (`mobility.allow`), those of sites 2 and 3 by all. All hosts have IPv4 and IPv6 unless said otherwise.
 */
import assert from 'node:assert/strict';
import { Ip } from '../../src/net/ip.js';
import type { GndtConfig, NodeRecord, RouterId } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { BLUE, SimWorld, type WorldOptions } from '../support/sim-lan-world.js';
import { SimLinkWan } from '../support/sim-link-wan.js';
import { MadRouter } from './mad-router.js';

export const MAD: RouterId = 'vr-d';
export const HONEST: readonly RouterId[] = ['vr-a', 'vr-b', 'vr-c'];
const MAD_SITE = 4;
export const DELAY_MS = 20;

/** A WireGuard client of vr-a. */
export const CLIENT = {
  vnet: BLUE,
  ip: Ip.of('10.1.0.200'),
  publicKey: new Uint8Array(32).fill(9),
  via: 'vr-a',
} as const;

export interface MadOptions extends Partial<WorldOptions> {
  /** What becomes of the messages of its honest part, from the beginning. */
  readonly passes?: MadRouter['passes'];
}

export class MadWorld {
  readonly mad = new MadRouter(MAD);
  readonly world: SimWorld;
  readonly wan: SimLinkWan;
  readonly honest: readonly SimSite[];

  constructor({ passes, ...options }: MadOptions = {}) {
    if (passes !== undefined) this.mad.passes = passes;
    this.world = new SimWorld({
      sites: MAD_SITE,
      hostsPerSite: [2, 2, 1, 1],
      links: true,
      families: () => '46',
      allowOf: (site) => (site === 1 ? HONEST : undefined),
      clients: [CLIENT],
      ...options,
      wan: { delayMs: DELAY_MS, ...options.wan },
      wanOf: (site, wan) => {
        assert(wan instanceof SimLinkWan);
        return site === MAD_SITE ? this.mad.inFrontOf(wan) : wan;
      },
    });
    assert(this.world.wan instanceof SimLinkWan);
    this.wan = this.world.wan;
    this.honest = this.world.sites.slice(0, MAD_SITE - 1);
    this.world.settle(4_000);
  }

  /** What an honest router has said that another could not read. */
  unreadable(): readonly object[] {
    return this.wan.refused.filter(({ from }) => from !== MAD);
  }

  /** The mad router's own honest tables. */
  get madSite(): SimSite {
    return this.world.site(MAD_SITE);
  }

  /** Hosts at honest sites that can move. */
  nodes(): readonly SimHost[] {
    return this.world.nodes().filter(({ name }) => !name.startsWith(`h${MAD_SITE}`));
  }

  /** Where what never moves is: `gw2`, `vr-b` (a router's own addresses), `client`. */
  siteOfFixed(name: string): SimSite {
    const router = name === 'client' ? CLIENT.via : name;
    const own = this.honest.find(({ id }) => id === router);
    return own ?? this.world.site(Number(name.slice('gw'.length)));
  }

  /** As all know it. */
  record(ip: Ip): NodeRecord {
    const record = this.madSite.directory.get(BLUE, ip);
    assert(record, `the mad router does not know ${ip.key}`);
    return record;
  }

  /** One that names the mad router: by default as if the node had just come to it. */
  lie(ip: Ip, change: Partial<NodeRecord> = {}): NodeRecord {
    const { vnet, mac, seq } = this.record(ip);
    const stamp = Math.floor(this.world.clock.wallMs() * 1_000);
    return { vnet, ip, mac, router: MAD, seq: seq + 1, state: 'here', stamp, ...change };
  }

  /** gndt.json of an honest router, without the mad one and its networks. */
  gndtWithoutMad(site: SimSite): GndtConfig {
    const { gndt } = site.options;
    return {
      ...gndt,
      routers: gndt.routers.filter(({ id }) => id !== MAD),
      networks: gndt.networks.filter(({ router }) => router !== MAD),
    };
  }

  /** Where each honest router has the address; `?` when nowhere, with `*` when frozen. */
  places(ip: Ip): string {
    return this.honest
      .map(({ directory }) => {
        const record = directory.here(BLUE, ip);
        return `${record?.router ?? '?'}${record?.frozen === true ? '*' : ''}`;
      })
      .join(' ');
  }
}
