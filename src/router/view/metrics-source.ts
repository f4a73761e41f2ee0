/** Where the metrics come from in the running router. */
import type { DataPlane } from '../../dataplane/plane.js';
import type { ForwardingTable } from '../../tables/forwarding/forwarding-table.js';
import type { Gateways } from '../lan/gateways.js';
import type { Tables } from '../tables.js';
import type { TrafficDesk } from '../traffic/desk.js';
import type { CounterBoard } from './counter-board.js';
import type { LiveView } from './live-view.js';
import type { MetricsSource } from './metric-families.js';
import type { NetworkSource } from './network-families.js';

export interface MetricsParts {
  readonly view: LiveView;
  readonly board: CounterBoard;
  readonly tables: Tables;
  readonly forwarding: ForwardingTable;
  readonly plane: Pick<DataPlane, 'vnetTraffic' | 'threads'>;
  readonly gateways: Pick<Gateways, 'conflicts'>;
  readonly traffic: Pick<TrafficDesk, 'siteTraffic'>;
}

export function metricsSource(parts: MetricsParts): Omit<MetricsSource, keyof NetworkSource> {
  const { view, board, tables, forwarding, plane, gateways, traffic } = parts;
  const { gndt, lndt, hwdt, directory } = tables;
  return {
    status: () => view.status(),
    peers: () => view.peers(),
    role: () => view.role(),
    gatewayConflicts: () => gateways.conflicts(),
    counters: () => board.counters(),
    isDrop: (name) => board.isDrop(name),
    tables: () => ({
      gndt_networks: gndt.config.networks.length,
      gndt_routers: gndt.config.routers.length,
      lndt: lndt.entries.length,
      hwdt: hwdt.size,
      directory: directory.size,
      forwarding: forwarding.size,
    }),
    vnetTraffic: () =>
      gndt.config.vnets.map(({ id, name }) => ({ vnet: name, traffic: plane.vnetTraffic(id) })),
    siteTraffic: () => traffic.siteTraffic(),
    threads: () => plane.threads(),
  };
}
