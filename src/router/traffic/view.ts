/** What the routers have told, as an operator sees it. */
import {
  MOST_TOP,
  type TrafficPartView,
  type TrafficRowView,
  type TrafficView,
} from '../../control/traffic-view.js';
import type { RouterId } from '../../tables/model.js';
import { type Combined, matrixOf, type NameOf } from '../../traffic/combine.js';
import {
  completenessOf,
  type PairTraffic,
  type SiteTraffic,
  sumOf,
  type TrafficMatrix,
} from '../../traffic/matrix.js';
import { PERIOD_SECONDS } from '../../traffic/periods.js';
import type { Plan, TrafficQuery } from '../../traffic/query.js';

export interface ViewParts {
  readonly query: TrafficQuery;
  readonly plan: Plan;
  readonly combined: Combined;
  readonly missing: readonly RouterId[];
  /** Of the routers that have told: how many of the periods each has. */
  readonly periodsOf: ReadonlyMap<RouterId, number>;
  readonly nameOf: NameOf;
  readonly vnetName: (vnet: number) => string;
}

export function trafficView(parts: ViewParts): TrafficView {
  const { query, plan, missing, periodsOf } = parts;
  const { periods, detail } = plan.question;
  const lacking = [...periodsOf]
    .filter(([, had]) => had < periods)
    .map(([router, had]) => ({ router, periods: had }))
    .sort((a, b) => (a.router < b.router ? -1 : 1));
  return {
    from: isoOf(plan.fromSeconds),
    to: isoOf(plan.toSeconds),
    periods,
    periodSeconds: PERIOD_SECONDS,
    mode: query.mode,
    weight: query.weight,
    by: query.by,
    partial: missing.length > 0 || lacking.length > 0,
    missing,
    lacking,
    parts: Array.from({ length: detail ? periods : 1 }, (_, period) => partView(parts, period)),
  };
}

function partView(
  { query, plan, combined, missing, nameOf, vnetName }: ViewParts,
  period: number,
): TrafficPartView {
  const matrix = matrixOf(combined.counted(period), plan.question, nameOf, missing);
  const all = sumOf([...matrix.pairs, ...matrix.rest, matrix.unattributed]);
  const chosen = query.by === 'site' ? sitesOf(matrix) : matrix.pairs;
  const shown = chosen.slice(0, Math.min(query.top, MOST_TOP));
  const shownSum = sumOf(shown);
  return {
    startedAt: isoOf(plan.fromSeconds + period * PERIOD_SECONDS),
    seconds: round3(matrix.seconds),
    packets: Math.round(all.packets),
    bytes: Math.round(all.bytes),
    truncated: shown.length < chosen.length || (query.by === 'node' && completenessOf(matrix).truncated),
    shareOfBytes: all.bytes === 0 ? 1 : shownSum.bytes / all.bytes,
    rows: shown.map((row) => rowView(row, matrix.seconds, vnetName)),
  };
}

function rowView(
  row: PairTraffic | SiteTraffic,
  seconds: number,
  vnetName: (vnet: number) => string,
): TrafficRowView {
  const ends = 'source' in row ? row : { source: null, destination: null };
  return {
    vnet: vnetName(row.vnet),
    source: ends.source,
    destination: ends.destination,
    sourceSite: row.sourceSite,
    destinationSite: row.destinationSite,
    packets: Math.round(row.packets),
    bytes: Math.round(row.bytes),
    bytesPerSecond: round3(row.bytes / seconds),
  };
}

/** Pairs and what has none, by sites. */
function sitesOf({ pairs, rest }: TrafficMatrix): SiteTraffic[] {
  const sums = new Map<string, SiteTraffic>();
  for (const { vnet, sourceSite, destinationSite, packets, bytes } of [...pairs, ...rest]) {
    const key = `${vnet} ${sourceSite} ${destinationSite}`;
    const known = sums.get(key) ?? { packets: 0, bytes: 0 };
    const sum = sumOf([known, { packets, bytes }]);
    sums.set(key, { vnet, sourceSite, destinationSite, ...sum });
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
