/** The signed description and the memberships in Prometheus' terms. Of a router that pins no network key there are no rows. */
import type { CountersView } from '../../control/api.js';
import type { MembershipView } from '../../control/membership-view.js';
import type { NetworkView } from '../../control/network-view.js';
import { counter, gauge, type MetricFamily, type MetricRow, single } from './exposition.js';

export interface NetworkSource {
  /** Undefined: no network key is pinned. */
  network(): NetworkView | undefined;
  memberships(): readonly MembershipView[];
}

const ROUTER_STATES = ['current', 'trial', 'older', 'newer', 'differs', 'unknown'] as const;
const OUTCOMES = ['refused', 'undone'] as const;
const MEMBERSHIP_STATES = ['counts', 'absorbed', 'left-out'] as const;
const RESULTS = ['applied', 'confirmed', 'refused', 'undone'] as const;
/** What → the counter of it. */
const SIGNED_TWICE = { description: 'descriptions_signed_twice', key: 'network_keys_signed_twice' } as const;
const JOINS = { admitted: 'joins_admitted', refused: 'joins_refused' } as const;

/** @param self this router's id */
export function networkFamilies(source: NetworkSource, counters: CountersView, self: string): MetricFamily[] {
  const view = source.network();
  const ofKey: OfKey = (rows) => (view === undefined ? [] : rows(view));
  return [
    ...descriptionFamilies(ofKey, counters, self),
    ...membershipFamilies(ofKey, source, counters),
    gauge('vine_etcd_reached', 'Does the etcd with the description answer? Absent without one', [], () =>
      ofKey(({ etcd }) => (etcd === null ? [] : single(etcd.reached ? 1 : 0))),
    ),
  ];
}

/** Rows only where a network key is pinned. */
type OfKey = (rows: (view: NetworkView) => readonly MetricRow[]) => readonly MetricRow[];

function descriptionFamilies(ofKey: OfKey, counters: CountersView, self: string): MetricFamily[] {
  return [
    gauge('vine_description_version', 'Of the description that it runs with; 0: not signed', [], () =>
      ofKey(({ version }) => single(version ?? 0)),
    ),
    gauge(
      'vine_description_newest_version',
      'The highest of its own and of what the other routers say that they run with, or have tried',
      [],
      () => ofKey((view) => single(newestIn(view))),
    ),
    gauge('vine_description_on_trial', 'Is the description on trial here?', [], () =>
      ofKey(({ trial }) => single(trial === null ? 0 : 1)),
    ),
    gauge('vine_description_trial_lost_peers', 'Peers that are lost since the trial began', [], () =>
      ofKey(({ trial }) => single(trial?.lost.length ?? 0)),
    ),
    gauge(
      'vine_description_not_kept',
      'Was a higher version than the present one refused, or undone, here?',
      ['outcome'],
      () =>
        ofKey(({ routers }) => {
          const verdict = routers.find(({ id }) => id === self)?.verdict;
          return OUTCOMES.map((outcome) => [[outcome], verdict?.outcome === outcome ? 1 : 0]);
        }),
    ),
    gauge('vine_description_routers', 'Routers, this one too, by what they have of it', ['state'], () =>
      ofKey(({ routers }) =>
        ROUTER_STATES.map((state) => [[state], routers.filter((router) => router.state === state).length]),
      ),
    ),
    counter('vine_descriptions_total', 'Descriptions, by what became of them here', ['result'], () =>
      ofKey(() => RESULTS.map((result) => [[result], counters[`descriptions_${result}`] ?? 0])),
    ),
    counter(
      'vine_network_signed_twice_total',
      "The network's key has signed two descriptions of one version, or named two successors",
      ['what'],
      () => ofKey(() => counted(SIGNED_TWICE, counters)),
    ),
  ];
}

function newestIn({ version, routers }: NetworkView): number {
  const told = routers.map((router) => Math.max(router.version ?? 0, router.verdict?.version ?? 0));
  return Math.max(version ?? 0, ...told);
}

function membershipFamilies(ofKey: OfKey, source: NetworkSource, counters: CountersView): MetricFamily[] {
  return [
    gauge('vine_memberships', 'Routers that have joined with a token', ['state'], () =>
      ofKey(() => {
        const memberships = source.memberships();
        return MEMBERSHIP_STATES.map((state) => [
          [state.replace('-', '_')],
          memberships.filter((one) => one.state === state).length,
        ]);
      }),
    ),
    counter('vine_joins_total', 'Machines that have handed in a membership here', ['result'], () =>
      ofKey(() => counted(JOINS, counters)),
    ),
    counter('vine_tokens_used_twice_total', 'Second machines that have used a token', [], () =>
      ofKey(() => single(counters.tokens_used_twice ?? 0)),
    ),
  ];
}

function counted(names: Readonly<Record<string, string>>, counters: CountersView): MetricRow[] {
  return Object.entries(names).map(([label, name]) => [[label], counters[name] ?? 0]);
}
