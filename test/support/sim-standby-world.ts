/** Site A with two routers, A1 and A2, on one LAN; sites B and C with one each; and the truth about where each machine is. */
import assert from 'node:assert/strict';
import { Ip } from '../../src/net/ip.js';
import { formatMac, type Mac } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { RouteKind } from '../../src/tables/forwarding/route.js';
import { servingMac } from '../../src/tables/gateway.js';
import type { GndtConfig, SiteId } from '../../src/tables/model.js';
import { SimClock } from './sim-clock.js';
import { SimLan } from './sim-lan.js';
import { SimHost } from './sim-lan-host.js';
import { randomOf, SimWan, type WanOptions } from './sim-lan-wan.js';
import { BLUE, type Families } from './sim-lan-world.js';
import { type RouterOptions, StandbyRouter } from './sim-standby-router.js';

export const SITES: readonly SiteId[] = ['site-a', 'vr-b', 'vr-c'];
/** After a router has died its links go down so much later, unless it is back sooner. */
const DEAD_AFTER_MS = 3_000;

export interface StandbyWorldOptions {
  readonly hostsPerSite?: number;
  readonly seed?: number;
  readonly wan?: Partial<WanOptions>;
  readonly families?: Families;
  readonly verify?: 'optimistic' | 'strict';
  readonly limits?: RouterOptions['limits'];
}

export class StandbyWorld {
  readonly clock = new SimClock();
  readonly random: () => number;
  readonly wan: SimWan;
  readonly a1: StandbyRouter;
  readonly a2: StandbyRouter;
  readonly b: StandbyRouter;
  readonly c: StandbyRouter;
  readonly routers: readonly StandbyRouter[];
  readonly hosts: SimHost[] = [];
  readonly #lans: ReadonlyMap<SiteId, SimLan>;
  #term = 0;
  readonly #truth = new Map<SimHost, SiteId>();

  constructor({ hostsPerSite = 3, seed = 1, wan, families = '4', verify, limits }: StandbyWorldOptions = {}) {
    this.random = randomOf(seed);
    const defaults = { delayMs: 10, jitterMs: 0, loss: 0, retryMs: 30, duplicate: 0 };
    this.wan = new SimWan(this.clock, { ...defaults, ...wan }, this.random);
    this.#lans = new Map(SITES.map((site) => [site, new SimLan(`lan of ${site}`, this.clock)]));
    const mobility = { verify: verify ?? 'optimistic', maxMoves: 100, moveWindowSeconds: 60 } as const;
    const router = (id: string, site: number, host: number): StandbyRouter => {
      const isPair = site === 1;
      return new StandbyRouter(this.clock, this.wan, this.lan(SITES[site - 1] ?? ''), {
        ...{ id, vnet: BLUE, mac: (0x020000000000 + site * 0x100 + host) as Mac, mobility },
        ...{ address: Ip.of(`10.${site}.0.${host}`), gndt: configOf(), authorised: prefixesOf(site) },
        ...(limits === undefined ? {} : { limits }),
        ...(isPair ? { gateway: [Ip.of('10.1.0.1')], vrid: 7 } : {}),
      });
    };
    this.a1 = router('vr-a1', 1, 2);
    this.a2 = router('vr-a2', 1, 3);
    this.b = router('vr-b', 2, 1);
    this.c = router('vr-c', 3, 1);
    this.routers = [this.a1, this.a2, this.b, this.c];
    this.a1.setActive(true);
    this.wan.connectAll();
    for (const [i, site] of SITES.entries()) {
      for (let n = 1; n <= hostsPerSite; n++) this.#addHost(site, `h${i + 1}-${n}`, i + 1, 10 + n, families);
    }
    this.settle(1_500);
  }

  lan(site: SiteId): SimLan {
    const lan = this.#lans.get(site);
    assert(lan, `no site ${site}`);
    return lan;
  }

  host(name: string): SimHost {
    const host = this.hosts.find((one) => one.name === name);
    assert(host, `no host ${name}`);
    return host;
  }

