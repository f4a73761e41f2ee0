/**
 * How a router asks the others who talks to whom. The answer is pulled: each part is sent once, and what was lost is asked for
 * again, with the same question.
 */
import type { Ip } from '../net/ip.js';
import type { SiteId, VnetId } from '../tables/model.js';

/** A week. */
export const MAX_ASKED_PERIODS = 20_160;
/** In a part's rows: by period, or all together. */
export const MAX_DETAIL_PERIODS = 120;
export const MAX_ASKED_PAIRS = 1_024;
/** Of a machine. */
export const MAX_ASKED_NODE_IPS = 16;
export const MAX_WEIGHT_PERMILLE = 1_000_000;
/** Of an answer; a part has 20 rows of IPv4 pairs. */
export const MAX_TRAFFIC_PARTS = 512;
/** Sent for one ask. */
export const TRAFFIC_PARTS_AT_ONCE = 32;
/** Unix seconds at the beginning of a period, by its length: the year 2112. */
export const MAX_PERIOD = 2 ** 32 / 30;

export interface TrafficAskMessage {
  readonly type: 'trafficAsk';
  readonly queryId: number;
  /** The last one asked for: Unix seconds at its beginning, divided by 30. */
  readonly lastPeriod: number;
  readonly periods: number;
  /** The last one runs still: what it will have come to is estimated. */
  readonly approximate: boolean;
  /** Each period by itself. */
  readonly detail: boolean;
  /** How much a period counts as against the one before it. */
  readonly weightPermille: number;
  /** Undefined: all. */
  readonly vnet: VnetId | undefined;
  /** Only what one of these has sent or got; none: everything. */
  readonly ips: readonly Ip[];
  /** The largest, of each period with `detail`. */
  readonly mostPairs: number;
  /** From which part on. */
  readonly first: number;
}

/** What is counted: of a pair, of two sites' others, of nobody known. */
export type TrafficRowKind = 'pair' | 'sites' | 'nobody';

export interface TrafficRow {
  readonly kind: TrafficRowKind;
  /** Of those asked for, from 0; 0 without `detail`. */
  readonly period: number;
  /** 0 of `nobody`. */
  readonly vnet: number;
  /** Of a pair; undefined: outside. */
  readonly source: Ip | undefined;
  readonly destination: Ip | undefined;
  /** Empty of `nobody`. */
  readonly sourceSite: SiteId;
  readonly destinationSite: SiteId;
  readonly packets: number;
  readonly bytes: number;
}

export interface TrafficPartMessage {
  readonly type: 'trafficPart';
  readonly queryId: number;
  readonly part: number;
  readonly parts: number;
  /** How many of the periods asked for the sender has. */
  readonly periods: number;
  readonly rows: readonly TrafficRow[];
}

export type TrafficMessage = TrafficAskMessage | TrafficPartMessage;
