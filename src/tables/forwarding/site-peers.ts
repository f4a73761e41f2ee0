/**
 * Which router of a site is active, and which site a router serves, in memory that the packet workers read. Routes name
 * sites: a switch between a site's two routers changes one word, not ten thousand routes. One writer: the control thread.
 * A router that is a site by itself has one number for both.
 */

import { Subscribers } from '../subscribers.js';

/** As many as the packet engine knows peers. */
const NUMBERS = 4_096;

export class SitePeers {
  readonly #active: Int32Array;
  readonly #sites: Int32Array;

  readonly #subscribers = new Subscribers<[]>();

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
    if (this.#active[site] === peer) return;
    this.#active[site] = peer;
    this.#subscribers.notify();
  }

  setSite(peer: number, site: number): void {
    if (this.#sites[peer] === site) return;
    this.#sites[peer] = site;
    this.#subscribers.notify();
  }

  /** The numbers are another router's or site's now, or nobody's. */
  forget(number: number): void {
    this.setActive(number, number);
    this.setSite(number, number);
  }

  /** Calls `listener` after each change. */
  subscribe(listener: () => void): () => void {
    return this.#subscribers.subscribe(listener);
  }
}