  siteOf(host: SimHost): SiteId | undefined {
    return this.#truth.get(host);
  }

  settle(ms: number): void {
    this.clock.advance(ms);
  }

  /** Takes the machine off its LAN now; it resumes on the other one `downtimeMs` later and says so by RARP. */
  move(host: SimHost, to: SiteId, downtimeMs = 30, announcement: 'rarp' | 'gratuitous' = 'rarp'): void {
    host.detach();
    this.clock.after('resume', downtimeMs, () => {
      if (host.lan !== undefined) return;
      host.attach(this.lan(to));
      this.#truth.set(host, to);
      if (announcement === 'rarp') host.announceRarp();
      else host.announceGratuitous();
    });
  }

  /** `kill -9`. Its sessions are found to be dead later. */
  kill(router: StandbyRouter): void {
    router.kill();
    this.clock.after('dead', DEAD_AFTER_MS, () => {
      if (!router.isUp) this.#cut(router);
    });
  }

  boot(router: StandbyRouter): void {
    this.#cut(router);
    router.boot();
    for (const { id, isUp } of this.routers) if (isUp && id !== router.id) this.wan.heal(id, router.id);
  }

  /** It becomes active, the other one does not serve any more, at once or a little later; the routers of other sites hear of it by the WAN, at about the same time. */
  takeOver(router: StandbyRouter, spreadMs = 0, overlapMs = 0): void {
    const before = this.partnerOf(router);
    const term = ++this.#term;
    // As the daemon does it: the others are told first.
    for (const other of [this.b, this.c]) {
      this.clock.after('siteActive', 10 + this.random() * spreadMs, () => other.follow(router.id, term));
    }
    router.setActive(true);
    const layDown = (): void => {
      if (term === this.#term && before.isUp && before.isActive) before.setActive(false);
    };
    if (overlapMs === 0) layDown();
    else this.clock.after('hand over', overlapMs, layDown);
  }

  partnerOf(router: StandbyRouter): StandbyRouter {
    return router === this.a1 ? this.a2 : this.a1;
  }

  fillCaches(): void {
    for (const host of this.hosts) {
      for (const target of this.hosts) {
        if (target !== host && target.ip.key.slice(0, 5) === host.ip.key.slice(0, 5)) host.ask(target.ip);
      }
    }
    this.settle(2_000);
  }

  /** All directories, the standby's too, hold the same records, and these say where the machines are. */
  checkDirectories(): void {
    const up = this.routers.filter(({ isUp }) => isUp);
    for (const router of up) {
      for (const host of this.hosts) this.#checkRecords(router, host);
      assert.equal(router.directory.size, this.b.directory.size, `size at ${router.id}`);
      for (const site of SITES) {
        const { count, hash } = router.directory.digest(site);
        const at = this.b.directory.digest(site);
        assert.deepEqual([count, hash], [at.count, at.hash], `${site} at ${router.id}`);
      }
    }
  }

  /** Every router leads to every machine, the standby too as if it were active. */
  checkForwarding(): void {
    for (const router of this.routers) {
      if (!router.isUp) continue;
      for (const host of this.hosts) for (const ip of host.ips) this.#checkRoute(router, host, ip);
    }
  }

  /** What the machines have in their caches leads to where the others are. */
  checkCaches(): void {
    const wrong = [...this.#wrongEntries()].map(({ host, key, mac, expected }) => {
      return `${host.name} has ${key} at ${formatMac(mac)}, not ${formatMac(expected)}`;
    });
    assert.deepEqual(wrong, []);
  }

