/**
 * What routers of other sites say of their roles: whom to follow, and what one may ask about its partner. This router's own
 * role is not decided yet: gndt.json refuses a site of two routers until it is.
 */
import type { Clock } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import { PairAuthority, type PairFacts } from '../../pair/authority.js';
import { Following } from '../../pair/following.js';
import type { Conduct } from '../../protocol/conduct.js';
import { MAX_HEARD_AGO_MS } from '../../protocol/constants.js';
import type { PairMessage } from '../../protocol/pair-message.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId } from '../../tables/model.js';
import type { Sites } from './sites.js';

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
}

export class SiteRoles {
  readonly #options: SiteRolesOptions;
  readonly #counters = new DeclaredCounters(PAIR_COUNTERS);
  readonly #authority: PairAuthority;
  readonly #following = new Following();

  constructor(options: SiteRolesOptions) {
    this.#options = options;
    const { clock, conduct } = options;
    const count = (name: string): void => this.#counters.count(`pair_refused_${name}`);
    this.#authority = new PairAuthority({ clock, conduct, count });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** The GNDT is another one. */
  reconfigure(): void {
    this.#following.keepOnly(this.#options.gndt.sites);
  }

  received(from: RouterId, message: PairMessage): void {
    if (!this.#authority.allows(from, message, this.#factsOf(from))) return;
    switch (message.type) {
      case 'siteActive':
        this.#isActive(from, message.term);
        return;
      case 'partnerQuery':
        this.#answer(from, message.queryId);
        return;
      // Nobody may say these while this router has no partner.
      case 'pairHeartbeat':
      case 'siteActiveRefused':
      case 'partnerAnswer':
      case 'handOver':
        return;
    }
  }

  #factsOf(from: RouterId): PairFacts {
    const { gndt } = this.#options;
    const site = gndt.siteOf(from);
    const isOfOtherPair = site !== gndt.self && gndt.routersOf(site).length === 2;
    return { isPartner: from === gndt.partner, isOfOtherPair, isAnswer: false };
  }

  #isActive(router: RouterId, term: number): void {
    const { gndt, sites, clock, tunnel } = this.#options;
    const site = gndt.siteOf(router);
    switch (this.#following.told(site, gndt.routersOf(site), router, term, clock.nowMs())) {
      case 'follow':
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
