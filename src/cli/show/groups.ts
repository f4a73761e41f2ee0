/** `vinectl traffic --by group`: who talks mostly with each other, made from the pairs of each period. */
import type { TrafficPartView, TrafficView } from '../../control/traffic-view.js';
import { count, time } from '../../control/units.js';
import { groupsOf } from '../../traffic/groups/groups.js';
import { NO_GROUPS, nextGroups, type SteadyGroups } from '../../traffic/groups/steady.js';
import type { Measure } from '../../traffic/groups/weights.js';
import type { PairTraffic } from '../../traffic/matrix.js';
import { type Look, table } from './text.js';

export interface GroupsReport {
  readonly from: string;
  readonly to: string;
  readonly periods: number;
  readonly partial: boolean;
  readonly measure: Measure;
  /** Found in three periods running, and nothing else since. */
  readonly groups: readonly { readonly vnet: string; readonly nodes: readonly string[] }[];
  /** In how many periods, to the end, something else was found; 0: in none. */
  readonly changingPeriods: number;
  /** Pairs of this share of the strongest counted in the last period. */
  readonly threshold: number;
}

export interface GroupsAsked {
  readonly measure: Measure;
  /** Undefined: found anew in each period. */
  readonly threshold?: number | undefined;
}

/** @param view of nodes, each period by itself */
export function groupsReport(view: TrafficView, asked: GroupsAsked): GroupsReport {
  const names = [...new Set(view.parts.flatMap(({ rows }) => rows.map(({ vnet }) => vnet)))];
  let state: SteadyGroups = NO_GROUPS;
  let threshold = asked.threshold ?? 1;
  for (const part of view.parts) {
    const found = groupsOf({ seconds: part.seconds, pairs: pairsOf(part, names) }, asked);
    state = nextGroups(state, found.groups);
    threshold = found.threshold;
  }
  return {
    from: view.from,
    to: view.to,
    periods: view.periods,
    partial: view.partial,
    measure: asked.measure,
    groups: state.groups.map((group) => ({
      vnet: names[group[0]?.vnet ?? 0] ?? '',
      nodes: group.map(({ address }) => address),
    })),
    changingPeriods: state.candidate?.periods ?? 0,
    threshold,
  };
}

/** Vnets by their position in `names`. */
function pairsOf({ rows }: TrafficPartView, names: readonly string[]): PairTraffic[] {
  return rows.flatMap((row) => {
    const { source, destination } = row;
    if (source === null || destination === null) return [];
    return [{ ...row, vnet: names.indexOf(row.vnet), source, destination }];
  });
}

export function showGroups(report: GroupsReport, { paint }: Look): string {
  const { from, to, periods, groups, changingPeriods, measure, threshold, partial } = report;
  const rows = groups.map(({ vnet, nodes }, i) => ({ number: String(i + 1), vnet, nodes }));
  return [
    `${paint('bold', 'Groups')} from ${time(from)} to ${time(to)}: ${count(periods)} periods, by ${measure}, pairs of ${(100 * threshold).toFixed(0)} % of the strongest or more\n`,
    table(
      rows,
      [
        { title: '#', text: ({ number }) => number, right: true },
        { title: 'VNET', text: ({ vnet }) => vnet },
        { title: 'SIZE', text: ({ nodes }) => count(nodes.length), right: true },
        { title: 'NODES', text: ({ nodes }) => nodes.join(' ') },
      ],
      paint,
      'no groups',
    ),
    changingPeriods > 0 ? `changing: the last ${count(changingPeriods)} periods show other groups\n` : '',
    partial ? `${paint('yellow', 'partial')}: some routers have not told all\n` : '',
  ].join('');
}
