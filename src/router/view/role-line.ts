/** What a router's status tells of its role. */
import type { RoleView, SiteRoleView } from '../../control/role-view.js';

/** Null for the only router of its site: there is nothing to tell. */
export function siteRoleOf({ site, role, term, partner }: RoleView): SiteRoleView | null {
  return partner && { site, role, term, partner: partner.router, partnerRole: partner.role };
}
