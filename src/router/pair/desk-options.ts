/** What the desk works with, and what follows from its decisions. */
import type { Clock } from '../../net/clock.js';
import type { CounterTable } from '../../net/counters.js';
import type { Cause } from '../../pair/state.js';
import type { PairMessage } from '../../protocol/pair-message.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId } from '../../tables/model.js';
import type { PairEvents } from '../view/pair-events.js';
import type { PairLans } from './pair-lans.js';
import type { Sites } from './sites.js';
import type { Terms } from './terms.js';
import type { Witnesses } from './witnesses.js';

export const DESK_COUNTERS = {
  pair_heartbeats_sent: 'event',
  pair_heartbeats_received: 'event',
  /** Times that this router became active. */
  pair_takeovers: 'event',
  /** This router was held up, and waits anew. */
  pair_stalls: 'event',
} as const satisfies CounterTable;

/** What follows from the role. */
export interface RoleActions {
  /** The LANs are answered and forwarded for from now on, or are left to the other router; before `told`. */
  serve(isActive: boolean, cause: Cause): void;
  /** After all that the change needed to be said: what takes longer. */
  settled(isActive: boolean): void;
  /** The partner is active, and was not when it was last heard: it can tell what this router does not know. */
  partnerServes(): void;
  announce(): void;
  isDraining(): boolean;
  readonly tell: Omit<PairEvents, 'counters' | 'siteSwitched'>;
}

export interface DeskOptions {
  readonly clock: Clock;
  readonly gndt: Pick<Gndt, 'self' | 'router' | 'partner' | 'routersOf' | 'otherRouters'>;
  readonly sites: Pick<Sites, 'setActive'>;
  readonly tunnel: { say(to: RouterId, message: PairMessage): void };
  readonly terms: Pick<Terms, 'own' | 'storeOwn'>;
  readonly lans: PairLans;
  readonly witnesses: Witnesses;
  readonly actions: RoleActions;
  /** After so much silence the partner is taken for dead, milliseconds. */
  readonly deadMs: number;
}
