/**
 * Which router of another site is active, as its routers say in their sessions: the higher term counts, of two with one term
 * the router that is first in the site's list. And what a site's router may ask of the others: when its partner was heard as
 * active. No I/O, no clock.
 */
import { MAX_TERM, TERM_STEP } from './heartbeat.js';

/** A site of which nothing was heard may begin here at most: what has been said falsely is undone by ordinary changes. */
const FIRST_TERM_AT_MOST = 2 ** 32;

interface Followed {
  readonly term: number;
  readonly active: string;
  /** By router: monotonic milliseconds. */
  readonly heardMs: ReadonlyMap<string, number>;
}

/**
 * `follow`: it is the active one from now on. `known`: it was. `refused`: another one is, in a term as high or higher.
 * `out-of-range`: no router would say that.
 */
export type Verdict = 'follow' | 'known' | 'refused' | 'out-of-range';

export class Following {
  /** As many as gndt.json has sites. */
  readonly #sites = new Map<string, Followed>();

  /** @param terms by site, as they were saved, with the router that was active */
  constructor(terms: Iterable<readonly [site: string, term: number, active: string]> = []) {
    for (const [site, term, active] of terms) this.#sites.set(site, { term, active, heardMs: new Map() });
  }

  /**
   * A router says that it is active for its site.
   * @param routers those of the site, in its order; it is one of them
   */
  told(site: string, routers: readonly string[], router: string, term: number, nowMs: number): Verdict {
    const known = this.#sites.get(site);
    const most = known === undefined ? FIRST_TERM_AT_MOST : known.term + TERM_STEP;
    if (term > Math.min(most, MAX_TERM)) return 'out-of-range';
    if (known !== undefined && known.active !== router && !this.#isAbove(known, routers, router, term))
      return 'refused';
    // The same router with a lower term has lost its disk: it is active all the same, and hears which term is known.
    if (known?.active === router && term < known.term) return 'refused';
    const heardMs = new Map(known?.heardMs).set(router, nowMs);
    this.#sites.set(site, { term, active: router, heardMs });
    return known?.active === router ? 'known' : 'follow';
  }

  #isAbove(
    { term: known, active }: Followed,
    routers: readonly string[],
    router: string,
    term: number,
  ): boolean {
    return term > known || (term === known && routers.indexOf(router) < routers.indexOf(active));
  }

  /** The highest term of the site, 0 when none is known. */
  termOf(site: string): number {
    return this.#sites.get(site)?.term ?? 0;
  }

  activeOf(site: string): string | undefined {
    return this.#sites.get(site)?.active;
  }

  /** How long ago the router said that it is active, milliseconds; undefined if it never did. */
  heardAgoMs(site: string, router: string, nowMs: number): number | undefined {
    const heardMs = this.#sites.get(site)?.heardMs.get(router);
    return heardMs === undefined ? undefined : Math.max(0, nowMs - heardMs);
  }

  /** What is to be saved. */
  *terms(): IterableIterator<readonly [site: string, term: number, active: string]> {
    for (const [site, { term, active }] of this.#sites) yield [site, term, active];
  }

  /** Others are in gndt.json no more; of a site whose routers are others nothing is known either. */
  keepOnly(sites: ReadonlyMap<string, readonly string[]>): void {
    for (const [site, { active }] of this.#sites) {
      if (sites.get(site)?.includes(active) !== true) this.#sites.delete(site);
    }
  }
}
