/** What happens to a site's two routers, as operators see it. */
import type { RoleView } from '../../control/role-view.js';
import type { Clock } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import type { Ip } from '../../net/ip.js';
import { formatMac, type Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import type { EventHub } from './event-hub.js';

/** What is wrong on a LAN is heard twenty times a second. */
const TOLD_EVERY_MS = 60_000;
/** As many as there can be on some LANs; a machine that makes up addresses displaces only others of these. */
const MOST_STRANGERS = 64;

export const PAIR_EVENT_COUNTERS = {
  /** This router's own. */
  pair_role_changed: 'event',
  pair_partner_lost: 'event',
} as const satisfies CounterTable;

export class PairEvents {
  readonly #hub: Pick<EventHub, 'emit'>;
  readonly #counters = new DeclaredCounters(PAIR_EVENT_COUNTERS);
  readonly #strangers: KeyedRateLimit;
  /** By what is wrong, and the LAN. */
  readonly #lans: KeyedRateLimit;

  constructor(hub: Pick<EventHub, 'emit'>, clock: Pick<Clock, 'nowMs'>) {
    this.#hub = hub;
    this.#strangers = new KeyedRateLimit(clock, onceIn(TOLD_EVERY_MS), MOST_STRANGERS);
    this.#lans = new KeyedRateLimit(clock, onceIn(TOLD_EVERY_MS));
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** Of this router. */
  roleChanged({ site, role, term, cause }: Pick<RoleView, 'site' | 'role' | 'term' | 'cause'>): void {
    this.#counters.count('pair_role_changed');
    const fields = { site, role, term, cause };
    this.#hub.emit('warn', 'role_changed', 'this router has another role at its site', fields);
  }

  /** This router asks the other one to take over. */
  handOver({ site, to, cause }: { site: SiteId; to: RouterId; cause: string }): void {
    const fields = { site, to, cause };
    this.#hub.emit('info', 'hand_over', "the site's other router is asked to take over", fields);
  }

  handOverFailed({ site, to, reason }: { site: SiteId; to: RouterId; reason: string }): void {
    const fields = { site, to, reason };
    this.#hub.emit('error', 'hand_over_failed', "the site's other router has not taken over", fields);
  }

  /** Nothing of it is heard, in the session or on a LAN. */
  partnerLost(partner: RouterId, silentMs: number): void {
    this.#counters.count('pair_partner_lost');
    const fields = { partner, silentMs: Math.round(silentMs) };
    // No error: every upgrade of a pair has one. That it lasts is an alarm.
    this.#hub.emit('warn', 'partner_lost', "the site's other router is not heard any more", fields);
  }

  partnerFound(partner: RouterId): void {
    this.#hub.emit('info', 'partner_found', "the site's other router is heard", { partner });
  }

  /** Of another site. */
  siteSwitched({ site, router, term }: { site: SiteId; router: RouterId; term: number }): void {
    const fields = { site, router, term };
    this.#hub.emit('info', 'site_switched', 'another router is active at a site', fields);
  }

  /** Another machine advertises the VRID of this site; once a minute for one. */
  vrrpStranger({ lan, vrid, address }: { lan: string; vrid: number; address: Ip }): void {
    if (!this.#strangers.allow(`${lan} ${vrid} ${address}`)) return;
    const fields = { lan, vrid, address: address.key };
    this.#hub.emit('error', 'vrrp_stranger', "another machine advertises this site's VRID", fields);
  }

  /** What the two routers' files say of a LAN is not the same; once a minute for one. */
  gatewaysDiffer({ lan, ips }: { lan: string; ips: readonly Ip[] }): void {
    if (!this.#lans.allow(`gateways ${lan}`)) return;
    const fields = { lan, ips: ips.map(String) };
    this.#hub.emit('error', 'gateways_differ', 'the other router has other gateway addresses', fields);
  }

  /** Frames from the virtual MAC of the active router do not arrive; once a minute for one LAN. */
  virtualMacFiltered({ lan, mac }: { lan: string; mac: Mac }): void {
    if (!this.#lans.allow(`mac ${lan}`)) return;
    const fields = { lan, mac: formatMac(mac) };
    this.#hub.emit('error', 'virtual_mac_filtered', 'frames from the virtual MAC do not pass', fields);
  }
}
