/**
 * Which router of each site is active, for who speaks with sites (mobility) and for the packet workers. A site with one
 * router has no choice; of two the first counts until another is said to be active.
 */
import { SitePeers } from '../../tables/forwarding/site-peers.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import { Subscribers } from '../../tables/subscribers.js';

export class Sites {
  /** For the packet workers. */
  readonly peers = SitePeers.create();
  readonly #gndt: Gndt;
  readonly #active = new Map<SiteId, RouterId>();
  readonly #subscribers = new Subscribers<[site: SiteId, router: RouterId]>();
  /** Numbers that were set, to be forgotten when they are another's. */
  #numbers: readonly number[] = [];

  constructor(gndt: Gndt) {
    this.#gndt = gndt;
    this.renumber();
  }

  /** The GNDT is another one: its sites, its routers, their numbers. */
  renumber(): void {
    for (const number of this.#numbers) this.peers.forget(number);
    const numbers: number[] = [];
    for (const [site, routers] of this.#gndt.sites) {
      const number = this.#gndt.peerIndex(site);
      const peers = routers.map((router) => this.#gndt.peerIndex(router));
      for (const peer of peers) this.peers.setSite(peer, number);
      numbers.push(number, ...peers);
    }
    this.#numbers = numbers;
    for (const site of this.#active.keys()) {
      if (!this.#gndt.siteIds.has(site)) this.#active.delete(site);
    }
    for (const site of this.#gndt.siteIds) this.#point(site);
  }

  /** Undefined: there is no such site. */
  activeOf(site: SiteId): RouterId | undefined {
    const routers = this.#gndt.routersOf(site);
    const active = this.#active.get(site);
    return active !== undefined && routers.includes(active) ? active : routers[0];
  }

  isActive(router: RouterId): boolean {
    return this.activeOf(this.#gndt.siteOf(router)) === router;
  }

  /** The router answers and forwards for its site from now on. */
  setActive(router: RouterId): void {
    const site = this.#gndt.siteOf(router);
    if (this.#active.get(site) === router) return;
    const before = this.activeOf(site);
    this.#active.set(site, router);
    this.#point(site);
    if (before !== router) this.#subscribers.notify(site, router);
  }

  /** Calls `listener` when another router of a site is active, with the words for the packet workers set. */
  subscribe(listener: (site: SiteId, router: RouterId) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  #point(site: SiteId): void {
    const [number, router] = [this.#gndt.peerIndex(site), this.activeOf(site)];
    if (number >= 0 && router !== undefined) this.peers.setActive(number, this.#gndt.peerIndex(router));
  }
}
