/** `GET /v1/traffic`: who has sent how much to whom, as all routers have counted it. */

export const TRAFFIC_BY = ['node', 'site', 'group'] as const;
export const MOST_TOP = 1_024;
export const MOST_WAIT_SECONDS = 60;
/** An answer comes within the time that the asker waits, or a moment later. */
export const TRAFFIC_PATIENCE_MS = (MOST_WAIT_SECONDS + 30) * 1_000;

export interface TrafficRequest {
  readonly lastSeconds: number;
  readonly mode: 'ended' | 'exact' | 'approximate';
  readonly detail: boolean;
  readonly weight: number;
  readonly by: (typeof TRAFFIC_BY)[number];
  readonly top: number;
  readonly node: string | undefined;
  readonly vnet: string | undefined;
  readonly waitSeconds: number;
}

/** A pair of nodes, or with `by` site of sites: then it names no nodes. */
export interface TrafficRowView {
  readonly vnet: string;
  /** One of the node's addresses, always the same; "outside". */
  readonly source: string | null;
  readonly destination: string | null;
  readonly sourceSite: string;
  readonly destinationSite: string;
  readonly packets: number;
  /** Of IP packets as they travel on a LAN, headers included. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

export interface TrafficPartView {
  readonly startedAt: string;
  readonly seconds: number;
  /** Of all that was counted, also of what is not in the rows. */
  readonly packets: number;
  readonly bytes: number;
  /** Not all that was counted is in the rows. */
  readonly truncated: boolean;
  /** Of all bytes, those in the rows. */
  readonly shareOfBytes: number;
  /** Most bytes first. */
  readonly rows: readonly TrafficRowView[];
}

export interface TrafficView {
  readonly from: string;
  readonly to: string;
  readonly periods: number;
  readonly periodSeconds: number;
  /** `approximate`: the last period runs still, and is estimated from what it has and the one before it. */
  readonly mode: TrafficRequest['mode'];
  readonly weight: number;
  readonly by: TrafficRequest['by'];
  /** Some routers have not told, or do not have all periods. */
  readonly partial: boolean;
  /** Routers that have not told, or of which not all that they told counts. */
  readonly missing: readonly string[];
  /** Routers that have only some of the periods: they were started meanwhile. */
  readonly lacking: readonly { readonly router: string; readonly periods: number }[];
  /** One for all periods; with detail one each. */
  readonly parts: readonly TrafficPartView[];
}
