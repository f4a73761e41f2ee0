/** A site's two routers, and the gateway addresses, in Prometheus' terms. Of a router without a partner there are no rows. */
import type { CountersView } from '../../control/api.js';
import type { PartnerView, RoleView } from '../../control/role-view.js';
import type { Gateways } from '../lan/gateways.js';
import { counter, gauge, type MetricFamily, type MetricRow, single } from './exposition.js';

export interface PairSource {
  role(): RoleView;
  /** Of each LAN with gateway addresses. */
  gatewayConflicts(): ReturnType<Gateways['conflicts']>;
}

const MS = 1e-3;
const ROLES = ['active', 'standby', 'isolated'] as const;

export function pairFamilies(source: PairSource, counters: CountersView): MetricFamily[] {
  const view = source.role();
  return [...roleFamilies(view, counters), ...lanFamilies(view), conflictFamily(source)];
}

function roleFamilies(view: RoleView, counters: CountersView): MetricFamily[] {
  const { site, role, term, priority, router } = view;
  const withPartner = ofPair(view);
  return [
    gauge('vine_pair_active', 'Is it the router that serves the site?', ['site'], () =>
      withPartner(() => [[[site], role === 'active' ? 1 : 0]]),
    ),
    gauge('vine_pair_role', 'What it is at its site: 1 for one of them', ['site', 'role'], () =>
      withPartner(() => ROLES.map((each) => [[site, each], each === role ? 1 : 0])),
    ),
    gauge('vine_pair_term', 'Rises with each change of the active router', ['site'], () =>
      withPartner(() => [[[site], term]]),
    ),
    counter('vine_pair_role_changes_total', 'How often its role has changed', [], () =>
      withPartner(() => single(counters.pair_role_changed ?? 0)),
    ),
    gauge(
      'vine_pair_heard_ago_seconds',
      'Since the other router was heard: in the session, and as active on a LAN; absent before the first time',
      ['partner', 'way'],
      () =>
        withPartner((partner) => [
          ...sinceHeard(partner, 'session', partner.heardAgoMs),
          ...sinceHeard(partner, 'lan', partner.advertisedAgoMs),
        ]),
    ),
    gauge('vine_pair_priority', 'How well each of the two can serve, 10 to 250', ['router'], () =>
      withPartner((partner) => [
        ...(priority === null ? [] : [[[router], priority] as const]),
        ...(partner.priority === null ? [] : [[[partner.router], partner.priority] as const]),
      ]),
    ),
  ];
}

/** Rows only for one of two. */
function ofPair({
  partner,
}: RoleView): (rows: (partner: PartnerView) => readonly MetricRow[]) => readonly MetricRow[] {
  return (rows) => (partner === null ? [] : rows(partner));
}

function sinceHeard({ router }: PartnerView, way: string, agoMs: number | null): MetricRow[] {
  return agoMs === null ? [] : [[[router, way], agoMs * MS]];
}

function lanFamilies(view: RoleView): MetricFamily[] {
  const withPartner = ofPair(view);
  const { lans } = view;
  return [
    gauge('vine_pair_lan_advertising', 'Can it advertise itself on the LAN?', ['lan'], () =>
      withPartner(() => lans.map((lan) => [[lan.interface], lan.advertising === 'up' ? 1 : 0])),
    ),
    gauge('vine_pair_lan_strangers', "Other machines that advertise the site's VRID there", ['lan'], () =>
      withPartner(() => lans.map((lan) => [[lan.interface], lan.strangers.length])),
    ),
    gauge(
      'vine_pair_lan_virtual_mac_passes',
      'Does the LAN carry frames from the virtual MAC? Absent where that is not known',
      ['lan'],
      () =>
        withPartner(() =>
          lans.flatMap(({ interface: lan, virtualMacPasses }): MetricRow[] =>
            virtualMacPasses === null ? [] : [[[lan], virtualMacPasses ? 1 : 0]],
          ),
        ),
    ),
  ];
}

function conflictFamily(source: PairSource): MetricFamily {
  return gauge(
    'vine_gateway_conflicts',
    "Gateway addresses that somebody else has too: this machine's kernel, or another machine on the LAN",
    ['lan', 'holder'],
    () =>
      source.gatewayConflicts().flatMap(({ lan, kernel, machine }): MetricRow[] => [
        [[lan, 'kernel'], kernel],
        [[lan, 'machine'], machine],
      ]),
  );
}
