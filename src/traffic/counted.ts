/** What is counted, as routers keep it and tell it: by address. Names of machines are for whoever asks (`matrix.ts`). */
import type { Ip } from '../net/ip.js';
import type { SiteId, VnetId } from '../tables/model.js';
import type { SiteTraffic, TrafficCounts } from './matrix.js';

export interface CountedPair extends TrafficCounts {
  readonly vnet: VnetId;
  /** Undefined: outside. */
  readonly source: Ip | undefined;
  readonly destination: Ip | undefined;
  readonly sourceSite: SiteId;
  readonly destinationSite: SiteId;
}

/** What was counted in a time. */
export interface Counted {
  /** Most bytes first. */
  readonly pairs: readonly CountedPair[];
  readonly rest: readonly SiteTraffic[];
  readonly unattributed: TrafficCounts;
}

export const NO_COUNTS: TrafficCounts = { packets: 0, bytes: 0 };
export const NOTHING: Counted = { pairs: [], rest: [], unattributed: NO_COUNTS };

export function plus(a: TrafficCounts, b: TrafficCounts): TrafficCounts {
  return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes };
}

/** `by` times as much; may be a fraction. */
export function times({ packets, bytes }: TrafficCounts, by: number): TrafficCounts {
  return { packets: packets * by, bytes: bytes * by };
}

export function byBytes(a: TrafficCounts, b: TrafficCounts): number {
  return b.bytes - a.bytes;
}
