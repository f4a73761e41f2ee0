/** What follows from this router's role: what the LANs see of it, what mobility does, what operators hear. */
import type { Mobility } from '../../mobility/mobility.js';
import type { Clock } from '../../net/clock.js';
import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import type { Cause } from '../../pair/state.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Gateways } from '../lan/gateways.js';
import type { EventHub } from '../view/event-hub.js';
import type { RoleActions } from './desk-options.js';

/** A machine that goes on speaking with a VRID of ours is told of so often. */
const STRANGER_AGAIN_MS = 60_000;

export interface RoleActionParts {
  readonly clock: Clock;
  readonly tables: { readonly gndt: Pick<Gndt, 'self' | 'partner'> };
  readonly gateways: Pick<Gateways, 'setActive' | 'announceAgain'>;
  readonly mobility: Pick<Mobility, 'setActive'>;
  readonly hub: Pick<EventHub, 'emit'>;
}

export function roleActions({
  clock,
  tables: { gndt },
  gateways,
  mobility,
  hub,
}: RoleActionParts): RoleActions {
  const strangers = new KeyedRateLimit(clock, onceIn(STRANGER_AGAIN_MS));
  const site = gndt.self;
  return {
    serve: (isActive, cause) => {
      // What it would still claim, or answer, is the other's affair from now on.
      if (!isActive) mobility.setActive(false);
      gateways.setActive(isActive);
    },
    // It may look through ten thousand records: after the LANs and the other sites have been told.
    settled: (isActive) => mobility.setActive(isActive),
    announce: () => gateways.announceAgain(),
    changed: ({ role, term, cause }) =>
      hub.emit('warn', 'role_changed', `this router is ${role} for its site now`, {
        site,
        role,
        term,
        cause,
      }),
    partnerHeard: (isHeard) =>
      isHeard
        ? hub.emit('info', 'partner_found', "the site's other router is heard", {
            site,
            router: gndt.partner ?? '',
          })
        : hub.emit('warn', 'partner_lost', "the site's other router is not heard", {
            site,
            router: gndt.partner ?? '',
          }),
    stranger: (lan, vrid, addresses) => {
      for (const address of addresses) {
        if (!strangers.allow(`${lan}|${address}`)) continue;
        const text = 'another machine speaks VRRP with the VRID of this site';
        hub.emit('error', 'vrrp_stranger', text, { lan, vrid, address });
      }
    },
    isDraining: () => false,
  };
}

/** The other router has taken over, or is about to: what still comes here is forwarded. */
function drains(cause: Cause): boolean {
  return cause !== 'isolation' && cause !== 'isolation-over';
}
