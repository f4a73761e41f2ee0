/** What follows from this router's role: what the LANs see of it, what mobility does, what operators hear. */
import type { Mobility } from '../../mobility/mobility.js';
import type { Cause } from '../../pair/state.js';
import type { Gateways } from '../lan/gateways.js';
import type { PairEvents } from '../view/pair-events.js';
import type { RoleActions } from './desk-options.js';

export interface RoleActionParts {
  readonly gateways: Pick<Gateways, 'setActive' | 'announceAgain' | 'isDraining'>;
  readonly mobility: Pick<Mobility, 'setActive' | 'partnerUp'>;
  readonly pairEvents: PairEvents;
}

export function roleActions({ gateways, mobility, pairEvents }: RoleActionParts): RoleActions {
  return {
    serve: (isActive, cause) => {
      // What it would still claim, or answer, is the other's affair from now on.
      if (!isActive) mobility.setActive(false);
      gateways.setActive(isActive, undefined, drains(cause) ? undefined : 'at once');
    },
    // It may look through ten thousand records: after the LANs and the other sites have been told.
    settled: (isActive) => mobility.setActive(isActive),
    partnerServes: () => mobility.partnerUp(),
    announce: () => gateways.announceAgain(),
    isDraining: () => gateways.isDraining(),
    tell: pairEvents,
  };
}

/** The other router has taken over, or is about to: what still comes here is forwarded. */
function drains(cause: Cause): boolean {
  return cause !== 'isolation' && cause !== 'isolation-over';
}
