/**
 * Which router of a site is active, and which site a router serves, in memory that the packet workers read. Routes name
 * sites: a switch between a site's two routers changes one word, not ten thousand routes. One writer: the control thread.
 * A router that is a site by itself has one number for both.
 */

/** As many as the packet engine knows peers. */
const NUMBERS = 4_096;

export class SitePeers {
  readonly #active: Int32Array;
  readonly #sites: Int32Array;

  private constructor(readonly memory: SharedArrayBuffer) {
    this.#active = new Int32Array(memory, 0, NUMBERS);
    this.#sites = new Int32Array(memory, NUMBERS * 4, NUMBERS);
  }

  /** Each number is a site by itself. */
  static create(): SitePeers {
    const table = new SitePeers(new SharedArrayBuffer(2 * NUMBERS * 4));
    for (let number = 0; number < NUMBERS; number++) {
      table.#active[number] = number;
      table.#sites[number] = number;
    }
    return table;
  }

  static attach(memory: SharedArrayBuffer): SitePeers {
    return new SitePeers(memory);
  }

  /** The peer that packets for the site are sent to. */
  activeOf(site: number): number {
    return this.#active[site] ?? site;
  }

  /** The site that the peer speaks for. */
  siteOf(peer: number): number {
    return this.#sites[peer] ?? peer;
  }

  setActive(site: number, peer: number): void {
    this.#active[site] = peer;
  }

  setSite(peer: number, site: number): void {
    this.#sites[peer] = site;
  }

  /** The numbers are another router's or site's now, or nobody's. */
  forget(number: number): void {
    this.#active[number] = number;
    this.#sites[number] = number;
  }
}
