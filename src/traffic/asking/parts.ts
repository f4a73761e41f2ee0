import { MAX_ELEMENTS, MAX_UNACKED_BYTES } from '../../protocol/constants.js';
import { AROUND_BYTES, siteNameBytes, trafficRowBytes } from '../../protocol/size.js';
import { MAX_TRAFFIC_PARTS, type TrafficRow } from '../../protocol/traffic-message.js';

/** `part`, `parts` and `periods`. */
const NUMBERS_BYTES = 3 * 6;

/** Consecutive runs of rows, each of which fits in a message; one at least, and no more than there may be. */
export function partsOf(rows: readonly TrafficRow[]): readonly (readonly TrafficRow[])[] {
  const room = MAX_UNACKED_BYTES - AROUND_BYTES - NUMBERS_BYTES;
  const parts: TrafficRow[][] = [[]];
  let sites = new Set<string>();
  let bytes = 0;
  for (const row of rows) {
    const named = [row.sourceSite, row.destinationSite].filter((site) => site !== '');
    const fresh = new Set(named.filter((site) => !sites.has(site)));
    const size = trafficRowBytes(row) + [...fresh].reduce((sum, site) => sum + siteNameBytes(site), 0);
    const isFull = bytes + size > room || (parts.at(-1)?.length ?? 0) >= MAX_ELEMENTS / 2;
    if (isFull) {
      parts.push([]);
      sites = new Set();
      bytes = 0;
    }
    bytes += isFull ? trafficRowBytes(row) + namesBytes(named) : size;
    for (const site of named) sites.add(site);
    parts.at(-1)?.push(row);
  }
  return parts.slice(0, MAX_TRAFFIC_PARTS);
}

function namesBytes(sites: readonly string[]): number {
  return [...new Set(sites)].reduce((sum, site) => sum + siteNameBytes(site), 0);
}
