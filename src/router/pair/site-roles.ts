/**
 * What other routers say of roles passes the gate here. Of other sites: whom to follow, and what one may ask about its partner.
 * What concerns the own site is the desk's.
 */
import type { Clock } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import { PairAuthority, type PairFacts } from '../../pair/authority.js';
import { Following } from '../../pair/following.js';
import type { Conduct } from '../../protocol/conduct.js';
import { MAX_HEARD_AGO_MS } from '../../protocol/constants.js';
import type { PairMessage } from '../../protocol/pair-message.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import type { PairDesk } from './desk.js';
import type { Sites } from './sites.js';
import type { Terms } from './terms.js';

export const PAIR_COUNTERS = {
  'pair_refused_*': 'drop',
  /** A term that no router would say. */
  pair_term_out_of_range: 'drop',
  /** Another router of a site is followed from then on. */
  site_active_changed: 'event',
} as const satisfies CounterTable;

export interface SiteRolesOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly gndt: Pick<Gndt, 'siteOf' | 'routersOf' | 'partner' | 'self' | 'sites'>;
  readonly sites: Pick<Sites, 'setActive'>;
  readonly tunnel: { say(to: RouterId, message: PairMessage): void };
  readonly conduct: Conduct;
  /** What was saved of the sites' terms. */
  readonly terms: Pick<Terms, 'others' | 'follow' | 'keepOnly'>;
  /** Undefined: this router has no partner. */
  readonly desk: Pick<PairDesk, 'isAnswer' | 'received' | 'otherHeard'> | undefined;
}

export class SiteRoles {
  readonly #options: SiteRolesOptions;
  readonly #counters = new DeclaredCounters(PAIR_COUNTERS);
  readonly #authority: PairAuthority;
  readonly #following: Following;

  constructor(options: SiteRolesOptions) {
    this.#options = options;
    const { clock, conduct } = options;
    const count = (name: string): void => this.#counters.count(`pair_refused_${name}`);
    this.#authority = new PairAuthority({ clock, conduct, count });
    this.#following = new Following(options.terms.others());
    for (const [, , active] of this.#following.terms()) options.sites.setActive(active);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** The highest that was said; 0 when none was. */
  termOf(site: SiteId): number {
    return this.#following.termOf(site);
  }

  /** The GNDT is another one. */
  reconfigure(): void {
    this.#following.keepOnly(this.#options.gndt.sites);
    this.#options.terms.keepOnly();
  }

  received(from: RouterId, message: PairMessage): void {
    const facts = this.#factsOf(from, message);
    if (!this.#authority.allows(from, message, facts)) return;
    const { desk } = this.#options;
    if (!facts.isPartner) desk?.otherHeard();
    switch (message.type) {
      case 'siteActive':
        // The partner says so by heartbeats.
        if (!facts.isPartner) this.#isActive(from, message.term);
        return;
      case 'partnerQuery':
        this.#answer(from, message.queryId);
        return;
      case 'pairHeartbeat':
      case 'siteActiveRefused':
      case 'partnerAnswer':
      case 'handOver':
        desk?.received(from, message);
        return;
    }
  }

  #factsOf(from: RouterId, message: PairMessage): PairFacts {
    const { gndt, desk } = this.#options;
    const site = gndt.siteOf(from);
    const isOfOtherPair = site !== gndt.self && gndt.routersOf(site).length === 2;
    const isAnswer = desk?.isAnswer(from, message) === true;
    return { isPartner: from === gndt.partner, isOfOtherPair, isAnswer };
  }

  #isActive(router: RouterId, term: number): void {
    const { gndt, sites, clock, tunnel, terms } = this.#options;
    const site = gndt.siteOf(router);
    switch (this.#following.told(site, gndt.routersOf(site), router, term, clock.nowMs())) {
      case 'follow':
        terms.follow(site, term, router);
        sites.setActive(router);
        this.#counters.count('site_active_changed');
        return;
      case 'refused':
        tunnel.say(router, { type: 'siteActiveRefused', term: this.#following.termOf(site) });
        return;
      case 'out-of-range':
        this.#counters.count('pair_term_out_of_range');
        return;
      case 'known':
        terms.follow(site, term, router);
        return;
    }
  }

  #answer(asker: RouterId, queryId: number): void {
    const { gndt, clock, tunnel } = this.#options;
    const site = gndt.siteOf(asker);
    const partner = gndt.routersOf(site).find((router) => router !== asker);
    if (partner === undefined) return;
    const agoMs = this.#following.heardAgoMs(site, partner, clock.nowMs());
    const heardAgoMs = agoMs === undefined ? undefined : Math.min(MAX_HEARD_AGO_MS, Math.round(agoMs));
    tunnel.say(asker, { type: 'partnerAnswer', queryId, heardAgoMs, term: this.#following.termOf(site) });
  }
}
