/**
 * The traffic matrix: who has sent how much to whom in a time. A value; whoever has made it says what is not in it.
 */
import type { RouterId, SiteId, VnetId } from '../tables/model.js';

/** In place of a node's address: whatever is in no network of the vnet. */
export const OUTSIDE = 'outside';

export interface TrafficCounts {
  readonly packets: number;
  /** Of IP packets as they travel on a LAN, headers included: a super-packet counts as its segments. */
  readonly bytes: number;
}

/** What one node has sent to another. */
export interface PairTraffic extends TrafficCounts {
  readonly vnet: VnetId;
  /** A node's address as text (`Ip.key`), or `OUTSIDE`. Of a machine with several addresses, one and always the same. */
  readonly source: string;
  readonly destination: string;
  /** Where they were; a pair whose ends have moved meanwhile has an entry for each place. */
  readonly sourceSite: SiteId;
  readonly destinationSite: SiteId;
}

/** What was counted without room for its pair: summed by sites. */
export interface SiteTraffic extends TrafficCounts {
  readonly vnet: VnetId;
  readonly sourceSite: SiteId;
  readonly destinationSite: SiteId;
}

export interface TrafficMatrix {
  /** The time that it is of. */
  readonly seconds: number;
  readonly pairs: readonly PairTraffic[];
  readonly rest: readonly SiteTraffic[];
  /** Packets that no pair of sites is known of. */
  readonly unattributed: TrafficCounts;
  /** Routers that have not told what they counted. */
  readonly missing: readonly RouterId[];
}

/** What every answer says of itself. */
export interface MatrixCompleteness {
  /** Not all routers are in it. */
  readonly partial: boolean;
  /** Not all that was counted is in `pairs`. */
  readonly truncated: boolean;
  /** Of all bytes counted, those in `pairs`: 0 … 1; 1 when there are none. */
  readonly shareOfBytes: number;
}

export function completenessOf({ pairs, rest, unattributed, missing }: TrafficMatrix): MatrixCompleteness {
  const named = sumOf(pairs).bytes;
  const nameless = sumOf(rest).bytes + unattributed.bytes;
  return {
    partial: missing.length > 0,
    truncated: rest.length > 0 || unattributed.packets > 0,
    shareOfBytes: named + nameless === 0 ? 1 : named / (named + nameless),
  };
}

export function sumOf(counts: Iterable<TrafficCounts>): TrafficCounts {
  let packets = 0;
  let bytes = 0;
  for (const one of counts) {
    packets += one.packets;
    bytes += one.bytes;
  }
  return { packets, bytes };
}
