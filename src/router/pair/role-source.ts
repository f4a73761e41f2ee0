/** What the control API asks of the pair. */
import type { RoleView } from '../../control/role-view.js';
import type { FailoverConfig } from '../../tables/model.js';

export interface RoleSource {
  view(): RoleView;
  /** Settles when it is done. A string is the reason why not. */
  take(role: 'active' | 'standby'): Promise<RoleView | string>;
  /** A reload. */
  reconfigure(failover: FailoverConfig): void;
}
