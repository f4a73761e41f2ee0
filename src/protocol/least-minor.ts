/** Which minor versions of the protocol a network can do with. */
import type { GndtConfig } from '../tables/model.js';
import { PAIRS_MINOR } from './constants.js';

/**
 * A router that knows no sites of two routers would send for a site to the router that it takes for one, active or not.
 * Without such a site every minor version is welcome.
 */
export function leastMinorOf({ sites = [] }: Pick<GndtConfig, 'sites'>): number {
  return sites.some(({ routers }) => routers.length > 1) ? PAIRS_MINOR : 0;
}
