/** Who talks to whom in Prometheus' terms: by pairs of sites, never of nodes, of which there are too many. */
import { counter, type MetricFamily, type MetricRow, single } from './exposition.js';

export interface SiteTrafficSource {
  siteTraffic(): SiteTrafficCounts;
}

export interface SiteTrafficCounts {
  readonly pairs: readonly {
    readonly vnet: string;
    readonly sourceSite: string;
    readonly destinationSite: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
  /** Of no known pair of sites. */
  readonly unattributedBytes: number;
}

const LABELS = ['vnet', 'source_site', 'destination_site'];

export function siteTrafficFamilies(source: SiteTrafficSource): MetricFamily[] {
  const { pairs, unattributedBytes } = source.siteTraffic();
  const rows = (field: 'packets' | 'bytes'): readonly MetricRow[] =>
    pairs.map((pair) => [[pair.vnet, pair.sourceSite, pair.destinationSite], pair[field]]);
  return [
    counter(
      'vine_traffic_packets_total',
      'Inner packets counted by this router, as they travel on a LAN, by the sites of both ends',
      LABELS,
      () => rows('packets'),
    ),
    counter('vine_traffic_bytes_total', 'Their bytes, IP headers included', LABELS, () => rows('bytes')),
    counter(
      'vine_traffic_unattributed_bytes_total',
      'Bytes of packets that no pair of sites is known of, or that there was no room for',
      [],
      () => single(unattributedBytes),
    ),
  ];
}