  /**
   * Machines use their wrong entries: they get no answer there, and ask everybody (RFC 4861 §7.3.3; Linux does so for IPv4
   * too). Returns how many were wrong.
   */
  useWrongEntries(): number {
    const wrong = [...this.#wrongEntries()];
    for (const { host, key } of wrong) {
      host.cache.delete(key);
      host.ask(Ip.of(key));
    }
    this.settle(1_000);
    return wrong.length;
  }

  *#wrongEntries(): Generator<{ host: SimHost; key: string; mac: Mac; expected: Mac }> {
    for (const host of this.hosts) {
      for (const [key, { mac, state }] of host.cache) {
        const target = this.hosts.find(({ ips }) => ips.some((ip) => ip.key === key));
        if (target === undefined || state === 'incomplete') continue;
        const site = this.siteOf(host);
        const lan = this.routers.find(({ isActive, gndt }) => isActive && gndt.self === site)?.lans.get(0);
        assert(lan !== undefined, `nobody serves ${site}`);
        const expected = this.siteOf(target) === site ? target.mac : servingMac(lan, Ip.of(key).family);
        if (mac !== expected) yield { host, key, mac, expected };
      }
    }
  }

  checkAll(): void {
    this.checkDirectories();
    this.checkForwarding();
    this.checkCaches();
  }

  #checkRecords(router: StandbyRouter, host: SimHost): void {
    for (const ip of host.ips) {
      const record = router.directory.get(BLUE, ip);
      const where = `${host.name} (${ip.key}) at ${this.siteOf(host)}, says ${router.id}`;
      assert.deepEqual([record?.router, record?.state], [this.siteOf(host), 'here'], where);
      assert.equal(record?.mac, host.mac, where);
    }
  }

  #checkRoute(router: StandbyRouter, host: SimHost, ip: Ip): void {
    const site = this.siteOf(host);
    const route = router.table.matched(BLUE, ip)?.route;
    const what = `${router.id} for ${host.name} at ${site}`;
    if (site === router.gndt.self) {
      assert.equal(route?.kind, RouteKind.host, what);
      assert.equal(route?.mac, host.mac, what);
    } else {
      assert.equal(route?.kind, RouteKind.peer, what);
      assert.equal(router.gndt.idAt(route?.peer ?? -1), site, what);
    }
  }

  #cut(router: StandbyRouter): void {
    for (const { id } of this.routers) if (id !== router.id) this.wan.cut(id, router.id);
  }

  /** Another machine, which answers and says nothing by itself. It is no machine of the world's. @param n below 60,000 */
  addSilent(site: SiteId, n: number): SimHost {
    const number = SITES.indexOf(site) + 1;
    const ip = Ip.of(`fd00:${number}::1:${n.toString(16)}`);
    const host = new SimHost(this.clock, `silent ${n}`, (0x525500000000 + n) as Mac, [ip]);
    host.attach(this.lan(site));
    return host;
  }

  #addHost(site: SiteId, name: string, number: number, host: number, families: Families): void {
    const ips = [...families].map((family) =>
      Ip.of(family === '4' ? `10.${number}.0.${host}` : `fd00:${number}::${host}`),
    );
    const machine = new SimHost(this.clock, name, (0x525400000000 + number * 0x100 + host) as Mac, ips);
    this.hosts.push(machine);
    machine.attach(this.lan(site));
    this.#truth.set(machine, site);
    machine.announceGratuitous();
  }
}

function prefixesOf(site: number): readonly Prefix[] {
  return [Prefix.of(`10.${site}.0.0/24`), Prefix.of(`fd00:${site}::/64`)];
}

function configOf(): GndtConfig {
  return {
    vnets: [{ name: 'blue', id: BLUE, subnet: undefined }],
    routers: ['vr-a1', 'vr-a2', 'vr-b', 'vr-c'].map((id) => ({
      ...{ id, publicKey: new Uint8Array(32), endpoints: [], relay: false },
    })),
    sites: [{ id: 'site-a', routers: ['vr-a1', 'vr-a2'] }],
    networks: SITES.flatMap((router, i) =>
      prefixesOf(i + 1).map((prefix) => ({
        ...{ vnet: BLUE, prefix, router, gateway: undefined, allow: undefined },
      })),
    ),
    cipher: 'chacha20-poly1305',
    nodes: [],
  };
}
