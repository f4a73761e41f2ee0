import type { CounterBoard } from '../../../src/router/view/counter-board.js';
import type { MetricsSource } from '../../../src/router/view/metric-families.js';
import { ROLE } from '../control/fake-router.js';

/** A router with nothing but its name, and what is given. */
export function metricsSource({ board }: { board?: CounterBoard } = {}): MetricsSource {
  return {
    status: () =>
      ({
        id: 'vr-b',
        version: '0.1.0',
        ready: true,
        workers: [],
        warnings: [],
        startedAt: '2026-01-01T00:00:00Z',
        nodesHere: 0,
        nodesVisiting: 0,
        nodesDeparted: 0,
        nodesMissing: 0,
      }) as never,
    peers: () => [],
    role: () => ({ ...ROLE, partner: null, lans: [] }),
    gatewayConflicts: () => [],
    counters: () => board?.counters() ?? {},
    isDrop: (name) => board?.isDrop(name) ?? false,
    tables: () => ({}),
    vnetTraffic: () => [],
    siteTraffic: () => ({ pairs: [], unattributedBytes: 0 }),
    threads: () => [],
    network: () => undefined,
    memberships: () => [],
  };
}
