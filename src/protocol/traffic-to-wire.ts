import type { SiteId } from '../tables/model.js';
import type { TrafficAskMessage, TrafficPartMessage, TrafficRow } from './traffic-message.js';
import { TRAFFIC_ROW_KIND_NUMBER } from './words.js';

type WireObject = Readonly<Record<string, unknown>>;

const NO_BYTES = new Uint8Array(0);

export function trafficAskToWire({ vnet, ips, ...ask }: TrafficAskMessage): WireObject {
  return { ...ask, vnet: vnet ?? 0, ips: ips.map((ip) => ip.toBytes()) };
}

export function trafficPartToWire({ rows, ...part }: TrafficPartMessage): WireObject {
  const sites: SiteId[] = [];
  const numberOf = (site: SiteId): number => {
    const known = sites.indexOf(site);
    return known >= 0 ? known : sites.push(site) - 1;
  };
  const told = rows.map((row) => rowToWire(row, numberOf));
  return { ...part, sites, rows: told };
}

function rowToWire(row: TrafficRow, numberOf: (site: SiteId) => number): WireObject {
  const isOfSites = row.kind !== 'nobody';
  return {
    ...row,
    kind: TRAFFIC_ROW_KIND_NUMBER[row.kind],
    source: row.source?.toBytes() ?? NO_BYTES,
    destination: row.destination?.toBytes() ?? NO_BYTES,
    sourceSite: isOfSites ? numberOf(row.sourceSite) : 0,
    destinationSite: isOfSites ? numberOf(row.destinationSite) : 0,
  };
}
